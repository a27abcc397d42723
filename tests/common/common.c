/* SPDX-License-Identifier: MIT */
#include "tests/common/common.h"

#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"

void run_to_hlt(struct machine *m)
{
	struct test_ctx *t = m->t;

	if (m->v->exit.reason == EXIT_HLT && vcpu_advance(m->v))
		TEST_ERROR(t, "cannot step over HLT at rip 0x%llx", (unsigned long long)m->v->rip);
	machine_run_handling(m, HANDLE_REST);
	if (m->v->stop != STOP_EXIT || m->v->exit.reason != EXIT_HLT) {
		test_report(t, OUTCOME_FAIL, "%s at rip 0x%llx (%s) %s instead of HLT",
			    exit_reason_name(m->v->exit.reason), (unsigned long long)m->v->rip,
			    stop_reason_name(m->v->stop), m->v->why);
		test_leave(t);
	}
}

bool expect_exception(struct machine *m, enum exit_reason got, u8 vector, u64 error)
{
	const struct guest_exception *e = machine_exception(m);
	struct test_ctx *t = m->t;

	if (!CHECK(t, got == EXIT_HYPERCALL, "no exception %u but exit %s at rip 0x%llx",
		   vector, exit_reason_name(got), (unsigned long long)m->v->rip))
		return false;
	CHECK(t, e->vector == vector, "exception %llu, not %u", (unsigned long long)e->vector,
	      vector);
	CHECK(t, e->error == error, "error code 0x%llx, not 0x%llx of vector %u",
	      (unsigned long long)e->error, (unsigned long long)error, vector);
	return true;
}

void reload(struct machine *m, const struct guest_code *code)
{
	u64 len = (u64)(code->end - code->start);

	memcpy(machine_ptr(m, G_CODE, len), code->start, len);
	memset(m->v->gpr, 0, sizeof(m->v->gpr));
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	m->v->rip = G_CODE;
	m->v->rflags = RFLAGS_FIXED;
	m->v->exit.reason = EXIT_NONE;
}

void idt32(struct machine *m)
{
	const struct vsegment idtr = { .base = G_IDT, .limit = 256 * 8 - 1 };
	u8 *code = machine_ptr(m, G_HANDLERS, 256 * 16);
	u64 *gate = machine_ptr(m, G_IDT, 256 * 8);

	for (u32 i = 0; i < 256; i++) {
		u32 at = G_HANDLERS + i * 16;

		/* mov $(EXC32 + i), %eax; hlt; jmp to the hlt */
		memcpy(code + i * 16, (const u8[]){ 0xb8, (u8)i, 0, 0, 0xe0, 0xf4, 0xeb, 0xfd }, 8);
		/* APM2 4.8.3: 32-bit interrupt gate, DPL 3. */
		gate[i] = (at & 0xffff) | (u64)G_SEL_CODE32 << 16 | 0xeeULL << 40 |
			  (u64)(at >> 16) << 48;
	}
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
}

u32 expect_exc32(struct machine *m, u8 vector, u32 error)
{
	struct test_ctx *t = m->t;
	const u32 *stack;
	u32 got, code;

	run_to_hlt(m);
	got = (u32)m->v->gpr[VREG_RAX];
	if (!CHECK(t, got == EXC32 + vector, "eax 0x%x at rip 0x%llx, not exception %u", got,
		   (unsigned long long)m->v->rip, vector))
		test_leave(t);
	stack = machine_ptr(m, (u32)m->v->gpr[VREG_RSP], 16);
	if (error == ~0u)
		return stack[0];
	code = stack[0];
	CHECK(t, code == error, "error code 0x%x, not 0x%x", code, error);
	return stack[1];
}

u64 *guest_4k_pages(struct machine *m, u64 linear, u64 table_gpa)
{
	u64 *pd = machine_ptr(m, G_PD + (linear >> 30) * PAGE_SIZE, PAGE_SIZE);
	u64 *table = machine_ptr(m, table_gpa, PAGE_SIZE);

	for (u64 i = 0; i < 512; i++)
		table[i] = (ALIGN_DOWN(linear, SIZE_2M) + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_U;
	pd[linear >> 21 & 511] = table_gpa | PTE_P | PTE_W | PTE_U;
	return table;
}
