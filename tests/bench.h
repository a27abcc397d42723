/* SPDX-License-Identifier: MIT */
/* What the files of make bench share: see tests/bench.c. */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include "tests/guest_vm.h"

#define SAMPLES		101
#define WARM_UP		8	/* first ones, not counted */
#define ROUNDS		(WARM_UP + SAMPLES)

/* The loops in assembly and where they put their samples agree on these. */
STATIC_ASSERT(ROUNDS == 109 && G_DATA == 0x30000, "constants in the assembly below");

/* TSC to RAX; RDX is lost. */
#define B_TSC		"rdtsc; shl $32, %rdx; or %rdx, %rax\n\t"
#define B_BEGIN		"mov $0x30000, %edi; mov $109, %ebp\n\t"

/* before, then ROUNDS times: setup, the time of insn to the next sample; then end. */
#define MEASURE_TO(end, before, setup, insn)			\
	B_BEGIN before "\n"					\
	"1: " setup "\n\t"					\
	B_TSC "mov %rax, %r12\n\t"				\
	insn "\n\t"						\
	B_TSC "sub %r12, %rax\n\t"				\
	"mov %rax, (%rdi); add $8, %rdi; dec %ebp; jnz 1b\n\t"	\
	end

/* The same in a virtual PC, which that ends. */
#define PC_END		"xor %eax, %eax; out %al, $0xf4"
#define PC_MEASURE(before, setup, insn)	MEASURE_TO(PC_END, before, setup, insn)

/* One measurement.  Its id is "bench.<name>", name that of its line. */
struct bench {
	struct test test;	/* the first member: bench_of */
	const struct guest_code *amd, *intel;
	u64 handle;		/* BIT(EXIT_...) that core handles; bare machines only */
	bool lazy;		/* 4K pages, mapped at first use */
	bool untimed;		/* without the statistics of cycles */
	u8 cpus;		/* vCPUs of a virtual PC */
	bool shared;		/* that have one CPU of this machine */
	bool nested;		/* that can virtualize */
	const struct guest_code *l2;
	u32 l2_vec3;		/* what L1 intercepts of it */
	bool exits;		/* the line has the exits of a round, but the host's interrupts */
};

/* A file's measurements: static const struct bench x[] SECTION_ENTRY(bench). */
#define BENCH_TEST(id_, fn_, needs_) \
	.test = { .id = "bench." id_, .fn = fn_, .needs = needs_, .flags = TEST_ANY_END }

static inline const struct bench *bench_of(const struct test_ctx *t)
{
	return (const struct bench *)t->test;
}

/* "instructions" where a tick of the TSC is one, else "cycles". */
const char *bench_unit(void);
/* Sorts n samples and prints the line of t. */
void bench_print(struct test_ctx *t, u64 *v, u32 n, const char *unit);
/* The samples that the guest left. */
void bench_print_guest(struct test_ctx *t, struct machine *m);

/* A virtual PC whose vCPUs are ready to run; what it prints when it has run. */
struct guest_vm *bench_make_pc(struct test_ctx *t);
void bench_run_pc(struct test_ctx *t, struct guest_vm *g);

#endif
