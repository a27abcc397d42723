/* SPDX-License-Identifier: MIT */
/*
 * The VMCS by the manual's names: field encodings, control bits, interruption
 * information, and the texts for exit reasons and errors.  Pure: the
 * instructions that reach a VMCS are in vmx/insn.h.
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "core/lib/base.h"

/* SDM3 25.11.2, table 25-21: encodings of the fields. */
enum vmcs_field {
#define X(enc, name, width, group) VMCS_##name = (enc),
#include "vmx/vmcs_fields.def"
#undef X
};

enum vmcs_group { VMCS_GROUP_CTRL, VMCS_GROUP_RO, VMCS_GROUP_GUEST, VMCS_GROUP_HOST };
enum vmcs_width { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_N };

/* SDM3 table 25-21: bits 11:10 and 14:13 of an encoding. */
static inline enum vmcs_group vmcs_field_group(u32 encoding)
{
	return (enum vmcs_group)(encoding >> 10 & 3);
}

static inline enum vmcs_width vmcs_field_width(u32 encoding)
{
	return (enum vmcs_width)(encoding >> 13 & 3);
}

struct vmcs_field_info {
	u16 encoding;
	u8 width;		/* enum vmcs_width */
	u8 group;		/* enum vmcs_group */
	const char *name;	/* "GUEST_RIP" */
};

extern const struct vmcs_field_info vmcs_fields[];
extern const unsigned int vmcs_field_count;

/* "GUEST_RIP"; "?" for an encoding that the manual does not define. */
const char *vmcs_field_name(u32 encoding);

/* The control words: PIN_NMI_EXITING, PROC_HLT_EXITING, PROC2_..., ... */
enum vmx_ctl_bit {
#define X(word, bit, name) word##_##name##_BIT = (bit),
#include "vmx/controls.def"
#undef X
};
#define VMX_CTL(name)		(1u << name##_BIT)

enum vmx_ctl_word {
	VMX_CTL_PIN, VMX_CTL_PROC, VMX_CTL_PROC2, VMX_CTL_EXIT, VMX_CTL_ENTRY,
	VMX_CTL_WORDS
};

/* "NMI_EXITING", or NULL for a bit without a name. */
const char *vmx_ctl_name(enum vmx_ctl_word word, unsigned int bit);
const char *vmx_ctl_word_name(enum vmx_ctl_word word);	/* "pin", "proc", ... */

/* Basic exit reasons (SDM3 appendix C). */
enum vmx_exit_reason {
#define X(num, name, neutral, flags, decoder) VMX_EXIT_##name = (num),
#include "vmx/exit_reasons.def"
#undef X
	VMX_EXIT_LIMIT = 76
};
#define VMX_REASON_BASIC	0xffffu
#define VMX_REASON_ENTRY_FAIL	(1u << 31)	/* SDM3 25.9.1 */

const char *vmx_exit_reason_name(u32 basic);	/* "CPUID"; "?" */
const char *vmx_insn_error_name(u32 error);	/* of VM_INSN_ERROR; "?" */
/*
 * Why a VM entry failed after the checks of controls and host state: basic
 * reason 33, 34 or 41 with its qualification (SDM3 27.8).  Never NULL.
 */
const char *vmx_entry_failure_name(u32 basic, u64 qualification);

/* Interruption information: entry, exit, IDT vectoring (SDM3 25.8.3, 25.9.2). */
#define INTR_VECTOR		0xffu
#define INTR_TYPE_SHIFT		8
#define INTR_TYPE		(7u << INTR_TYPE_SHIFT)
#define INTR_ERROR_VALID	(1u << 11)
#define INTR_NMI_UNBLOCKING	(1u << 12)	/* exit only: by IRET */
#define INTR_VALID		(1u << 31)

enum vmx_intr_type {
	INTR_TYPE_EXT = 0, INTR_TYPE_NMI = 2, INTR_TYPE_EXCEPTION = 3,
	INTR_TYPE_SOFT_INT = 4, INTR_TYPE_PRIV_EXC = 5, INTR_TYPE_SOFT_EXC = 6,
	INTR_TYPE_OTHER = 7,	/* entry only: pending MTF */
};

/* Guest interruptibility (SDM3 table 25-3) and activity (25.4.2). */
#define INTERRUPTIBILITY_STI	(1u << 0)
#define INTERRUPTIBILITY_MOV_SS	(1u << 1)
#define INTERRUPTIBILITY_SMI	(1u << 2)
#define INTERRUPTIBILITY_NMI	(1u << 3)

enum vmx_activity { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

/* Access rights (SDM3 table 25-2): as struct vsegment, AVL to G at 15:12. */
#define AR_UNUSABLE		(1u << 16)

static inline u32 vmx_ar_from_attr(u16 attr, bool unusable)
{
	return (attr & 0xffu) | (attr & 0xf00u) << 4 | (unusable ? AR_UNUSABLE : 0);
}

static inline u16 vmx_attr_from_ar(u32 ar)
{
	return (u16)((ar & 0xffu) | (ar >> 4 & 0xf00u));
}

/* Pending debug exceptions (SDM3 table 25-4). */
#define PENDING_DEBUG_BS	BIT(14)
#define PENDING_DEBUG_ENABLED	BIT(12)

/* An entry of an MSR load or store area (SDM3 table 25-15). */
struct vmx_msr_entry {
	u32 index;
	u32 reserved_4;
	u64 value;
};
HW_FIELD(struct vmx_msr_entry, value, 8);
HW_SIZE(struct vmx_msr_entry, 16);

/* First bytes of a VMCS or VMXON region (SDM3 25.2). */
struct vmcs_region {
	u32 revision_id;	/* bit 31: shadow VMCS */
	u32 abort_indicator;	/* SDM3 28.7 */
	u8 data[PAGE_SIZE - 8];
};
HW_FIELD(struct vmcs_region, abort_indicator, 4);
HW_SIZE(struct vmcs_region, 4096);
#define VMCS_SHADOW		(1u << 31)

#endif
