// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(lapicbase, .ref = "SDM3 11.4.3, 11.4.4; APM2 16.3",
	.desc = "IA32_APIC_BASE: reserved bits, moves, disable and enable");

#define VEC		0x61
#define HOLE		0xfeb10000ul	/* neither memory nor a device */
#define ROM_SPACE	0xd8000ul	/* of option ROMs */

static volatile u32 hits;
static volatile u32 page[1024] __attribute__((aligned(4096)));

static void on_irq(unsigned int vector)
{
	hits++;
	apic_eoi();
}

static u32 at(ulong base, unsigned int reg)
{
	return *(volatile u32 *)(base + reg);
}

static bool cpuid_apic(void)
{
	return cpuid(1).edx >> 9 & 1;
}

static u8 max_phys(void)
{
	return rt.max_ext >= 0x80000008 ? (u8)cpuid(0x80000008).eax : 36;
}

static void check_reserved(void)
{
	u64 base = rdmsr(MSR_APIC_BASE), bad = 0;

	rt_check(base == (APIC_PAGE | APIC_BASE_EN | APIC_BASE_BSP), "reset value", "%llx", base);
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool reserved = bit < 8 || bit == 9 || bit >= max_phys() ||
				(bit == 10 && !rt_has(1, 0, ECX, 21));

		if (reserved && (rt_wrmsr(MSR_APIC_BASE, base | BIT64(bit)) != VEC_GP ||
				 rdmsr(MSR_APIC_BASE) != base))
			bad |= BIT64(bit);
		wrmsr(MSR_APIC_BASE, base);
	}
	if (bad)
		rt_printf("NOTE bits that are no #GP: %llx\n", bad);
	rt_known(apic_is_qemu(), !bad, "reserved bits are #GP",
		 "QEMU 7.2 hw/intc/apic.c apic_set_base drops them");
	/* EXTD without EN, whether there is x2APIC or not; QEMU's APIC would be gone. */
	if (!apic_is_qemu())
		rt_expect("EXTD without EN is #GP",
			  rt_wrmsr(MSR_APIC_BASE, APIC_PAGE | APIC_BASE_EXTD | APIC_BASE_BSP),
			  VEC_GP, 0);
}

/* The page goes with the MSR, in front of memory too, for this CPU. */
static void check_move(const char *name, ulong to)
{
	u64 base = rdmsr(MSR_APIC_BASE);
	u32 version = apic_read(APIC_VERSION), there, here, tpr;

	wrmsr(MSR_APIC_BASE, to | (base & 0xfff));
	there = at(to, APIC_VERSION);
	*(volatile u32 *)(to + APIC_TPR) = 0x50;
	tpr = (u32)read_cr8();
	here = apic_read(APIC_VERSION);
	rt_check(rdmsr(MSR_APIC_BASE) == (to | (base & 0xfff)), name, "%llx",
		 rdmsr(MSR_APIC_BASE));
	wrmsr(MSR_APIC_BASE, base);
	rt_check(there == version, "registers at the new place", "%x, not %x", there, version);
	rt_check(tpr == 5, "and they are the APIC's", "%x", tpr);
	rt_check(here != version, "none at the old one", "%x", here);
	rt_check(apic_read(APIC_TPR) == 0x50, "and back", "%x", apic_read(APIC_TPR));
	apic_write(APIC_TPR, 0);
}

static void check_moves(void)
{
	if (apic_is_qemu()) {
		rt_note("QEMU 7.2 target/i386/cpu-sysemu.c x86_cpu_apic_realize maps it once");
		return;
	}
	check_move("to a hole", HOLE);
	check_move("to the space of option ROMs", ROM_SPACE);
	page[APIC_VERSION / 4] = 0x1234;
	page[APIC_TPR / 4] = 0x5678;
	check_move("in front of memory", (ulong)page);
	rt_check(page[APIC_VERSION / 4] == 0x1234 && page[APIC_TPR / 4] == 0x5678,
		 "the memory behind is as before", "%x %x", page[APIC_VERSION / 4],
		 page[APIC_TPR / 4]);
}

static void check_disable(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);
	u32 version = apic_read(APIC_VERSION);

	cli();
	rt_irq(VEC, on_irq);
	rt_check(cpuid_apic(), "CPUID has the APIC", " ");
	wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_EN);
	rt_check(!cpuid_apic(), "disabled: CPUID has none", " ");
	rt_known(apic_is_qemu(), apic_read(APIC_VERSION) != version, "nor is the page there",
		 "QEMU 7.2 hw/intc/apic.c apic_mem_read does not look at the MSR");
	wrmsr(MSR_APIC_BASE, base);
	rt_known(apic_is_qemu(), rdmsr(MSR_APIC_BASE) == base && cpuid_apic(), "enabled again",
		 "QEMU 7.2 hw/intc/apic.c apic_set_base: \"if disabled, cannot be enabled again\"");
	if (apic_is_qemu())
		return;
	rt_check(apic_read(APIC_VERSION) == version, "the page is back", " ");
	apic_enable();
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC);
	sti_nop();
	rt_check(RT_WAIT(hits == 1), "and interrupts come", "%u", hits);
	cli();
}

int main(struct rt_info *info)
{
	apic_enable();
	check_reserved();
	check_moves();
	check_disable();
	return rt_result();
}
