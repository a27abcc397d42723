// SPDX-License-Identifier: MIT
#include "core/vm/stale_code.h"

#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"

/* Looks without a second sight until the first one counts no more. */
#define LOOKS		100

/* The byte of the guest's code at linear, in its RAM; NULL: none. */
static u8 *code_byte(struct vcpu *v, u64 linear, u32 access)
{
	struct event fault;
	u64 gpa;

	return vcpu_translate(v, linear, access, &gpa, &fault) ?
		       NULL : gmem_ptr_rw(&v->vm->mem, gpa, 1);
}

/* Is v in long mode at the first instruction of its #BP handler?  *frame is what #BP pushed. */
static bool at_bp_handler(struct vcpu *v, u64 frame[2])
{
	struct vsegment idt;
	struct event fault;
	u64 gate[2], handler;

	if (!(virt->get(v, VREG_EFER) & EFER_LMA))
		return false;
	virt->get_seg(v, VSEG_IDTR, &idt);
	if (vcpu_read(v, idt.base + VEC_BP * sizeof(gate), gate, sizeof(gate), &fault))
		return false;
	handler = (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | gate[1] << 32;
	return v->rip == handler &&
	       !vcpu_read(v, v->gpr[VREG_RSP], frame, 2 * sizeof(frame[0]), &fault);
}

/* The byte that was an INT3 when v took the exception that it is about to handle, or NULL. */
static u8 *int3_gone(struct vcpu *v, u64 *at)
{
	u64 frame[2];
	u8 *before, *insn;
	u32 access;

	if (!at_bp_handler(v, frame))
		return NULL;
	*at = frame[0] - 1;
	access = frame[1] & 3 ? PTA_EXEC | PTA_USER : PTA_EXEC;
	insn = code_byte(v, *at, access);
	before = code_byte(v, *at - 1, access);
	/* CC, or CD 03. */
	return !insn || *insn == 0xcc || (*insn == VEC_BP && before && *before == 0xcd) ? NULL :
											  insn;
}

enum stale_code stale_code_look(struct vcpu *v)
{
	u64 at;
	u8 *insn = int3_gone(v, &at);

	if (!insn) {
		v->int3_looks -= v->int3_looks > 0;
		return v->int3_looks ? STALE_SUSPECT : STALE_NONE;
	}
	if (!v->int3_looks || v->int3_at != at) {
		v->int3_at = at;
		v->int3_looks = LOOKS;
		return STALE_SUSPECT;
	}
	__asm__ volatile("lock orb $0, %0" : "+m"(*insn) : : "memory");
	v->int3_looks = 0;
	v->stat.stale_int3++;
	return STALE_MENDED;
}
