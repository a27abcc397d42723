/* SPDX-License-Identifier: MIT */
/*
 * The machine of a test: a VM with one vCPU, 16 MiB of RAM at 0 and a guest
 * that is a few instructions of assembly.  The guest's memory:
 *
 *	0x001000  GDT            0x002000  IDT (off until machine_idt)
 *	0x003000  TSS            0x004000  page tables: 0..4 GiB one to one
 *	0x010000  the code       0x020000  exception handlers of machine_idt
 *	0x030000  data for the test     0x040000..0x050000  stack, grows down
 */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include "core/vm/vcpu.h"
#include "tests/test.h"

#define G_GDT		0x1000
#define G_IDT		0x2000
#define G_TSS		0x3000
#define G_PML4		0x4000
#define G_PDPT		0x5000
#define G_PD		0x6000		/* four of them */
#define G_PT32		0xa000		/* 32-bit page directory, MODE_PAGED32 */
#define G_CODE		0x10000
#define G_HANDLERS	0x20000
#define G_EXC		0x2f000		/* struct guest_exception of the last one */
#define G_DATA		0x30000
#define G_STACK_TOP	0x50000
#define G_RAM_SIZE	(16ULL << 20)

#define G_SEL_CODE64	0x08
#define G_SEL_DATA	0x10
#define G_SEL_CODE32	0x18
#define G_SEL_CODE16	0x20
#define G_SEL_DATA16	0x28
#define G_SEL_TSS	0x30		/* 16 bytes */
#define G_SEL_USER_DATA	0x43
#define G_SEL_USER_CODE	0x4b		/* 64-bit */
#define G_SEL_TSS2	0x50

enum machine_mode { MODE_REAL16, MODE_PROT32, MODE_PAGED32, MODE_LONG64 };

struct guest_code {
	const u8 *start, *end;
};

/*
 * GUEST64(name, "asm") etc.: a guest program as top-level assembly, copied to
 * G_CODE; must not depend on where it lies except by labels in itself.
 */
#define GUEST_CODE(bits, sym, text)						\
	extern const u8 sym##_start[], sym##_end[];				\
	__asm__(".pushsection .rodata.guest, \"a\"\n\t.code" #bits "\n"		\
		".globl " #sym "_start, " #sym "_end\n" #sym "_start:\n\t"	\
		text "\n" #sym "_end:\n\t.code64\n\t.popsection\n");		\
	static const struct guest_code sym = { sym##_start, sym##_end }
#define GUEST64(sym, text)	GUEST_CODE(64, sym, text)
#define GUEST32(sym, text)	GUEST_CODE(32, sym, text)
#define GUEST16(sym, text)	GUEST_CODE(16, sym, text)

/* What the handlers of machine_idt leave at G_EXC before they VMCALL. */
struct guest_exception {
	u64 vector, error, rip, cs, rflags, rsp, ss, cr2, dr6;
};

struct machine {
	struct vm vm;
	struct vcpu *v;
	struct test_ctx *t;
	struct machine *next;
};

/* A fresh machine; a failure to make one ends the test as an error. */
struct machine *machine_new(struct test_ctx *t, enum machine_mode mode,
			    const struct guest_code *code);

/*
 * The parts of machine_new, for a machine that was made otherwise: GDT, TSS and
 * page tables; code at gpa; the registers of a vCPU that begins at G_CODE.
 */
void machine_memory(struct machine *m);
void machine_code(struct machine *m, u64 gpa, const struct guest_code *code);
void machine_enter(struct vcpu *v, enum machine_mode mode);

/* A gate of the IDT at G_IDT, 64-bit. */
void machine_gate(struct machine *m, u8 vector, u32 addr);

/*
 * Gives the guest an IDT: every exception is recorded at G_EXC and ends in a
 * hypercall (EXIT_HYPERCALL); interrupts 0x20-0xff likewise.
 * 64-bit machines only.
 */
void machine_idt(struct machine *m);
const struct guest_exception *machine_exception(struct machine *m);

/*
 * Runs until an exit that is not the host's own interrupt or NMI and returns
 * its reason, unhandled: m->v->exit.  A guest that hangs ends the test as
 * timed out (unless TEST_ANY_END: then EXIT_INTR is returned).
 */
enum exit_reason machine_run(struct machine *m);

/* As machine_run, but exits in handle_mask (BIT(EXIT_..)) go to core's table. */
enum exit_reason machine_run_handling(struct machine *m, u64 handle_mask);

/* Steps over the instruction that exited, then machine_run. */
enum exit_reason machine_next(struct machine *m);

/* Shorthands: registers by number, guest memory (a bad address ends the test). */
u64 machine_get(struct machine *m, enum vreg r);
void machine_set(struct machine *m, enum vreg r, u64 val);
void *machine_ptr(struct machine *m, u64 gpa, u64 len);
u64 machine_read64(struct machine *m, u64 gpa);
void machine_write64(struct machine *m, u64 gpa, u64 val);

/*
 * Takes all machines of t off this CPU.  abandoned: the code that used them was
 * stopped anywhere, so no structure of theirs is trusted; their memory is the
 * owner tag's and goes back with it.
 */
void machines_release(struct test_ctx *t, bool abandoned);

/* Frees it before the test ends (a test that makes many). */
void machine_free(struct machine *m);

#endif
