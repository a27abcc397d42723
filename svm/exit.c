// SPDX-License-Identifier: MIT
#include "svm/exit.h"

#include "core/vm/insn.h"
#include "core/vm/virt_ops.h"
#include "core/x86/regs.h"
#include "svm/npt.h"

const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS] = {
#define X(code, name, reason, kind, arg)	[code] = { EXIT_##reason, KIND_##kind, arg, 0 },
#include "svm/exit_codes.def"
#undef X
	[0x01 ... 0x0f] = { EXIT_CR, KIND_CR, 0, 0 },
	[0x11 ... 0x1f] = { EXIT_CR, KIND_CR, 1, 0 },
	[0x21 ... 0x2f] = { EXIT_DR, KIND_DR, 0, 0 },
	[0x31 ... 0x3f] = { EXIT_DR, KIND_DR, 1, 0 },
	[0x41 ... 0x5f] = { EXIT_EXCEPTION, KIND_EXCP, 0, 0 },
};

/* What the decoders work on. */
struct source {
	const struct vmcb *c;
	u64 rcx;
	u32 have;		/* SVM_DECODE_ */
	u8 arg;			/* of the row */
};

/* APM2 15.8.1: EXITINFO1 63 tells MOV from CLTS, LMSW, SMSW; 3:0 the GPR. */
static bool decode_cr(const struct source *s, struct vm_exit *x)
{
	u64 info = s->c->exitinfo1;

	x->insn_len = svm_nrip_len(s->c, s->have);
	x->cr.num = x->code == SVM_EXIT_CR0_SEL_WRITE ? 0 : x->code & 15;
	x->cr.write = s->arg;
	x->cr.kind = CR_MOV;
	x->cr.lmsw = 0;
	x->cr.gpr = info & 15;
	return !(s->have & SVM_DECODE_ASSISTS) || !(info & BIT(63));
}

/* APM2 15.8.1: the GPR number in EXITINFO1 3:0. */
static bool decode_dr(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	x->cr.num = x->code & 15;
	x->cr.write = s->arg;
	x->cr.kind = CR_MOV;
	x->cr.lmsw = 0;
	x->cr.gpr = s->c->exitinfo1 & 15;
	return !(s->have & SVM_DECODE_ASSISTS);
}

/* APM2 15.12: error code in EXITINFO1, the address of #PF in EXITINFO2. */
static bool decode_excp(const struct source *s, struct vm_exit *x)
{
	u8 vector = x->code & 31;

	x->exc = (struct event){ .type = EVENT_EXCEPTION, .vector = vector };
	if (exc_has_error(vector)) {
		x->exc.has_error = true;
		x->exc.error = (u32)s->c->exitinfo1;
	}
	if (vector == VEC_PF) {
		x->exc.payload = s->c->exitinfo2;
	} else if (vector == VEC_DB) {
		x->exc.payload = vmcb_get_dr6(s->c);
	} else if (vector == VEC_BP || vector == VEC_OF) {
		x->exc.type = EVENT_SOFT_EXC;
		x->exc.insn_len = svm_nrip_len(s->c, s->have);
		x->insn_len = x->exc.insn_len;
	}
	return false;
}

/* APM2 15.10.2, figure 15-2; EXITINFO2 is the RIP behind the instruction. */
static bool decode_ioio(const struct source *s, struct vm_exit *x)
{
	u64 info = s->c->exitinfo1, len = s->c->exitinfo2 - s->c->rip;
	bool assists = s->have & SVM_DECODE_ASSISTS;

	x->insn_len = len <= INSN_MAX_LEN ? (u8)len : 0;
	x->io.port = (u16)(info >> 16);
	x->io.size = info >> 4 & 7;
	x->io.in = info & BIT(0);
	x->io.string = info & BIT(2);
	x->io.rep = info & BIT(3);
	x->io.addr_size = (u8)((info >> 7 & 7) << 1);
	x->io.seg = VSEG_ES;
	if (x->io.string && !x->io.in)
		x->io.seg = assists ? info >> 10 & 7 : VSEG_DS;
	/* The segment comes with decode assists only; some say no address size. */
	return x->io.string && (!x->io.addr_size || (!x->io.in && !assists));
}

/* APM2 15.11: EXITINFO1 is 1 for WRMSR; ECX has the number. */
static bool decode_msr(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	x->msr.index = (u32)s->rcx;
	x->msr.write = s->c->exitinfo1 & 1;
	return false;
}

/* APM2 15.14.1 */
static bool decode_task(const struct source *s, struct vm_exit *x)
{
	u64 info2 = s->c->exitinfo2;

	x->insn_len = svm_nrip_len(s->c, s->have);
	x->task = (struct exit_task){
		.selector = (u16)s->c->exitinfo1, .has_error = info2 & BIT(44),
		.error = (u32)info2,
	};
	if (info2 & BIT(36))
		x->task.source = 1;
	else if (info2 & BIT(38))
		x->task.source = 2;
	else if (x->idt.type != EVENT_NONE)
		x->task.source = 3;
	return false;
}

/* APM2 15.25.6: the fault in EXITINFO1, the guest-physical address in EXITINFO2. */
static bool decode_npf(const struct source *s, struct vm_exit *x)
{
	x->npf = svm_npf_decode(s->c->exitinfo1, s->c->exitinfo2);
	return false;
}

/* SVM's own instructions; their operands are in RAX and ECX. */
static bool decode_virt(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	x->virt.insn = s->arg;
	return false;
}

/* APM2 15.8.3: the vector of INT n. */
static bool decode_swint(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	x->exc = (struct event){ .type = EVENT_SOFT_INT, .vector = (u8)s->c->exitinfo1,
				 .insn_len = x->insn_len };
	return !(s->have & SVM_DECODE_ASSISTS);
}

/* APM2 15.8.2: the linear address of INVLPG. */
static bool decode_invlpg(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	x->invlpg.linear = s->c->exitinfo1;
	return !(s->have & SVM_DECODE_ASSISTS);
}

/* A CPU without nRIP may say WBINVD of an INVD: TCG does. */
static bool decode_wbinvd(const struct source *s, struct vm_exit *x)
{
	x->insn_len = svm_nrip_len(s->c, s->have);
	return !(s->have & SVM_DECODE_NRIP);
}

static bool (*const decoders[KIND_COUNT])(const struct source *s, struct vm_exit *x) = {
	[KIND_CR] = decode_cr, [KIND_DR] = decode_dr, [KIND_EXCP] = decode_excp,
	[KIND_IOIO] = decode_ioio, [KIND_MSR] = decode_msr, [KIND_TASK] = decode_task,
	[KIND_NPF] = decode_npf, [KIND_VIRT] = decode_virt, [KIND_SWINT] = decode_swint,
	[KIND_INVLPG] = decode_invlpg, [KIND_WBINVD] = decode_wbinvd,
};

struct event svm_event_decode(u64 info, u64 cr2)
{
	struct event e = { .vector = (u8)info };

	switch (info >> 8 & 7) {
	case EVENTINJ_NMI:
		e.type = EVENT_NMI;
		e.vector = VEC_NMI;
		break;
	case EVENTINJ_SOFT_INT:
		e.type = EVENT_SOFT_INT;
		break;
	case EVENTINJ_EXCEPTION:
		e.type = EVENT_EXCEPTION;
		if (e.vector == VEC_BP || e.vector == VEC_OF)
			e.type = EVENT_SOFT_EXC;
		/* No exception has such a vector: TCG says so of a virtual interrupt. */
		else if (e.vector >= 32)
			e.type = EVENT_INTR;
		break;
	default:
		e.type = EVENT_INTR;
		break;
	}
	if (e.type == EVENT_EXCEPTION) {
		e.has_error = info & EVENTINJ_EV;
		e.error = e.has_error ? (u32)(info >> 32) : 0;
		if (e.vector == VEC_PF)
			e.payload = cr2;
	}
	return e;
}

static bool decode_unlisted(const struct vmcb *c, struct vm_exit *x)
{
	/* APM2 appendix C: INVALID is -1; TCG stores only its lower half. */
	if ((u32)c->exitcode == (u32)SVM_EXIT_INVALID) {
		x->reason = EXIT_ENTRY_FAIL;
		x->fail = (struct exit_entry_fail){ .stage = ENTRY_FAIL_GUEST };
		x->idt.type = EVENT_NONE;
	} else {
		x->reason = EXIT_UNKNOWN;
	}
	return false;
}

bool svm_exit_decode_slow(const struct vmcb *c, u64 rcx, u32 have, struct vm_exit *x)
{
	const struct svm_exit_row *row;
	struct source s;

	x->insn_len = 0;
	if (c->exitintinfo & EVENTINJ_VALID)
		x->idt = svm_event_decode(c->exitintinfo, vmcb_get_cr2(c));
	if (x->code >= SVM_EXIT_ROWS || svm_exit_rows[x->code].reason == EXIT_NONE)
		return decode_unlisted(c, x);
	row = &svm_exit_rows[x->code];
	x->reason = row->reason;
	if (row->kind == KIND_INSN)
		x->insn_len = svm_nrip_len(c, have);
	if (row->kind <= KIND_INSN)
		return false;
	s = (struct source){ .c = c, .rcx = rcx, .have = have, .arg = row->arg };
	return decoders[row->kind](&s, x);
}

/* Segment base plus offset, cut as the mode does (APM2 4.5.3). */
static u64 operand_linear(const struct insn *i, const struct svm_operand_env *env)
{
	u64 base = i->seg < 6 ? env->seg_base[i->seg] : 0;

	return (base + insn_effective(i, env->gpr, env->rip_next)) & env->linear_mask;
}

/* MOV CRn (0F 20, 0F 22), CLTS, LMSW (0F 01 /6), SMSW (0F 01 /4): APM3. */
static int cr_operands(struct vm_exit *x, const struct insn *i,
		       const struct svm_operand_env *env, u64 *linear)
{
	if (insn_is(i, INSN_MAP_0F, x->cr.write ? 0x22 : 0x20)) {
		x->cr.gpr = i->rm;
		return 0;
	}
	if (insn_is(i, INSN_MAP_0F, 0x06) && x->cr.write) {
		x->cr.kind = CR_CLTS;
		return 0;
	}
	if (!insn_is(i, INSN_MAP_0F, 0x01) || (i->reg & 7) != (x->cr.write ? 6 : 4))
		return -EINVAL;
	x->cr.kind = x->cr.write ? CR_LMSW : CR_SMSW;
	x->cr.gpr = i->rm;
	if (!insn_has_mem(i)) {
		x->cr.lmsw = (u16)env->gpr[i->rm & 15];
		return 0;
	}
	x->cr.gpr = 0xff;
	*linear = operand_linear(i, env);
	return x->cr.write;
}

/* 0F 21 reads, 0F 23 writes; ModRM.rm is the general register (APM3 MOV DRn). */
static int dr_operands(struct vm_exit *x, const struct insn *i,
		       const struct svm_operand_env *env, u64 *linear)
{
	if (!insn_is(i, INSN_MAP_0F, x->cr.write ? 0x23 : 0x21))
		return -EINVAL;
	x->cr.gpr = i->rm;
	return 0;
}

/* INS and OUTS: a segment override counts for OUTS only (APM3 INS). */
static int io_operands(struct vm_exit *x, const struct insn *i,
		       const struct svm_operand_env *env, u64 *linear)
{
	if (!insn_is_string(i))
		return -EINVAL;
	x->io.addr_size = i->addr_size;
	if (!x->io.in)
		x->io.seg = i->seg;
	return 0;
}

static int swint_operands(struct vm_exit *x, const struct insn *i,
			  const struct svm_operand_env *env, u64 *linear)
{
	if (!insn_is(i, INSN_MAP_1, 0xcd))
		return -EINVAL;
	x->exc.vector = (u8)i->imm;
	x->exc.insn_len = i->len;
	return 0;
}

/* 0F 08 is INVD, whatever the EXITCODE says. */
static int wbinvd_operands(struct vm_exit *x, const struct insn *i,
			   const struct svm_operand_env *env, u64 *linear)
{
	if (insn_is(i, INSN_MAP_0F, 0x08))
		x->reason = EXIT_INVD;
	return 0;
}

static int invlpg_operands(struct vm_exit *x, const struct insn *i,
			   const struct svm_operand_env *env, u64 *linear)
{
	if (!insn_is(i, INSN_MAP_0F, 0x01) || !insn_has_mem(i))
		return -EINVAL;
	x->invlpg.linear = operand_linear(i, env);
	return 0;
}

/* Exits whose operands only a CPU with decode assists reports (APM2 15.8). */
static int (*const operands[EXIT_REASON_COUNT])(struct vm_exit *x, const struct insn *i,
						const struct svm_operand_env *env,
						u64 *linear) = {
	[EXIT_CR] = cr_operands, [EXIT_DR] = dr_operands, [EXIT_IO] = io_operands,
	[EXIT_SWINT] = swint_operands, [EXIT_WBINVD] = wbinvd_operands,
	[EXIT_INVLPG] = invlpg_operands,
};

bool svm_exit_has_operands(u16 reason)
{
	return reason < EXIT_REASON_COUNT && operands[reason];
}

int svm_exit_operands(struct vm_exit *x, const struct insn *i,
		      const struct svm_operand_env *env, u64 *linear)
{
	if (!svm_exit_has_operands(x->reason))
		return -EINVAL;
	x->insn_len = i->len;
	return operands[x->reason](x, i, env, linear);
}
