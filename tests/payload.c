/* SPDX-License-Identifier: MIT */
#include "tests/payload.h"

#include "core/lib/gunzip.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/x86/percpu.h"
#include "core/x86/time.h"
#include "tests/guest_vm.h"
#include "tests/report.h"
#include "tests/runner.h"

#define MIB		0x100000ULL
#define GRACE_US	1000000
/* A vCPU's dump takes half a second of a serial line at 115200 bit/s. */
#define DUMP_US		2000000

/* The stop reason that goes with an expectation. */
static const u8 wanted_stop[] = {
	[PAYLOAD_END_RESULT] = STOP_DONE,
	[PAYLOAD_END_SHUTDOWN] = STOP_SHUTDOWN,
	[PAYLOAD_END_POWEROFF] = STOP_POWEROFF,
	[PAYLOAD_END_RESET] = STOP_RESET,
	[PAYLOAD_END_HLT] = STOP_HLT,
	[PAYLOAD_END_TIMEOUT] = STOP_TIMEOUT,
	[PAYLOAD_END_ANY] = STOP_NONE,
};

static void report_wrong_stop(struct test_ctx *t, const struct payload *p, struct vcpu *v)
{
	t->timed_out = v->stop == STOP_TIMEOUT;
	/* What ended it may wait for one of the others. */
	for (u32 i = 0; i < v->vm->vcpu_count; i++) {
		runner_extend(DUMP_US);
		vcpu_dump(v->vm->vcpu[i]);
	}
	test_report(t, OUTCOME_FAIL, "ended with %s at rip 0x%llx%s%s", stop_reason_name(v->stop),
		    (unsigned long long)v->rip, v->why[0] ? ": " : "", v->why);
}

/*
 * Random bytes and scribblers may end in any way that leaves the hypervisor
 * alone; it is still wrong if it cannot name what the guest did.
 */
static bool any_end_is_right(const struct vcpu *v)
{
	return v->stop != STOP_ERROR && v->stop != STOP_NONE && v->stop != STOP_EXIT;
}

void payload_judge(struct test_ctx *t, const struct payload *p, struct vcpu *v)
{
	t->checks++;
	if (p->expect == PAYLOAD_END_ANY) {
		test_note(t, "ended with %s%s%s", stop_reason_name(v->stop),
			  v->why[0] ? ": " : "", v->why);
		if (!any_end_is_right(v))
			report_wrong_stop(t, p, v);
		return;
	}
	if (v->stop != wanted_stop[p->expect]) {
		report_wrong_stop(t, p, v);
		return;
	}
	if (p->expect != PAYLOAD_END_RESULT || v->result == p->result)
		return;
	if (v->result == PAYLOAD_SKIPPED)
		test_report(t, OUTCOME_SKIP, "the payload found nothing to check here");
	else if (v->result == PAYLOAD_KNOWN && strcmp(report_platform(), "bare"))
		test_report(t, OUTCOME_KNOWN, "defects of the emulator, see its KNOWN lines");
	else
		test_report(t, OUTCOME_FAIL, "the payload ended with %u, not %u", v->result,
			    p->result);
}

/* The pack in memory of the test, which goes when the test ends. */
static const u8 *unpack(struct test_ctx *t, const struct payload_pack *pack)
{
	u8 *to = host_alloc(ALIGN_UP(pack->size, PAGE_SIZE) / PAGE_SIZE, t->owner);
	size_t len = 0;
	int err;

	if (!to)
		TEST_ERROR(t, "no memory to unpack payloads");
	err = gunzip(pack->start, (size_t)(pack->end - pack->start), to, pack->size, &len);
	if (err || len != pack->size)
		TEST_ERROR(t, "payloads do not unpack (error %d)", err);
	return to;
}

SECTION_BOUNDS(struct payload, payloads);

const struct payload *payload_find(const char *name)
{
	for (const struct payload *p = __start_nb_payloads; p < __stop_nb_payloads; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/* What is below the lowest nestbed: a payload finds out itself what is above. */
static const char *emulator(void)
{
	const char *platform = report_platform();

	return strncmp(platform, "nestbed_", 8) ? platform : platform + 8;
}

struct guest_vm *payload_load(struct test_ctx *t, const struct payload *p, u64 tsc_khz)
{
	char cmdline[64];
	struct load_image img = { .name = p->name, .data = unpack(t, p->pack) + p->offset,
				  .size = p->size, .cmdline = cmdline };
	const char *why = "";
	const struct guest_vm_config cfg = { .id = t->cpu, .mem = p->mem_mib * MIB,
					     .cpus = p->cpus, .tsc_khz = tsc_khz,
					     .nested = p->nested == GUEST_NESTED_SVM };
	struct guest_vm *g = guest_vm_new(t, &cfg, &why);
	size_t len;
	int err;

	if (!g)
		TEST_ERROR(t, "%s", why);
	len = (size_t)nb_snprintf(cmdline, sizeof(cmdline), "platform=%s seed=%u",
				  emulator(), (u32)test_random(t) | 1);
	if (tsc_khz)
		str_append(cmdline, sizeof(cmdline), &len, " tsc=%llu",
			   (unsigned long long)tsc_khz);
	err = guest_vm_load(g, &img, &log_diag);
	if (err && p->expect != PAYLOAD_END_REFUSED)
		TEST_ERROR(t, "not loaded (error %d)", err);
	return err ? NULL : g;
}

void payload_run(struct test_ctx *t, const struct payload *p)
{
	payload_run_tsc(t, p, 0);
}

void payload_run_tsc(struct test_ctx *t, const struct payload *p, u64 tsc_khz)
{
	struct guest_vm *g = payload_load(t, p, tsc_khz);
	u64 deadline;

	if (p->expect == PAYLOAD_END_REFUSED) {
		EXPECT(t, !g);
		return;
	}
	/* The guest's time is over before the watchdog's. */
	deadline = t->deadline ? t->deadline - MIN(t->deadline, us_to_tsc(GRACE_US)) : 0;
	guest_vms_run(t, &g, 1, &deadline);
	guest_console_end(g->m.vm.id);
	payload_judge(t, p, g->m.vm.end);
}

#define NMI_LEAKS	"Bochs 2.7 cpu/vmx.cc VMenterLoadCheckGuestState() leaves virtual-NMI " \
			"blocking as the VMCS before had it: vCPUs that share a CPU lose NMIs"

/*
 * What cannot be judged on one emulator, by name, so that the report shows it;
 * everywhere else it must pass.
 */
static const struct {
	const char *name;
	u8 vendor;
	bool shared;		/* only where vCPUs share a CPU */
	const char *why;
} not_on_bochs[] = {
	{ "nmi", VIRT_VMX, true, NMI_LEAKS }, { "smpipi", VIRT_VMX, true, NMI_LEAKS },
};

static const char *not_here(const struct payload *p)
{
	if (strcmp(report_platform(), "bochs"))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(not_on_bochs); i++)
		if (!strcmp(not_on_bochs[i].name, p->name) &&
		    not_on_bochs[i].vendor == virt->vendor &&
		    !(not_on_bochs[i].shared && cpu_count > 1))
			return not_on_bochs[i].why;
	return NULL;
}

void payload_test(struct test_ctx *t)
{
	const struct payload *p = t->test->arg;
	const char *why = not_here(p);

	if (why)
		SKIP(t, "%s", why);
	if (p->nested == GUEST_NESTED_SVM && virt->vendor != VIRT_SVM)
		SKIP(t, "no SVM for the guest");
	payload_run(t, p);
}
