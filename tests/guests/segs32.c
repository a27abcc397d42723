// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(segs32, .ref = "APM2 4.5, SDM3 3.4",
	.desc = "bases, limits and selectors of all segments across exits; LAR, LSL, VERR");

static u32 cells[8];

#define DEFINE_READ(seg) \
static u32 read_at_##seg(void) \
{ \
	u32 v; \
	__asm__ volatile("movl %%" #seg ":4, %0" : "=r"(v)); \
	return v; \
}
DEFINE_READ(ds)
DEFINE_READ(es)
DEFINE_READ(fs)
DEFINE_READ(gs)

/* Each segment has a base of its own; what is read at offset 4 tells which. */
static void check_bases(const struct exit_way *w)
{
	u32 ds, es, fs, gs;
	bool ok;

	write_fs(SEL_FREE);
	write_gs(SEL_FREE + 8);
	write_es(SEL_FREE + 16);
	w->go();
	fs = read_at_fs();
	gs = read_at_gs();
	es = read_at_es();
	write_es(SEL_DATA);
	write_ds(SEL_FREE + 24);
	ds = read_at_ds();
	write_ds(SEL_DATA);
	ok = fs == 0xf1 && gs == 0xf2 && es == 0xf3 && ds == 0xf4;
	rt_check(ok, w->name, "fs %x gs %x es %x ds %x", fs, gs, es, ds);
}

/* The code segment's base: code copied to run at another offset. */
static void check_code_base(void)
{
	extern char based_code[], based_end[];
	u32 got = 0;

	__asm__(".pushsection .text\n"
		"based_code: call 1f; 1: pop %eax; push %eax; xor %eax, %eax\n"
		"push %ebx; cpuid; pop %ebx\n"
		"inb $0x80, %al; pop %eax; lret\n"
		"based_end:\n.popsection");
	rt_gdt[SEL_FREE / 8 + 4] = rt_desc((u32)based_code, (u32)(based_end - based_code) - 1,
					   0x9b, 0x4);
	__asm__ volatile("lcall %1, $0" : "=a"(got) : "i"(SEL_FREE + 32)
			 : "ecx", "edx", "memory", "cc");
	rt_check(got == 5, "EIP counts from the base of CS, over exits", "%x", got);
}

static void check_checks(void)
{
	u32 v = 0;
	u8 zf;

	__asm__ volatile("lsl %2, %0; setz %1" : "=r"(v), "=qm"(zf) : "r"(SEL_FREE) : "cc");
	rt_check(zf && v == 7, "LSL in bytes", "%x", v);
	__asm__ volatile("lsl %2, %0; setz %1" : "=r"(v), "=qm"(zf) : "r"(SEL_DATA) : "cc");
	rt_check(zf && v == 0xffffffff, "LSL in pages", "%x", v);
	__asm__ volatile("lar %2, %0; setz %1" : "=r"(v), "=qm"(zf) : "r"(SEL_DATA) : "cc");
	rt_check(zf && (v & 0xf0ff00) == 0xc09300, "LAR", "%x", v);
	__asm__ volatile("lar %2, %0; setz %1" : "=r"(v), "=qm"(zf) : "r"(0x7f8) : "cc");
	rt_check(!zf, "LAR beyond the table", " ");
	__asm__ volatile("verw %w1; setz %0" : "=qm"(zf) : "r"(SEL_CODE) : "cc");
	rt_check(!zf, "VERW of code", " ");
	__asm__ volatile("verr %w1; setz %0" : "=qm"(zf) : "r"(SEL_CODE) : "cc");
	rt_check(zf, "VERR of readable code", " ");
}

/* APM2 4.8.1: a load sets the accessed bit in the table. */
static void check_accessed(void)
{
	rt_gdt[SEL_FREE / 8 + 5] = rt_desc(0, 0xfffff, 0x92, 0xc);
	write_gs(SEL_FREE + 40);
	rt_check(rt_gdt[SEL_FREE / 8 + 5] >> 40 & 1, "a load sets the accessed bit", "%llx",
		 rt_gdt[SEL_FREE / 8 + 5]);
}

int main(struct rt_info *info)
{
	for (unsigned int i = 0; i < 4; i++) {
		cells[2 * i + 1] = 0xf1 + i;
		rt_gdt[SEL_FREE / 8 + i] = rt_desc((u32)&cells[2 * i], 7, 0x93, 0x4);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(exit_ways); i++)
		check_bases(&exit_ways[i]);
	check_code_base();
	check_checks();
	check_accessed();
	return rt_result();
}
