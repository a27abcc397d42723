// SPDX-License-Identifier: MIT
#include "vmx/exit.h"

#include "core/vm/virt_ops.h"
#include "core/x86/regs.h"

/* SDM3 table 25-17: types of events; 1 is reserved, 7 is not in exits. */
static const u8 type_to_event[8] = {
	[INTR_TYPE_EXT] = EVENT_INTR,
	[INTR_TYPE_NMI] = EVENT_NMI,
	[INTR_TYPE_EXCEPTION] = EVENT_EXCEPTION,
	[INTR_TYPE_SOFT_INT] = EVENT_SOFT_INT,
	[INTR_TYPE_PRIV_EXC] = EVENT_PRIV_EXC,
	[INTR_TYPE_SOFT_EXC] = EVENT_SOFT_EXC,
};

struct event vmx_event_decode(u32 info, u32 error, u32 insn_len, u64 payload)
{
	struct event e = { .type = EVENT_NONE };

	if (!(info & INTR_VALID))
		return e;
	e.type = type_to_event[(info & INTR_TYPE) >> INTR_TYPE_SHIFT];
	e.vector = info & INTR_VECTOR;
	/* The field is undefined without the bit. */
	if (info & INTR_ERROR_VALID) {
		e.has_error = true;
		e.error = error;
	}
	if (e.type == EVENT_SOFT_INT || e.type == EVENT_SOFT_EXC || e.type == EVENT_PRIV_EXC)
		e.insn_len = (u8)insn_len;
	e.payload = payload;
	return e;
}

u32 vmx_event_encode(const struct event *e, bool protected_mode)
{
	static const u8 types[] = {
		[EVENT_INTR] = INTR_TYPE_EXT,		[EVENT_NMI] = INTR_TYPE_NMI,
		[EVENT_EXCEPTION] = INTR_TYPE_EXCEPTION, [EVENT_SOFT_INT] = INTR_TYPE_SOFT_INT,
		[EVENT_SOFT_EXC] = INTR_TYPE_SOFT_EXC,	[EVENT_PRIV_EXC] = INTR_TYPE_PRIV_EXC,
	};
	u32 info;

	if (e->type == EVENT_NONE || e->type >= ARRAY_SIZE(types))
		return 0;
	info = INTR_VALID | (u32)types[e->type] << INTR_TYPE_SHIFT | e->vector;
	if (e->has_error && protected_mode)
		info |= INTR_ERROR_VALID;
	return info;
}

u8 vmx_event_insn_len(const struct event *e)
{
	if (e->type != EVENT_SOFT_INT && e->type != EVENT_SOFT_EXC && e->type != EVENT_PRIV_EXC)
		return 0;
	/* INT n has two bytes, INT3, INTO and INT1 have one. */
	return e->insn_len ? e->insn_len : e->type == EVENT_SOFT_INT ? 2 : 1;
}

/* SDM3 28.2.1: the qualification is the address (#PF) or DR6 bits (#DB). */
static void decode_exception(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u8 vector = raw->intr_info & INTR_VECTOR;
	bool payload = vector == VEC_PF || vector == VEC_DB;

	x->exc = vmx_event_decode(raw->intr_info, raw->intr_error, raw->insn_len,
				  payload ? raw->qualification : 0);
	/* SDM3 26.2: NMIs share the basic reason of exceptions. */
	if (x->exc.type == EVENT_NMI) {
		x->reason = EXIT_NMI;
		x->insn_len = 0;
	}
}

/* SDM3 28.2.1: the vector of the start-up IPI, in bits 7:0. */
static void decode_sipi(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->sipi.vector = (u8)raw->qualification;
}

/* SDM3 table 28-2. */
static void decode_task(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->task = (struct exit_task){
		.selector = (u16)raw->qualification,
		.source = (u8)FIELD_GET(raw->qualification, 31, 30),
	};
	/* A task gate of an exception: its error code goes to the new stack. */
	if (raw->idt_info & INTR_VALID && raw->idt_info & INTR_ERROR_VALID) {
		x->task.has_error = true;
		x->task.error = raw->idt_error;
	}
}

/* SDM3 table 28-3. */
static void decode_cr(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u64 q = raw->qualification;
	static const u8 kinds[4] = { CR_MOV, CR_MOV, CR_CLTS, CR_LMSW };
	u8 type = FIELD_GET(q, 5, 4);

	x->cr = (struct exit_cr){
		.num = FIELD_GET(q, 3, 0),
		.gpr = FIELD_GET(q, 11, 8),
		.write = type != 1,
		.kind = kinds[type],
		.lmsw = type == 3 ? (u16)FIELD_GET(q, 31, 16) : 0,
	};
}

/* SDM3 table 28-4. */
static void decode_dr(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u64 q = raw->qualification;

	x->cr = (struct exit_cr){
		.num = FIELD_GET(q, 2, 0),
		.gpr = FIELD_GET(q, 11, 8),
		.write = !(q & BIT(4)),
		.kind = CR_MOV,
	};
}

/* SDM3 table 28-5; the segment and address size from table 28-8. */
static void decode_io(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u64 q = raw->qualification;

	x->io = (struct exit_io){
		.port = (u16)FIELD_GET(q, 31, 16),
		.size = FIELD_GET(q, 2, 0) + 1,
		.in = q & BIT(3),
		.string = q & BIT(4),
		.rep = q & BIT(5),
	};
	if (x->io.string) {
		/* The order of segments there is that of enum vseg. */
		x->io.seg = x->io.in ? VSEG_ES : (u8)FIELD_GET(raw->insn_info, 17, 15);
		x->io.addr_size = (u8)(2u << FIELD_GET(raw->insn_info, 9, 7));
	}
}

/* SDM3 26.1.3: the number is in ECX; there is no qualification. */
static void decode_rdmsr(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->msr.index = raw->rcx;
	x->msr.write = false;
}

static void decode_wrmsr(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->msr.index = raw->rcx;
	x->msr.write = true;
}

/* SDM3 28.2.1: the linear address of the operand. */
static void decode_invlpg(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->invlpg.linear = raw->qualification;
}

/* SDM3 table 28-7. */
static void decode_ept_violation(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u64 q = raw->qualification;
	bool gla_valid = q & BIT(7);

	x->npf = (struct exit_npf){
		.gpa = raw->gpa,
		.gla = gla_valid ? raw->gla : 0,
		.gla_valid = gla_valid,
		.read = q & BIT(0),
		.write = q & BIT(1),
		.exec = q & BIT(2),
		.present = q & BITS(5, 3),
		.table_walk = gla_valid && !(q & BIT(8)),
	};
}

/* SDM3 28.2.1: there is no qualification; the access is not told. */
static void decode_ept_misconfig(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	x->npf = (struct exit_npf){ .gpa = raw->gpa, .present = true, .rsvd = true };
}

/* The VMX instructions have a reason each, core has one for all. */
static const struct {
	u8 reason, insn;
} virt_insns[] = {
	{ VMX_EXIT_GETSEC,	VI_GETSEC },
	{ VMX_EXIT_VMCLEAR,	VI_VMCLEAR },
	{ VMX_EXIT_VMLAUNCH,	VI_VMLAUNCH },
	{ VMX_EXIT_VMPTRLD,	VI_VMPTRLD },
	{ VMX_EXIT_VMPTRST,	VI_VMPTRST },
	{ VMX_EXIT_VMREAD,	VI_VMREAD },
	{ VMX_EXIT_VMRESUME,	VI_VMRESUME },
	{ VMX_EXIT_VMWRITE,	VI_VMWRITE },
	{ VMX_EXIT_VMXOFF,	VI_VMXOFF },
	{ VMX_EXIT_VMXON,	VI_VMXON },
	{ VMX_EXIT_INVEPT,	VI_INVEPT },
	{ VMX_EXIT_INVVPID,	VI_INVVPID },
};

static void decode_virt(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(virt_insns); i++)
		if (virt_insns[i].reason == (raw->reason & VMX_REASON_BASIC))
			x->virt.insn = virt_insns[i].insn;
}

/* SDM3 27.8: failures that look like exits, with bit 31 of the reason. */
static void decode_entry_fail(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	u32 basic = raw->reason & VMX_REASON_BASIC;

	x->fail = (struct exit_entry_fail){
		.stage = basic == VMX_EXIT_ENTRY_FAIL_GUEST ? ENTRY_FAIL_GUEST :
			 basic == VMX_EXIT_ENTRY_FAIL_MSR ? ENTRY_FAIL_MSR_LOAD : ENTRY_FAIL_MCE,
		.error = basic,
		.qualification = raw->qualification,
	};
}

#define LEN		VMX_NEED_LEN
#define QUAL		VMX_NEED_QUAL
#define IDT		VMX_NEED_IDT
#define INTR		VMX_NEED_INTR
#define INFO		VMX_NEED_INFO
#define GPA		VMX_NEED_GPA
#define QUICK		(VMX_NEED_LEN | VMX_QUICK)
#define decode_none	NULL
const struct vmx_exit_row vmx_exit_rows[VMX_EXIT_LIMIT] = {
#define X(num, name, neutral, flags, decoder) [num] = { EXIT_##neutral, flags, decode_##decoder },
#include "vmx/exit_reasons.def"
#undef X
};
#undef LEN
#undef QUAL
#undef IDT
#undef INTR
#undef INFO
#undef GPA
#undef QUICK
#undef decode_none

void vmx_exit_decode(const struct vmx_exit_raw *raw, struct vm_exit *x)
{
	const struct vmx_exit_row *row = vmx_exit_row(raw->reason);

	x->reason = row->neutral;
	x->code = raw->reason;
	x->info1 = row->need & VMX_NEED_QUAL ? raw->qualification : 0;
	x->info2 = row->need & VMX_NEED_GPA ? raw->gla : 0;
	x->insn_len = row->need & VMX_NEED_LEN ? (u8)raw->insn_len : 0;
	x->idt.type = EVENT_NONE;
	/* SDM3 25.9.3: the length is also that of an interrupted INT n. */
	if (row->need & VMX_NEED_IDT && unlikely(raw->idt_info & INTR_VALID))
		x->idt = vmx_event_decode(raw->idt_info, raw->idt_error, raw->insn_len,
					  (raw->idt_info & INTR_VECTOR) == VEC_PF ? raw->cr2 : 0);
	if (row->decode)
		row->decode(raw, x);
}

/* The same of failures that are the result of VMLAUNCH or VMRESUME. */
void vmx_exit_insn_failure(u32 error, struct vm_exit *x)
{
	x->reason = EXIT_ENTRY_FAIL;
	x->code = VMX_REASON_ENTRY_FAIL;
	x->info1 = 0;
	x->info2 = 0;
	x->insn_len = 0;
	x->idt.type = EVENT_NONE;
	x->fail = (struct exit_entry_fail){ .stage = ENTRY_FAIL_INSN, .error = error };
}

bool vmx_exit_unblocked_nmi(const struct vmx_exit_raw *raw)
{
	u8 need = vmx_exit_row(raw->reason)->need;

	/* With an event in delivery it was not an IRET that ran. */
	if (!(need & VMX_NEED_IDT) || raw->idt_info & INTR_VALID)
		return false;
	if (need & VMX_NEED_INTR)
		/* Undefined for #DF. */
		return raw->intr_info & INTR_VALID && raw->intr_info & INTR_NMI_UNBLOCKING &&
		       (raw->intr_info & INTR_VECTOR) != VEC_DF;
	if ((raw->reason & VMX_REASON_BASIC) == VMX_EXIT_EPT_VIOLATION)
		return raw->qualification & BIT(12);
	return false;
}
