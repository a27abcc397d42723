/* SPDX-License-Identifier: MIT */
/*
 * What the boot processor leaves for a starting one, in the trampoline page;
 * read by boot/ap_trampoline.S.
 */
#ifndef CORE_X86_AP_BOOT_H
#define CORE_X86_AP_BOOT_H

#define AP_BOOT_OFFSET	0x100	/* in the page */

#define AP_APIC_ID	0x00
#define AP_LEAF_B	0x04
#define AP_CLAIMED	0x08
#define AP_EFER		0x10
#define AP_CR0		0x18
#define AP_CR3		0x20
#define AP_CR4		0x28
#define AP_STACK	0x30
#define AP_PERCPU	0x38

#ifndef __ASSEMBLY__
#include "core/lib/base.h"

struct ap_boot {
	u32 apic_id;		/* who is meant: another CPU halts */
	u32 leaf_b;		/* compare with CPUID 0Bh instead of 01h */
	u32 claimed;		/* 0: free; the CPU that makes it 1 goes on */
	u32 reserved;
	u64 efer, cr0, cr3, cr4;
	u64 stack;
	u64 percpu;
};
HW_FIELD(struct ap_boot, apic_id, AP_APIC_ID);
HW_FIELD(struct ap_boot, leaf_b, AP_LEAF_B);
HW_FIELD(struct ap_boot, claimed, AP_CLAIMED);
HW_FIELD(struct ap_boot, efer, AP_EFER);
HW_FIELD(struct ap_boot, cr0, AP_CR0);
HW_FIELD(struct ap_boot, cr3, AP_CR3);
HW_FIELD(struct ap_boot, cr4, AP_CR4);
HW_FIELD(struct ap_boot, stack, AP_STACK);
HW_FIELD(struct ap_boot, percpu, AP_PERCPU);
#endif

#endif
