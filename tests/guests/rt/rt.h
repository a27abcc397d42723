/* SPDX-License-Identifier: MIT */
/*
 * The runtime of payload guests.  A payload is one multiboot 1 image that
 * starts here, in 64-bit mode (identity map of 4 GiB, 2 MiB pages that ring 3
 * may use) or in 32-bit mode (no paging), with a GDT, an IDT and a TSS; main()
 * makes checks and returns; its result goes to port 0xf4, as with QEMU's
 * isa-debug-exit.  Output goes to COM1.
 */
#ifndef TESTS_GUESTS_RT_RT_H
#define TESTS_GUESTS_RT_RT_H

#include "tests/guests/rt/cpu.h"
#include "tests/guests/rt/meta.h"

/* Results of main. */
enum { RT_PASS, RT_FAIL, RT_SKIP, RT_KNOWN };

enum rt_vendor { RT_OTHER, RT_AMD, RT_INTEL };

struct rt_info {
	u64 mem;		/* end of the memory that starts at 1 MiB */
	const char *cmdline;	/* "" if none */
	enum rt_vendor vendor;
	char hv[13];		/* CPUID 4000_0000 signature, "" without one */
	bool nestbed;		/* that signature is nestbed's */
	/* The machine below, from platform= on the command line. */
	bool tcg, bochs;
	u32 max_basic, max_ext;	/* highest CPUID leaves */
	u8 pic_mask;		/* of the first 8259 as firmware left it; now all is masked */
};

int main(struct rt_info *info);
extern struct rt_info rt;

/* %d %u %x %s %c %%, l and ll, width with 0; %ll only with x. */
void rt_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rt_putc(char c);

/* Ends the guest: V to port 0xf4. */
void rt_exit(u32 v) __attribute__((noreturn));

/*
 * Counts a check and prints "PASS name" or "FAIL name: details".  Returns ok.
 * The quiet form prints failures only, for checks in loops.
 */
bool rt_check(bool ok, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool rt_quiet(bool ok, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * A check that fails on an emulator for a reason that is no one's here: on
 * that machine (known true) a failure is "KNOWN name: why" and makes the result
 * RT_KNOWN, and passing is the failure.  why names the emulator's source.
 * Returns ok.
 */
bool rt_known(bool known, bool ok, const char *name, const char *why);
/* What main returns; RT_FAIL when nothing was checked. */
int rt_result(void);
/* Prints "SKIP reason"; returns RT_SKIP. */
int rt_skip(const char *reason);
/* A part of the payload cannot be checked here. */
void rt_note(const char *what);

/* The frame of an exception or interrupt. */
struct rt_regs {
#ifdef __x86_64__
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
#else
	u32 es, ds;
#endif
	ulong di, si, bp, kernel_sp, bx, dx, cx, ax;
	ulong vector, error;
	ulong ip, cs, flags;
	ulong sp, ss;		/* 32-bit: only when it came from ring 3 */
};

/* The last exception that a try caught. */
struct rt_fault {
	int vector;		/* VEC_NONE: none */
	u32 error;
	ulong cr2;
	ulong ip;
	ulong flags;
	u16 cs;
};
extern volatile struct rt_fault rt_fault;
extern volatile ulong rt_fixup;

/* Calls fn(arg); returns the vector of an exception in it, or VEC_NONE. */
int rt_try(void (*fn)(void *arg), void *arg);
/* Same, in ring 3 on a stack of its own. */
int rt_try_user(void (*fn)(void *arg), void *arg);

/*
 * One instruction that may fault; evaluates to the vector or VEC_NONE:
 *	RT_TRY("mov %0, %%cr8", : : "r"(v) : "memory")
 */
#ifdef __x86_64__
#define RT_SET_FIXUP "movq $.Lfix%=, rt_fixup(%%rip)\n\t"
#else
#define RT_SET_FIXUP "movl $.Lfix%=, rt_fixup\n\t"
#endif
#define RT_TRY(insn, ...) ({ \
	rt_fault.vector = VEC_NONE; \
	__asm__ volatile(RT_SET_FIXUP insn "\n.Lfix%=:" __VA_ARGS__); \
	rt_fixup = 0; \
	rt_fault.vector; })

/*
 * Takes over a vector; the handler may change the frame and returns true when
 * the guest is to go on there, false for the usual treatment.  NULL: none.
 */
typedef bool (*rt_handler)(struct rt_regs *r);
void rt_set_handler(unsigned int vector, rt_handler fn);

/*
 * An interrupt's handler, for any vector from 32 on and for NMI; it runs with
 * interrupts off, on the CPU that took it, and sends the EOI itself.
 */
typedef void (*rt_irq_fn)(unsigned int vector);
void rt_irq(unsigned int vector, rt_irq_fn fn);

/*
 * Spins until cond holds; false when it still does not after some seconds (of
 * a CPU whose TSC runs at GHz): something that should have come got lost.  A
 * machine that itself stood still meanwhile gets its number of turns as well.
 */
#define RT_WAIT_TICKS	20000000000ULL
#define RT_WAIT_TURNS	1000000
#define RT_WAIT(cond)	RT_WAIT_TSC(cond, RT_WAIT_TICKS)
/* The same with another number of ticks. */
#define RT_WAIT_TSC(cond, ticks) ({ \
	u64 rt_start = rdtsc(); \
	u32 rt_turns = 0; \
	bool rt_ok; \
	while (!(rt_ok = (cond)) && \
	       (rt_turns++ < RT_WAIT_TURNS || rdtsc() - rt_start < (ticks))) \
		cpu_pause(); \
	rt_ok; })

/* Checks that got is vector want with error code error (-1: any). */
bool rt_expect(const char *name, int got, int want, s32 error);

/* MSR accesses that may fault: the vector or VEC_NONE. */
int rt_rdmsr(u32 index, u64 *v);
int rt_wrmsr(u32 index, u64 v);

/*
 * VMCALL or VMMCALL by vendor.  Returns the vector or VEC_NONE; *ret is RAX
 * afterwards.
 */
int rt_hypercall(ulong nr, ulong arg, ulong *ret);

/* CPUID feature bit. */
enum { EAX, EBX, ECX, EDX };
bool rt_has(u32 leaf, u32 sub, unsigned int reg, unsigned int bit);

/*
 * Tables of the runtime, for payloads that change them.  Selectors: */
enum {
	SEL_CODE = 0x08,	/* of the payload's mode */
	SEL_DATA = 0x10,
	SEL_CODE32 = 0x18,
	SEL_CODE16 = 0x20,
	SEL_DATA16 = 0x28,
	SEL_UCODE32 = 0x33,
	SEL_UDATA = 0x3b,
	SEL_UCODE = 0x43,	/* of the payload's mode */
	SEL_TSS = 0x48,		/* two entries in 64-bit mode */
	SEL_FREE = 0x58,	/* from here: the payload's */
	GDT_ENTRIES = 32,
};
extern u64 rt_gdt[GDT_ENTRIES];
extern u8 rt_idt[];
#ifdef __x86_64__
extern volatile u64 rt_pml4[512];
struct rt_tss {
	u32 rsvd0;
	u64 rsp[3];
	u64 rsvd1;
	u64 ist[7];
	u64 rsvd2;
	u16 rsvd3, iomap;
} __attribute__((packed));
#else
struct rt_tss {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2;
	u32 cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
};
#endif
extern struct rt_tss rt_tss;

/* A code or data descriptor: type is descriptor byte 5, flags G, D, L, AVL. */
u64 rt_desc(u32 base, u32 limit, u8 type, u8 flags);

/* Sets an IDT gate: type 0xe interrupt, 0xf trap, 5 task (32-bit only). */
void rt_set_gate(unsigned int vector, void *fn, u16 sel, u8 type, u8 dpl, u8 ist);

/* Calls fn in real mode (CS 0, flat low memory); fn is in section .low. */
void rt_real_call(void (*fn)(void));

void *memcpy(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* xorshift32: never returns 0; seed is not 0. */
void rt_seed(u32 seed);
u32 rt_random(void);

#endif
