# SPDX-License-Identifier: MIT
guest64-y += regs64 fpu ymm xsetbv tsc hlt pause triple flood forge toobig
guest32-y += regs32

# In the image: the runner's glue, and the table with all payloads.
obj-y += tests/payload.o gen_payloads.o
