/* SPDX-License-Identifier: MIT */
/* Architectural register bits (APM2 3.1, SDM3 2.5). Constants only: pure. */
#ifndef CORE_X86_REGS_H
#define CORE_X86_REGS_H

#include "core/lib/base.h"

#define CR0_PE		BIT(0)
#define CR0_MP		BIT(1)
#define CR0_EM		BIT(2)
#define CR0_TS		BIT(3)
#define CR0_ET		BIT(4)
#define CR0_NE		BIT(5)
#define CR0_WP		BIT(16)
#define CR0_AM		BIT(18)
#define CR0_NW		BIT(29)
#define CR0_CD		BIT(30)
#define CR0_PG		BIT(31)

#define CR4_VME		BIT(0)
#define CR4_PVI		BIT(1)
#define CR4_TSD		BIT(2)
#define CR4_DE		BIT(3)
#define CR4_PSE		BIT(4)
#define CR4_PAE		BIT(5)
#define CR4_MCE		BIT(6)
#define CR4_PGE		BIT(7)
#define CR4_PCE		BIT(8)
#define CR4_OSFXSR	BIT(9)
#define CR4_OSXMMEXCPT	BIT(10)
#define CR4_UMIP	BIT(11)
#define CR4_LA57	BIT(12)
#define CR4_VMXE	BIT(13)
#define CR4_SMXE	BIT(14)
#define CR4_FSGSBASE	BIT(16)
#define CR4_PCIDE	BIT(17)
#define CR4_OSXSAVE	BIT(18)
#define CR4_SMEP	BIT(20)
#define CR4_SMAP	BIT(21)
#define CR4_PKE		BIT(22)
#define CR4_CET		BIT(23)
#define CR4_PKS		BIT(24)

#define EFER_SCE	BIT(0)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NXE	BIT(11)
#define EFER_SVME	BIT(12)
#define EFER_LMSLE	BIT(13)
#define EFER_FFXSR	BIT(14)
#define EFER_TCE	BIT(15)

#define RFLAGS_CF	BIT(0)
#define RFLAGS_FIXED	BIT(1)
#define RFLAGS_PF	BIT(2)
#define RFLAGS_AF	BIT(4)
#define RFLAGS_ZF	BIT(6)
#define RFLAGS_SF	BIT(7)
#define RFLAGS_TF	BIT(8)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_DF	BIT(10)
#define RFLAGS_OF	BIT(11)
#define RFLAGS_IOPL	BITS(13, 12)
#define RFLAGS_NT	BIT(14)
#define RFLAGS_RF	BIT(16)
#define RFLAGS_VM	BIT(17)
#define RFLAGS_AC	BIT(18)
#define RFLAGS_VIF	BIT(19)
#define RFLAGS_VIP	BIT(20)
#define RFLAGS_ID	BIT(21)

#define DR6_FIXED1	0xffff0ff0ULL
#define DR6_BD		BIT(13)
#define DR6_BS		BIT(14)
#define DR6_BT		BIT(15)
#define DR7_FIXED1	0x400ULL
#define DR7_ENABLES	BITS(7, 0)	/* L0, G0 to L3, G3 */
#define DR7_GD		BIT(13)

#define DEBUGCTL_LBR	BIT(0)

#define XCR0_X87	BIT(0)
#define XCR0_SSE	BIT(1)
#define XCR0_AVX	BIT(2)
#define XCR0_AVX512	BITS(7, 5)
#define XCR0_PKRU	BIT(9)

/* Exception vectors: APM2 8.2, SDM3 6.15. */
enum vector {
	VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4,
	VEC_BR = 5, VEC_UD = 6, VEC_NM = 7, VEC_DF = 8, VEC_TS = 10,
	VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16,
	VEC_AC = 17, VEC_MC = 18, VEC_XM = 19, VEC_VE = 20, VEC_CP = 21,
	VEC_HV = 28, VEC_VC = 29, VEC_SX = 30,
};

/* Vectors whose delivery pushes an error code. */
#define EXC_HAS_ERROR_MASK \
	(BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) | \
	 BIT(VEC_PF) | BIT(VEC_AC) | BIT(VEC_CP) | BIT(VEC_VC) | BIT(VEC_SX))

static inline bool exc_has_error(u8 vector)
{
	return vector < 32 && (EXC_HAS_ERROR_MASK & BIT(vector));
}

/* Page-fault error code: APM2 8.4.2, SDM3 4.7. */
#define PFERR_P		BIT(0)
#define PFERR_W		BIT(1)
#define PFERR_U		BIT(2)
#define PFERR_RSVD	BIT(3)
#define PFERR_I		BIT(4)
#define PFERR_PK	BIT(5)

#endif
