// SPDX-License-Identifier: MIT
/* Detection, and VMX operation of one CPU (SDM3 24.6-24.8). */
#include "vmx/ops.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/mm/host.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "vmx/insn.h"

struct vmx_caps vmx_caps;
struct vmx_ctls vmx_ctls;

/* SDM3 A.2: the TRUE capability MSRs exist with bit 55 of IA32_VMX_BASIC. */
static void read_caps(struct vmx_caps *c)
{
	u32 t;

	c->basic = rdmsr(MSR_IA32_VMX_BASIC);
	t = c->basic & VMX_BASIC_TRUE_CTLS ?
	    MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS : 0;
	c->ctl[VMX_CTL_PIN] = rdmsr(MSR_IA32_VMX_PINBASED_CTLS + t);
	c->ctl[VMX_CTL_PROC] = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS + t);
	c->ctl[VMX_CTL_EXIT] = rdmsr(MSR_IA32_VMX_EXIT_CTLS + t);
	c->ctl[VMX_CTL_ENTRY] = rdmsr(MSR_IA32_VMX_ENTRY_CTLS + t);
	c->misc = rdmsr(MSR_IA32_VMX_MISC);
	c->cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	c->vmcs_enum = rdmsr(MSR_IA32_VMX_VMCS_ENUM);
	if (!(c->ctl[VMX_CTL_PROC] >> 32 & VMX_CTL(PROC_ACTIVATE_SECONDARY)))
		return;
	c->ctl[VMX_CTL_PROC2] = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (c->ctl[VMX_CTL_PROC2] >> 32 &
	    (VMX_CTL(PROC2_ENABLE_EPT) | VMX_CTL(PROC2_ENABLE_VPID)))
		c->ept_vpid = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	if (c->ctl[VMX_CTL_PROC2] >> 32 & VMX_CTL(PROC2_ENABLE_VM_FUNCTIONS))
		c->vmfunc = rdmsr(MSR_IA32_VMX_VMFUNC);
}

/* Leaves IA32_FEATURE_CONTROL locked with VMX on, or returns -ENODEV. */
static int feature_control(void)
{
	u64 msr, val;
	int err;

	if (rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &msr))
		return -ENODEV;
	/* SMX operation would need SENTER: nobody boots us that way. */
	err = vmx_feature_control(msr, false, &val);
	if (err == -EAGAIN)
		err = wrmsr_safe(MSR_IA32_FEATURE_CONTROL, val) ? -ENODEV : 0;
	return err;
}

/* On the boot CPU; the snapshot is taken to hold for all CPUs. */
int vmx_probe(const struct cpu_caps *caps, char *why, size_t size)
{
	if (!caps->vmx) {
		nb_snprintf(why, size, "VMX: the CPU has none (CPUID 1 ECX bit 5)");
		return -ENODEV;
	}
	if (feature_control()) {
		nb_snprintf(why, size,
			    "VMX: the firmware has locked it off (IA32_FEATURE_CONTROL)");
		return -ENODEV;
	}
	read_caps(&vmx_caps);
	return vmx_ctls_choose(&vmx_caps, &vmx_ctls, why, size);
}

void vmx_describe(char *buf, size_t size)
{
	vmx_caps_describe(&vmx_caps, buf, size);
}

/* On each CPU; the VMXON region is kept when VMX is switched off again. */
int vmx_cpu_on(struct percpu *cpu)
{
	struct vmcs_region *region;
	enum vmx_result res;

	if (cpu->virt_on)
		return 0;
	if (feature_control())
		return -ENODEV;
	if (!cpu->virt_area)
		cpu->virt_area = (u64)host_alloc(1, PA_OWNER_CORE);
	if (!cpu->virt_area)
		return -ENOMEM;
	region = (void *)cpu->virt_area;
	region->revision_id = vmx_caps.basic & VMX_BASIC_REVISION;

	/* SDM3 24.8: bits of CR0 and CR4 that VMX operation fixes. */
	write_cr0(vmx_cr_fix(read_cr0(), vmx_caps.cr0_fixed0, vmx_caps.cr0_fixed1));
	write_cr4(vmx_cr_fix(read_cr4() | CR4_VMXE, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1));
	res = vmxon(cpu->virt_area);
	if (res != VMX_OK) {
		log_printf(LOG_ERR, "cpu%u: VMXON failed (%s)", cpu->id,
			   res == VMX_FAIL_INVALID ? "VMfailInvalid" : "VMfailValid");
		write_cr4(read_cr4() & ~CR4_VMXE);
		return -EIO;
	}
	cpu->virt_on = true;
	/* SDM3 29.4.3.3: what an earlier user of VMX left in the TLB. */
	vmx_flush_all();
	return 0;
}

void vmx_cpu_off(struct percpu *cpu)
{
	if (!cpu->virt_on)
		return;
	if (vmxoff() != VMX_OK)
		log_printf(LOG_WARN, "cpu%u: VMXOFF failed", cpu->id);
	write_cr4(read_cr4() & ~CR4_VMXE);
	cpu->virt_on = false;
}
