// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/vm/insn.h"
#include "core/vm/virt_ops.h"
#include "core/x86/regs.h"
#include "svm/exit.h"
#include "svm/npt.h"

static struct vmcb c;
static struct vm_exit x;

static bool decode(u64 code, u64 info1, u64 info2, u32 have)
{
	memset(&x, 0xa5, sizeof(x));
	c.exitcode = code;
	c.exitinfo1 = info1;
	c.exitinfo2 = info2;
	return svm_exit_decode(&c, 0x1234c0000080ULL, have, &x);
}

static int setup(void **state)
{
	memset(&c, 0, sizeof(c));
	c.rip = 0x1000;
	return 0;
}

static void test_reasons(void **state)
{
	static const struct { u64 code; u16 reason; } row[] = {
		{ 0x60, EXIT_INTR }, { 0x61, EXIT_NMI }, { 0x64, EXIT_INTR_WINDOW },
		{ 0x66, EXIT_DESC }, { 0x6d, EXIT_DESC }, { 0x72, EXIT_CPUID },
		{ 0x78, EXIT_HLT }, { 0x7f, EXIT_SHUTDOWN }, { 0x81, EXIT_HYPERCALL },
		{ 0x8d, EXIT_XSETBV }, { 0x5f, EXIT_EXCEPTION }, { 0x400, EXIT_NPF },
		{ 0xa7, EXIT_UNKNOWN }, { 0x3ff, EXIT_UNKNOWN }, { 0x404, EXIT_UNKNOWN },
		{ 0x100000072ULL, EXIT_UNKNOWN },
		{ ~0ULL, EXIT_ENTRY_FAIL }, { 0xffffffff, EXIT_ENTRY_FAIL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		decode(row[i].code, 1, 2, 0);
		assert_int_equal(x.reason, row[i].reason);
		assert_int_equal(x.code, row[i].code);
		assert_int_equal(x.info1, 1);
		assert_int_equal(x.info2, 2);
		assert_int_equal(x.idt.type, EVENT_NONE);
	}
}

/* SVM's own, also while an event was being delivered. */
static void test_virt_insn(void **state)
{
	static const struct { u16 code; u8 insn; } row[] = {
		{ SVM_EXIT_VMRUN, VI_VMRUN }, { SVM_EXIT_VMLOAD, VI_VMLOAD },
		{ SVM_EXIT_VMSAVE, VI_VMSAVE }, { SVM_EXIT_STGI, VI_STGI },
		{ SVM_EXIT_CLGI, VI_CLGI }, { SVM_EXIT_SKINIT, VI_SKINIT },
		{ SVM_EXIT_INVLPGA, VI_INVLPGA },
	};

	c.nrip = 0x1003;
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(row); i++) {
		c.exitintinfo = i & 1 ? EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_INTR) | 0x40 : 0;
		assert_false(decode(row[i / 2].code, 0, 0, SVM_DECODE_NRIP));
		assert_int_equal(x.reason, EXIT_VIRT_INSN);
		assert_int_equal(x.virt.insn, row[i / 2].insn);
		assert_int_equal(x.insn_len, 3);
		assert_int_equal(x.idt.type, i & 1 ? EVENT_INTR : EVENT_NONE);
		decode(row[i / 2].code, 0, 0, 0);
		assert_int_equal(x.insn_len, 0);
	}
}

static void test_length_from_nrip(void **state)
{
	c.nrip = 0x1002;
	decode(SVM_EXIT_CPUID, 0, 0, SVM_DECODE_NRIP);
	assert_int_equal(x.insn_len, 2);
	decode(SVM_EXIT_CPUID, 0, 0, 0);
	assert_int_equal(x.insn_len, 0);
	/* Not an instruction: whatever nRIP holds. */
	decode(SVM_EXIT_INTR, 0, 0, SVM_DECODE_NRIP);
	assert_int_equal(x.insn_len, 0);
	c.nrip = 0;
	decode(SVM_EXIT_CPUID, 0, 0, SVM_DECODE_NRIP);
	assert_int_equal(x.insn_len, 0);
	c.nrip = 0x1010;
	decode(SVM_EXIT_CPUID, 0, 0, SVM_DECODE_NRIP);
	assert_int_equal(x.insn_len, 0);
}

static void test_cr_and_dr(void **state)
{
	assert_false(decode(0x13, BIT(63) | 5, 0, SVM_DECODE_ASSISTS));
	assert_int_equal(x.cr.num, 3);
	assert_true(x.cr.write);
	assert_int_equal(x.cr.gpr, 5);
	assert_int_equal(x.cr.kind, CR_MOV);
	/* CLTS, LMSW, SMSW have bit 63 clear: the instruction must tell. */
	assert_true(decode(0x10, 0, 0, SVM_DECODE_ASSISTS));
	assert_true(decode(0x08, BIT(63) | 2, 0, 0));
	assert_int_equal(x.cr.num, 8);
	assert_false(x.cr.write);
	assert_false(decode(0x65, BIT(63) | 1, 0, SVM_DECODE_ASSISTS));
	assert_int_equal(x.cr.num, 0);
	assert_true(x.cr.write);
	assert_false(decode(0x37, 9, 0, SVM_DECODE_ASSISTS));
	assert_int_equal(x.reason, EXIT_DR);
	assert_int_equal(x.cr.num, 7);
	assert_int_equal(x.cr.gpr, 9);
	assert_true(x.cr.write);
	assert_true(decode(0x20, 0, 0, 0));
	assert_false(x.cr.write);
}

static void test_exceptions(void **state)
{
	decode(0x4e, 7, 0xdeadbeef, 0);
	assert_int_equal(x.exc.type, EVENT_EXCEPTION);
	assert_int_equal(x.exc.vector, VEC_PF);
	assert_true(x.exc.has_error);
	assert_int_equal(x.exc.error, 7);
	assert_int_equal(x.exc.payload, 0xdeadbeef);
	decode(0x46, 7, 0, 0);
	assert_false(x.exc.has_error);
	vmcb_set_dr6(&c, DR6_FIXED1 | DR6_BS);
	decode(0x41, 0, 0, 0);
	assert_int_equal(x.exc.payload, DR6_FIXED1 | DR6_BS);
	c.nrip = 0x1001;
	decode(0x43, 0, 0, SVM_DECODE_NRIP);
	assert_int_equal(x.exc.type, EVENT_SOFT_EXC);
	assert_int_equal(x.exc.insn_len, 1);
}

/* APM2 15.10.2: port 31:16, segment 12:10, address size 9:7, size 6:4, REP, STR, TYPE. */
static void test_io(void **state)
{
	assert_false(decode(SVM_EXIT_IOIO, 0x03f80000 | 1 << 9 | 1 << 4, 0x1001, 0));
	assert_int_equal(x.io.port, 0x3f8);
	assert_int_equal(x.io.size, 1);
	assert_false(x.io.in);
	assert_false(x.io.string);
	assert_int_equal(x.io.addr_size, 8);
	assert_int_equal(x.insn_len, 1);
	decode(SVM_EXIT_IOIO, 0x00cd0000 | 1 << 6 | 1, 0x1002, 0);
	assert_true(x.io.in);
	assert_int_equal(x.io.size, 4);
	assert_int_equal(x.insn_len, 2);
	/* OUTS: the segment is known with decode assists only. */
	assert_false(decode(SVM_EXIT_IOIO, 0x800000 | 4 << 10 | 1 << 8 | 1 << 5 | 0xc, 0x1002,
			    SVM_DECODE_ASSISTS));
	assert_int_equal(x.io.seg, VSEG_FS);
	assert_true(x.io.rep);
	assert_int_equal(x.io.addr_size, 4);
	assert_int_equal(x.io.size, 2);
	assert_true(decode(SVM_EXIT_IOIO, 0x800000 | 1 << 8 | 1 << 5 | 0xc, 0x1002, 0));
	/* INS always goes to ES. */
	assert_false(decode(SVM_EXIT_IOIO, 0x800000 | 1 << 8 | 1 << 5 | 0x5, 0x1002, 0));
	assert_int_equal(x.io.seg, VSEG_ES);
	/* A CPU that says no address size. */
	assert_true(decode(SVM_EXIT_IOIO, 0x800000 | 1 << 5 | 0x5, 0x1002, SVM_DECODE_ASSISTS));
}

static void test_msr_task_npf(void **state)
{
	decode(SVM_EXIT_MSR, 1, 0, 0);
	assert_int_equal(x.msr.index, 0xc0000080);
	assert_true(x.msr.write);
	decode(SVM_EXIT_MSR, 0, 0, 0);
	assert_false(x.msr.write);
	decode(SVM_EXIT_TASK_SWITCH, 0x50, BIT(44) | BIT(38) | 0x99, 0);
	assert_int_equal(x.task.selector, 0x50);
	assert_int_equal(x.task.source, 2);
	assert_true(x.task.has_error);
	assert_int_equal(x.task.error, 0x99);
	decode(SVM_EXIT_TASK_SWITCH, 0x50, BIT(36), 0);
	assert_int_equal(x.task.source, 1);
	decode(SVM_EXIT_TASK_SWITCH, 0x50, 0, 0);
	assert_int_equal(x.task.source, 0);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_EXCEPTION) | VEC_NP;
	decode(SVM_EXIT_TASK_SWITCH, 0x50, 0, 0);
	assert_int_equal(x.task.source, 3);
	c.exitintinfo = 0;
	decode(SVM_EXIT_NPF, NPF_FINAL | PFERR_W | PFERR_U | PFERR_P, 0x7654321, 0);
	assert_int_equal(x.npf.gpa, 0x7654321);
	assert_true(x.npf.write && x.npf.present);
	assert_false(x.npf.read || x.npf.exec || x.npf.table_walk || x.npf.rsvd);
	decode(SVM_EXIT_NPF, NPF_TABLE | PFERR_U | PFERR_RSVD | PFERR_P, 0x1000, 0);
	assert_true(x.npf.table_walk && x.npf.rsvd && x.npf.read);
	decode(SVM_EXIT_NPF, NPF_FINAL | PFERR_I | PFERR_U, 0x1000, 0);
	assert_true(x.npf.exec && !x.npf.read && !x.npf.present);
}

static void test_interrupted_delivery(void **state)
{
	vmcb_set_cr2(&c, 0x4444);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_EV | EVENTINJ_TYPE(EVENTINJ_EXCEPTION) |
			VEC_PF | 6ULL << 32;
	decode(SVM_EXIT_NPF, NPF_FINAL, 0, 0);
	assert_int_equal(x.idt.type, EVENT_EXCEPTION);
	assert_int_equal(x.idt.vector, VEC_PF);
	assert_true(x.idt.has_error);
	assert_int_equal(x.idt.error, 6);
	assert_int_equal(x.idt.payload, 0x4444);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_INTR) | 0x80;
	decode(SVM_EXIT_NPF, NPF_FINAL, 0, 0);
	assert_int_equal(x.idt.type, EVENT_INTR);
	assert_int_equal(x.idt.vector, 0x80);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_NMI);
	decode(SVM_EXIT_NPF, NPF_FINAL, 0, 0);
	assert_int_equal(x.idt.type, EVENT_NMI);
	assert_int_equal(x.idt.vector, 2);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_SOFT_INT) | 0x80;
	decode(SVM_EXIT_NPF, NPF_FINAL, 0, 0);
	assert_int_equal(x.idt.type, EVENT_SOFT_INT);
	c.exitintinfo = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_EXCEPTION) | 0x80;
	decode(SVM_EXIT_NPF, NPF_FINAL, 0, 0);
	assert_int_equal(x.idt.type, EVENT_INTR);
	/* A refused entry delivered nothing. */
	decode(~0ULL, 0, 0, 0);
	assert_int_equal(x.idt.type, EVENT_NONE);
}

struct operand_row {
	u64 code;
	u8 bytes[8];
	int want;
};

static void test_operands(void **state)
{
	static u64 gpr[16] = { [0] = 0x10, [3] = 0x2000, [7] = 0x777, [9] = 0x9999 };
	struct svm_operand_env env = { .gpr = gpr, .rip_next = 0x1004, .linear_mask = ~0ULL };
	static const struct operand_row row[] = {
		{ 0x13, { 0x0f, 0x22, 0xdf }, 0 },		/* mov cr3, rdi */
		{ 0x03, { 0x41, 0x0f, 0x20, 0xd9 }, 0 },	/* mov r9, cr3 */
		{ 0x10, { 0x0f, 0x06 }, 0 },			/* clts */
		{ 0x10, { 0x0f, 0x01, 0xf0 }, 0 },		/* lmsw ax */
		{ 0x10, { 0x0f, 0x01, 0x33 }, 1 },		/* lmsw [rbx] */
		{ 0x00, { 0x0f, 0x01, 0xe7 }, 0 },		/* smsw edi */
		{ 0x27, { 0x0f, 0x21, 0xfb }, 0 },		/* mov rbx, dr7 */
		{ 0x75, { 0xcd, 0x42 }, 0 },			/* int 42h */
		{ 0x79, { 0x64, 0x0f, 0x01, 0x7b, 0x10 }, 0 },	/* invlpg fs:[rbx + 10h] */
		{ 0x7b, { 0x65, 0xf3, 0x6e }, 0 },		/* rep outsb gs: */
		{ 0x13, { 0x90 }, -EINVAL },
		{ 0x27, { 0x0f, 0xa2 }, -EINVAL },
		{ 0x79, { 0x0f, 0x01, 0xd8 }, -EINVAL },
	};
	struct vm_exit got[ARRAY_SIZE(row)];
	struct insn i;
	u64 linear = 0;

	env.seg_base[INSN_FS] = 0x100000;
	for (unsigned int n = 0; n < ARRAY_SIZE(row); n++) {
		/* OUTS for the I/O row: bits 2 and 3. */
		assert_true(decode(row[n].code, row[n].code == 0x7b ? 0x80001c : 0, 0, 0));
		assert_int_equal(insn_decode(&i, row[n].bytes, 8, INSN_MODE_64), 0);
		assert_int_equal(svm_exit_operands(&x, &i, &env, &linear), row[n].want);
		if (row[n].want >= 0)
			assert_int_equal(x.insn_len, i.len);
		got[n] = x;
	}
	assert_int_equal(got[0].cr.gpr, 7);
	assert_int_equal(got[1].cr.gpr, 9);
	assert_int_equal(got[2].cr.kind, CR_CLTS);
	assert_int_equal(got[3].cr.kind, CR_LMSW);
	assert_int_equal(got[3].cr.lmsw, 0x10);
	assert_int_equal(linear, 0x2000);
	assert_int_equal(got[5].cr.kind, CR_SMSW);
	assert_int_equal(got[5].cr.gpr, 7);
	assert_int_equal(got[6].cr.gpr, 3);
	assert_int_equal(got[7].exc.vector, 0x42);
	assert_int_equal(got[8].invlpg.linear, 0x102010);
	assert_int_equal(got[9].io.seg, VSEG_GS);
	assert_int_equal(got[9].io.addr_size, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reasons, setup),
		cmocka_unit_test_setup(test_virt_insn, setup),
		cmocka_unit_test_setup(test_length_from_nrip, setup),
		cmocka_unit_test_setup(test_cr_and_dr, setup),
		cmocka_unit_test_setup(test_exceptions, setup),
		cmocka_unit_test_setup(test_io, setup),
		cmocka_unit_test_setup(test_msr_task_npf, setup),
		cmocka_unit_test_setup(test_interrupted_delivery, setup),
		cmocka_unit_test_setup(test_operands, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
