// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(regs32, .ref = "APM2 15.5.1, SDM3 28.3",
	.desc = "the 8 general registers and EFLAGS across exits of 32-bit code");

/* PUSHAD order in memory: EDI, ESI, EBP, ESP, EBX, EDX, ECX, EAX. */
u32 in[8], out[8], flags_out;	/* the assembly reaches them by name */
u32 saved_esp;

enum { DI, SI, BP, SP, BX, DX, CX, AX };

#define DEFINE_PROBE(name, insn) \
__asm__(".pushsection .text\n" \
	#name ": push %ebx; push %ebp; push %esi; push %edi\n" \
	"mov %esp, saved_esp; mov %esp, in+12\n" \
	"mov in, %edi; mov in+4, %esi; mov in+8, %ebp; mov in+16, %ebx\n" \
	"mov in+20, %edx; mov in+24, %ecx; mov in+28, %eax\n" \
	"stc; std\n" \
	insn "\n" \
	"mov %edi, out; mov %esi, out+4; mov %ebp, out+8; mov %esp, out+12\n" \
	"mov %ebx, out+16; mov %edx, out+20; mov %ecx, out+24; mov %eax, out+28\n" \
	"mov saved_esp, %esp\n" \
	"pushfl; popl flags_out; cld\n" \
	"pop %edi; pop %esi; pop %ebp; pop %ebx; ret\n" \
	".popsection\n"); \
void name(void)

DEFINE_PROBE(probe_nop, "nop");
DEFINE_PROBE(probe_cpuid, "cpuid");
DEFINE_PROBE(probe_in8, "inb $0x80, %al");
DEFINE_PROBE(probe_in16, "inw %dx, %ax");
DEFINE_PROBE(probe_out32, "outl %eax, $0x80");
DEFINE_PROBE(probe_rdmsr, "rdmsr");
DEFINE_PROBE(probe_wrmsr, "wrmsr");
DEFINE_PROBE(probe_rdtsc, "rdtsc");
DEFINE_PROBE(probe_cr0, "mov %cr0, %esi; xor $0x40000, %esi; mov %esi, %cr0;"
	     "xor $0x40000, %esi; mov %esi, %cr0; stc");
DEFINE_PROBE(probe_cr3, "mov %cr3, %ecx; mov %ecx, %cr3");
DEFINE_PROBE(probe_dr7, "mov %dr7, %ebx; mov %ebx, %dr7");
DEFINE_PROBE(probe_pause, "pause");
DEFINE_PROBE(probe_wbinvd, "wbinvd");
DEFINE_PROBE(probe_mmio, "mov 0xfeb00000, %ebp");

#define R(n) (1u << (n))

struct probe {
	const char *name;
	void (*fn)(void);
	u32 changes, fixed;
	u32 ax, cx, dx;
};

#define P(n, ...) { .name = #n, .fn = probe_##n, .changes = __VA_ARGS__ }
static const struct probe probes[] = {
	/* what it is, registers it may change, registers that are set before */
	P(nop, 0, 0),
	P(cpuid, R(AX) | R(BX) | R(CX) | R(DX), R(AX) | R(CX), .ax = 1),
	P(in8, R(AX), 0),
	P(in16, R(AX), R(DX), .dx = 0x80),
	P(out32, 0, 0),
	P(rdmsr, R(AX) | R(DX), R(CX), .cx = MSR_PAT),
	P(wrmsr, 0, R(AX) | R(CX) | R(DX), .ax = 8, .cx = MSR_SYSENTER_CS),
	P(rdtsc, R(AX) | R(DX), 0),
	P(cr0, R(SI), 0),
	P(cr3, R(CX), 0),
	P(dr7, R(BX), 0),
	P(pause, 0, 0),
	P(wbinvd, 0, 0),
	P(mmio, R(BP), 0),
};

static void run(const struct probe *p, unsigned int round)
{
	for (unsigned int r = 0; r < 8; r++)
		in[r] = rt_random();
	if (p->fixed & R(AX))
		in[AX] = p->ax;
	if (p->fixed & R(CX))
		in[CX] = p->cx;
	if (p->fixed & R(DX))
		in[DX] = p->dx;
	p->fn();
	for (unsigned int r = 0; r < 8; r++)
		if (!(p->changes & R(r)))
			rt_quiet(out[r] == in[r], p->name, "round %u register %u: %x, not %x",
				 round, r, out[r], in[r]);
	rt_quiet((flags_out & (FL_CF | FL_DF)) == (FL_CF | FL_DF), p->name,
		 "flags %x lost CF or DF", flags_out);
	if (p->fn == probe_in8)
		rt_quiet(out[AX] >> 8 == in[AX] >> 8, "in al keeps eax 31:8", "%x", out[AX]);
	if (p->fn == probe_in16)
		rt_quiet(out[AX] >> 16 == in[AX] >> 16, "in ax keeps eax 31:16", "%x", out[AX]);
}

int main(struct rt_info *info)
{
	for (unsigned int i = 0; i < ARRAY_LEN(probes); i++) {
		for (unsigned int round = 0; round < 50; round++)
			run(&probes[i], round);
		rt_check(true, probes[i].name, " ");
	}
	return rt_result();
}
