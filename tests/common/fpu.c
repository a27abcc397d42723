/* SPDX-License-Identifier: MIT */
/* x87, SSE and AVX state across exits and across two vCPUs on a CPU. */
#include "core/lib/string.h"
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

/* Loads an FXSAVE image, exits, stores one; for ever. */
GUEST64(c_fx, "1: fxrstor64 0x30800; hlt; fxsave64 0x30000; hlt; jmp 1b");

/* SDM1 table 10-2: FXSAVE image. */
struct fx_image {
	u16 fcw, fsw;
	u8 ftw, rsvd0;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	struct { u8 val[10], rsvd[6]; } st[8];
	u8 xmm[16][16];
	u8 rest[96];
};
HW_FIELD(struct fx_image, mxcsr, 24);
HW_FIELD(struct fx_image, xmm, 160);
HW_SIZE(struct fx_image, 512);

static void fx_random(struct test_ctx *t, struct fx_image *fx)
{
	memset(fx, 0, sizeof(*fx));
	/* All exceptions masked; rounding and precision as they come. */
	fx->fcw = (u16)(0x37f ^ (test_random(t) & 0xc00));
	fx->fsw = (u16)(test_random(t) & 0x3f00);	/* TOP, condition codes */
	fx->ftw = (u8)test_random(t);
	fx->mxcsr = (u32)(0x1f80 | (test_random(t) & 0xe03f));
	for (u32 i = 0; i < 8; i++) {
		u64 r = test_random(t) | BIT(63);	/* a normal number */
		u16 e = (u16)(0x3fff ^ (test_random(t) & 0x8fff));

		memcpy(fx->st[i].val, &r, 8);
		memcpy(fx->st[i].val + 8, &e, 2);
	}
	for (u32 i = 0; i < 16; i++)
		for (u32 j = 0; j < 16; j++)
			fx->xmm[i][j] = (u8)test_random(t);
}

static void fx_compare(struct test_ctx *t, const struct fx_image *got, const struct fx_image *want)
{
	EXPECT_EQ(t, got->fcw, want->fcw);
	EXPECT_EQ(t, got->fsw, want->fsw);
	EXPECT_EQ(t, got->ftw, want->ftw);
	EXPECT_EQ(t, got->mxcsr, want->mxcsr);
	for (u32 i = 0; i < 8; i++)
		CHECK(t, !memcmp(got->st[i].val, want->st[i].val, 10), "ST(%u) differs", i);
	for (u32 i = 0; i < 16; i++)
		CHECK(t, !memcmp(got->xmm[i], want->xmm[i], 16), "XMM%u differs", i);
}

TEST(common, fpu_kept, .ref = "APM2 15.5, SDM3 28.3, SDM1 10.5", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_fx);
	struct fx_image *load = machine_ptr(m, G_LOAD, 512);
	const struct fx_image *seen = machine_ptr(m, G_SEEN, 512);

	for (u32 i = 0; i < 4; i++) {
		fx_random(t, load);
		run_to_hlt(m);
		run_to_hlt(m);
		fx_compare(t, seen, load);
	}
}

TEST(common, fpu_two_vcpus, .ref = "APM2 15.5, SDM1 13.1", .needs = NEED_VIRT)
{
	struct machine *m[2];

	for (u32 k = 0; k < 2; k++)
		m[k] = machine_new(t, MODE_LONG64, &c_fx);
	for (u32 i = 0; i < 4; i++) {
		for (u32 k = 0; k < 2; k++) {
			fx_random(t, machine_ptr(m[k], G_LOAD, 512));
			run_to_hlt(m[k]);
		}
		for (u32 k = 0; k < 2; k++) {
			run_to_hlt(m[k]);
			fx_compare(t, machine_ptr(m[k], G_SEEN, 512),
				   machine_ptr(m[k], G_LOAD, 512));
		}
	}
}

/* A new vCPU has the state of a CPU after reset, nothing of anybody else. */
GUEST64(c_fx_store, "fxsave64 0x30000; hlt");

TEST(common, fpu_new_vcpu_is_clean, .ref = "APM2 14.1.3, SDM3 10.1.1", .needs = NEED_VIRT)
{
	struct machine *dirty = machine_new(t, MODE_LONG64, &c_fx);
	struct machine *m = machine_new(t, MODE_LONG64, &c_fx_store);
	const struct fx_image *seen = machine_ptr(m, G_SEEN, 512);
	static const u8 zero[16];

	fx_random(t, machine_ptr(dirty, G_LOAD, 512));
	run_to_hlt(dirty);
	run_to_hlt(m);
	EXPECT_EQ(t, seen->mxcsr, 0x1f80);
	EXPECT_EQ(t, seen->ftw, 0);
	for (u32 i = 0; i < 16; i++)
		CHECK(t, !memcmp(seen->xmm[i], zero, 16), "XMM%u is not 0", i);
}

#define Y(n, off)	"vmovdqu 0x30800 + " #off ", %ymm" #n "\n\t"
#define YS(n, off)	"vmovdqu %ymm" #n ", 0x30000 + " #off "\n\t"
#define FOR_YMMS(OP)							\
	OP(0, 0) OP(1, 32) OP(2, 64) OP(3, 96) OP(4, 128) OP(5, 160)	\
	OP(6, 192) OP(7, 224) OP(8, 256) OP(9, 288) OP(10, 320)	\
	OP(11, 352) OP(12, 384) OP(13, 416) OP(14, 448) OP(15, 480)

GUEST64(c_ymm, "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv\n\t"
	       "1:\n\t" FOR_YMMS(Y) "hlt\n\t" FOR_YMMS(YS) "hlt; jmp 1b");

TEST(common, ymm_two_vcpus, .ref = "APM2 15.5, SDM1 13.1, 14.8", .needs = NEED_VIRT)
{
	struct machine *m[2];

	if (!run_policy.caps->xsave || !run_policy.caps->avx)
		SKIP(t, "the CPU has no AVX");
	for (u32 k = 0; k < 2; k++) {
		m[k] = machine_new(t, MODE_LONG64, &c_ymm);
		machine_set(m[k], VREG_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE);
	}
	for (u32 i = 0; i < 4; i++) {
		for (u32 k = 0; k < 2; k++) {
			u64 *load = machine_ptr(m[k], G_LOAD, 512);

			for (u32 j = 0; j < 64; j++)
				load[j] = test_random(t);
			run_to_hlt(m[k]);
		}
		for (u32 k = 0; k < 2; k++) {
			const u64 *load = machine_ptr(m[k], G_LOAD, 512);
			const u64 *seen = machine_ptr(m[k], G_SEEN, 512);

			run_to_hlt(m[k]);
			for (u32 j = 0; j < 64; j++)
				CHECK(t, seen[j] == load[j], "YMM%u word %u", j / 4, j % 4);
		}
	}
	EXPECT_EQ(t, machine_get(m[0], VREG_XCR0), 7);
}
