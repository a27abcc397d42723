/* SPDX-License-Identifier: MIT */
/* What the tests of SVM share. */
#ifndef TESTS_SVM_SVM_TEST_H
#define TESTS_SVM_SVM_TEST_H

#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/ops.h"
#include "svm/vmcb.h"
#include "tests/machine.h"

/* A few instructions as bytes; svm_load puts VMMCALL and HLT behind them. */
struct code {
	u8 len;
	u8 b[31];
};
#define CODE(...)	{ sizeof((const u8[]){ __VA_ARGS__ }), { __VA_ARGS__ } }

static inline struct svm_vcpu *svm_of(struct machine *m)
{
	return m->v->arch;
}

static inline struct vmcb *vmcb_of(struct machine *m)
{
	return svm_of(m)->vmcb;
}

/* A 64-bit machine whose exceptions end in VMMCALL; runs VMMCALL, HLT. */
struct machine *svm_machine(struct test_ctx *t);

/* Writes code, VMMCALL, HLT to G_CODE and rewinds. */
void svm_load(struct machine *m, const struct code *c);

/*
 * RIP, RSP, RFLAGS as at the start; no events queued, no shadow; forgets the
 * last exception; the VMCB counts as changed.
 */
void svm_rewind(struct machine *m);

/* machine_run, but the raw EXITCODE. */
u64 svm_run(struct machine *m);

/* Runs and demands this EXITCODE; on another one says where.  Returns success. */
bool svm_expect(struct machine *m, u64 code, const char *what);

/* The run ended in the handler of this exception (then true) and error code. */
bool svm_expect_exception(struct machine *m, u8 vector, u32 error);

/*
 * Whether tests/defects.def has an entry for this row (NULL: the test) here;
 * then the outcome is "known".  For what would stop the emulator itself.
 */
bool svm_known_defect(struct test_ctx *t, const char *row);

/* A VMCB as it was, for tests that break it. */
void svm_save(struct machine *m, struct vmcb *copy);
void svm_restore(struct machine *m, const struct vmcb *copy);

/* Switches bits of the intercept words. */
static inline void vec3_set(struct vmcb *c, u64 bits, bool on)
{
	u32 old = vmcb_get_intercept_vec3(c);

	vmcb_set_intercept_vec3(c, on ? old | (u32)bits : old & ~(u32)bits);
}

static inline void vec4_set(struct vmcb *c, u64 bits, bool on)
{
	u32 old = vmcb_get_intercept_vec4(c);

	vmcb_set_intercept_vec4(c, on ? old | (u32)bits : old & ~(u32)bits);
}

#define SKIP_WITHOUT(t, feature)						\
do {										\
	if (!svm.caps.feature)							\
		SKIP(t, "CPUID 8000_000A has no " #feature);			\
} while (0)

/* Bytes of instructions that the tests often need. */
#define B_VMMCALL	0x0f, 0x01, 0xd9
#define B_CPUID		0x0f, 0xa2
#define B_UD2		0x0f, 0x0b

#endif
