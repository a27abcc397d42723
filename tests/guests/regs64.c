// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(regs64, .ref = "APM2 15.5.1, SDM3 28.3",
	.desc = "the 16 general registers and RFLAGS across exiting instructions");

/* Values in ModRM order; [4] is RSP and stays out of the pattern. */
u64 in[16], out[16], flags_out;	/* the assembly reaches them by name */

/*
 * Loads all registers from in[], runs the instruction, stores them to out[].
 * RSP keeps its value; it is compared as well.
 */
#define DEFINE_PROBE(name, insn) \
__asm__(".pushsection .text\n" \
	#name ":\n" \
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n" \
	"mov %rsp, in+32(%rip)\n" \
	"mov in(%rip), %rax; mov in+8(%rip), %rcx; mov in+16(%rip), %rdx\n" \
	"mov in+24(%rip), %rbx; mov in+40(%rip), %rbp; mov in+48(%rip), %rsi\n" \
	"mov in+56(%rip), %rdi; mov in+64(%rip), %r8; mov in+72(%rip), %r9\n" \
	"mov in+80(%rip), %r10; mov in+88(%rip), %r11; mov in+96(%rip), %r12\n" \
	"mov in+104(%rip), %r13; mov in+112(%rip), %r14; mov in+120(%rip), %r15\n" \
	"stc; std\n" \
	insn "\n" \
	"mov %rax, out(%rip); mov %rcx, out+8(%rip); mov %rdx, out+16(%rip)\n" \
	"mov %rbx, out+24(%rip); mov %rsp, out+32(%rip); mov %rbp, out+40(%rip)\n" \
	"mov %rsi, out+48(%rip); mov %rdi, out+56(%rip); mov %r8, out+64(%rip)\n" \
	"mov %r9, out+72(%rip); mov %r10, out+80(%rip); mov %r11, out+88(%rip)\n" \
	"mov %r12, out+96(%rip); mov %r13, out+104(%rip); mov %r14, out+112(%rip)\n" \
	"mov %r15, out+120(%rip)\n" \
	"pushfq; pop flags_out(%rip)\n" \
	"cld\n" \
	"mov in+32(%rip), %rsp\n" \
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n" \
	".popsection\n"); \
void name(void)

DEFINE_PROBE(probe_nop, "nop");
DEFINE_PROBE(probe_cpuid, "cpuid");
DEFINE_PROBE(probe_in8, "inb $0x80, %al");
DEFINE_PROBE(probe_out32, "outl %eax, $0x80");
DEFINE_PROBE(probe_in32, "inl %dx, %eax");
DEFINE_PROBE(probe_rdmsr, "rdmsr");
DEFINE_PROBE(probe_wrmsr, "wrmsr");
DEFINE_PROBE(probe_rdtsc, "rdtsc");
DEFINE_PROBE(probe_cr3, "mov %cr3, %r8; mov %r8, %cr3");
DEFINE_PROBE(probe_cr8, "mov %r9, %cr8; mov %cr8, %r10");
DEFINE_PROBE(probe_dr7, "mov %dr7, %r13; mov %r13, %dr7");
DEFINE_PROBE(probe_invlpg, "invlpg (%rdi)");
DEFINE_PROBE(probe_pause, "pause");
DEFINE_PROBE(probe_wbinvd, "wbinvd");
DEFINE_PROBE(probe_xgetbv, "xgetbv; xsetbv");

#define R(n) (1u << (n))
enum { AX, CX, DX, BX, SP, BP, SI, DI };

struct probe {
	const char *name;
	void (*fn)(void);
	u32 changes;		/* registers the instruction may change */
	u32 fixed;		/* registers set to these values before */
	u64 ax, cx, dx, r9, di;
	bool needs_xsave;
};

#define P(n, ...) { .name = #n, .fn = probe_##n, .changes = __VA_ARGS__ }
static const struct probe probes[] = {
	/* what it is, registers it may change, registers that are set before */
	P(nop, 0, 0),
	P(cpuid, R(AX) | R(BX) | R(CX) | R(DX), R(AX) | R(CX), .ax = 1),
	P(in8, R(AX), 0),
	P(in32, R(AX), R(DX), .dx = 0x80),
	P(out32, 0, 0),
	P(rdmsr, R(AX) | R(DX), R(CX), .cx = MSR_EFER),
	P(wrmsr, 0, R(AX) | R(CX) | R(DX), .ax = 0x123, .cx = MSR_SYSENTER_EIP),
	P(rdtsc, R(AX) | R(DX), 0),
	P(cr3, R(8), 0),
	P(cr8, R(10), R(9), .r9 = 5),
	P(dr7, R(13), 0),
	P(invlpg, 0, R(DI), .di = 0x200000),
	P(pause, 0, 0),
	P(wbinvd, 0, 0),
	P(xgetbv, R(AX) | R(DX), R(CX), .needs_xsave = true),
};

static void run(const struct probe *p, unsigned int round)
{
	for (unsigned int r = 0; r < 16; r++)
		in[r] = (u64)rt_random() << 32 | rt_random();
	if (p->fixed & R(AX))
		in[AX] = p->ax;
	if (p->fixed & R(CX))
		in[CX] = p->cx;
	if (p->fixed & R(DX))
		in[DX] = p->dx;
	if (p->fixed & R(9))
		in[9] = p->r9;
	if (p->fixed & R(DI))
		in[DI] = p->di;
	p->fn();
	for (unsigned int r = 0; r < 16; r++)
		if (!(p->changes & R(r)))
			rt_quiet(out[r] == in[r], p->name, "round %u register %u: %llx, not %llx",
				 round, r, out[r], in[r]);
	rt_quiet((flags_out & (FL_CF | FL_DF)) == (FL_CF | FL_DF), p->name,
		 "flags %llx lost CF or DF", flags_out);
}

/* What the instructions put where they do write. */
static void check_results(void)
{
	/* IN to AL keeps the rest of RAX; IN to EAX clears bits 63:32. */
	in[AX] = 0x1122334455667788;
	probe_in8();
	rt_check(out[AX] >> 8 == 0x11223344556677, "in al keeps rax 63:8", "%llx", out[AX]);
	in[AX] = 0x1122334455667788;
	in[DX] = 0x80;
	probe_in32();
	rt_check(out[AX] >> 32 == 0, "in eax clears rax 63:32", "%llx", out[AX]);
	in[AX] = 0xffffffff00000000;
	in[CX] = 0xffffffff00000000;
	probe_cpuid();
	rt_check(!(out[AX] >> 32) && !(out[BX] >> 32) && !(out[CX] >> 32) &&
		 !(out[DX] >> 32), "cpuid clears bits 63:32", "%llx %llx", out[AX], out[BX]);
	in[CX] = MSR_EFER;
	in[AX] = in[DX] = ~0ULL;
	probe_rdmsr();
	rt_check(!(out[AX] >> 32) && !out[DX], "rdmsr clears bits 63:32", "%llx %llx",
		 out[AX], out[DX]);
	in[9] = 5;
	probe_cr8();
	rt_check(out[10] == 5, "cr8 reads back", "%llx", out[10]);
	write_cr8(0);
}

int main(struct rt_info *info)
{
	bool xsave = rt_has(1, 0, 2, 26);

	if (xsave)
		write_cr4(read_cr4() | CR4_OSXSAVE);
	for (unsigned int i = 0; i < ARRAY_LEN(probes); i++) {
		if (probes[i].needs_xsave && !xsave)
			continue;
		for (unsigned int round = 0; round < 50; round++)
			run(&probes[i], round);
		rt_check(true, probes[i].name, " ");
	}
	check_results();
	return rt_result();
}
