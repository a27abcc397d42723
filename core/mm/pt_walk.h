/* SPDX-License-Identifier: MIT */
/*
 * What a processor does with page tables that a guest wrote: ordinary paging
 * of all modes (APM2 5.3-5.6, SDM3 4.3-4.7) and EPT (SDM3 29.3.2-29.3.3).
 * Reads at most one entry per level, so hostile tables cannot make it loop.
 * A nested page table (APM2 15.25) is walked by pt_walk with the registers of
 * the host that owns it, nested and PTA_USER set.
 */
#ifndef CORE_MM_PT_WALK_H
#define CORE_MM_PT_WALK_H

#include "core/lib/base.h"

struct pt_format;

/* The access that is translated. */
#define PTA_READ	0x00u
#define PTA_WRITE	0x01u
#define PTA_EXEC	0x02u	/* instruction fetch */
#define PTA_USER	0x04u	/* made at CPL 3 */
#define PTA_IMPLICIT	0x08u	/* supervisor whatever the CPL: GDT, TSS... */
#define PTA_TABLE	0x10u	/* ept_walk: the read of a guest's table */

/* Access to tables in somebody's memory; 0 or -E..., passed on as -EIO. */
struct pt_mem {
	int (*read)(void *ctx, u64 gpa, void *buf, unsigned int len);
	/*
	 * Atomically replaces *gpa (len 4 or 8) if it is still old.  Returns 0,
	 * -EAGAIN when it had changed, another -E... when it is not writable.
	 * Needed only with set_ad.
	 */
	int (*cmpxchg)(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len);
	void *ctx;
};

struct pt_walk_env {
	u64 cr0, cr3, cr4, efer;
	u64 rflags;		/* AC, for SMAP */
	u32 pkru, pkrs;
	u8 maxphyaddr;		/* bits; 32..52 */
	bool page1g;		/* CPUID 8000_0001h EDX.Page1GB */
	bool amd;		/* APM2 where the manuals differ: PML4E.G */
	bool set_ad;		/* set accessed and dirty on success */
	/*
	 * A nested page table (APM2 15.25): va is a guest physical address, not
	 * sign-extended and not cut; too large for the format means not present.
	 */
	bool nested;
	bool use_pdptr;		/* PAE: from pdptr[], not from memory (Intel) */
	u64 pdptr[4];
	struct pt_mem mem;
};

struct pt_walk_result {
	u64 gpa;		/* translation of the address, on success */
	u64 page_size;
	u32 prot;		/* PT_R|W|X|U of pt.h, all levels combined */
	u32 error_code;		/* PFERR_* of regs.h, for -EFAULT */
	u8 level;		/* of the entry that decided; 0 = no paging */
	u8 pat_index;		/* PAT, PCD, PWT of the leaf */
	bool dirty;		/* of the leaf, after set_ad */
	u64 entry;		/* that entry */
	u64 entry_gpa;		/* where it is; of the failed access for -EIO */
};

/*
 * Translates va for an access.  Without paging (CR0.PG = 0) va is the
 * address.  Outside long mode va is cut to 32 bits.
 * Returns 0; -EFAULT: page fault, see error_code; -ERANGE: not canonical
 * (#GP or #SS, the caller knows); -EIO: a table is not readable memory, see
 * entry_gpa; -EAGAIN: tables kept changing under set_ad.
 */
int __must_check pt_walk(const struct pt_walk_env *env, u64 va, u32 access,
			 struct pt_walk_result *res);

/* The format that CR4 and EFER choose (APM2 5.1.2, SDM3 4.1.1). */
const struct pt_format *pt_walk_format(const struct pt_walk_env *env);

/* True for addresses with bits 63:bits-1 all equal (bits 48 or 57). */
static inline bool pt_canonical(u64 va, unsigned int bits)
{
	return (u64)((s64)(va << (64 - bits)) >> (64 - bits)) == va;
}

/* Bits of IA32_VMX_EPT_VPID_CAP that matter here (SDM3 A.10). */
#define EPT_CAP_EXEC_ONLY	BIT(0)
#define EPT_CAP_WALK_4		BIT(6)
#define EPT_CAP_2M		BIT(16)
#define EPT_CAP_1G		BIT(17)
#define EPT_CAP_AD		BIT(21)

/* EPT pointer (SDM3 25.6.11). */
#define EPTP_AD			BIT(6)

/* Exit qualification of EPT violations (SDM3 table 28-7). */
#define EPT_VIOL_READ		BIT(0)
#define EPT_VIOL_WRITE		BIT(1)
#define EPT_VIOL_FETCH		BIT(2)
#define EPT_VIOL_R		BIT(3)	/* page was readable */
#define EPT_VIOL_W		BIT(4)
#define EPT_VIOL_X		BIT(5)
#define EPT_VIOL_XU		BIT(6)
#define EPT_VIOL_GLA		BIT(7)	/* linear address is valid */
#define EPT_VIOL_FINAL		BIT(8)	/* of the page, not of a table */

struct ept_walk_env {
	u64 eptp;
	u64 cap;		/* EPT_CAP_*: what the owner was offered */
	u8 maxphyaddr;
	bool mode_based_exec;	/* secondary control 22: bit 10 is EPT_XU */
	bool set_ad;		/* and EPTP_AD: set accessed and dirty */
	struct pt_mem mem;
};

struct ept_walk_result {
	u64 gpa;		/* translation, on success */
	u64 page_size;
	u64 qualification;	/* bits 6:0, for -EFAULT */
	u64 entry;
	u64 entry_gpa;
	u32 prot;		/* PT_R|W|X, all levels; PT_U: user execute */
	u8 level;
	u8 memtype;		/* MT_* of the leaf */
	bool ipat;
};

/*
 * Translates a guest-physical address.  access: PTA_READ/WRITE/EXEC; PTA_USER
 * matters for fetches under mode_based_exec; PTA_TABLE counts as a write when
 * EPTP_AD is set (SDM3 table 28-7, note 1).
 * Returns 0; -EFAULT: EPT violation; -EPROTO: EPT misconfiguration
 * (SDM3 29.3.3.1); -EIO and -EAGAIN as pt_walk.
 */
int __must_check ept_walk(const struct ept_walk_env *env, u64 gpa, u32 access,
			  struct ept_walk_result *res);

#endif
