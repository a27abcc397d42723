/* SPDX-License-Identifier: MIT */
/*
 * Payloads that are stopped, saved with their memory, and go on in a new
 * machine, again and again until they end.  What migrate=N,memory does in one
 * place is done here from one machine to another.
 */
#include "tests/guest_vm.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/time.h"
#include "tests/payload.h"
#include "tests/report.h"
#include "tests/runner.h"

/*
 * The first machine's time, less than any payload takes; each one after it has
 * twice as much.
 */
#define FIRST_US	200
#define TRIES		5

struct stream {
	u8 *p;
	u64 size, at;
};

static int stream_write(void *ctx, const void *buf, u64 len)
{
	struct stream *s = ctx;

	if (len > s->size - s->at)
		return -E2BIG;
	memcpy(s->p + s->at, buf, len);
	s->at += len;
	return 0;
}

static int stream_read(void *ctx, void *buf, u64 len)
{
	struct stream *s = ctx;

	if (len > s->size - s->at)
		return -EIO;
	memcpy(buf, s->p + s->at, len);
	s->at += len;
	return 0;
}

static const struct payload *find(struct test_ctx *t, const char *id)
{
	const struct test *test;

	for (size_t i = 0; (test = runner_test(i)); i++)
		if (!strcmp(test->id, id))
			return test->arg;
	TEST_ERROR(t, "no test is named %s", id);
}

/* g's state goes, and what was its memory, too: nothing of it can be of use. */
static void destroy(struct test_ctx *t, struct guest_vm *g)
{
	t->machine = g->m.next;
	vm_fini(&g->m.vm);
}

static struct guest_vm *move(struct test_ctx *t, struct guest_vm *g)
{
	struct stream s = { 0 };
	const struct save_sink sink = { stream_write, &s };
	const struct save_source source = { .read = stream_read, .ctx = &s };
	s64 size = guest_vm_saved_size(g);
	struct guest_vm *to;
	char why[128] = "";

	REQUIRE(t, size > 0);
	s.size = (u64)size;
	s.p = host_alloc(ALIGN_UP(s.size, PAGE_SIZE) / PAGE_SIZE, t->owner);
	if (!s.p)
		TEST_ERROR(t, "no memory for %llu bytes", (unsigned long long)s.size);
	REQUIRE_EQ(t, guest_vm_save(g, &sink), 0);
	REQUIRE_EQ(t, s.at, s.size);
	destroy(t, g);
	s.at = 0;
	to = guest_vm_restore(t, t->cpu, &source, why, sizeof(why));
	CHECK(t, to, "not restored: %s", why);
	host_free(s.p, ALIGN_UP(s.size, PAGE_SIZE) / PAGE_SIZE);
	return to;
}

/* How often it moved before its end. */
static u32 run_once(struct test_ctx *t, const struct payload *p)
{
	struct guest_vm *g = payload_load(t, p, 0);
	u64 slice = FIRST_US, deadline;
	u32 moves = 0;

	for (; g; slice *= 2, moves++) {
		deadline = rdtsc() + us_to_tsc(slice);
		guest_vms_run(t, &g, 1, &deadline);
		if (g->m.vm.end->stop != STOP_TIMEOUT)
			break;
		g = move(t, g);
	}
	guest_console_end(t->cpu);
	if (!g)
		return moves;
	payload_judge(t, p, g->m.vm.end);
	destroy(t, g);
	return moves;
}

static void run_moving(struct test_ctx *t, const char *id)
{
	const struct payload *p = find(t, id);
	u32 moves = 0;

	/* The time is over when the host's timer says so: on a busy emulator, late. */
	for (u32 i = 0; i < TRIES && !moves; i++)
		moves = run_once(t, p);
	test_note(t, "%s: in %u machines", id, moves + 1);
	if (!moves && !strcmp(report_platform(), "bochs") && virt->vendor == VIRT_SVM)
		SKIP(t, "Bochs: a guest with IF = 0 is not interrupted, it was never saved");
	CHECK(t, moves, "%s ended before it was saved", id);
}

TEST(common, snapshot_fpu, .ref = "design: save and restore", .needs = NEED_VIRT, .timeout = 60)
{
	run_moving(t, "guest.fpu");
}

TEST(common, snapshot_exceptions, .ref = "design: save and restore", .needs = NEED_VIRT,
     .timeout = 60)
{
	run_moving(t, "guest.exc64");
}

TEST(common, snapshot_devices, .ref = "design: save and restore", .needs = NEED_VIRT,
     .timeout = 60)
{
	run_moving(t, "guest.pit");
}

TEST(common, snapshot_smp, .ref = "design: save and restore", .needs = NEED_VIRT, .timeout = 60)
{
	run_moving(t, "guest.smpwork");
}

TEST(common, snapshot_nested, .ref = "design: save and restore", .needs = NEED_SVM,
     .timeout = 60)
{
	run_moving(t, "guest.nsvm_state");
}
