// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(segs64, .ref = "APM2 4.5.3, SDM3 3.4.4",
	.desc = "selectors, FS/GS bases, SWAPGS, LDTR, TR, GDTR, IDTR across exits");

static u64 cell_fs = 0x1111, cell_gs = 0x2222, cell_kgs = 0x3333;

static u64 read_fs0(void)
{
	u64 v;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(v));
	return v;
}

static u64 read_gs0(void)
{
	u64 v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static u16 store_tr(void)
{
	u16 v;

	__asm__ volatile("str %0" : "=rm"(v));
	return v;
}

static u16 store_ldt(void)
{
	u16 v;

	__asm__ volatile("sldt %0" : "=rm"(v));
	return v;
}

static void check_bases(const struct exit_way *w)
{
	bool ok = true;

	wrmsr(MSR_FS_BASE, (u64)&cell_fs);
	wrmsr(MSR_GS_BASE, (u64)&cell_gs);
	wrmsr(MSR_KERNEL_GS_BASE, (u64)&cell_kgs);
	w->go();
	ok &= rt_quiet(read_fs0() == 0x1111, w->name, "FS base lost: %llx", read_fs0());
	ok &= rt_quiet(read_gs0() == 0x2222, w->name, "GS base lost: %llx", read_gs0());
	ok &= rt_quiet(rdmsr(MSR_FS_BASE) == (u64)&cell_fs, w->name, "FS_BASE %llx",
		       rdmsr(MSR_FS_BASE));
	__asm__ volatile("swapgs");
	w->go();
	ok &= rt_quiet(read_gs0() == 0x3333, w->name, "SWAPGS: %llx", read_gs0());
	ok &= rt_quiet(rdmsr(MSR_KERNEL_GS_BASE) == (u64)&cell_gs, w->name,
		       "KERNEL_GS_BASE %llx", rdmsr(MSR_KERNEL_GS_BASE));
	__asm__ volatile("swapgs");
	ok &= rt_quiet(read_gs0() == 0x2222, w->name, "SWAPGS back: %llx", read_gs0());
	rt_check(ok, w->name, "FS or GS changed");
}

static void check_selectors(const struct exit_way *w)
{
	bool ok = true;

	write_ds(SEL_FREE);
	write_es(SEL_UDATA);
	write_fs(SEL_DATA16);
	write_gs(0);
	w->go();
	ok &= rt_quiet(read_ds() == SEL_FREE, w->name, "DS %x", read_ds());
	ok &= rt_quiet(read_es() == SEL_UDATA, w->name, "ES %x", read_es());
	ok &= rt_quiet(read_fs() == SEL_DATA16, w->name, "FS %x", read_fs());
	ok &= rt_quiet(read_gs() == 0, w->name, "GS %x", read_gs());
	ok &= rt_quiet(read_cs() == SEL_CODE, w->name, "CS %x", read_cs());
	ok &= rt_quiet(read_ss() == SEL_DATA, w->name, "SS %x", read_ss());
	ok &= rt_quiet(store_tr() == SEL_TSS, w->name, "TR %x", store_tr());
	ok &= rt_quiet(store_ldt() == SEL_FREE + 0x10, w->name, "LDTR %x", store_ldt());
	write_ds(SEL_DATA);
	write_es(SEL_DATA);
	rt_check(ok, w->name, "a selector changed");
}

static void check_tables(const struct exit_way *w)
{
	struct table_ptr gdtr, idtr;
	bool ok = true;

	w->go();
	sgdt(&gdtr);
	sidt(&idtr);
	ok &= rt_quiet(gdtr.base == (ulong)rt_gdt && gdtr.limit == sizeof(rt_gdt) - 1, w->name,
		       "GDTR %lx %x", gdtr.base, gdtr.limit);
	ok &= rt_quiet(idtr.base == (ulong)rt_idt && idtr.limit == 4095, w->name,
		       "IDTR %lx %x", idtr.base, idtr.limit);
	rt_check(ok, w->name, "a table register changed");
}

/* The cached descriptor counts, not the table (APM2 4.5.1). */
static void check_cache(void)
{
	static u64 cell[2] = { 0xaaaa, 0xbbbb };

	rt_gdt[SEL_FREE / 8] = rt_desc((u32)(ulong)&cell[0], 0xfffff, 0x93, 0xc);
	write_fs(SEL_FREE);
	rt_check(read_fs0() == 0xaaaa, "FS base comes from the descriptor", "%llx", read_fs0());
	rt_gdt[SEL_FREE / 8] = rt_desc((u32)(ulong)&cell[1], 0xfffff, 0x93, 0xc);
	cpuid(0);
	rt_check(read_fs0() == 0xaaaa, "and stays when the table changes", "%llx", read_fs0());
	write_fs(SEL_FREE);
	rt_check(read_fs0() == 0xbbbb, "until it is loaded again", "%llx", read_fs0());
	rt_check(rdmsr(MSR_FS_BASE) == (u64)&cell[1], "FS_BASE shows it", " ");
	write_fs(SEL_DATA);
	/* DS bases do not count in 64-bit mode (APM2 4.5.3). */
	write_ds(SEL_FREE);
	cpuid(0);
	rt_check(*(volatile u64 *)&cell[0] == 0xaaaa, "the base of DS is ignored", " ");
	write_ds(SEL_DATA);
}

static void check_ldt(void)
{
	static u64 ldt[4], cell = 0xcccc;
	ulong limit = 0;

	ldt[1] = rt_desc((u32)(ulong)&cell, 0xfff, 0x93, 0x4);
	rt_gdt[SEL_FREE / 8 + 2] = rt_desc((u32)(ulong)ldt, sizeof(ldt) - 1, 0x82, 0);
	rt_gdt[SEL_FREE / 8 + 3] = 0;
	__asm__ volatile("lldt %w0" : : "r"(SEL_FREE + 0x10));
	cpuid(0);
	write_gs(0xc);
	rt_check(read_gs0() == 0xcccc, "GS through the LDT", "%llx", read_gs0());
	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"((ulong)0xc) : "cc");
	rt_check(limit == 0xfff, "LSL of an LDT entry", "%lx", limit);
	rt_expect("selector beyond the LDT", RT_TRY("mov %0, %%gs", : : "r"(0x24) : "memory"),
		  VEC_GP, 0x24);
}

int main(struct rt_info *info)
{
	check_cache();
	check_ldt();
	for (unsigned int i = 0; i < ARRAY_LEN(exit_ways); i++)
		check_bases(&exit_ways[i]);
	rt_gdt[SEL_FREE / 8] = rt_desc(0, 0xfffff, 0x93, 0xc);
	for (unsigned int i = 0; i < ARRAY_LEN(exit_ways); i++)
		check_selectors(&exit_ways[i]);
	for (unsigned int i = 0; i < ARRAY_LEN(exit_ways); i++)
		check_tables(&exit_ways[i]);
	return rt_result();
}
