# SPDX-License-Identifier: MIT
pure-y += core/vm/insn.o core/vm/insn_operands.o
