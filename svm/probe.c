// SPDX-License-Identifier: MIT
/* Detection, and SVM of one CPU (APM2 15.4). */
#include "svm/ops.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/nmi_watchdog.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "svm/exit.h"
#include "svm/insn.h"
#include "svm/quirks.h"

/*
 * APM2 15.4: SVM is usable when CPUID has it and VM_CR.SVMDIS is clear or can
 * be cleared (VM_CR.LOCK = 0, APM2 15.30.1).  A CPU without VM_CR cannot
 * disable it.
 */
static bool vm_cr_enable(void)
{
	u64 vm_cr;

	if (rdmsr_safe(MSR_VM_CR, &vm_cr) || !(vm_cr & VM_CR_SVMDIS))
		return true;
	if (vm_cr & VM_CR_LOCK || wrmsr_safe(MSR_VM_CR, vm_cr & ~(u64)VM_CR_SVMDIS))
		return false;
	return !(rdmsr(MSR_VM_CR) & VM_CR_SVMDIS);
}

int svm_probe(const struct cpu_caps *caps, char *why, size_t size)
{
	const bool tcg = !strcmp(caps->hypervisor_id, "TCGTCGTCGTCG");

	if (!caps->svm) {
		nb_snprintf(why, size, "no SVM: CPUID 8000_0001 ECX.SVM is 0");
		return -ENODEV;
	}
	svm_caps_decode(caps, &svm.caps);
	if (!vm_cr_enable()) {
		nb_snprintf(why, size, "SVM is off (VM_CR.SVMDIS), %s: see firmware setup",
			    svm.caps.svml ? "locked with a key" : "locked");
		return -ENODEV;
	}
	if (!svm.caps.np || svm.caps.nasid < 2) {
		nb_snprintf(why, size, "SVM without %s is not supported",
			    svm.caps.np ? "ASIDs" : "nested paging");
		return -ENODEV;
	}
	svm.decode = (svm.caps.nrips ? SVM_DECODE_NRIP : 0) |
		     (svm.caps.decode_assists ? SVM_DECODE_ASSISTS : 0);
	svm.tsc_aux = caps->rdtscp;
	svm.pks = caps->pks;
	/* What cannot be tried out: QEMU 7.2 aborts (helper_write_crN without its lock). */
	svm.quirks.cr8_virq_fatal = tcg;
	/*
	 * Nor this: helper_vmrun() sets CPU_INTERRUPT_VIRQ in interrupt_request without
	 * the lock under which others set their bits there, and what they set is lost.
	 */
	svm.quirks.virq_races = tcg;
	/*
	 * Nor this: cpu_clear_ignne() of its target/i386/tcg/sysemu/fpu_helper.c
	 * writes the boot CPU's hflags2 from any CPU that loads x87 state, without
	 * a lock: what VMRUN and #VMEXIT change there at that time, GIF and nested
	 * paging among it, can get lost.
	 */
	svm.quirks.boot_cpu_races = tcg;
	/* Nor this, on one CPU: core/vm/stale_code.h has the places. */
	svm.quirks.code_stale = tcg;
	/* Its page walk is the same below other hypervisors, which leave the CPU's name. */
	svm.quirks.pdpte_accessed = tcg || !strncmp(caps->brand, "QEMU TCG CPU", 12);
	svm.clean_all = svm.caps.vmcb_clean ? VMCB_CLEAN_ALL : 0;
	return 0;
}

void svm_describe(char *buf, size_t size)
{
	const struct { bool on; const char *name; } quirk[] = {
		{ svm.quirks.shadow_lost, "shadow_lost" },
		{ svm.quirks.virq_if1_lost, "virq_if1_lost" },
		{ svm.quirks.intr_if0_lost, "intr_if0_lost" },
		{ svm.quirks.soft_nrip_lost, "soft_nrip_lost" },
		{ svm.quirks.cr2_lost, "cr2_lost" },
		{ svm.quirks.db_dr6_lost, "db_dr6_lost" },
		{ svm.quirks.int_idt_stale, "int_idt_stale" },
		{ svm.quirks.virq_prio_wrong, "virq_prio_wrong" },
		{ svm.quirks.int3_is_swint, "int3_is_swint" },
		{ svm.quirks.lmsw_not_sel, "lmsw_not_sel" },
		{ svm.quirks.rdtscp_is_rdtsc, "rdtscp_is_rdtsc" },
		{ svm.quirks.pdpte_accessed, "pdpte_accessed" },
		{ svm.quirks.cr0_lost, "cr0_lost" },
		{ svm.quirks.cr8_virq_fatal, "cr8_virq_fatal" },
		{ svm.quirks.dr7_stays, "dr7_stays" },
		{ svm.quirks.lbr_lost, "lbr_lost" },
		{ svm.quirks.virq_races, "virq_races" },
		{ svm.quirks.boot_cpu_races, "boot_cpu_races" },
		{ svm.quirks.code_stale, "code_stale" },
	};
	unsigned int any = 0;
	size_t len;

	svm_caps_names(&svm.caps, buf, size);
	len = strnlen(buf, size);
	for (unsigned int i = 0; i < ARRAY_SIZE(quirk); i++) {
		if (quirk[i].on)
			str_append(buf, size, &len, "%s%s", any++ ? " " : ", quirks: ",
				   quirk[i].name);
	}
}

/* Between two looks at a guest that nothing else ends. */
#define BEAT_US		10000
#define SVM_CPU_PAGES	(sizeof(struct svm_cpu) / PAGE_SIZE)	/* page aligned, so whole */

/* APM2 15.4 (EFER.SVME), 15.30.4 (VM_HSAVE_PA). */
int svm_cpu_on(struct percpu *cpu)
{
	struct svm_cpu *sc = host_alloc(SVM_CPU_PAGES, PA_OWNER_CORE);
	u64 flags;
	int err;

	if (!sc)
		return -ENOMEM;
	if (wrmsr_safe(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME)) {
		host_free(sc, SVM_CPU_PAGES);
		return -EIO;
	}
	wrmsr(MSR_VM_HSAVE_PA, (u64)sc->hsave);
	if (svm.caps.tsc_rate_msr)
		wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
	/* Whoever was here before used ASIDs too: the first one flushes all. */
	sc->asid_gen = 1;
	sc->asid_next = svm.caps.nasid;
	cpu->virt_area = (u64)sc->hsave;
	cpu->host_vmcb = (u64)&sc->host;
	cpu->virt_on = true;
	vmsave(cpu->host_vmcb);
	if (cpu->id)
		return 0;
	flags = irq_save();
	err = svm_find_quirks(&svm.quirks);
	irq_restore(flags);
	svm.lbr = svm.caps.lbr_virt && !svm.quirks.lbr_lost;
	if (svm.quirks.intr_if0_lost)
		nmi_watchdog_beat(BEAT_US);
	return err;
}

void svm_cpu_off(struct percpu *cpu)
{
	struct svm_cpu *sc = (struct svm_cpu *)cpu->host_vmcb;

	stgi();
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	cpu->virt_on = false;
	cpu->virt_area = 0;
	cpu->host_vmcb = 0;
	host_free(sc, SVM_CPU_PAGES);
}
