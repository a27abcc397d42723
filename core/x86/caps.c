// SPDX-License-Identifier: MIT
#include "core/x86/caps.h"

#include "core/lib/string.h"

enum reg { EAX, EBX, ECX, EDX };

struct feature {
	u16 member;		/* offset of a bool in struct cpu_caps */
	u8 reg, bit;
	u32 leaf, subleaf;
};

#define F(name, leaf, subleaf, reg, bit) \
	{ offsetof(struct cpu_caps, name), reg, bit, leaf, subleaf }

/* APM3 Appendix E, SDM2 CPUID. clang-format off */
static const struct feature features[] = {
	F(monitor,       0x1, 0, ECX, 3),
	F(vmx,           0x1, 0, ECX, 5),
	F(cmpxchg16b,    0x1, 0, ECX, 13),
	F(pcid,          0x1, 0, ECX, 17),
	F(sse4_2,        0x1, 0, ECX, 20),
	F(x2apic,        0x1, 0, ECX, 21),
	F(movbe,         0x1, 0, ECX, 22),
	F(popcnt,        0x1, 0, ECX, 23),
	F(tsc_deadline,  0x1, 0, ECX, 24),
	F(xsave,         0x1, 0, ECX, 26),
	F(osxsave,       0x1, 0, ECX, 27),
	F(avx,           0x1, 0, ECX, 28),
	F(rdrand,        0x1, 0, ECX, 30),
	F(hypervisor,    0x1, 0, ECX, 31),
	F(mce,           0x1, 0, EDX, 7),
	F(sysenter,      0x1, 0, EDX, 11),
	F(mtrr,          0x1, 0, EDX, 12),
	F(pge,           0x1, 0, EDX, 13),
	F(pat,           0x1, 0, EDX, 16),
	F(fxsr,          0x1, 0, EDX, 24),
	F(sse,           0x1, 0, EDX, 25),
	F(sse2,          0x1, 0, EDX, 26),
	F(arat,          0x6, 0, EAX, 2),
	F(fsgsbase,      0x7, 0, EBX, 0),
	F(bmi1,          0x7, 0, EBX, 3),
	F(avx2,          0x7, 0, EBX, 5),
	F(smep,          0x7, 0, EBX, 7),
	F(bmi2,          0x7, 0, EBX, 8),
	F(erms,          0x7, 0, EBX, 9),
	F(invpcid,       0x7, 0, EBX, 10),
	F(avx512f,       0x7, 0, EBX, 16),
	F(rdseed,        0x7, 0, EBX, 18),
	F(smap,          0x7, 0, EBX, 20),
	F(umip,          0x7, 0, ECX, 2),
	F(pku,           0x7, 0, ECX, 3),
	F(cet_ss,        0x7, 0, ECX, 7),
	F(la57,          0x7, 0, ECX, 16),
	F(pks,           0x7, 0, ECX, 31),
	F(xsaveopt,      0xd, 1, EAX, 0),
	F(xsavec,        0xd, 1, EAX, 1),
	F(xgetbv1,       0xd, 1, EAX, 2),
	F(xsaves,        0xd, 1, EAX, 3),
	F(svm,           0x80000001, 0, ECX, 2),
	F(lzcnt,         0x80000001, 0, ECX, 5),
	F(ibs,           0x80000001, 0, ECX, 10),
	F(perfctr_core,  0x80000001, 0, ECX, 23),
	F(mwaitx,        0x80000001, 0, ECX, 29),
	F(syscall,       0x80000001, 0, EDX, 11),
	F(nx,            0x80000001, 0, EDX, 20),
	F(page1gb,       0x80000001, 0, EDX, 26),
	F(rdtscp,        0x80000001, 0, EDX, 27),
	F(lm,            0x80000001, 0, EDX, 29),
	F(invariant_tsc, 0x80000007, 0, EDX, 8),
	F(sme,           0x8000001f, 0, EAX, 0),
	F(sev,           0x8000001f, 0, EAX, 1),
	F(sev_es,        0x8000001f, 0, EAX, 3),
	F(sev_snp,       0x8000001f, 0, EAX, 4),
};
/* clang-format on */

/*
 * A leaf above the maximum reads as zero.  SDM2 CPUID: Intel's CPUs answer
 * such a leaf with the data of the highest basic one.
 */
static struct cpuid_regs leaf(const struct cpu_caps *c, const struct cpuid_source *src, u32 n,
			      u32 sub)
{
	u32 max = n & 0x80000000 ? c->max_extended : c->max_basic;
	struct cpuid_regs r = { 0 };

	if (n <= max)
		src->read(src->ctx, n, sub, &r);
	return r;
}

static u32 reg_of(const struct cpuid_regs *r, enum reg which)
{
	const u32 v[] = { r->eax, r->ebx, r->ecx, r->edx };

	return v[which];
}

static void copy_regs(char *dst, u32 a, u32 b, u32 c)
{
	memcpy(dst, &a, 4);
	memcpy(dst + 4, &b, 4);
	memcpy(dst + 8, &c, 4);
	dst[12] = '\0';
}

static void decode_vendor(struct cpu_caps *c, const struct cpuid_source *src)
{
	static const struct {
		const char *id;
		enum cpu_vendor vendor;
	} known[] = {
		{ "AuthenticAMD", VENDOR_AMD },
		{ "HygonGenuine", VENDOR_AMD },
		{ "GenuineIntel", VENDOR_INTEL },
	};
	struct cpuid_regs r;

	src->read(src->ctx, 0, 0, &r);
	c->max_basic = r.eax;
	copy_regs(c->vendor_id, r.ebx, r.edx, r.ecx);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(c->vendor_id, known[i].id))
			c->vendor = known[i].vendor;
	src->read(src->ctx, 0x80000000, 0, &r);
	/* A CPU without extended leaves answers with something else. */
	c->max_extended = r.eax >= 0x80000000 && r.eax < 0x80010000 ? r.eax : 0;
}

/* APM3 E.3.2, SDM2 CPUID 01h: family and model with their extensions. */
static void decode_signature(struct cpu_caps *c, const struct cpuid_source *src)
{
	struct cpuid_regs r = leaf(c, src, 1, 0);
	u32 family = FIELD_GET(r.eax, 11, 8);

	c->family = family;
	c->model = FIELD_GET(r.eax, 7, 4);
	c->stepping = FIELD_GET(r.eax, 3, 0);
	if (family == 0xf)
		c->family += FIELD_GET(r.eax, 27, 20);
	if (family == 0xf || family == 6)
		c->model |= FIELD_GET(r.eax, 19, 16) << 4;
	c->clflush_size = (u8)(FIELD_GET(r.ebx, 15, 8) * 8);
	c->initial_apic_id = r.ebx >> 24;
	r = leaf(c, src, 0xb, 0);
	if (r.ebx)
		c->initial_apic_id = r.edx;
}

static void decode_features(struct cpu_caps *c, const struct cpuid_source *src)
{
	struct cpuid_regs r = { 0 };
	u32 have_leaf = 0, have_sub = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];

		if (f->leaf != have_leaf || f->subleaf != have_sub) {
			have_leaf = f->leaf;
			have_sub = f->subleaf;
			r = leaf(c, src, have_leaf, have_sub);
		}
		*(bool *)((u8 *)c + f->member) = reg_of(&r, f->reg) >> f->bit & 1;
	}
}

static void decode_brand(struct cpu_caps *c, const struct cpuid_source *src)
{
	char text[49];
	const char *p = text;
	size_t n;

	memset(text, 0, sizeof(text));
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = leaf(c, src, 0x80000002 + i, 0);

		memcpy(text + 16 * i, &r, 16);
	}
	while (*p == ' ')
		p++;
	n = str_copy(c->brand, p, sizeof(c->brand));
	while (n && c->brand[n - 1] == ' ')
		c->brand[--n] = '\0';
	/* It goes into quoted report lines: only harmless text. */
	for (char *q = c->brand; *q; q++)
		if (*q < ' ' || *q > '~' || *q == '"' || *q == '\\')
			*q = '?';
}

static void decode_xsave(struct cpu_caps *c, const struct cpuid_source *src)
{
	struct cpuid_regs r;

	if (!c->xsave)
		return;
	r = leaf(c, src, 0xd, 0);
	c->xcr0_supported = (u64)r.edx << 32 | r.eax;
	c->xsave_size_now = r.ebx;
	c->xsave_size_max = r.ecx;
	r = leaf(c, src, 0xd, 1);
	c->xss_supported = (u64)r.edx << 32 | r.ecx;
	for (u32 i = 2; i < CPU_MAX_XSTATE; i++) {
		if (!((c->xcr0_supported | c->xss_supported) & BIT(i)))
			continue;
		r = leaf(c, src, 0xd, i);
		c->xstate[i].size = r.eax;
		c->xstate[i].offset = r.ebx;
		c->xstate_aligned |= r.ecx & 2 ? (u32)BIT(i) : 0;
	}
}

static void decode_hypervisor(struct cpu_caps *c, const struct cpuid_source *src)
{
	struct cpuid_regs r;

	if (!c->hypervisor)
		return;
	src->read(src->ctx, 0x40000000, 0, &r);
	c->max_hypervisor = r.eax;
	copy_regs(c->hypervisor_id, r.ebx, r.ecx, r.edx);
	for (char *p = c->hypervisor_id; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			*p = '?';
}

void caps_decode(struct cpu_caps *c, const struct cpuid_source *src)
{
	struct cpuid_regs r;

	memset(c, 0, sizeof(*c));
	decode_vendor(c, src);
	decode_signature(c, src);
	decode_features(c, src);
	decode_brand(c, src);
	decode_xsave(c, src);
	decode_hypervisor(c, src);
	r = leaf(c, src, 0x80000008, 0);
	/* SDM3 4.1.4: 36 bits when the leaf is missing but PAE is there. */
	c->maxphyaddr = r.eax & 0xff ? (u8)r.eax : 36;
	c->linear_bits = r.eax >> 8 & 0xff ? (u8)(r.eax >> 8) : 48;
	if (c->svm)
		c->svm_leaf = leaf(c, src, 0x8000000a, 0);
	c->sev_leaf = leaf(c, src, 0x8000001f, 0);
	r = leaf(c, src, 0x15, 0);
	c->tsc_denominator = r.eax;
	c->tsc_numerator = r.ebx;
	c->crystal_hz = r.ecx;
	c->base_mhz = leaf(c, src, 0x16, 0).eax & 0xffff;
}

const char *cpu_vendor_name(enum cpu_vendor v)
{
	static const char *const name[] = {
		[VENDOR_OTHER] = "other", [VENDOR_AMD] = "amd", [VENDOR_INTEL] = "intel",
	};

	return name[v];
}
