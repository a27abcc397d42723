// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(fpu, .ref = "APM2 11.5, SDM1 10.5",
	.desc = "x87 stack, control words, XMM0-15 and MXCSR across exits");

/* APM2 11.4.4, figure 11-8: the FXSAVE image of 64-bit mode. */
struct fxsave {
	u16 fcw, fsw;
	u8 ftw, rsvd;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 unused[96];
};

static struct fxsave image __attribute__((aligned(16)));
static struct fxsave after __attribute__((aligned(16)));

static void make_image(unsigned int round)
{
	u8 *p = (u8 *)image.xmm;

	memset(&image, 0, sizeof(image));
	/* Precision and rounding vary; exceptions stay masked. */
	image.fcw = (u16)(0x037f ^ (round & 3) << 10);
	image.fsw = (u16)((round & 7) << 11);
	image.ftw = (u8)(0xff >> (round & 3));
	image.mxcsr = 0x1f80 | (round & 3) << 13 | (round & 1 ? 0x8000 : 0);
	image.mxcsr_mask = 0;
	for (unsigned int i = 0; i < 8; i++) {
		for (unsigned int b = 0; b < 8; b++)
			image.st[i][b] = (u8)rt_random();
		/* A normal number: integer bit set, exponent 3ffxh. */
		image.st[i][7] |= 0x80;
		image.st[i][8] = (u8)i;
		image.st[i][9] = 0x40;
	}
	for (unsigned int i = 0; i < sizeof(image.xmm); i++)
		p[i] = (u8)rt_random();
}

static bool same_x87(const char *way)
{
	bool ok = rt_quiet(after.fcw == image.fcw, way, "FCW %x, not %x", after.fcw, image.fcw);

	ok &= rt_quiet(after.fsw == image.fsw, way, "FSW %x, not %x", after.fsw, image.fsw);
	ok &= rt_quiet(after.ftw == image.ftw, way, "FTW %x, not %x", after.ftw, image.ftw);
	for (unsigned int i = 0; i < 8; i++)
		ok &= rt_quiet(!memcmp(after.st[i], image.st[i], 10), way, "ST%u differs", i);
	return ok;
}

static bool same_sse(const char *way)
{
	bool ok = rt_quiet(after.mxcsr == image.mxcsr, way, "MXCSR %x, not %x", after.mxcsr,
			   image.mxcsr);

	for (unsigned int i = 0; i < 16; i++)
		ok &= rt_quiet(!memcmp(after.xmm[i], image.xmm[i], 16), way, "XMM%u differs", i);
	return ok;
}

static void check_ways(void)
{
	for (unsigned int w = 0; w < ARRAY_LEN(exit_ways); w++) {
		bool ok = true;

		for (unsigned int round = 0; round < 16; round++) {
			make_image(round);
			__asm__ volatile("fxrstor64 %0" : : "m"(image));
			exit_ways[w].go();
			__asm__ volatile("fxsave64 %0" : "=m"(after));
			ok &= same_x87(exit_ways[w].name) & same_sse(exit_ways[w].name);
		}
		rt_check(ok, exit_ways[w].name, "x87 or SSE state changed");
	}
}

/* TS and EM decide, whatever the host did with its own (APM2 3.1.1). */
static void check_nm(void)
{
	ulong cr0 = read_cr0();

	write_cr0(cr0 | CR0_TS);
	rt_expect("x87 with TS is #NM", RT_TRY("fld1", : : : "memory"), VEC_NM, -1);
	rt_expect("SSE with TS is #NM", RT_TRY("xorps %%xmm0, %%xmm0", : : : "memory"),
		  VEC_NM, -1);
	cpuid(0);
	rt_check(read_cr0() & CR0_TS, "TS stays set", "%lx", read_cr0());
	__asm__ volatile("clts");
	rt_expect("x87 after CLTS", RT_TRY("fninit", : : : "memory"), VEC_NONE, -1);
	write_cr0(cr0 | CR0_EM);
	rt_expect("x87 with EM is #NM", RT_TRY("fld1", : : : "memory"), VEC_NM, -1);
	rt_expect("SSE with EM is #UD", RT_TRY("xorps %%xmm0, %%xmm0", : : : "memory"),
		  VEC_UD, -1);
	write_cr0(cr0);
}

int main(struct rt_info *info)
{
	check_ways();
	check_nm();
	return rt_result();
}
