// SPDX-License-Identifier: MIT
#include "core/vm/guest_cpu.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/vm/cpuid_policy.h"
#include "core/vm/xcr0.h"
#include "core/x86/regs.h"

#define SIZES_LEAF	0x80000008

/* APM3 Fn8000_0001 ECX: whether the package has several cores. */
#define ECX81_CMP_LEGACY	BIT(1)

/* The registers of CPUID whose bits are features; the order is that of word[]. */
#define MIXED(leaf, subleaf, reg, other)					\
	{ leaf, subleaf, offsetof(struct cpuid_regs, reg), other, #reg }
#define WORD(leaf, subleaf, reg)	MIXED(leaf, subleaf, reg, 0)
static const struct {
	u32 leaf, subleaf;
	u32 offset;
	u32 other;		/* bits that are none */
	const char *reg;
} words[GUEST_CPU_WORDS] = {
	WORD(0x1, 0, ecx), WORD(0x1, 0, edx),
	WORD(0x7, 0, ebx), WORD(0x7, 0, ecx), WORD(0x7, 0, edx), WORD(0x7, 1, eax),
	WORD(0xd, 1, eax),
	MIXED(0x80000001, 0, ecx, ECX81_CMP_LEGACY), WORD(0x80000001, 0, edx),
	WORD(0x80000007, 0, edx),
	WORD(SIZES_LEAF, 0, ebx), WORD(0x80000021, 0, eax),
};

static u32 *reg_at(struct cpuid_regs *r, u32 offset)
{
	return (u32 *)((u8 *)r + offset);
}

/* With every bit set that follows a guest's own state or is added for all. */
static void read_leaf(const struct cpuid_source *src, u32 leaf, u32 subleaf,
		      const struct guest_cpu *g, struct cpuid_regs *r)
{
	static const struct cpuid_regs svm;
	const struct cpuid_mask *m = cpuid_mask_of(leaf);
	const struct cpuid_view all = {
		.cr4 = ~0ULL, .cpus = VM_MAX_VCPUS, .apic = true, .apic_on = true, .svm = &svm,
		.xcr0 = g->xcr0, .xsave_size = g->xsave_size,
	};

	src->read(src->ctx, leaf, subleaf, r);
	*r = (struct cpuid_regs){ r->eax & m->eax, r->ebx & m->ebx, r->ecx & m->ecx,
				  r->edx & m->edx };
	if (m->fix)
		cpuid_fix(leaf, subleaf, &all, r);
}

/* APM3 app. E, SDM2 CPUID: a leaf above the highest one says what does not concern it. */
static bool leaf_is_there(const struct cpuid_source *src, u32 leaf)
{
	struct cpuid_regs r;

	src->read(src->ctx, leaf & 0x80000000, 0, &r);
	return leaf <= r.eax;
}

void guest_cpu_read(struct guest_cpu *g, const struct cpuid_source *src, u64 xcr0, u32 xsave_size)
{
	struct cpuid_regs r;

	*g = (struct guest_cpu){ .xcr0 = xcr0, .xsave_size = xsave_size };
	for (u32 i = 0; i < GUEST_CPU_WORDS; i++) {
		if (!leaf_is_there(src, words[i].leaf))
			continue;
		read_leaf(src, words[i].leaf, words[i].subleaf, g, &r);
		g->word[i] = *reg_at(&r, words[i].offset) & ~words[i].other;
	}
	if (leaf_is_there(src, SIZES_LEAF)) {
		read_leaf(src, SIZES_LEAF, 0, g, &r);
		g->sizes = r.eax;
	}
	for (u32 i = 2; i < GUEST_CPU_STATES; i++) {
		if (!(xcr0 >> i & 1))
			continue;
		read_leaf(src, 0xd, i, g, &r);
		g->state[i].size = r.eax;
		g->state[i].offset = r.ebx;
	}
}

/* Its states are here, in the same places (SDM1 13.5, APM2 11.5.5: the CPU chooses them). */
static const char *states_refused(const struct guest_cpu *want, const struct guest_cpu *have)
{
	const char *other = "has other XSAVE states here";

	if (want->xcr0 & ~have->xcr0 || !want->xcr0 != !have->xcr0)
		return other;
	for (u32 i = 0; i < GUEST_CPU_STATES; i++) {
		bool used = i >= 2 && want->xcr0 >> i & 1;

		if (want->state[i].size != (used ? have->state[i].size : 0) ||
		    want->state[i].offset != (used ? have->state[i].offset : 0))
			return other;
	}
	return want->xsave_size == xcr0_area_size(have->state, GUEST_CPU_STATES, want->xcr0) ?
	       NULL : other;
}

/* APM3 Fn8000_0008 EAX: physical, linear and guest physical addresses, a byte each. */
static bool sizes_fit(u32 want, u32 have)
{
	return (want & 0xff) <= (have & 0xff) && (want >> 8 & 0xff) <= (have >> 8 & 0xff);
}

int guest_cpu_check(const struct guest_cpu *want, const struct guest_cpu *have, char *why,
		    size_t why_size)
{
	const char *states;

	for (u32 i = 0; i < GUEST_CPU_WORDS; i++) {
		u32 lacks = want->word[i] & ~have->word[i];

		if (!lacks)
			continue;
		nb_snprintf(why, why_size, "lacks features of CPUID %x.%u %s: %08x",
			    words[i].leaf, words[i].subleaf, words[i].reg, lacks);
		return -EPROTO;
	}
	states = want->reserved ? "is damaged" : states_refused(want, have);
	if (!states && !sizes_fit(want->sizes, have->sizes))
		states = "has shorter addresses here";
	if (!states)
		return 0;
	nb_snprintf(why, why_size, "%s", states);
	return -EPROTO;
}

void guest_cpu_fix(const struct guest_cpu *g, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	for (u32 i = 0; i < GUEST_CPU_WORDS; i++)
		if (words[i].leaf == leaf && words[i].subleaf == subleaf)
			*reg_at(r, words[i].offset) &= g->word[i] | words[i].other;
	if (leaf == SIZES_LEAF)
		r->eax = g->sizes;
}
