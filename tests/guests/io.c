// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(io, .ref = "APM2 15.10, SDM1 19",
	.desc = "IN, OUT, INS, OUTS of all sizes, REP, DF, segments, faults, page borders");

/* Four bytes of port memory: nestbed's vtest, QEMU's pc-testdev. */
#define NESTBED_PORT	0x600
#define TESTDEV_PORT	0xe0
/* Memory of theirs. */
#define NESTBED_DEV	0xfed40c00ul
#define TESTDEV		0xff000c00ul

#define VA	0x8000000000ul

static u16 port;
static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));
static volatile u64 pt[512] __attribute__((aligned(4096)));
static u8 page[2][4096] __attribute__((aligned(4096)));

static void check_sizes(void)
{
	outl(port, 0x44332211);
	rt_check(inl(port) == 0x44332211, "32 bits", "%x", inl(port));
	rt_check(inw(port) == 0x2211, "16 bits", "%x", inw(port));
	rt_check(inb(port) == 0x11, "8 bits", "%x", inb(port));
	outw(port, 0x6655);
	rt_check(inw(port) == 0x6655, "16-bit write", "%x", inw(port));
	outb(port, 0x77);
	rt_check(inb(port) == 0x77, "8-bit write", "%x", inb(port));
	__asm__ volatile("outb %%al, $0x80; inb $0x80, %%al" : : : "rax");
	rt_check(inl(0x5678) == 0xffffffff, "an unused port reads all ones", "%x", inl(0x5678));
}

struct string {
	u64 cx, di;
};

#define INS(insn, at, n, flags) ({					\
	struct string s_;						\
	__asm__ volatile(flags insn "; cld" : "=D"(s_.di), "=c"(s_.cx)	\
			 : "0"(at), "1"((u64)(n)), "d"(port) : "memory");	\
	s_; })
#define OUTS(insn, at, n, flags) ({					\
	struct string s_;						\
	__asm__ volatile(flags insn "; cld" : "=S"(s_.di), "=c"(s_.cx)	\
			 : "0"(at), "1"((u64)(n)), "d"(port) : "memory");	\
	s_; })

static bool all_are(const u8 *p, size_t n, u8 v)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != v)
			return false;
	return true;
}

/* What INS stores, and where it leaves RDI and RCX (SDM2 INS). */
static void check_ins(void)
{
	u8 *p = page[0];
	struct string s;

	outl(port, 0xa5a5a5a5);
	memset(p, 0, 64);
	s = INS("insb", p + 8, 0x1234, "");
	rt_check(s.di == (u64)p + 9 && s.cx == 0x1234 && p[8] == 0xa5 && !p[9], "INSB",
		 "rdi %llx rcx %llx", s.di - (u64)p, s.cx);
	s = INS("rep insb", p + 16, 5, "");
	rt_check(s.di == (u64)p + 21 && !s.cx && all_are(p + 16, 5, 0xa5) && !p[21], "REP INSB",
		 "rdi %llx rcx %llx", s.di - (u64)p, s.cx);
	s = INS("rep insw", p + 32, 3, "");
	rt_check(s.di == (u64)p + 38 && !s.cx && all_are(p + 32, 6, 0xa5) && !p[38], "REP INSW",
		 "rdi %llx rcx %llx", s.di - (u64)p, s.cx);
	s = INS("rep insl", p + 44, 4, "");
	rt_check(s.di == (u64)p + 60 && !s.cx && all_are(p + 44, 16, 0xa5) && !p[60], "REP INSL",
		 "rdi %llx rcx %llx", s.di - (u64)p, s.cx);
}

/* DF runs downwards; a count of none does nothing, the port is not read. */
static void check_ins_df(void)
{
	u8 *p = page[0];
	struct string s;

	memset(p, 0, 64);
	s = INS("rep insw", p + 40, 4, "std; ");
	rt_check(s.di == (u64)p + 32 && all_are(p + 34, 8, 0xa5) && !p[33] && !p[42],
		 "REP INSW with DF", "rdi %llx rcx %llx", s.di - (u64)p, s.cx);
	s = INS("rep insb", p, 0, "");
	rt_check(s.di == (u64)p && s.cx == 0 && !p[0], "REP INSB of none", "rdi %llx", s.di);
}

/* 32-bit addresses: RDI, RSI and RCX are cut and zero-extended. */
static void check_addr32(void)
{
	u8 *p = page[0];
	struct string s;

	memset(p, 0, 16);
	s = INS("addr32 rep insb", (u64)p | 1ull << 40, 3 | 1ull << 36, "");
	rt_check(s.di == (u64)p + 3 && s.cx == 0 && all_are(p, 3, 0xa5) && !p[3],
		 "ADDR32 REP INSB", "rdi %llx rcx %llx", s.di, s.cx);
	s = OUTS("addr32 rep outsb", (u64)p | 1ull << 40, 2 | 1ull << 36, "");
	rt_check(s.di == (u64)p + 2 && s.cx == 0, "ADDR32 REP OUTSB", "rsi %llx rcx %llx", s.di,
		 s.cx);
}

static void check_outs(void)
{
	u8 *p = page[0];
	struct string s;
	u32 v = 0xcafe1234;

	memcpy(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	s = OUTS("outsb", p + 1, 9, "");
	rt_check(s.di == (u64)p + 2 && s.cx == 9 && inb(port) == 2, "OUTSB", "%x", inb(port));
	s = OUTS("rep outsb", p, 5, "");
	rt_check(s.di == (u64)p + 5 && !s.cx && inb(port) == 5, "REP OUTSB", "%x", inb(port));
	s = OUTS("rep outsw", p, 4, "");
	rt_check(s.di == (u64)p + 8 && !s.cx && inw(port) == 0x0807, "REP OUTSW", "%x",
		 inw(port));
	s = OUTS("rep outsl", p, 2, "");
	rt_check(s.di == (u64)p + 8 && !s.cx && inl(port) == 0x08070605, "REP OUTSL", "%x",
		 inl(port));
	s = OUTS("rep outsb", p + 7, 8, "std; ");
	rt_check(s.di == (u64)p - 1 && inb(port) == 1, "REP OUTSB with DF", "%x", inb(port));
	wrmsr(MSR_FS_BASE, (u64)&v - 0x100);
	s = OUTS("fs outsl", 0x100, 1, "");
	rt_check(s.di == 0x104 && inl(port) == v, "OUTSL through FS", "%x", inl(port));
}

static void map_pages(bool second)
{
	rt_pml4[1] = (u64)pdpt | 3;
	pdpt[0] = (u64)pd | 3;
	pd[0] = (u64)pt | 3;
	pt[0] = (u64)page[1] | 3;	/* neighbours that are not contiguous */
	pt[1] = second ? (u64)page[0] | 3 : 0;
	write_cr3(read_cr3());
}

static void check_pages(void)
{
	struct string s;
	u32 v;

	map_pages(true);
	memset(page, 0, sizeof(page));
	outl(port, 0xa5a5a5a5);
	s = INS("rep insl", VA + 0xff6, 5, "");
	rt_check(s.di == VA + 0x100a && all_are(page[1] + 0xff6, 10, 0xa5) &&
		 all_are(page[0], 10, 0xa5) && !page[0][10], "REP INSL across pages", "rdi %llx",
		 s.di);
	page[1][0xffe] = 1;
	page[1][0xfff] = 2;
	page[0][0] = 3;
	page[0][1] = 4;
	OUTS("outsl", VA + 0xffe, 1, "");
	v = inl(port);
	rt_check(v == 0x04030201, "OUTSL across pages", "%x", v);
}

/* A fault in the middle leaves the registers at the element that faulted. */
static void check_fault(void)
{
	u64 di = VA + 0xff8, cx = 16;
	int vec;

	map_pages(false);
	memset(page, 0, sizeof(page));
	outl(port, 0xa5a5a5a5);
	vec = RT_TRY("rep insw", : "+D"(di), "+c"(cx) : "d"(port) : "memory");
	rt_expect("REP INSW into a missing page", vec, VEC_PF, 2);
	rt_check(di == VA + 0x1000 && cx == 12, "stops at the element", "rdi %llx rcx %llx", di,
		 cx);
	rt_check(rt_fault.cr2 == VA + 0x1000, "CR2", "%lx", rt_fault.cr2);
	rt_check(all_are(page[1] + 0xff8, 8, 0xa5), "what came before is there", " ");
	di = VA + 0xffd;
	cx = 3;
	vec = RT_TRY("rep outsb", : "+S"(di), "+c"(cx) : "d"(port) : "memory");
	rt_expect("REP OUTSB to the last byte", vec, VEC_NONE, -1);
	di = VA + 0xffd;
	cx = 4;
	vec = RT_TRY("rep outsb", : "+S"(di), "+c"(cx) : "d"(port) : "memory");
	rt_expect("REP OUTSB from a missing page", vec, VEC_PF, 0);
	rt_check(di == VA + 0x1000 && cx == 1, "stops at the element", "rsi %llx rcx %llx", di,
		 cx);
	di = 1ull << 47;
	rt_expect("INSB to a non-canonical address",
		  RT_TRY("insb", : "+D"(di) : "d"(port) : "memory"), VEC_GP, 0);
	pt[0] = (u64)page[1] | 1;
	write_cr3(read_cr3());
	write_cr0(read_cr0() | CR0_WP);
	di = VA;
	rt_expect("INSB to a read-only page",
		  RT_TRY("insb", : "+D"(di) : "d"(port) : "memory"), VEC_PF, 3);
}

/* The memory operand may be a device as well. */
static void check_device(const struct rt_info *info)
{
	volatile u8 *dev = (volatile u8 *)(info->nestbed ? NESTBED_DEV : TESTDEV);
	struct string s;

	for (unsigned int i = 0; i < 16; i++)
		dev[i] = (u8)i;
	outl(port, 0xa5a5a5a5);
	s = INS("rep insb", dev + 4, 3, "");
	rt_check(s.di == (u64)dev + 7 && !s.cx && dev[3] == 3 && dev[4] == 0xa5 &&
		 dev[6] == 0xa5 && dev[7] == 7, "REP INSB to a device", "rdi %llx: %x %x %x %x",
		 s.di - (u64)dev, dev[3], dev[4], dev[6], dev[7]);
	s = OUTS("rep outsw", dev + 8, 2, "");
	rt_check(s.di == (u64)dev + 12 && !s.cx && inw(port) == 0x0b0a,
		 "REP OUTSW from a device", "rsi %llx: %x", s.di - (u64)dev, inw(port));
}

int main(struct rt_info *info)
{
	port = info->nestbed ? NESTBED_PORT : TESTDEV_PORT;
	outl(port, 0x13572468);
	if (inl(port) != 0x13572468)
		return rt_skip("no port that keeps what is written");
	check_sizes();
	check_ins();
	check_ins_df();
	check_addr32();
	check_outs();
	check_device(info);
	check_pages();
	check_fault();
	return rt_result();
}
