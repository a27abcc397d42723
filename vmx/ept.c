// SPDX-License-Identifier: MIT
/* Extended page tables: format, pointer, invalidation (SDM3 29.3, 29.4). */
#include "vmx/ops.h"

#include "core/lib/log.h"
#include "vmx/insn.h"

/* pt_format_ept without the page sizes that this CPU lacks. */
static struct pt_format format;

const struct pt_format *vmx_npt_format(void)
{
	if (!format.levels) {
		format = pt_format_ept;
		/* SDM3 A.10: 2-MByte and 1-GByte pages are optional. */
		format.level[1].leaf = vmx_caps.ept_vpid & EPT_CAP_2M;
		format.level[2].leaf = vmx_caps.ept_vpid & EPT_CAP_1G;
	}
	return &format;
}

/* Their operands are ours: a failure is our bug, and worth a line. */
static void check(enum vmx_result res, const char *insn)
{
	if (res != VMX_OK)
		log_printf(LOG_ERR, "%s failed", insn);
}

/* SDM3 29.4.3.1: guest-physical and combined mappings of this EPT pointer. */
void vmx_flush_ept(u64 eptp)
{
	struct invept_desc d = { .eptp = eptp };
	bool single = vmx_caps.ept_vpid & EPT_CAP_INVEPT_SINGLE;

	check(invept(single ? INVEPT_SINGLE : INVEPT_ALL, &d), "INVEPT");
}

/* SDM3 29.4.3.1: linear and combined mappings of this VPID. */
void vmx_flush_vpid(u16 vpid)
{
	struct invvpid_desc d = { .vpid = vpid };

	if (!(vmx_caps.ept_vpid & VPID_CAP_INVVPID))
		return;
	if (vmx_caps.ept_vpid & VPID_CAP_SINGLE)
		check(invvpid(INVVPID_SINGLE, &d), "INVVPID");
	else if (vmx_caps.ept_vpid & VPID_CAP_ALL)
		check(invvpid(INVVPID_ALL, &d), "INVVPID");
}

void vmx_flush_all(void)
{
	struct invept_desc e = { 0 };
	struct invvpid_desc d = { 0 };

	if (vmx_caps.ept_vpid & EPT_CAP_INVEPT_ALL)
		check(invept(INVEPT_ALL, &e), "INVEPT");
	if (vmx_caps.ept_vpid & VPID_CAP_INVVPID && vmx_caps.ept_vpid & VPID_CAP_ALL)
		check(invvpid(INVVPID_ALL, &d), "INVVPID");
}

/* Takes effect before the next entry, on the CPU that enters. */
void vmx_flush(struct vcpu *v)
{
	v->stat.tlb_flush++;
	vmx_of(v)->todo |= VMX_TODO_FLUSH;
}
