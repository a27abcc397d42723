// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/vm/virt_ops.h"
#include "core/x86/regs.h"
#include "vmx/exit.h"

static struct vm_exit decode(struct vmx_exit_raw raw)
{
	struct vm_exit x;

	/* Nothing may depend on what was there. */
	memset(&x, 0xa5, sizeof(x));
	vmx_exit_decode(&raw, &x);
	return x;
}

static void test_table_has_no_gap(void **state)
{
	for (u32 i = 0; i < VMX_EXIT_LIMIT; i++) {
		assert_int_not_equal(vmx_exit_rows[i].neutral, EXIT_NONE);
		assert_true(vmx_exit_rows[i].neutral < EXIT_REASON_COUNT);
		assert_string_not_equal(vmx_exit_reason_name(i), "?");
	}
	assert_int_equal(vmx_exit_row(VMX_EXIT_LIMIT)->neutral, EXIT_UNKNOWN);
	assert_int_equal(vmx_exit_row(0xffff)->neutral, EXIT_UNKNOWN);
}

/* The short way in ops.c must do what the long one would. */
static void test_quick_rows(void **state)
{
	unsigned int n = 0;

	for (u32 i = 0; i < VMX_EXIT_LIMIT; i++) {
		const struct vmx_exit_row *r = &vmx_exit_rows[i];
		bool plain = !r->decode && (r->need & ~VMX_QUICK) == VMX_NEED_LEN;

		assert_int_equal(!!(r->need & VMX_QUICK), plain);
		n += plain;
	}
	assert_true(vmx_exit_rows[VMX_EXIT_CPUID].need & VMX_QUICK);
	assert_true(n > 10);
}

static void test_cpuid(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){ .reason = 10, .insn_len = 2 });

	assert_int_equal(x.reason, EXIT_CPUID);
	assert_int_equal(x.insn_len, 2);
	assert_int_equal(x.code, 10);
	assert_int_equal(x.idt.type, EVENT_NONE);
}

static void test_exception(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){
		.reason = 0, .intr_info = 0x80000b0e, .intr_error = 3, .qualification = 0x1234 });

	assert_int_equal(x.reason, EXIT_EXCEPTION);
	assert_int_equal(x.exc.type, EVENT_EXCEPTION);
	assert_int_equal(x.exc.vector, VEC_PF);
	assert_true(x.exc.has_error);
	assert_int_equal(x.exc.error, 3);
	assert_int_equal(x.exc.payload, 0x1234);

	/* INT3: software exception with the instruction's length. */
	x = decode((struct vmx_exit_raw){ .reason = 0, .intr_info = 0x80000603, .insn_len = 1 });
	assert_int_equal(x.exc.type, EVENT_SOFT_EXC);
	assert_int_equal(x.exc.insn_len, 1);
	assert_int_equal(x.exc.payload, 0);

	x = decode((struct vmx_exit_raw){ .reason = 0, .intr_info = 0x80000202, .insn_len = 9 });
	assert_int_equal(x.reason, EXIT_NMI);
	assert_int_equal(x.insn_len, 0);
}

static void test_idt_vectoring(void **state)
{
	struct vmx_exit_raw raw = {
		.reason = 48, .qualification = 0x181, .gpa = 0x5000, .gla = 0x7000,
		.idt_info = 0x80000b0e, .idt_error = 2, .cr2 = 0xabc,
	};
	struct vm_exit x = decode(raw);

	assert_int_equal(x.idt.type, EVENT_EXCEPTION);
	assert_int_equal(x.idt.vector, VEC_PF);
	assert_int_equal(x.idt.error, 2);
	assert_int_equal(x.idt.payload, 0xabc);

	raw.idt_info = 0x80000480;	/* INT 80h */
	raw.insn_len = 2;
	x = decode(raw);
	assert_int_equal(x.idt.type, EVENT_SOFT_INT);
	assert_int_equal(x.idt.vector, 0x80);
	assert_int_equal(x.idt.insn_len, 2);

	raw.idt_info &= ~INTR_VALID;
	assert_int_equal(decode(raw).idt.type, EVENT_NONE);
}

static void test_io(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){
		.reason = 30, .qualification = 0x3f80008, .insn_len = 1 });

	assert_int_equal(x.io.port, 0x3f8);
	assert_int_equal(x.io.size, 1);
	assert_true(x.io.in);
	assert_false(x.io.string);
	/* REP OUTSD from FS, 32-bit addresses. */
	x = decode((struct vmx_exit_raw){
		.reason = 30, .qualification = 0x800033, .insn_info = 4u << 15 | 1u << 7 });
	assert_int_equal(x.io.port, 0x80);
	assert_int_equal(x.io.size, 4);
	assert_false(x.io.in);
	assert_true(x.io.string && x.io.rep);
	assert_int_equal(x.io.seg, VSEG_FS);
	assert_int_equal(x.io.addr_size, 4);
	/* INS always goes to ES. */
	x = decode((struct vmx_exit_raw){
		.reason = 30, .qualification = 0x800019, .insn_info = 4u << 15 | 2u << 7 });
	assert_int_equal(x.io.seg, VSEG_ES);
	assert_int_equal(x.io.addr_size, 8);
	assert_int_equal(x.io.size, 2);
}

static void test_cr_and_dr(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){ .reason = 28, .qualification = 0xf04 });

	assert_int_equal(x.reason, EXIT_CR);
	assert_int_equal(x.cr.num, 4);
	assert_int_equal(x.cr.gpr, 15);
	assert_true(x.cr.write);
	assert_int_equal(x.cr.kind, CR_MOV);
	x = decode((struct vmx_exit_raw){ .reason = 28, .qualification = 0x113 });
	assert_int_equal(x.cr.num, 3);
	assert_false(x.cr.write);
	assert_int_equal(x.cr.gpr, 1);
	x = decode((struct vmx_exit_raw){ .reason = 28, .qualification = 0x20 });
	assert_int_equal(x.cr.kind, CR_CLTS);
	x = decode((struct vmx_exit_raw){ .reason = 28, .qualification = 0xfff10030 });
	assert_int_equal(x.cr.kind, CR_LMSW);
	assert_int_equal(x.cr.lmsw, 0xfff1);
	x = decode((struct vmx_exit_raw){ .reason = 29, .qualification = 0x317 });
	assert_int_equal(x.reason, EXIT_DR);
	assert_int_equal(x.cr.num, 7);
	assert_false(x.cr.write);
	assert_int_equal(x.cr.gpr, 3);
}

static void test_msr(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){ .reason = 31, .rcx = 0xc0000080 });

	assert_int_equal(x.msr.index, 0xc0000080);
	assert_false(x.msr.write);
	x = decode((struct vmx_exit_raw){ .reason = 32, .rcx = 0x10 });
	assert_int_equal(x.msr.index, 0x10);
	assert_true(x.msr.write);
}

static void test_task_switch(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){
		.reason = 9, .qualification = 0xc0000028, .idt_info = 0x80000b0d,
		.idt_error = 0x18 });

	assert_int_equal(x.task.selector, 0x28);
	assert_int_equal(x.task.source, 3);
	assert_true(x.task.has_error);
	assert_int_equal(x.task.error, 0x18);
	x = decode((struct vmx_exit_raw){ .reason = 9, .qualification = 0x80000030 });
	assert_int_equal(x.task.source, 2);
	assert_false(x.task.has_error);
}

static void test_ept_violation(void **state)
{
	/* A write in the walk of the guest's tables. */
	struct vm_exit x = decode((struct vmx_exit_raw){
		.reason = 48, .qualification = 0x08b, .gpa = 0x1000, .gla = 0x2000 });

	assert_true(x.npf.write && x.npf.read && !x.npf.exec);
	assert_true(x.npf.present && x.npf.table_walk && x.npf.gla_valid);
	assert_int_equal(x.npf.gla, 0x2000);
	x = decode((struct vmx_exit_raw){ .reason = 48, .qualification = 0x184, .gla = 0x3000 });
	assert_true(x.npf.exec && !x.npf.present && !x.npf.table_walk);
	/* Loading PDPTEs has no linear address. */
	x = decode((struct vmx_exit_raw){ .reason = 48, .qualification = 0x1, .gla = 0x3000 });
	assert_false(x.npf.gla_valid || x.npf.table_walk);
	assert_int_equal(x.npf.gla, 0);
	x = decode((struct vmx_exit_raw){ .reason = 49, .gpa = 0x9000 });
	assert_int_equal(x.reason, EXIT_NPT_MISCONFIG);
	assert_int_equal(x.npf.gpa, 0x9000);
}

static void test_virt_insns_are_all_told_apart(void **state)
{
	u32 seen = 0;

	for (u32 i = 0; i < VMX_EXIT_LIMIT; i++) {
		struct vm_exit x;

		if (vmx_exit_rows[i].neutral != EXIT_VIRT_INSN)
			continue;
		x = decode((struct vmx_exit_raw){ .reason = i });
		assert_true(x.virt.insn >= VI_VMCLEAR || x.virt.insn == VI_GETSEC);
		/* INVEPT and INVVPID do not collide with others either. */
		assert_false(seen & 1u << x.virt.insn);
		seen |= 1u << x.virt.insn;
	}
	assert_int_equal(__builtin_popcount(seen), 12);
}

static void test_entry_failures(void **state)
{
	struct vm_exit x = decode((struct vmx_exit_raw){
		.reason = VMX_REASON_ENTRY_FAIL | 33, .qualification = 4 });

	assert_int_equal(x.reason, EXIT_ENTRY_FAIL);
	assert_int_equal(x.fail.stage, ENTRY_FAIL_GUEST);
	assert_int_equal(x.fail.qualification, 4);
	x = decode((struct vmx_exit_raw){ .reason = VMX_REASON_ENTRY_FAIL | 34,
					  .qualification = 2 });
	assert_int_equal(x.fail.stage, ENTRY_FAIL_MSR_LOAD);
	x = decode((struct vmx_exit_raw){ .reason = VMX_REASON_ENTRY_FAIL | 41 });
	assert_int_equal(x.fail.stage, ENTRY_FAIL_MCE);
	memset(&x, 0xa5, sizeof(x));
	vmx_exit_insn_failure(7, &x);
	assert_int_equal(x.fail.stage, ENTRY_FAIL_INSN);
	assert_int_equal(x.fail.error, 7);
	assert_int_equal(x.idt.type, EVENT_NONE);
}

static void test_event_round_trip(void **state)
{
	static const struct event list[] = {
		{ .type = EVENT_INTR, .vector = 0x20 },
		{ .type = EVENT_NMI, .vector = 2 },
		{ .type = EVENT_EXCEPTION, .vector = VEC_GP, .has_error = true, .error = 8 },
		{ .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 },
		{ .type = EVENT_SOFT_EXC, .vector = 3, .insn_len = 1 },
		{ .type = EVENT_PRIV_EXC, .vector = 1, .insn_len = 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++) {
		u32 info = vmx_event_encode(&list[i], true);
		struct event e = vmx_event_decode(info, list[i].error,
						  vmx_event_insn_len(&list[i]), 0);

		assert_int_equal(e.type, list[i].type);
		assert_int_equal(e.vector, list[i].vector);
		assert_int_equal(e.has_error, list[i].has_error);
		assert_int_equal(e.error, list[i].error);
		assert_int_equal(e.insn_len, list[i].insn_len);
		/* SDM3 27.2.1.3: bits 30:12 are zero. */
		assert_int_equal(info & 0x7ffff000, 0);
	}
	/* Real mode pushes no error code. */
	assert_false(vmx_event_encode(&list[2], false) & INTR_ERROR_VALID);
	assert_int_equal(vmx_event_encode(&(struct event){ .type = EVENT_NONE }, true), 0);
	assert_int_equal(vmx_event_insn_len(&(struct event){ .type = EVENT_SOFT_INT }), 2);
	assert_int_equal(vmx_event_insn_len(&(struct event){ .type = EVENT_SOFT_EXC }), 1);
	assert_int_equal(vmx_event_insn_len(&(struct event){ .type = EVENT_INTR }), 0);
}

static void test_nmi_unblocking(void **state)
{
	struct vmx_exit_raw raw = { .reason = 0, .intr_info = 0x80001b0e };

	assert_true(vmx_exit_unblocked_nmi(&raw));
	raw.intr_info = 0x80001b08;	/* undefined for #DF */
	assert_false(vmx_exit_unblocked_nmi(&raw));
	raw.intr_info = 0x80000b0e;
	assert_false(vmx_exit_unblocked_nmi(&raw));
	raw.intr_info = 0x80001b0e;
	raw.idt_info = INTR_VALID;	/* no IRET was running */
	assert_false(vmx_exit_unblocked_nmi(&raw));
	raw = (struct vmx_exit_raw){ .reason = 48, .qualification = BIT(12) };
	assert_true(vmx_exit_unblocked_nmi(&raw));
	raw.qualification = 0;
	assert_false(vmx_exit_unblocked_nmi(&raw));
	raw = (struct vmx_exit_raw){ .reason = 10, .qualification = BIT(12) };
	assert_false(vmx_exit_unblocked_nmi(&raw));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_has_no_gap),
		cmocka_unit_test(test_quick_rows),
		cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_idt_vectoring),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_cr_and_dr),
		cmocka_unit_test(test_msr),
		cmocka_unit_test(test_task_switch),
		cmocka_unit_test(test_ept_violation),
		cmocka_unit_test(test_virt_insns_are_all_told_apart),
		cmocka_unit_test(test_entry_failures),
		cmocka_unit_test(test_event_round_trip),
		cmocka_unit_test(test_nmi_unblocking),
	};

	return cmocka_run_group_tests_name("vmx_exit", tests, NULL, NULL);
}
