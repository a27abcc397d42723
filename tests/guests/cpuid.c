// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(cpuid, .ref = "APM3 app. E, SDM2 CPUID",
	.desc = "CPUID is consistent with itself and with what the CPU does");

static void check_ranges(void)
{
	struct cpuid c = cpuid(0), d;

	rt_check(c.eax >= 1 && c.eax < 0x100, "highest basic leaf", "%x", c.eax);
	rt_check(rt.vendor != RT_OTHER, "a known vendor", " ");
	c = cpuid(0x80000000);
	rt_check(c.eax >= 0x80000008 && c.eax < 0x80000100, "highest extended leaf", "%x", c.eax);
	/* SDM2: above the highest leaf comes the highest basic one; AMD: zeros. */
	c = cpuid2(0x7fffffff, 0);
	d = cpuid2(rt.max_basic, 0);
	rt_check((!c.eax && !c.ebx && !c.ecx && !c.edx) || !memcmp(&c, &d, sizeof(c)) ||
		 rt.vendor == RT_INTEL, "a leaf that does not exist", "%x %x %x %x", c.eax,
		 c.ebx, c.ecx, c.edx);
}

static void check_addresses(void)
{
	u32 eax = cpuid(0x80000008).eax;
	u32 phys = eax & 0xff, virt = eax >> 8 & 0xff;

	rt_check(phys >= 32 && phys <= 52, "physical address width", "%u", phys);
	rt_check(virt == 48 || virt == 57, "linear address width", "%u", virt);
	if (virt == 57)
		rt_check(rt_has(7, 0, ECX, 16), "57 bits need LA57", " ");
}

/* Features that a 64-bit machine has, and those that come in chains. */
static void check_features(void)
{
	static const u8 base[] = { 0, 3, 4, 5, 6, 8, 13, 15, 16, 24, 25, 26 };

	for (unsigned int i = 0; i < ARRAY_LEN(base); i++)
		rt_quiet(rt_has(1, 0, EDX, base[i]), "leaf 1 EDX", "bit %u is clear", base[i]);
	rt_check(rt_has(0x80000001, 0, EDX, 29), "long mode", " ");
	if (rt_has(1, 0, ECX, 28))
		rt_check(rt_has(1, 0, ECX, 26), "AVX needs XSAVE", " ");
	if (rt_has(7, 0, EBX, 5))
		rt_check(rt_has(1, 0, ECX, 28), "AVX2 needs AVX", " ");
	if (rt_has(1, 0, ECX, 26))
		rt_check((cpuid2(0xd, 0).eax & 3) == 3, "XSAVE has x87 and SSE", "%x",
			 cpuid2(0xd, 0).eax);
	rt_check(cpuid(1).ebx >> 24 == 0, "boot CPU has APIC id 0", "%x", cpuid(1).ebx);
}

/* APM3 app. E: what follows CR4. */
static void check_dynamic(void)
{
	if (!rt_has(1, 0, ECX, 26))
		return;
	rt_check(!rt_has(1, 0, ECX, 27), "OSXSAVE clear", " ");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	rt_check(rt_has(1, 0, ECX, 27), "OSXSAVE set", " ");
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	rt_check(!rt_has(1, 0, ECX, 27), "OSXSAVE clear again", " ");
}

/* What CPUID denies must not work. */
static void check_denied(void)
{
	u64 pa = 0x5000;

	if (!rt_has(0x80000001, 0, ECX, 2))
		rt_expect("VMRUN without SVM is #UD",
			  RT_TRY("vmrun", : : "a"(pa) : "memory"), VEC_UD, -1);
	if (!rt_has(1, 0, ECX, 5))
		rt_expect("VMXON without VMX is #UD", RT_TRY("vmxon %0", : : "m"(pa) : "memory"),
			  VEC_UD, -1);
	/* PCID and SMEP in CR4 only when CPUID has them. */
	if (!rt_has(7, 0, EBX, 7))
		rt_expect("CR4.SMEP without SMEP is #GP",
			  RT_TRY("mov %0, %%cr4", : : "r"(read_cr4() | CR4_SMEP) : "memory"),
			  VEC_GP, 0);
}

static void check_hypervisor(void)
{
	struct cpuid c;

	if (!rt_has(1, 0, ECX, 31)) {
		rt_note("no hypervisor bit");
		return;
	}
	c = cpuid(0x40000000);
	rt_printf("hypervisor %s, leaves to %x\n", rt.hv, c.eax);
	rt_check(c.eax >= 0x40000000 && c.eax < 0x40010000, "hypervisor leaf range", "%x", c.eax);
	rt_check(rt.hv[0] > ' ', "hypervisor signature", " ");
	if (!rt.nestbed)
		return;
	rt_check(!memcmp(rt.hv, "nestbed", 7), "signature is nestbed's", "%s", rt.hv);
}

/* The brand string: 48 printable bytes, or leaves of zeros. */
static void check_brand(void)
{
	bool ok = true;
	u8 text[48];

	if (rt.max_ext < 0x80000004)
		return;
	for (u32 i = 0; i < 3; i++) {
		struct cpuid c = cpuid(0x80000002 + i);

		memcpy(text + 16 * i, &c, 16);
	}
	for (unsigned int i = 0; i < 48; i++)
		ok &= text[i] < 0x7f;
	rt_check(ok, "brand string is text", " ");
}

int main(struct rt_info *info)
{
	check_ranges();
	check_addresses();
	check_features();
	check_dynamic();
	check_denied();
	check_hypervisor();
	check_brand();
	return rt_result();
}
