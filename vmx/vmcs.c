// SPDX-License-Identifier: MIT
#include "vmx/vmcs.h"

/* The .def's width and group columns must say what the encoding says. */
#define X(enc, name, width, group)						\
	STATIC_ASSERT(((enc) >> 10 & 3) == VMCS_GROUP_##group, "group of " #name);	\
	STATIC_ASSERT(((enc) >> 13 & 3) == VMCS_WIDTH_##width, "width of " #name);	\
	STATIC_ASSERT(((enc) & ~0x6ffeu) == 0, "reserved bits of " #name);
#include "vmx/vmcs_fields.def"
#undef X

/* In the order of appendix B, which is that of the encodings. */
const struct vmcs_field_info vmcs_fields[] = {
#define X(enc, name, width, group) { enc, VMCS_WIDTH_##width, VMCS_GROUP_##group, #name },
#include "vmx/vmcs_fields.def"
#undef X
};
const unsigned int vmcs_field_count = ARRAY_SIZE(vmcs_fields);

/* For messages: not worth an index. */
const char *vmcs_field_name(u32 encoding)
{
	for (unsigned int i = 0; i < vmcs_field_count; i++)
		if (vmcs_fields[i].encoding == encoding)
			return vmcs_fields[i].name;
	return "?";
}

static const char *const ctl_names[VMX_CTL_WORDS][32] = {
#define X(word, bit, name) [VMX_CTL_##word][bit] = #name,
#include "vmx/controls.def"
#undef X
};

const char *vmx_ctl_name(enum vmx_ctl_word word, unsigned int bit)
{
	return word < VMX_CTL_WORDS && bit < 32 ? ctl_names[word][bit] : NULL;
}

const char *vmx_ctl_word_name(enum vmx_ctl_word word)
{
	static const char *const names[VMX_CTL_WORDS] = {
		"pin", "proc", "proc2", "exit", "entry",
	};

	return word < VMX_CTL_WORDS ? names[word] : "?";
}

static const char *const reason_names[VMX_EXIT_LIMIT] = {
#define X(num, name, neutral, flags, decoder) [num] = #name,
#include "vmx/exit_reasons.def"
#undef X
};

const char *vmx_exit_reason_name(u32 basic)
{
	return basic < VMX_EXIT_LIMIT && reason_names[basic] ? reason_names[basic] : "?";
}

/* SDM3 31.4; the numbers between are not used. */
static const char *const insn_errors[] = {
#define X(num, text) [num] = text,
#include "vmx/insn_errors.def"
#undef X
};

const char *vmx_insn_error_name(u32 error)
{
	return error < ARRAY_SIZE(insn_errors) && insn_errors[error] ? insn_errors[error] : "?";
}

/* SDM3 27.8: qualification of reason 33; 1 is not used any more. */
static const char *const guest_state_failures[] = {
	[0] = "invalid guest state",
	[1] = "invalid guest state (obsolete qualification 1)",
	[2] = "invalid guest state: loading the PDPTEs",
	[3] = "invalid guest state: NMI injection while blocked by STI",
	[4] = "invalid guest state: VMCS link pointer",
};

const char *vmx_entry_failure_name(u32 basic, u64 qualification)
{
	switch (basic) {
	case VMX_EXIT_ENTRY_FAIL_GUEST:
		return qualification < ARRAY_SIZE(guest_state_failures) ?
		       guest_state_failures[qualification] :
		       "invalid guest state (unknown qualification)";
	case VMX_EXIT_ENTRY_FAIL_MSR:
		/* The qualification is the number of the entry, from 1. */
		return "MSR loading (qualification: number of the entry)";
	case VMX_EXIT_ENTRY_FAIL_MCE:
		return "machine-check event during VM entry";
	default:
		return "not a VM-entry failure";
	}
}
