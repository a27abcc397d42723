# SPDX-License-Identifier: MIT
pure-y += core/vm/insn.o core/vm/insn_operands.o
pure-y += core/vm/emul.o core/vm/emul_alu.o core/vm/emul_bits.o core/vm/emul_mem.o
pure-y += core/vm/emul_seg.o core/vm/emul_shift.o core/vm/emul_stack.o core/vm/emul_string.o core/vm/emul_vec.o
pure-y += core/vm/event.o core/vm/exit.o core/vm/cpuid_filter.o core/vm/msr_policy.o
pure-y += core/vm/msr_stats.o
pure-y += core/vm/task.o core/vm/container.o core/vm/state.o \
	core/vm/state_check.o core/vm/save_mem.o core/vm/snapshot.o
pure-y += core/vm/nested_blob.o core/vm/guest_cpu.o
obj-y += core/vm/vm_stats.o core/vm/host_stats.o
obj-y += core/vm/vm.o core/vm/access.o core/vm/run.o core/vm/virt.o
obj-y += core/vm/exits.o core/vm/exits_cr.o core/vm/exits_io.o core/vm/exits_mem.o core/vm/exits_msr.o
obj-y += core/vm/exits_task.o core/vm/mmio.o core/vm/stale_code.o core/vm/pc.o core/vm/irq.o core/vm/sched.o core/vm/migrate.o
obj-y += core/vm/tsc.o
