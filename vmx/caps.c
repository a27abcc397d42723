// SPDX-License-Identifier: MIT
#include "vmx/caps.h"

#include "core/lib/printf.h"
#include "core/x86/msr.h"

/*
 * SDM3 A.2: a capability MSR has the allowed 0-settings in its low half (a bit
 * set there must be 1) and the allowed 1-settings in its high half (a bit
 * clear there must be 0).
 */
int vmx_ctl_adjust(u64 cap, u32 must, u32 opt, u32 *out)
{
	u32 one = vmx_ctl_must_be_1(cap), may = vmx_ctl_may_be_1(cap);

	if (must & ~may) {
		*out = must & ~may;
		return -EOPNOTSUPP;
	}
	*out = must | (opt & may) | one;
	return 0;
}

/* SDM3 27.2.1.1: reserved bits are those that the capability MSR fixes. */
bool vmx_ctl_valid(u64 cap, u32 value)
{
	return !(vmx_ctl_must_be_1(cap) & ~value) && !(value & ~vmx_ctl_may_be_1(cap));
}

/* Bits that have no name here are given by number: they are new. */
void vmx_ctl_names(enum vmx_ctl_word word, u32 mask, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int bit = 0; bit < 32; bit++) {
		const char *name = vmx_ctl_name(word, bit);

		if (!(mask & 1u << bit))
			continue;
		if (name)
			str_append(buf, size, &len, "%s%s", len ? " " : "", name);
		else
			str_append(buf, size, &len, "%sbit%u", len ? " " : "", bit);
	}
}

/* What is wanted of each word: what we cannot do without, and the rest. */
static const struct {
	u32 must, opt;
} wanted[VMX_CTL_WORDS] = {
	[VMX_CTL_PIN] = {
		/* Without acknowledge-on-exit: the host takes it by its IDT. */
		/* PREEMPTION_TIMER is switched on when there is a deadline. */
		VMX_CTL(PIN_EXT_INTR_EXITING) | VMX_CTL(PIN_NMI_EXITING),
		VMX_CTL(PIN_VIRTUAL_NMIS),
	},
	[VMX_CTL_PROC] = {
		VMX_CTL(PROC_ACTIVATE_SECONDARY) | VMX_CTL(PROC_USE_MSR_BITMAPS) |
		VMX_CTL(PROC_USE_IO_BITMAPS) | VMX_CTL(PROC_HLT_EXITING) |
		VMX_CTL(PROC_USE_TSC_OFFSETTING),
		/* Performance counters, C-states and caches are the host's. */
		VMX_CTL(PROC_USE_TPR_SHADOW) | VMX_CTL(PROC_RDPMC_EXITING) |
		VMX_CTL(PROC_MWAIT_EXITING) | VMX_CTL(PROC_MONITOR_EXITING),
	},
	[VMX_CTL_PROC2] = {
		/* Real mode needs unrestricted guest, flushing needs VPID. */
		VMX_CTL(PROC2_ENABLE_EPT) | VMX_CTL(PROC2_UNRESTRICTED_GUEST) |
		VMX_CTL(PROC2_ENABLE_VPID),
		VMX_CTL(PROC2_ENABLE_RDTSCP) | VMX_CTL(PROC2_ENABLE_INVPCID) |
		VMX_CTL(PROC2_ENABLE_XSAVES) | VMX_CTL(PROC2_WBINVD_EXITING),
	},
	[VMX_CTL_EXIT] = {
		/* PAT, EFER and DR7 are switched by the CPU, not in lists. */
		VMX_CTL(EXIT_SAVE_DEBUG) | VMX_CTL(EXIT_HOST_64) | VMX_CTL(EXIT_SAVE_PAT) |
		VMX_CTL(EXIT_LOAD_PAT) | VMX_CTL(EXIT_SAVE_EFER) | VMX_CTL(EXIT_LOAD_EFER),
		0,
	},
	[VMX_CTL_ENTRY] = {
		VMX_CTL(ENTRY_LOAD_DEBUG) | VMX_CTL(ENTRY_LOAD_PAT) | VMX_CTL(ENTRY_LOAD_EFER),
		0,
	},
};

/* What people can look up in a data sheet is refused by its name, first. */
static int caps_check_features(const struct vmx_caps *c, char *why, size_t size)
{
	const u64 ept = EPT_CAP_WALK_4 | EPT_CAP_INVEPT;

	if (!(c->ctl[VMX_CTL_PROC] >> 32 & VMX_CTL(PROC_ACTIVATE_SECONDARY)) ||
	    !(c->ctl[VMX_CTL_PROC2] >> 32 & VMX_CTL(PROC2_ENABLE_EPT))) {
		nb_snprintf(why, size, "VMX without extended page tables (EPT) is not supported");
		return -ENODEV;
	}
	if (!(c->ctl[VMX_CTL_PROC2] >> 32 & VMX_CTL(PROC2_UNRESTRICTED_GUEST))) {
		nb_snprintf(why, size, "VMX without unrestricted guest is not supported");
		return -ENODEV;
	}
	if ((c->ept_vpid & ept) != ept || !(c->ept_vpid & (EPT_CAP_WB | EPT_CAP_UC)) ||
	    !(c->ept_vpid & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL))) {
		nb_snprintf(why, size, "VMX: EPT lacks 4-level walks or INVEPT (cap. %#llx)",
			    (unsigned long long)c->ept_vpid);
		return -ENODEV;
	}
	return 0;
}

int vmx_ctls_choose(const struct vmx_caps *caps, struct vmx_ctls *out, char *why, size_t size)
{
	int err = caps_check_features(caps, why, size);

	if (err)
		return err;
	for (unsigned int w = 0; w < VMX_CTL_WORDS; w++) {
		char names[80];

		if (!vmx_ctl_adjust(caps->ctl[w], wanted[w].must, wanted[w].opt, &out->word[w]))
			continue;
		vmx_ctl_names(w, out->word[w], names, sizeof(names));
		nb_snprintf(why, size, "VMX lacks %s controls: %s", vmx_ctl_word_name(w), names);
		return -ENODEV;
	}
	/* Without a shadow the guest's CR8 would be the host's. */
	if (!(out->word[VMX_CTL_PROC] & VMX_CTL(PROC_USE_TPR_SHADOW)))
		out->word[VMX_CTL_PROC] |= VMX_CTL(PROC_CR8_LOAD_EXITING) |
					   VMX_CTL(PROC_CR8_STORE_EXITING);
	return 0;
}

/* SDM3 A.7, A.8: 1 in both: fixed to 1; 0 in both: fixed to 0. */
u64 vmx_cr_fix(u64 cr, u64 fixed0, u64 fixed1)
{
	return (cr | fixed0) & fixed1;
}

/*
 * SDM3 24.7: VMXON raises #GP unless the lock bit and the enable bit for where
 * we run are set.  Firmware that did not lock leaves the choice to us.
 */
int vmx_feature_control(u64 msr, bool in_smx, u64 *write)
{
	u64 bit = in_smx ? FEATURE_CONTROL_VMX_IN_SMX : FEATURE_CONTROL_VMX;

	if (!(msr & FEATURE_CONTROL_LOCKED)) {
		*write = msr | bit | FEATURE_CONTROL_LOCKED;
		return -EAGAIN;
	}
	return msr & bit ? 0 : -ENODEV;
}

/* What the inventory names: features that machines differ in. */
static const struct {
	u8 word;
	u8 bit;
	const char *name;
} control_features[] = {
	{ VMX_CTL_PROC2, PROC2_ENABLE_EPT_BIT,			"ept" },
	{ VMX_CTL_PROC2, PROC2_ENABLE_VPID_BIT,			"vpid" },
	{ VMX_CTL_PROC2, PROC2_UNRESTRICTED_GUEST_BIT,		"unrestricted" },
	{ VMX_CTL_PIN,	 PIN_VIRTUAL_NMIS_BIT,			"vnmi" },
	{ VMX_CTL_PIN,	 PIN_PREEMPTION_TIMER_BIT,		"preempt_timer" },
	{ VMX_CTL_PIN,	 PIN_POSTED_INTERRUPTS_BIT,		"posted_intr" },
	{ VMX_CTL_PROC,	 PROC_MONITOR_TRAP_FLAG_BIT,		"mtf" },
	{ VMX_CTL_PROC,	 PROC_USE_TPR_SHADOW_BIT,		"tpr_shadow" },
	{ VMX_CTL_PROC,	 PROC_ACTIVATE_TERTIARY_BIT,		"tertiary" },
	{ VMX_CTL_PROC2, PROC2_APIC_REGISTER_VIRT_BIT,		"apic_reg" },
	{ VMX_CTL_PROC2, PROC2_VIRTUAL_INTR_DELIVERY_BIT,	"vid" },
	{ VMX_CTL_PROC2, PROC2_VIRTUALIZE_X2APIC_BIT,		"x2apic" },
	{ VMX_CTL_PROC2, PROC2_PAUSE_LOOP_EXITING_BIT,		"ple" },
	{ VMX_CTL_PROC2, PROC2_ENABLE_VM_FUNCTIONS_BIT,		"vmfunc" },
	{ VMX_CTL_PROC2, PROC2_VMCS_SHADOWING_BIT,		"shadow_vmcs" },
	{ VMX_CTL_PROC2, PROC2_ENABLE_PML_BIT,			"pml" },
	{ VMX_CTL_PROC2, PROC2_EPT_VIOLATION_VE_BIT,		"ve" },
	{ VMX_CTL_PROC2, PROC2_MODE_BASED_EXEC_BIT,		"mbec" },
	{ VMX_CTL_PROC2, PROC2_USE_TSC_SCALING_BIT,		"tsc_scaling" },
	{ VMX_CTL_PROC2, PROC2_ENABLE_XSAVES_BIT,		"xsaves" },
};

static const struct {
	u64 mask;
	const char *name;
} ept_features[] = {
	{ EPT_CAP_EXEC_ONLY,	"ept_x_only" },
	{ EPT_CAP_AD,		"ept_ad" },
	{ EPT_CAP_2M,		"ept_2m" },
	{ EPT_CAP_1G,		"ept_1g" },
};

void vmx_caps_describe(const struct vmx_caps *caps, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(control_features); i++)
		if (caps->ctl[control_features[i].word] >> 32 & BIT(control_features[i].bit))
			str_append(buf, size, &len, "%s%s", len ? " " : "",
				   control_features[i].name);
	for (unsigned int i = 0; i < ARRAY_SIZE(ept_features); i++)
		if (caps->ept_vpid & ept_features[i].mask)
			str_append(buf, size, &len, "%s%s", len ? " " : "", ept_features[i].name);
}

u64 vmx_eptp(const struct vmx_caps *caps, u64 root)
{
	/* Memory type 6 (WB) or 0 (UC), page-walk length 4 as 3. */
	u64 eptp = (root & PAGE_MASK) | 3u << 3;

	if (caps->ept_vpid & EPT_CAP_WB)
		eptp |= 6;
	if (caps->ept_vpid & EPT_CAP_AD)
		eptp |= BIT(6);
	return eptp;
}

u32 vmx_timer_value(const struct vmx_caps *caps, u64 cycles)
{
	/* The timer counts when bit n of the TSC changes: round up. */
	u32 shift = (u32)(caps->misc & VMX_MISC_TIMER_SHIFT);
	u64 ticks = (cycles >> shift) + !!(cycles & ((1ULL << shift) - 1));

	return ticks > 0xffffffffu ? 0xffffffffu : (u32)ticks;
}
