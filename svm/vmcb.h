/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block (APM2 15.5, appendix B).
 *
 * The processor may keep a copy of the members that have a clean bit and
 * believes it as long as the bit is set (APM2 15.15).  They begin with '_':
 * only the setters here write them, and clear the bit when the value changes.
 * Pure.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "core/lib/base.h"

struct diag;

/* APM2 15.15.3, table 15-9. */
#define VMCB_CLEAN_I	BIT(0)	/* intercepts, TSC offset, pause filter */
#define VMCB_CLEAN_IOPM	BIT(1)	/* addresses of both permission maps */
#define VMCB_CLEAN_ASID	BIT(2)
#define VMCB_CLEAN_TPR	BIT(3)	/* V_TPR, V_IRQ, ... */
#define VMCB_CLEAN_NP	BIT(4)	/* nested paging: nCR3, gPAT */
#define VMCB_CLEAN_CRX	BIT(5)	/* CR0, CR3, CR4, EFER */
#define VMCB_CLEAN_DRX	BIT(6)
#define VMCB_CLEAN_DT	BIT(7)	/* GDTR, IDTR */
#define VMCB_CLEAN_SEG	BIT(8)	/* CS, DS, SS, ES, CPL */
#define VMCB_CLEAN_CR2	BIT(9)
#define VMCB_CLEAN_LBR	BIT(10)
#define VMCB_CLEAN_AVIC	BIT(11)
#define VMCB_CLEAN_CET	BIT(12)
#define VMCB_CLEAN_ALL	BITS(12, 0)

/* attrib: descriptor bits 55:52 and 47:40 as in struct vsegment. */
struct vmcb_seg {
	u16 selector;
	u16 attrib;
	u32 limit;
	u64 base;
};
HW_SIZE(struct vmcb_seg, 16);

struct vmcb {
#define FIELD(name, type, off)		type name;
#define CACHED(name, type, off, group)	type _##name;
#define SEG(name, off)			struct vmcb_seg name;
#define CACHED_SEG(name, off, group)	struct vmcb_seg _##name;
#define BYTES(name, off, len)		u8 name[len];
#define RSVD(off, len)			u8 reserved_##off[len];
#include "svm/vmcb_fields.def"
} __packed __aligned(4096);
HW_SIZE(struct vmcb, 4096);

#define VMCB_SAVE_AREA	0x400

#define FIELD(name, type, off)		HW_FIELD(struct vmcb, name, off);
#define CACHED(name, type, off, group)	HW_FIELD(struct vmcb, _##name, off);
#define SEG(name, off)			HW_FIELD(struct vmcb, name, off);
#define CACHED_SEG(name, off, group)	HW_FIELD(struct vmcb, _##name, off);
#define BYTES(name, off, len)		HW_FIELD(struct vmcb, name, off);
#define RSVD(off, len)			HW_FIELD(struct vmcb, reserved_##off, 0x##off);
#include "svm/vmcb_fields.def"

/* vmcb_get_cr0(c), vmcb_set_cr0(c, val), ... of every cached member. */
#define CACHED(name, type, off, group)					\
static inline type vmcb_get_##name(const struct vmcb *c)		\
{									\
	return c->_##name;						\
}									\
static inline void vmcb_set_##name(struct vmcb *c, type val)		\
{									\
	if (c->_##name != val) {					\
		c->_##name = val;					\
		c->clean &= (u32)~VMCB_CLEAN_##group;			\
	}								\
}
#define FIELD(name, type, off)
#define SEG(name, off)
#define BYTES(name, off, len)
#define RSVD(off, len)
#define CACHED_SEG(name, off, group)					\
static inline const struct vmcb_seg *vmcb_get_##name(const struct vmcb *c) \
{									\
	return &c->_##name;						\
}									\
static inline void vmcb_set_##name(struct vmcb *c, const struct vmcb_seg *s) \
{									\
	c->_##name = *s;						\
	c->clean &= (u32)~VMCB_CLEAN_##group;				\
}
#include "svm/vmcb_fields.def"

/* Every member that holds a value; segments as four. */
enum vmcb_field {
#define FIELD(name, type, off)		VMCB_F_##name,
#define CACHED(name, type, off, group)	VMCB_F_##name,
#define SEG(name, off)							\
	VMCB_F_##name##_selector, VMCB_F_##name##_attrib,		\
	VMCB_F_##name##_limit, VMCB_F_##name##_base,
#define CACHED_SEG(name, off, group)	SEG(name, off)
#define BYTES(name, off, len)
#define RSVD(off, len)
#include "svm/vmcb_fields.def"
	VMCB_FIELD_COUNT
};

struct vmcb_field_info {
	const char *name;
	u16 offset;
	u8 width;		/* bytes: 1, 2, 4, 8 */
	u16 clean;		/* its VMCB_CLEAN_ bit, 0: not cached */
};

/* NULL out of range. */
const struct vmcb_field_info *vmcb_field_info(unsigned int f);
/* By number; the value is cut to the field's width, the clean bit kept right. */
u64 vmcb_read(const struct vmcb *c, enum vmcb_field f);
void vmcb_write(struct vmcb *c, enum vmcb_field f, u64 val);

/* Intercept bits (APM2 table B-1, offsets 00Ch, 010h, 014h). */
enum {
	VEC3_INTR = BIT(0), VEC3_NMI = BIT(1), VEC3_SMI = BIT(2), VEC3_INIT = BIT(3),
	VEC3_VINTR = BIT(4), VEC3_CR0_SEL_WRITE = BIT(5),
	VEC3_IDTR_READ = BIT(6), VEC3_GDTR_READ = BIT(7),
	VEC3_LDTR_READ = BIT(8), VEC3_TR_READ = BIT(9),
	VEC3_IDTR_WRITE = BIT(10), VEC3_GDTR_WRITE = BIT(11),
	VEC3_LDTR_WRITE = BIT(12), VEC3_TR_WRITE = BIT(13),
	VEC3_RDTSC = BIT(14), VEC3_RDPMC = BIT(15), VEC3_PUSHF = BIT(16),
	VEC3_POPF = BIT(17), VEC3_CPUID = BIT(18), VEC3_RSM = BIT(19),
	VEC3_IRET = BIT(20), VEC3_SWINT = BIT(21), VEC3_INVD = BIT(22),
	VEC3_PAUSE = BIT(23), VEC3_HLT = BIT(24), VEC3_INVLPG = BIT(25),
	VEC3_INVLPGA = BIT(26), VEC3_IOIO = BIT(27), VEC3_MSR = BIT(28),
	VEC3_TASK_SWITCH = BIT(29), VEC3_FERR_FREEZE = BIT(30),
};
#define VEC3_SHUTDOWN	0x80000000U
#define VEC3_DESC	0x3fc0U		/* all eight descriptor table accesses */

enum {
	VEC4_VMRUN = BIT(0), VEC4_VMMCALL = BIT(1), VEC4_VMLOAD = BIT(2),
	VEC4_VMSAVE = BIT(3), VEC4_STGI = BIT(4), VEC4_CLGI = BIT(5),
	VEC4_SKINIT = BIT(6), VEC4_RDTSCP = BIT(7), VEC4_ICEBP = BIT(8),
	VEC4_WBINVD = BIT(9), VEC4_MONITOR = BIT(10), VEC4_MWAIT = BIT(11),
	VEC4_MWAIT_ARMED = BIT(12), VEC4_XSETBV = BIT(13), VEC4_RDPRU = BIT(14),
	VEC4_EFER_WRITE_TRAP = BIT(15),
};

enum {
	VEC5_INVLPGB = BIT(0), VEC5_INVLPGB_ILLEGAL = BIT(1), VEC5_INVPCID = BIT(2),
	VEC5_MCOMMIT = BIT(3), VEC5_TLBSYNC = BIT(4), VEC5_BUSLOCK = BIT(5),
	VEC5_IDLE_HLT = BIT(6),
};

/* int_ctl (APM2 15.21.1, table B-1 offset 060h). */
#define INT_CTL_V_TPR		0x000000ffU
#define INT_CTL_V_IRQ		0x00000100U
#define INT_CTL_V_GIF		0x00000200U
#define INT_CTL_V_NMI		0x00000800U
#define INT_CTL_V_NMI_MASK	0x00001000U
#define INT_CTL_V_INTR_PRIO(n)	((u32)(n) << 16)
#define INT_CTL_V_IGN_TPR	0x00100000U
#define INT_CTL_V_INTR_MASKING	0x01000000U
#define INT_CTL_V_GIF_ENABLE	0x02000000U
#define INT_CTL_V_NMI_ENABLE	0x04000000U

#define INT_STATE_SHADOW	BIT(0)
#define NESTED_CTL_NP_ENABLE	BIT(0)
#define VIRT_EXT_LBR		BIT(0)
#define VIRT_EXT_VMLOAD		BIT(1)

/* APM2 15.16.1, table 15-9. */
enum vmcb_tlb_control {
	TLB_CONTROL_NOTHING = 0,
	TLB_CONTROL_FLUSH_ALL = 1,
	TLB_CONTROL_FLUSH_ASID = 3,
	TLB_CONTROL_FLUSH_ASID_LOCAL = 7,
};

/* EVENTINJ and EXITINTINFO (APM2 15.20, 15.7.2). */
#define EVENTINJ_VALID		BIT(31)
#define EVENTINJ_EV		BIT(11)
#define EVENTINJ_TYPE(n)	((u64)(n) << 8)
enum { EVENTINJ_INTR = 0, EVENTINJ_NMI = 2, EVENTINJ_EXCEPTION = 3, EVENTINJ_SOFT_INT = 4 };

/* EXITCODEs by name (APM2 appendix C). */
enum svm_exit_code {
#define X(code, name, reason, kind, arg)	SVM_EXIT_##name = code,
#include "svm/exit_codes.def"
#undef X
};
#define SVM_EXIT_INVALID	(-1)

/* "CPUID", "NPF", ...; "?" when unknown. */
const char *svm_exit_code_name(u64 code);

/* All members, and reserved bytes that are not zero. */
void vmcb_dump(const struct vmcb *c, const struct diag *out);

#endif
