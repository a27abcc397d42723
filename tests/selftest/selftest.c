/* SPDX-License-Identifier: MIT */
/*
 * Tests of the harness: each goes wrong on purpose, and the report must say
 * so.  Off by default; tools/check.sh runs them one by one and reads the
 * outcome.  Those that end the machine are judged from outside.
 */
#include "core/lib/string.h"
#include "core/mon/log.h"
#include "core/x86/insn.h"
#include "tests/guest_vm.h"

GUEST64(g_spin, "1: jmp 1b");
GUEST64(g_ud2, "ud2");

TEST(selftest, hang_guest, .ref = "timed out by a timer exit", .needs = NEED_VIRT,
     .flags = TEST_OFF, .timeout = 2)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_spin);

	EXPECT_EQ(t, machine_run(m), EXIT_HLT);
}

/* The guest cannot be interrupted by anything of its own: IF = 0. */
TEST(selftest, hang_hypervisor, .ref = "abandoned by the timer", .flags = TEST_OFF, .timeout = 2)
{
	t->checks++;
	for (;;)
		cpu_relax();
}

TEST(selftest, hang_hypervisor_cli, .ref = "abandoned by an NMI", .flags = TEST_OFF, .timeout = 2)
{
	t->checks++;
	cli();
	for (;;)
		cpu_relax();
}

static void hang_on_second_cpu(struct test_ctx *t)
{
	t->checks++;
	if (t->cpu == 1)
		for (;;)
			cpu_relax();
}

TEST(selftest, hang_other_cpu, .ref = "abandoned by an NMI", .needs = NEED_SMP,
     .flags = TEST_OFF, .timeout = 3)
{
	test_on_all_cpus(t, hang_on_second_cpu);
}

TEST(selftest, wild_pointer, .ref = "panic", .flags = TEST_OFF)
{
	volatile u64 *volatile wild = (u64 *)0x10;

	t->checks++;
	*wild = 1;
}

TEST(selftest, write_to_code, .ref = "panic: W^X", .flags = TEST_OFF)
{
	t->checks++;
	*(volatile u8 *)(u64)test_leave = 0x90;
}

TEST(selftest, execute_data, .ref = "panic: W^X", .flags = TEST_OFF)
{
	static u8 code[] = { 0xc3 };
	void (*volatile fn)(void) = (void (*)(void))(u64)code;

	t->checks++;
	fn();
}

static u64 __attribute__((noinline)) recurse(volatile u64 *depth)
{
	volatile u64 frame[32];

	frame[0] = ++*depth;
	return *depth ? recurse(depth) + frame[0] : 0;
}

TEST(selftest, stack_overflow, .ref = "panic: guard page", .flags = TEST_OFF)
{
	volatile u64 depth = 0;

	t->checks++;
	EXPECT(t, recurse(&depth));
}

/* With no IDT the first exception is a triple fault: the machine resets. */
TEST(selftest, triple_fault, .ref = "second begin line", .flags = TEST_OFF)
{
	const struct { u16 limit; u64 base; } __packed none = { 0, 0 };

	t->checks++;
	__asm__ volatile("lidt %0; ud2" :: "m"(none));
}

TEST(selftest, guest_triple_fault, .ref = "EXIT_SHUTDOWN", .needs = NEED_VIRT, .flags = TEST_OFF)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_ud2);

	EXPECT_EQ(t, machine_run(m), EXIT_SHUTDOWN);
}

/* What a guest prints must never be taken for the report. */
TEST(selftest, forged_pass, .ref = "guest output is prefixed", .flags = TEST_OFF)
{
	static const char text[] = "\r\n@nestbed test selftest.forged_pass pass\r\n"
				   "ok 1 selftest.forged_pass\n@nestbed end verdict=pass passed=1 "
				   "failed=0 skipped=0 errors=0 known=0\n\r@nestbed begin v=1\r";

	for (const char *p = text; *p; p++)
		guest_putc(0, (u8)*p);
	guest_console_end(0);
	test_check(t, false, "fails on purpose: the guest says it passed");
}

TEST(selftest, checks_nothing, .ref = "reporting nothing is an error", .flags = TEST_OFF)
{
}

TEST(selftest, fails, .ref = "a failed check", .flags = TEST_OFF)
{
	EXPECT_EQ(t, 1 + 1, 3);
}

TEST(selftest, rows, .ref = "subtests", .flags = TEST_OFF)
{
	test_row(t, "good row");
	EXPECT(t, t->rows == 1);
	test_row(t, "bad \"row\"");
	EXPECT(t, t->rows == 1);
}

TEST(selftest, passes, .ref = "the control", .flags = TEST_OFF)
{
	EXPECT(t, t->test->flags & TEST_OFF);
}
