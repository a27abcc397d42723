// SPDX-License-Identifier: MIT
/* What exits and what does not (APM2 15.9-15.12). */
#include "svm/ops.h"

#include "core/lib/string.h"
#include "svm/inject.h"
#include "svm/perm.h"

enum icpt_word { WORD_NONE, WORD_VEC3, WORD_VEC4 };

/* clang-format off */
static const struct { u8 word; u32 bits; } icpt_bits[] = {
	[ICPT_HLT]	   = { WORD_VEC3, VEC3_HLT },
	[ICPT_INVLPG]	   = { WORD_VEC3, VEC3_INVLPG },
	[ICPT_RDTSC]	   = { WORD_VEC3, VEC3_RDTSC },
	[ICPT_RDTSCP]	   = { WORD_VEC4, VEC4_RDTSCP },
	[ICPT_RDPMC]	   = { WORD_VEC3, VEC3_RDPMC },
	[ICPT_PAUSE]	   = { WORD_VEC3, VEC3_PAUSE },
	[ICPT_MWAIT]	   = { WORD_VEC4, VEC4_MWAIT },
	[ICPT_MONITOR]	   = { WORD_VEC4, VEC4_MONITOR },
	[ICPT_WBINVD]	   = { WORD_VEC4, VEC4_WBINVD },
	[ICPT_DESC]	   = { WORD_VEC3, VEC3_DESC },
	[ICPT_CPUID]	   = { WORD_VEC3, VEC3_CPUID },
	[ICPT_XSETBV]	   = { WORD_VEC4, VEC4_XSETBV },
	[ICPT_TASK_SWITCH] = { WORD_VEC3, VEC3_TASK_SWITCH },
	[ICPT_SHUTDOWN]	   = { WORD_VEC3, VEC3_SHUTDOWN },
	[ICPT_HYPERCALL]   = { WORD_VEC4, VEC4_VMMCALL },
};
/* clang-format on */

static u32 with(u32 old, u32 bits, bool on)
{
	return on ? old | bits : old & ~bits;
}

static int icpt_register(struct svm_vcpu *a, enum icpt what, u32 arg, bool on)
{
	struct vmcb *c = a->vmcb;
	u16 bit = (u16)BIT(arg & 15);

	switch (what) {
	case ICPT_CR_READ:
		vmcb_set_intercept_cr_read(c, (u16)with(vmcb_get_intercept_cr_read(c), bit, on));
		return 0;
	case ICPT_CR_WRITE:
		a->cr_write_want = (u16)with(a->cr_write_want, bit, on);
		vmcb_set_intercept_cr_write(c, a->cr_write_want);
		svm_apply_intercepts(a);
		return 0;
	case ICPT_DR:
		vmcb_set_intercept_dr_read(c, on ? 0xffff : 0);
		vmcb_set_intercept_dr_write(c, on ? 0xffff : 0);
		return 0;
	case ICPT_EXCEPTION:
		a->exc_want = with(a->exc_want, (u32)BIT(arg & 31), on);
		svm_apply_intercepts(a);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Maps are not cached under a clean bit: only their addresses are (APM2 15.15.3). */
static int icpt_map(struct svm_vcpu *a, enum icpt what, u32 arg, bool on)
{
	switch (what) {
	case ICPT_IO:
		iopm_set(a->iopm, (u16)arg, on);
		break;
	case ICPT_IO_ALL:
		memset(a->iopm, on ? 0xff : 0, IOPM_SIZE);
		break;
	case ICPT_MSR_READ:
	case ICPT_MSR_WRITE:
		if (msrpm_set(a->msrpm, arg, what == ICPT_MSR_READ ? PERM_READ : PERM_WRITE, on))
			return -EOPNOTSUPP;
		break;
	default:
		return -EOPNOTSUPP;
	}
	/* APM2 15.10, 15.11: a change of a map in use needs the clean bit cleared. */
	a->vmcb->clean &= ~(u32)VMCB_CLEAN_IOPM;
	return 0;
}

int svm_intercept(struct vcpu *v, enum icpt what, u32 arg, bool on)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;
	u32 bits = what < ARRAY_SIZE(icpt_bits) ? icpt_bits[what].bits : 0;

	if (bits && icpt_bits[what].word == WORD_VEC3) {
		vmcb_set_intercept_vec3(c, with(vmcb_get_intercept_vec3(c), bits, on));
		return 0;
	}
	if (bits) {
		vmcb_set_intercept_vec4(c, with(vmcb_get_intercept_vec4(c), bits, on));
		return 0;
	}
	if (!icpt_map(a, what, arg, on))
		return 0;
	return icpt_register(a, what, arg, on);
}
