/* SPDX-License-Identifier: MIT */
/* A guest whose TSC runs at another frequency than the CPU's. */
#include "core/vm/vcpu.h"
#include "core/x86/insn.h"
#include "core/x86/time.h"
#include "tests/common/common.h"
#include "tests/payload.h"

/* The payload measures it by the clocks of its PC, and arms deadlines. */
TEST(common, tsc_scale, .ref = "APM2 15.30.5, SDM3 25.6.5", .needs = NEED_VIRT, .timeout = 100)
{
	const struct { const char *name; u64 khz; } row[] = {
		{ "half of the CPU's", tsc_khz() / 2 }, { "a twentieth", tsc_khz() / 20 },
		{ "more than twice", tsc_khz() * 2345678 / 1000000 },
	};
	const struct payload *p = payload_find("tscrate");
	const char *why = vm_tsc_refused(row[0].khz);

	if (why)
		SKIP(t, "%s", why);
	REQUIRE(t, p);
	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		payload_run_tsc(t, p, row[i].khz);
	}
}

/* Without the feature, or too far, there is a reason; its own frequency always works. */
TEST(common, tsc_scale_refused, .ref = "APM2 15.30.5, SDM3 25.6.5", .needs = NEED_VIRT)
{
	bool scales = virt->tsc_format();

	EXPECT(t, !vm_tsc_refused(0));
	EXPECT(t, !vm_tsc_refused(tsc_khz()));
	EXPECT(t, !vm_tsc_refused(tsc_khz() + tsc_khz() / 5000));
	EXPECT_EQ(t, !vm_tsc_refused(tsc_khz() + tsc_khz() / 3000), scales);
	EXPECT_EQ(t, !vm_tsc_refused(tsc_khz() * 2), scales);
	EXPECT(t, vm_tsc_refused(tsc_khz() << 20));
}
