// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "tests/unit/native.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/ldt.h>
#include <asm/prctl.h>

/* In the code page; aligned, because the guest's flags may have AC set. */
#define EXIT_POINTER	2048
#define TRAMPOLINE	3072

/* Selectors that Linux gives 64-bit processes. */
#define USER_CS		0x33
#define USER_SS		0x2b

/* What the assembly below loads and stores; offsets as there. */
struct native_regs {
	u64 gpr[16];
	u64 rflags;
	u64 host_rsp;
	u64 code;		/* 64-bit: address */
	u32 far_offset;		/* else: offset and selector */
	u16 far_selector;
	u16 pad;
	u8 xmm[16][16];
	u16 data, gs;		/* selectors */
};

HW_FIELD(struct native_regs, rflags, 128);
HW_FIELD(struct native_regs, host_rsp, 136);
HW_FIELD(struct native_regs, code, 144);
HW_FIELD(struct native_regs, far_offset, 152);
HW_FIELD(struct native_regs, xmm, 160);
HW_FIELD(struct native_regs, data, 416);

struct native_regs native_regs __attribute__((aligned(16)));
static volatile int native_trap;
static u8 *native_page;

void native_enter(void);
void native_enter_legacy(void);
void native_exit(void);

/* clang-format off */
__asm__(
	".macro NB_XMM from\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	".if \\from\n\t movdqu 160+16*\\n(%rax), %xmm\\n\n"
	".else\n\t movdqu %xmm\\n, 160+16*\\n(%rax)\n.endif\n"
	".endr\n.endm\n"
	".macro NB_ENTER\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	lea native_regs(%rip), %rax\n"
	"	mov %rsp, 136(%rax)\n"
	"	NB_XMM 1\n"
	"	pushq 128(%rax); popfq\n"
	"	mov 8(%rax), %rcx;  mov 16(%rax), %rdx;  mov 24(%rax), %rbx\n"
	"	mov 32(%rax), %rsp; mov 40(%rax), %rbp;  mov 48(%rax), %rsi\n"
	"	mov 56(%rax), %rdi; mov 64(%rax), %r8;   mov 72(%rax), %r9\n"
	"	mov 80(%rax), %r10; mov 88(%rax), %r11;  mov 96(%rax), %r12\n"
	"	mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n"
	".endm\n"
	".text\n.globl native_enter\nnative_enter:\n"
	"	NB_ENTER\n"
	"	mov (%rax), %rax\n"
	"	jmp *native_regs+144(%rip)\n"
	".globl native_enter_legacy\nnative_enter_legacy:\n"
	"	NB_ENTER\n"
	"	mov 416(%rax), %ds; mov 416(%rax), %es; mov 416(%rax), %ss\n"
	"	mov 418(%rax), %gs\n"
	"	mov (%rax), %rax\n"
	"	ljmpl *native_regs+152(%rip)\n"
	".globl native_exit\nnative_exit:\n"
	"	mov %rax, native_regs(%rip)\n"
	"	lea native_regs(%rip), %rax\n"
	"	mov %rcx, 8(%rax);  mov %rdx, 16(%rax);  mov %rbx, 24(%rax)\n"
	"	mov %rsp, 32(%rax); mov %rbp, 40(%rax);  mov %rsi, 48(%rax)\n"
	"	mov %rdi, 56(%rax); mov %r8, 64(%rax);   mov %r9, 72(%rax)\n"
	"	mov %r10, 80(%rax); mov %r11, 88(%rax);  mov %r12, 96(%rax)\n"
	"	mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
	"	mov 136(%rax), %rsp\n"
	"	pushfq; popq 128(%rax)\n"
	"	pushq $2; popfq\n"
	"	mov $0x2b, %ecx; mov %ecx, %ss\n"
	"	xor %ecx, %ecx; mov %ecx, %ds; mov %ecx, %es\n"
	"	NB_XMM 0\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");
/* clang-format on */

/* Exceptions of the instruction leave through native_exit, registers as is. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;
	u64 rip = g[REG_RIP];
	u16 cs = g[REG_CSGSFS];

	if (cs != USER_CS)
		rip += (u64)native_page;
	if (rip - (u64)native_page >= 4096) {
		signal(sig, SIG_DFL);
		return;
	}
	native_trap = g[REG_TRAPNO];
	g[REG_RIP] = (u64)native_exit;
	/* CS in bits 15:0, SS in bits 63:48. */
	g[REG_CSGSFS] &= 0x0000ffffffff0000;
	g[REG_CSGSFS] |= USER_CS | (u64)USER_SS << 48;
}

/* LDT: three entries for each width. */
static u16 selector(enum insn_mode mode, unsigned int k)
{
	return ((mode == INSN_MODE_32 ? 3 : 0) + k) << 3 | 7;
}

u16 native_code_selector(enum insn_mode mode)
{
	return selector(mode, 0);
}

u16 native_data_selector(enum insn_mode mode)
{
	return selector(mode, 1);
}

u16 native_gs_selector(enum insn_mode mode)
{
	return selector(mode, 2);
}

static int set_ldt(u16 sel, const void *base, u32 limit, unsigned int contents,
		   enum insn_mode mode)
{
	struct user_desc d = {
		.entry_number = sel >> 3, .base_addr = (u32)(u64)base, .limit = limit,
		.seg_32bit = mode == INSN_MODE_32, .contents = contents, .useable = 1,
	};

	return syscall(SYS_modify_ldt, 1, &d, sizeof(d)) ? -1 : 0;
}

static int init_segments(struct native *n, enum insn_mode mode)
{
	if (mode == INSN_MODE_64)
		return syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)NATIVE_GS_BASE) ?
		       -1 : 0;
	if (set_ldt(selector(mode, 0), n->code, NATIVE_CS_LIMIT, MODIFY_LDT_CONTENTS_CODE, mode))
		return -1;
	if (set_ldt(selector(mode, 1), n->buf, NATIVE_BUF_SIZE - 1, MODIFY_LDT_CONTENTS_DATA,
		    mode))
		return -1;
	return set_ldt(selector(mode, 2), n->buf, NATIVE_GS_LIMIT, MODIFY_LDT_CONTENTS_STACK,
		       mode);
}

int native_init(struct native *n, enum insn_mode mode)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	static u8 stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO | SA_ONSTACK };

	native_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	n->code = native_page;
	n->buf = mmap(NULL, NATIVE_BUF_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (n->code == MAP_FAILED || n->buf == MAP_FAILED || init_segments(n, mode))
		return -1;
	sigaltstack(&alt, NULL);
	for (unsigned int k = 0; k < ARRAY_SIZE(signals); k++)
		sigaction(signals[k], &act, NULL);
	return 0;
}

/* At at: jmp [rip + to the address of native_exit], 64-bit code. */
static void put_exit(u8 *page, unsigned int at)
{
	u8 jmp[6] = { 0xff, 0x25 };
	u32 rel = EXIT_POINTER - (at + sizeof(jmp));
	u64 to = (u64)native_exit;

	memcpy(jmp + 2, &rel, sizeof(rel));
	memcpy(page + at, jmp, sizeof(jmp));
	memcpy(page + EXIT_POINTER, &to, sizeof(to));
}

/* At at: jmp far into the 64-bit code segment, to the trampoline. */
static void put_far_exit(u8 *page, unsigned int at, enum insn_mode mode)
{
	u8 jmp[8] = { 0x66, 0xea };
	u32 to = (u32)(u64)(page + TRAMPOLINE);
	unsigned int skip = mode == INSN_MODE_32;

	memcpy(jmp + 2, &to, sizeof(to));
	jmp[6] = USER_CS;
	memcpy(page + at, jmp + skip, sizeof(jmp) - skip);
	put_exit(page, TRAMPOLINE);
}

void native_run(struct native *n, enum insn_mode mode, unsigned int len)
{
	memcpy(native_regs.gpr, n->gpr, sizeof(n->gpr));
	memcpy(native_regs.xmm, n->xmm, sizeof(n->xmm));
	native_regs.rflags = n->rflags;
	native_trap = -1;
	if (mode == INSN_MODE_64) {
		put_exit(n->code, len);
		native_regs.code = (u64)n->code;
		native_enter();
	} else {
		put_far_exit(n->code, len, mode);
		native_regs.far_offset = 0;
		native_regs.far_selector = selector(mode, 0);
		native_regs.data = selector(mode, 1);
		native_regs.gs = selector(mode, 2);
		native_enter_legacy();
	}
	memcpy(n->gpr, native_regs.gpr, sizeof(n->gpr));
	memcpy(n->xmm, native_regs.xmm, sizeof(n->xmm));
	n->rflags = native_regs.rflags;
	n->trap = native_trap;
}
