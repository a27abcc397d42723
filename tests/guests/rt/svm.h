/* SPDX-License-Identifier: MIT */
/*
 * SVM for payloads that are hypervisors: they are L1, what they run is L2
 * (APM2 15).  L2 begins as 64-bit code in L1's own address space, with L1's
 * descriptor tables, on a stack of its own.
 */
#ifndef TESTS_GUESTS_RT_SVM_H
#define TESTS_GUESTS_RT_SVM_H

#include "tests/guests/rt/rt.h"

#define EFER_SVME	BIT64(12)

#define MSR_VM_CR	0xc0010114
#define MSR_IGNNE	0xc0010115
#define MSR_SMM_CTL	0xc0010116
#define MSR_VM_HSAVE_PA	0xc0010117
#define MSR_SVM_KEY	0xc0010118

/* 8.32 bits of fixed point (APM2 15.30.5) */
#define MSR_TSC_RATIO	0xc0000104
#define TSC_RATIO_ONE	BIT64(32)
#define TSC_RATIO_MAX	(BIT64(40) - 1)

/* VM_CR (APM2 15.30.1) */
#define VM_CR_DPD	BIT64(0)
#define VM_CR_R_INIT	BIT64(1)
#define VM_CR_DIS_A20M	BIT64(2)
#define VM_CR_LOCK	BIT64(3)
#define VM_CR_SVMDIS	BIT64(4)

/* CPUID 8000_000A EDX (APM3 E.4.9) */
enum svm_feature {
	SVM_NP, SVM_LBRV, SVM_SVML, SVM_NRIPS, SVM_TSC_RATE, SVM_VMCB_CLEAN,
	SVM_FLUSH_BY_ASID, SVM_DECODE_ASSISTS, SVM_PAUSE_FILTER = 10,
	SVM_PAUSE_THRESHOLD = 12, SVM_AVIC, SVM_VMLOAD = 15, SVM_VGIF, SVM_GMET,
	SVM_VNMI = 25, SVM_ADDR_CHECK = 28,
};

/* What one list cannot show, the bare runs do: the layout is the machine's. */
struct vmcb_seg {
	u16 selector, attrib;
	u32 limit;
	u64 base;
};

struct vmcb {
#define FIELD(name, type, off)		type name;
#define CACHED(name, type, off, group)	type name;
#define SEG(name, off)			struct vmcb_seg name;
#define CACHED_SEG(name, off, group)	struct vmcb_seg name;
#define BYTES(name, off, len)		u8 name[len];
#define RSVD(off, len)			u8 reserved_##off[len];
#include "svm/vmcb_fields.def"
} __attribute__((packed, aligned(4096)));
_Static_assert(sizeof(struct vmcb) == 4096, "struct vmcb");

#define FIELD(name, type, off)	_Static_assert(offsetof(struct vmcb, name) == (off), #name);
#define CACHED(name, type, off, group)	FIELD(name, type, off)
#define SEG(name, off)			FIELD(name, 0, off)
#define CACHED_SEG(name, off, group)	FIELD(name, 0, off)
#define BYTES(name, off, len)		FIELD(name, 0, off)
#define RSVD(off, len)			FIELD(reserved_##off, 0, 0x##off)
#include "svm/vmcb_fields.def"

/* Intercepts: bits of vec3, vec4 and vec5 (APM2 table B-1). */
enum {
	VEC3_INTR, VEC3_NMI, VEC3_SMI, VEC3_INIT, VEC3_VINTR, VEC3_CR0_SEL,
	VEC3_IDTR_READ, VEC3_GDTR_READ, VEC3_LDTR_READ, VEC3_TR_READ,
	VEC3_IDTR_WRITE, VEC3_GDTR_WRITE, VEC3_LDTR_WRITE, VEC3_TR_WRITE,
	VEC3_RDTSC, VEC3_RDPMC, VEC3_PUSHF, VEC3_POPF, VEC3_CPUID, VEC3_RSM,
	VEC3_IRET, VEC3_INTN, VEC3_INVD, VEC3_PAUSE, VEC3_HLT, VEC3_INVLPG,
	VEC3_INVLPGA, VEC3_IOIO, VEC3_MSR, VEC3_TASK_SWITCH, VEC3_FERR_FREEZE,
	VEC3_SHUTDOWN,
};
enum {
	VEC4_VMRUN, VEC4_VMMCALL, VEC4_VMLOAD, VEC4_VMSAVE, VEC4_STGI, VEC4_CLGI,
	VEC4_SKINIT, VEC4_RDTSCP, VEC4_ICEBP, VEC4_WBINVD, VEC4_MONITOR,
	VEC4_MWAIT, VEC4_MWAIT_ARMED, VEC4_XSETBV, VEC4_RDPRU, VEC4_EFER_WRITE,
};
enum { VEC5_INVPCID = 2 };

/* EXITCODE (APM2 appendix C); those of vec3 and vec4 bits are in their order. */
enum {
	EXIT_CR_READ = 0x00, EXIT_CR_WRITE = 0x10, EXIT_DR_READ = 0x20,
	EXIT_DR_WRITE = 0x30, EXIT_EXCEPTION = 0x40, EXIT_VEC3 = 0x60,
	EXIT_INTR = 0x60, EXIT_NMI, EXIT_SMI, EXIT_INIT, EXIT_VINTR, EXIT_CR0_SEL,
	EXIT_CPUID = 0x72, EXIT_PAUSE = 0x77, EXIT_HLT, EXIT_INVLPG, EXIT_INVLPGA,
	EXIT_IOIO, EXIT_MSR, EXIT_TASK_SWITCH, EXIT_SHUTDOWN = 0x7f,
	EXIT_VEC4 = 0x80, EXIT_VMRUN = 0x80, EXIT_VMMCALL, EXIT_INVPCID = 0xa2,
	EXIT_NPF = 0x400,
};
#define EXIT_INVALID	(~0ULL)
#define EXIT_POISON	0xfeedULL	/* in EXITCODE before each VMRUN */

/* int_ctl (APM2 15.21.1) */
#define V_TPR(n)	(u32)(n)
#define V_IRQ		0x100u
#define V_GIF		0x200u
#define V_NMI		0x800u
#define V_NMI_MASK	0x1000u
#define V_INTR_PRIO(n)	((u32)(n) << 16)
#define V_IGN_TPR	0x100000u
#define V_INTR_MASKING	0x1000000u
#define V_GIF_ENABLE	0x2000000u
#define V_NMI_ENABLE	0x4000000u

#define INT_STATE_SHADOW	1u

/* EVENTINJ, EXITINTINFO (APM2 15.20, 15.7.2) */
#define EVENT_INTR	0x80000000ULL
#define EVENT_NMI	0x80000200ULL	/* | VEC_NMI */
#define EVENT_EXCEPTION	0x80000300ULL
#define EVENT_SOFT_INT	0x80000400ULL
#define EVENT_ERROR(e)	(0x800ULL | (u64)(e) << 32)

/* TLB_CONTROL (APM2 15.16.1) */
enum { TLB_KEEP, TLB_FLUSH_ALL, TLB_FLUSH_ASID = 3, TLB_FLUSH_ASID_LOCAL = 7 };

/* Registers that VMRUN leaves alone: svm_enter gives them to L2 and takes them. */
struct l2_regs {
	u64 rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

#define L2_STACK	0x2000

/* A virtual CPU of L1's. */
struct l2 {
	struct vmcb c;
	u8 stack[L2_STACK];
	struct l2_regs regs;
};

extern u8 svm_iopm[0x3000], svm_msrpm[0x2000], svm_hsave[0x1000];

/*
 * EFER.SVME and VM_HSAVE_PA.  false: this CPU has no SVM, or firmware
 * disabled it; *why says which.
 */
bool svm_enable(const char **why);
bool svm_has(enum svm_feature f);
u32 svm_asids(void);

/*
 * Fills in l: fn() with argument 0, all of L1's state, ASID 1, no nested
 * paging, empty permission maps; intercepts are VMRUN, VMMCALL and shutdown.
 * When fn returns L2 executes VMMCALL at svm_l2_end, again and again.
 */
void l2_init(struct l2 *l, void (*fn)(void));
/* The stack and RIP as l2_init leaves them; the rest stays. */
void l2_goto(struct l2 *l, void (*fn)(void));
extern char svm_l2_end[];
/* L2 is in ring 3 when it starts; what it runs must not need the TSS. */
void l2_ring3(struct l2 *l);

/* CLGI; svm_enter; STGI.  Returns EXITCODE. */
u64 svm_run(struct l2 *l);
/*
 * VMSAVE of the host, VMLOAD, VMRUN, VMSAVE, VMLOAD of the host.  The caller's
 * IF is L1's at VMRUN; GIF is clear afterwards.  svm_vmrun_at is the VMRUN.
 */
void svm_enter(struct vmcb *c, struct l2_regs *r);
/* The same with a page for the host's state: for CPUs that do it at once. */
void svm_enter_on(struct vmcb *c, struct l2_regs *r, void *host);
extern char svm_vmrun_at[];

/* Sets or clears the bit of an intercept vector; field is a member of vmcb. */
#define L2_INTERCEPT(l, field, bit, on) do { \
	if (on) \
		(l)->c.intercept_##field |= (__typeof__((l)->c.intercept_##field))(1u << (bit)); \
	else \
		(l)->c.intercept_##field &= (__typeof__((l)->c.intercept_##field))~(1u << (bit)); \
} while (0)

/* The bit of one port, and the two of one MSR, in svm_iopm and svm_msrpm. */
void svm_io_bit(unsigned int port, bool on);
void svm_msr_bit(u32 msr, bool write, bool on);

/* One instruction for L2: setup, the instruction (at .at), VMMCALL at .next. */
struct l2_code {
	ulong start, at, next;
};
#define L2_CODE(name, setup, insn) \
__asm__(".pushsection .text\n" \
	".Ls_" #name ": " setup "\n" \
	".La_" #name ": " insn "\n" \
	".Ln_" #name ": vmmcall\n jmp .Ln_" #name "\n" \
	".pushsection .rodata\n .balign 8\n" \
	"l2_" #name ": .quad .Ls_" #name ", .La_" #name ", .Ln_" #name "\n" \
	".popsection\n.popsection\n"); \
extern const struct l2_code l2_##name

/* Runs it from its start, on an empty stack. */
u64 l2_run_code(struct l2 *l, const struct l2_code *code);

/* The exit is that one; says what came else.  Quiet: only failures. */
bool l2_expect(const char *name, const struct l2 *l, u64 exitcode);
bool l2_expect_quiet(const char *name, const struct l2 *l, u64 exitcode);

/*
 * Whose defect a failure is.  BARE: of the emulator's SVM with this payload as
 * its first hypervisor.  The others stay with nestbed below the payload: only
 * for what no software above the emulator can mend.
 */
enum svm_known {
	KNOWN_TCG = 1, KNOWN_BOCHS = 2, KNOWN_TCG_BARE = 4, KNOWN_BOCHS_BARE = 8,
};
bool svm_known(unsigned int where);

/* Nested page tables (APM2 15.25): 4 GiB identity in 2 MiB pages, all rights. */
#define NPT_P		BIT64(0)
#define NPT_W		BIT64(1)
#define NPT_U		BIT64(2)
#define NPT_A		BIT64(5)
#define NPT_D		BIT64(6)
#define NPT_PS		BIT64(7)
#define NPT_NX		BIT64(63)
#define NPT_RIGHTS	(NPT_P | NPT_W | NPT_U)
/* EXITINFO1 of a nested page fault (APM2 15.25.6) */
#define NPF_P		BIT64(0)
#define NPF_W		BIT64(1)
#define NPF_U		BIT64(2)
#define NPF_RSVD	BIT64(3)
#define NPF_ID		BIT64(4)
#define NPF_FINAL	BIT64(32)
#define NPF_TABLE	BIT64(33)

enum npt_level { NPT_4K, NPT_2M, NPT_1G, NPT_512G };

/* Makes the tables afresh. */
void npt_init(void);
/* l runs with them. */
void npt_use(struct l2 *l);
/* The entry for gpa at that level; larger pages above it are split. */
volatile u64 *npt_entry(u64 gpa, enum npt_level level);
extern u64 npt_pml4[512];

#endif
