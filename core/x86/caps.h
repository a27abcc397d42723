/* SPDX-License-Identifier: MIT */
/*
 * What CPUID says, decoded once into a const snapshot.  Pure but for
 * caps_read (caps_read.c).
 */
#ifndef CORE_X86_CAPS_H
#define CORE_X86_CAPS_H

#include "core/lib/base.h"

enum cpu_vendor { VENDOR_OTHER, VENDOR_AMD, VENDOR_INTEL };

/* AMD counts Hygon in, Intel Centaur and Zhaoxin do not count. */
struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

struct cpuid_source {
	void (*read)(void *ctx, u32 leaf, u32 subleaf, struct cpuid_regs *out);
	void *ctx;
};

#define CPU_MAX_XSTATE	32

/* Of a state in the XSAVE area, in bytes. */
struct xstate_place {
	u32 size, offset;
};

struct cpu_caps {
	enum cpu_vendor vendor;
	char vendor_id[13];		/* "AuthenticAMD" */
	char brand[49];			/* blanks trimmed; "" when absent */
	char hypervisor_id[13];		/* 4000_0000; "" when none */
	u32 max_basic, max_extended, max_hypervisor;
	u32 family, model, stepping;	/* extended parts added in */
	u32 initial_apic_id;
	u8 maxphyaddr, linear_bits;
	u8 clflush_size;		/* bytes */

	bool hypervisor;
	bool svm, vmx;			/* CPUID bits only */
	bool nx, page1gb, la57, pcid, pge, smep, smap, umip, fsgsbase, pku, pks, cet_ss;
	bool x2apic, tsc_deadline, invariant_tsc, rdtscp, arat, mtrr, pat, mce;
	bool fxsr, sse, sse2, sse4_2, popcnt, lzcnt, bmi1, bmi2, erms;
	bool avx, avx2, avx512f;
	bool xsave, osxsave, xsaveopt, xsavec, xsaves, xgetbv1;
	bool syscall, sysenter, lm, cmpxchg16b, movbe, rdrand, rdseed, invpcid;
	bool monitor, mwaitx, perfctr_core, ibs, sme, sev, sev_es, sev_snp;

	u64 xcr0_supported;		/* 0Dh.0 EDX:EAX */
	u64 xss_supported;		/* 0Dh.1 EDX:ECX */
	u32 xsave_size_max;		/* 0Dh.0 ECX: all of xcr0_supported */
	u32 xsave_size_now;		/* 0Dh.0 EBX: what XCR0 enables now */
	struct xstate_place xstate[CPU_MAX_XSTATE];	/* 0Dh.n */
	u32 xstate_aligned;		/* BIT(n): to 64 bytes, in the compacted format */

	struct cpuid_regs svm_leaf;	/* 8000_000A raw, zero when absent */
	struct cpuid_regs sev_leaf;	/* 8000_001F raw, zero when absent */
	/* 15h: crystal Hz (0 unknown) and ratio; 16h: base MHz (0 unknown) */
	u32 tsc_denominator, tsc_numerator, crystal_hz, base_mhz;
};

/* Fills *c completely; never fails: what is absent is false or 0. */
void caps_decode(struct cpu_caps *c, const struct cpuid_source *src);

/* The CPUID instruction of the calling CPU. */
extern const struct cpuid_source cpuid_here;

/* caps_decode with the CPUID instruction of the calling CPU. */
void caps_read(struct cpu_caps *c);

const char *cpu_vendor_name(enum cpu_vendor v);	/* "amd", "intel", "other" */

#endif
