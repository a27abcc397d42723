/* SPDX-License-Identifier: MIT */
/*
 * Wrappers of the VMX instructions.  Each returns how it ended (SDM3 31.2):
 * VMX_OK, VMX_FAIL_INVALID (no current VMCS) or VMX_FAIL_VALID (the number is
 * in VM_INSN_ERROR).  Not pure.
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "core/lib/base.h"

enum vmx_result { VMX_OK, VMX_FAIL_INVALID, VMX_FAIL_VALID };

/* CF: VMfailInvalid, ZF: VMfailValid. */
static __always_inline enum vmx_result vmx_result(bool cf, bool zf)
{
	return cf ? VMX_FAIL_INVALID : zf ? VMX_FAIL_VALID : VMX_OK;
}

#define VMX_PTR_INSN(name)							\
static inline enum vmx_result name(u64 pa)					\
{										\
	bool cf, zf;								\
										\
	__asm__ volatile(#name " %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(pa) : "memory"); \
	return vmx_result(cf, zf);						\
}
VMX_PTR_INSN(vmxon)
VMX_PTR_INSN(vmclear)
VMX_PTR_INSN(vmptrld)
#undef VMX_PTR_INSN

static inline enum vmx_result vmxoff(void)
{
	bool cf, zf;

	__asm__ volatile("vmxoff" : "=@ccc"(cf), "=@ccz"(zf) :: "memory");
	return vmx_result(cf, zf);
}

/* All ones: there is no current VMCS. */
static inline u64 vmptrst(void)
{
	u64 pa;

	__asm__ volatile("vmptrst %0" : "=m"(pa) :: "memory", "cc");
	return pa;
}

static inline enum vmx_result vmread_checked(u32 field, u64 *val)
{
	bool cf, zf;
	u64 v = 0;

	__asm__ volatile("vmread %3, %2" : "=@ccc"(cf), "=@ccz"(zf), "+r"(v) : "r"((u64)field));
	*val = v;
	return vmx_result(cf, zf);
}

static inline enum vmx_result vmwrite_checked(u32 field, u64 val)
{
	bool cf, zf;

	__asm__ volatile("vmwrite %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "r"(val), "r"((u64)field)
			 : "memory");
	return vmx_result(cf, zf);
}

/* For fields that every CPU has which passed vmx_probe: no check. */
static __always_inline u64 vmread(u32 field)
{
	u64 v;

	__asm__ volatile("vmread %1, %0" : "=r"(v) : "r"((u64)field) : "cc");
	return v;
}

/* Reports a failure as a warning (vmx/vmcs_hw.c). */
void vmwrite(u32 field, u64 val);

/* For the path of each entry. */
static __always_inline void vmwrite_fast(u32 field, u64 val)
{
	__asm__ volatile("vmwrite %0, %1" :: "r"(val), "r"((u64)field) : "cc", "memory");
}

/* INVEPT and INVVPID descriptors (SDM3 31.3). */
struct invept_desc {
	u64 eptp;
	u64 reserved_8;
};

struct invvpid_desc {
	u16 vpid;
	u16 reserved_2[3];
	u64 linear;
};
HW_SIZE(struct invept_desc, 16);
HW_SIZE(struct invvpid_desc, 16);

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum invvpid_type {
	INVVPID_ADDR, INVVPID_SINGLE, INVVPID_ALL, INVVPID_SINGLE_GLOBALS,
};

static inline enum vmx_result invept(u64 type, const struct invept_desc *desc)
{
	bool cf, zf;

	__asm__ volatile("invept %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(*desc), "r"(type)
			 : "memory");
	return vmx_result(cf, zf);
}

static inline enum vmx_result invvpid(u64 type, const struct invvpid_desc *desc)
{
	bool cf, zf;

	__asm__ volatile("invvpid %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(*desc), "r"(type)
			 : "memory");
	return vmx_result(cf, zf);
}

#endif
