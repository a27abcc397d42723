/* SPDX-License-Identifier: MIT */
/* What the tests of VMX share. */
#ifndef TESTS_VMX_VMX_TEST_H
#define TESTS_VMX_VMX_TEST_H

#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "tests/machine.h"
#include "vmx/insn.h"
#include "vmx/ops.h"

/* What to do to a field. */
enum poke_op { POKE_END, POKE_SET, POKE_OR, POKE_CLEAR, POKE_PHYS };

struct poke {
	u16 field;
	u8 op;			/* POKE_PHYS: sets the first bit beyond the physical addresses */
	u64 val;
};

#define SET(f, v)	{ VMCS_##f, POKE_SET, (v) }
#define OR(f, v)	{ VMCS_##f, POKE_OR, (v) }
#define CLEAR(f, v)	{ VMCS_##f, POKE_CLEAR, (v) }
#define PHYS(f)		{ VMCS_##f, POKE_PHYS, 0 }
/* Switches a control: ON(PROC, HLT_EXITING). */
#define ON(w, b)	OR(w##_CTLS, VMX_CTL(w##_##b))
#define OFF(w, b)	CLEAR(w##_CTLS, VMX_CTL(w##_##b))

#define MAX_POKES	6

/* One rule of VM entry, and how to break it. */
struct entry_row {
	const char *name;
	struct poke poke[MAX_POKES];
	/* Left out unless all of bits may be 1 in this control word. */
	u8 word;
	u32 bits;
	/* A platform that gets it wrong stops: not tried where that is known. */
	bool fatal;
};

/* clang-format off */
#define ROW(n, ...)		{ .name = n, .poke = { __VA_ARGS__ } }
#define ROW_IF(w, b, n, ...)	{ .name = n, .poke = { __VA_ARGS__ }, .word = VMX_CTL_##w, \
				  .bits = VMX_CTL(w##_##b) }
#define ROW_FATAL(n, ...)	{ .name = n, .poke = { __VA_ARGS__ }, .fatal = true }
/* clang-format on */

/*
 * Whether tests/defects.def has an entry for this row (NULL: the test) here;
 * then the outcome is "known".  For what would stop the emulator itself.
 */
bool known_defect(struct test_ctx *t, const char *row);

enum entry_env { ENTRY_LONG64, ENTRY_PROT32, ENTRY_PAE32, ENTRY_REAL16, ENTRY_V86 };

/*
 * A machine that loops around CPUID, was entered once, and is loaded: its
 * VMCS is current and valid.
 */
struct machine *entry_machine_in(struct test_ctx *t, enum entry_env env);

static inline struct machine *entry_machine(struct test_ctx *t)
{
	return entry_machine_in(t, ENTRY_LONG64);
}

/* Enters once; the host's own interrupts are taken and do not count. */
enum exit_reason entry_try(struct machine *m);

/* Applies pokes; old gets the values to give to entry_undo. */
void entry_poke(struct machine *m, const struct poke *p, u64 old[MAX_POKES]);
void entry_undo(struct machine *m, const struct poke *p, const u64 old[MAX_POKES]);

/*
 * For each row: break the rule, enter, demand the failure (stage and error
 * or qualification), undo; at the end the guest must enter again.
 */
void entry_rows_in(struct test_ctx *t, enum entry_env env, const struct entry_row *rows,
		   unsigned int n, enum entry_fail_stage stage, u64 code);

static inline void entry_rows(struct test_ctx *t, const struct entry_row *rows, unsigned int n,
			      enum entry_fail_stage stage, u64 code)
{
	entry_rows_in(t, ENTRY_LONG64, rows, n, stage, code);
}

/* For each row: the entry must work, although the rows around it do not. */
void entry_rows_good(struct test_ctx *t, enum entry_env env, const struct entry_row *rows,
		     unsigned int n);

#define BAD_CTL		ENTRY_FAIL_INSN, 7	/* SDM3 31.4 */
#define BAD_HOST	ENTRY_FAIL_INSN, 8
#define BAD_GUEST	ENTRY_FAIL_GUEST, 0

/* An address that is canonical for no linear-address width. */
#define NONCANONICAL	BIT(62)

/* Whether all of mask may be 1 in a control word. */
static inline bool ctl_allowed(enum vmx_ctl_word word, u32 mask)
{
	return !(mask & ~vmx_ctl_may_be_1(vmx_caps.ctl[word]));
}

#endif
