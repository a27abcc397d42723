# SPDX-License-Identifier: MIT
guest64-y += regs64
