// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

#define POOL	24	/* tables for entries that are split */

u64 npt_pml4[512] __attribute__((aligned(4096)));
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[4][512] __attribute__((aligned(4096)));
static u64 pool[POOL][512] __attribute__((aligned(4096)));
static u32 used;

void npt_init(void)
{
	used = 0;
	memset(npt_pml4, 0, sizeof(npt_pml4));
	memset(pdpt, 0, sizeof(pdpt));
	npt_pml4[0] = (ulong)pdpt | NPT_RIGHTS;
	for (u64 i = 0; i < 4; i++) {
		pdpt[i] = (ulong)pd[i] | NPT_RIGHTS;
		for (u64 j = 0; j < 512; j++)
			pd[i][j] = i << 30 | j << 21 | NPT_PS | NPT_RIGHTS;
	}
}

void npt_use(struct l2 *l)
{
	l->c.nested_ctl |= 1;
	l->c.n_cr3 = (ulong)npt_pml4;
}

/* The table below an entry, made of the same large page or empty. */
static u64 *below(u64 *entry, unsigned int level)
{
	const u64 addr = 0x000ffffffffff000;
	u64 *table;

	if (*entry & NPT_P && !(*entry & NPT_PS))
		return (u64 *)(ulong)(*entry & addr);
	if (used == POOL) {
		rt_check(false, "npt", "no tables left");
		rt_exit(RT_FAIL);
	}
	table = pool[used++];
	for (u64 i = 0; i < 512; i++) {
		table[i] = *entry & NPT_PS ? *entry + (i << (12 + 9 * (level - 1))) : 0;
		if (level == NPT_2M)
			table[i] &= ~NPT_PS;
	}
	*entry = (ulong)table | NPT_RIGHTS;
	return table;
}

volatile u64 *npt_entry(u64 gpa, enum npt_level level)
{
	u64 *table = npt_pml4;
	unsigned int at = NPT_512G;

	for (; at > level; at--)
		table = below(&table[gpa >> (12 + 9 * at) & 511], at);
	return &table[gpa >> (12 + 9 * level) & 511];
}
