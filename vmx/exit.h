/* SPDX-License-Identifier: MIT */
/* Raw VM exits to the neutral record.  Pure. */
#ifndef VMX_EXIT_H
#define VMX_EXIT_H

#include "core/vm/exit.h"
#include "vmx/vmcs.h"

/* Which VM-exit information fields an exit needs; see exit_reasons.def. */
#define VMX_NEED_LEN	0x01u
#define VMX_NEED_QUAL	0x02u
#define VMX_NEED_IDT	0x04u
#define VMX_NEED_INTR	0x08u
#define VMX_NEED_INFO	0x10u
#define VMX_NEED_GPA	0x20u
/* The only field is the length and there is nothing to decode: the short way. */
#define VMX_QUICK	0x40u

/* The VM-exit information fields (SDM3 25.9) that were read. */
struct vmx_exit_raw {
	u32 reason;
	u32 insn_len;
	u32 insn_info;
	u32 intr_info;
	u32 intr_error;
	u32 idt_info;
	u32 idt_error;
	u64 qualification;
	u64 gla;
	u64 gpa;
	u64 cr2;		/* guest's, for an interrupted #PF */
	u32 rcx;		/* guest's ECX: MSR number */
};

struct vmx_exit_row {
	u8 neutral;		/* enum exit_reason */
	u8 need;		/* VMX_NEED_* */
	/* Fills the union of *x; NULL when there is nothing to fill. */
	void (*decode)(const struct vmx_exit_raw *raw, struct vm_exit *x);
};

extern const struct vmx_exit_row vmx_exit_rows[VMX_EXIT_LIMIT];

/* The row of a raw reason field; RESERVED_35's for numbers beyond the table. */
static inline const struct vmx_exit_row *vmx_exit_row(u32 reason)
{
	u32 basic = reason & VMX_REASON_BASIC;

	return &vmx_exit_rows[likely(basic < VMX_EXIT_LIMIT) ? basic : VMX_EXIT_RESERVED_35];
}

/* Interruption information to an event; payload as given. */
struct event vmx_event_decode(u32 info, u32 error, u32 insn_len, u64 payload);

/*
 * The VM-entry interruption information for e.  SDM3 27.2.1.3: outside
 * protected mode no error code may be delivered.
 */
u32 vmx_event_encode(const struct event *e, bool protected_mode);
/* VM-entry instruction length for e: 0 when the field does not matter. */
u8 vmx_event_insn_len(const struct event *e);

/* Decodes everything; raw has the fields that the row needs. */
void vmx_exit_decode(const struct vmx_exit_raw *raw, struct vm_exit *x);

/* An entry that failed before it began (SDM3 31.4). */
void vmx_exit_insn_failure(u32 error, struct vm_exit *x);

/*
 * SDM3 28.2.3, 28.2.1 (EPT violations, bit 12): the exit came while IRET
 * unblocked NMIs, so blocking must be put back before IRET runs again.
 */
bool vmx_exit_unblocked_nmi(const struct vmx_exit_raw *raw);

#endif
