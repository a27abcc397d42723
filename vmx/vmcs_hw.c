// SPDX-License-Identifier: MIT
/*
 * Access to the current VMCS that reports what goes wrong, and the dump.
 * Only on VMX: a VMCB is memory, a VMCS is reached by instructions that fail.
 */
#include "vmx/ops.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "vmx/insn.h"

void vmwrite(u32 field, u64 val)
{
	enum vmx_result res = vmwrite_checked(field, val);

	if (res == VMX_OK)
		return;
	if (res == VMX_FAIL_INVALID)
		log_printf(LOG_ERR, "VMWRITE %s: no current VMCS", vmcs_field_name(field));
	else
		log_printf(LOG_ERR, "VMWRITE %s (%#x) = %#llx: %s", vmcs_field_name(field), field,
			   (unsigned long long)val,
			   vmx_insn_error_name((u32)vmread(VMCS_VM_INSN_ERROR)));
}

/*
 * Tests and the set-up of a machine touch a vCPU that no CPU has loaded.  Its
 * VMCS is made current for as long as that takes; nested uses cost nothing.
 */
bool vmx_borrow(struct vmx_vcpu *x)
{
	if (likely(x->current))
		return false;
	if (vmptrld(x->vmcs_pa) != VMX_OK)
		log_printf(LOG_ERR, "VMPTRLD %#llx failed", (unsigned long long)x->vmcs_pa);
	x->current = true;
	return true;
}

/*
 * SDM3 25.11.1: a VMCS that may go to another CPU is cleared on this one.
 * The VMCS that a loaded vCPU had here becomes current again.
 */
void vmx_return(struct vmx_vcpu *x, bool borrowed)
{
	struct vcpu *other;

	if (likely(!borrowed))
		return;
	if (vmclear(x->vmcs_pa) != VMX_OK)
		log_printf(LOG_ERR, "VMCLEAR %#llx failed", (unsigned long long)x->vmcs_pa);
	x->launched = 0;
	x->current = false;
	other = vmx_loaded_here();
	if (other && vmptrld(vmx_of(other)->vmcs_pa) != VMX_OK)
		log_printf(LOG_ERR, "VMPTRLD of the loaded vCPU failed");
}

u64 vmx_read(struct vcpu *v, u32 field)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	u64 val;

	if (vmread_checked(field, &val) != VMX_OK)
		log_printf(LOG_WARN, "VMREAD %s (%#x) failed", vmcs_field_name(field), field);
	vmx_return(x, b);
	return val;
}

void vmx_write(struct vcpu *v, u32 field, u64 val)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);

	vmwrite(field, val);
	vmx_return(x, b);
}

/* The control words by the names of their bits. */
static void dump_bits(void)
{
	static const u16 fields[VMX_CTL_WORDS] = {
		VMCS_PIN_CTLS, VMCS_PROC_CTLS, VMCS_PROC2_CTLS, VMCS_EXIT_CTLS, VMCS_ENTRY_CTLS,
	};
	char names[400];

	for (unsigned int w = 0; w < VMX_CTL_WORDS; w++) {
		u64 val;

		if (vmread_checked(fields[w], &val) != VMX_OK)
			continue;
		/* Bits that the CPU demands say nothing. */
		val &= ~vmx_ctl_must_be_1(vmx_caps.ctl[w]);
		vmx_ctl_names(w, (u32)val, names, sizeof(names));
		log_printf(LOG_INFO, "  %s controls: %s", vmx_ctl_word_name(w), names);
	}
}

/* Both may be older than what the reader looks for: they are only the last. */
static void dump_reason(void)
{
	u32 reason = (u32)vmread(VMCS_EXIT_REASON);
	u64 qual = vmread(VMCS_EXIT_QUALIFICATION);
	u32 error = (u32)vmread(VMCS_VM_INSN_ERROR);

	log_printf(LOG_INFO, "  last exit: %s%s%s",
		   vmx_exit_reason_name(reason & VMX_REASON_BASIC),
		   reason & VMX_REASON_ENTRY_FAIL ? ", entry failure: " : "",
		   reason & VMX_REASON_ENTRY_FAIL ?
		   vmx_entry_failure_name(reason & VMX_REASON_BASIC, qual) : "");
	if (error)
		log_printf(LOG_INFO, "  last VM-instruction error: %u: %s", error,
			   vmx_insn_error_name(error));
}

void vmx_dump(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	char line[160];
	size_t len = 0;

	log_printf(LOG_INFO, "VMCS of vCPU %u:", v->id);
	dump_reason();
	dump_bits();
	for (unsigned int i = 0; i < vmcs_field_count; i++) {
		u64 val;

		/* Fields of features that the CPU lacks fail: left out. */
		if (vmread_checked(vmcs_fields[i].encoding, &val) != VMX_OK)
			continue;
		/* Two fields a line. */
		str_append(line, sizeof(line), &len, "  %-28s %016llx", vmcs_fields[i].name,
			   (unsigned long long)val);
		if (len < 60)
			continue;
		log_printf(LOG_INFO, "%s", line);
		len = 0;
	}
	if (len)
		log_printf(LOG_INFO, "%s", line);
	vmx_return(x, b);
}
