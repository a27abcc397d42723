/* SPDX-License-Identifier: MIT */
/*
 * Payload guests (tests/guests/) that the image carries: whole kernels that
 * check what they see and end with a result.  Each is the test guest.<name>.
 */
#ifndef TESTS_PAYLOAD_H
#define TESTS_PAYLOAD_H

#include "core/lib/cmdline.h"
#include "tests/test.h"

struct guest_vm;
struct vcpu;

/* The end that is right for a payload. */
enum payload_end {
	PAYLOAD_END_RESULT,	/* port 0xf4 gets .result */
	PAYLOAD_END_SHUTDOWN,
	PAYLOAD_END_POWEROFF,	/* ACPI S5 */
	PAYLOAD_END_RESET,	/* it resets its machine, in another way than SHUTDOWN */
	PAYLOAD_END_HLT,	/* HLT that nothing can end */
	PAYLOAD_END_TIMEOUT,	/* still running when its time is over */
	PAYLOAD_END_REFUSED,	/* the loader does not take it */
	PAYLOAD_END_ANY,	/* any end but the hypervisor's own trouble */
};

/* Results of a payload besides 0 and 1 (tests/guests/rt/rt.h). */
#define PAYLOAD_SKIPPED	2	/* it cannot check anything here */
#define PAYLOAD_KNOWN	3	/* only what the emulator is known to do wrong failed */

/* Some payloads, one behind the other, packed by gzip. */
struct payload_pack {
	const u8 *start, *end;
	u32 size;		/* unpacked */
};

/* A multiboot 1 kernel, ELF32: size bytes at offset of what is in the pack. */
struct payload {
	const char *name;
	const struct payload_pack *pack;
	u32 offset, size;
	u32 mode;		/* 16, 32, 64: where it does its work */
	u32 expect;		/* enum payload_end */
	u32 result;
	u32 mem_mib;
	u32 cpus;
	u32 nested;		/* enum guest_nested */
	const char *ref;
	const char *desc;
};

/*
 * Loads p into a machine of its own, runs it to its end and reports to t
 * whether that end is the right one.  Its console is that of guest t->cpu.
 */
void payload_run(struct test_ctx *t, const struct payload *p);
/* The same with its TSC at tsc_khz, which it is told as tsc=; 0: as the machine. */
void payload_run_tsc(struct test_ctx *t, const struct payload *p, u64 tsc_khz);
/* NULL: there is none. */
const struct payload *payload_find(const char *name);

/*
 * The parts of that.  payload_load returns NULL when the loader refused p;
 * other trouble ends the test.  payload_judge: v is the vCPU that ended it.
 */
struct guest_vm *payload_load(struct test_ctx *t, const struct payload *p, u64 tsc_khz);
void payload_judge(struct test_ctx *t, const struct payload *p, struct vcpu *v);

/* The function of a test whose .arg is a struct payload. */
void payload_test(struct test_ctx *t);

#endif
