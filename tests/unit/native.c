// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "tests/unit/native.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/prctl.h>

/* In the code page; aligned, because the guest flags may have AC set. */
#define EXIT_POINTER	2048

/* What the assembly below loads and stores; offsets as there. */
struct native_regs {
	u64 gpr[16];
	u64 rflags;
	u64 host_rsp;
	u64 code;
	u64 pad;
	u8 xmm[16][16];
};

struct native_regs native_regs __attribute__((aligned(16)));
static volatile int native_trap;
static u8 *native_page;

void native_enter(void);
void native_exit(void);

/* clang-format off */
__asm__(
	".macro XMM op, from\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	".if \\from\n\t movdqu 160+16*\\n(%rax), %xmm\\n\n"
	".else\n\t movdqu %xmm\\n, 160+16*\\n(%rax)\n.endif\n"
	".endr\n.endm\n"
	".text\n.globl native_enter\nnative_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	lea native_regs(%rip), %rax\n"
	"	mov %rsp, 136(%rax)\n"
	"	XMM x, 1\n"
	"	pushq 128(%rax); popfq\n"
	"	mov 8(%rax), %rcx;  mov 16(%rax), %rdx;  mov 24(%rax), %rbx\n"
	"	mov 32(%rax), %rsp; mov 40(%rax), %rbp;  mov 48(%rax), %rsi\n"
	"	mov 56(%rax), %rdi; mov 64(%rax), %r8;   mov 72(%rax), %r9\n"
	"	mov 80(%rax), %r10; mov 88(%rax), %r11;  mov 96(%rax), %r12\n"
	"	mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n"
	"	mov (%rax), %rax\n"
	"	jmp *native_regs+144(%rip)\n"
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
	"	XMM x, 0\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");
/* clang-format on */

/* Exceptions of the instruction leave through native_exit, registers as is. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	u64 rip = u->uc_mcontext.gregs[REG_RIP];

	if (rip - (u64)native_page >= 4096) {
		signal(sig, SIG_DFL);
		return;
	}
	native_trap = u->uc_mcontext.gregs[REG_TRAPNO];
	u->uc_mcontext.gregs[REG_RIP] = (u64)native_exit;
}

int native_init(struct native *n)
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
	if (n->code == MAP_FAILED || n->buf == MAP_FAILED)
		return -1;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)NATIVE_GS_BASE))
		return -1;
	sigaltstack(&alt, NULL);
	for (unsigned int k = 0; k < ARRAY_SIZE(signals); k++)
		sigaction(signals[k], &act, NULL);
	return 0;
}

void native_run(struct native *n, unsigned int len)
{
	/* Behind the instruction: jmp [rip + to the address of native_exit]. */
	u8 leave[6] = { 0xff, 0x25 };
	u32 rel = EXIT_POINTER - (len + sizeof(leave));
	u64 to = (u64)native_exit;

	memcpy(leave + 2, &rel, sizeof(rel));
	memcpy(n->code + len, leave, sizeof(leave));
	memcpy(n->code + EXIT_POINTER, &to, sizeof(to));
	memcpy(native_regs.gpr, n->gpr, sizeof(n->gpr));
	memcpy(native_regs.xmm, n->xmm, sizeof(n->xmm));
	native_regs.rflags = n->rflags;
	native_regs.code = (u64)n->code;
	native_trap = -1;
	native_enter();
	memcpy(n->gpr, native_regs.gpr, sizeof(n->gpr));
	memcpy(n->xmm, native_regs.xmm, sizeof(n->xmm));
	n->rflags = native_regs.rflags;
	n->trap = native_trap;
}
