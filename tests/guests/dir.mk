# SPDX-License-Identifier: MIT
guest64-y += regs64 fpu ymm xsetbv tsc hlt pause triple flood forge toobig
guest32-y += regs32
