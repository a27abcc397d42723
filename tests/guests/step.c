// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(step, .ref = "APM2 13.1.4, SDM3 18.3.1.4",
	.desc = "single-step traps after instructions that exit or are emulated");

#define DR6_BS		0x4000
#define MAX_TRAPS	12

static ulong trap_ip[MAX_TRAPS], trap_dr6[MAX_TRAPS];
static volatile u32 traps;
static ulong stop_at;

/* The three addresses of a probe: its instruction, the next, the one after. */
struct probe_at {
	ulong insn, next, end;
};

static bool on_db(struct rt_regs *r)
{
	if (traps < MAX_TRAPS) {
		trap_ip[traps] = r->ip;
		trap_dr6[traps] = read_dr6();
	}
	traps++;
	write_dr6(0xffff0ff0);
	if (r->ip == stop_at || traps >= MAX_TRAPS)
		r->flags &= ~(ulong)FL_TF;
	return true;
}

/*
 * TF is set by POPF; the first trap comes after the NOP behind it, at the
 * probed instruction.
 */
#define DEFINE_PROBE(name, setup, insn) \
__asm__(".pushsection .text\n" \
	"step_" #name ": push %rbx; " setup "\n" \
	"pushfq; orq $0x100, (%rsp); popfq; nop\n" \
	"1: " insn "\n2: nop\n3: nop; pop %rbx; ret\n" \
	".pushsection .rodata; at_" #name ": .quad 1b, 2b, 3b; .popsection\n" \
	".popsection\n"); \
void step_##name(void); \
extern const struct probe_at at_##name;

DEFINE_PROBE(nop, "", "nop")
DEFINE_PROBE(cpuid, "xor %eax, %eax", "cpuid")
DEFINE_PROBE(in, "", "inb $0x80, %al")
DEFINE_PROBE(out, "", "outb %al, $0x80")
DEFINE_PROBE(rdmsr, "mov $0x277, %ecx", "rdmsr")
DEFINE_PROBE(wrmsr, "mov $0x277, %ecx; rdmsr", "wrmsr")
DEFINE_PROBE(rdtsc, "", "rdtsc")
DEFINE_PROBE(read_cr3, "", "mov %cr3, %rax")
DEFINE_PROBE(write_cr3, "mov %cr3, %rax", "mov %rax, %cr3")
DEFINE_PROBE(write_cr0, "mov %cr0, %rax; xor $0x40000, %eax", "mov %rax, %cr0")
DEFINE_PROBE(write_cr4, "mov %cr4, %rax", "mov %rax, %cr4")
DEFINE_PROBE(clts, "", "clts")
DEFINE_PROBE(dr7, "", "mov %dr7, %rax")
DEFINE_PROBE(invlpg, "", "invlpg 0x200000")
DEFINE_PROBE(pause, "", "pause")
DEFINE_PROBE(wbinvd, "", "wbinvd")
DEFINE_PROBE(mmio_load, "mov $0xfeb00000, %eax", "mov (%rax), %ecx")
DEFINE_PROBE(mmio_store, "mov $0xfeb00000, %eax", "mov %ecx, (%rax)")
DEFINE_PROBE(vmmcall, "", "vmmcall")
DEFINE_PROBE(vmcall, "", "vmcall")
DEFINE_PROBE(rep_outsb, "mov $3, %ecx; mov $at_nop, %esi; mov $0x80, %edx", "rep outsb")

#define P(name, where, repeat) { #name, step_##name, &at_##name, where, repeat }
enum where { ALWAYS, NEST_AMD, NEST_INTEL };

static const struct step_probe {
	const char *name;
	void (*fn)(void);
	const struct probe_at *at;
	enum where where;
	u32 repeat;		/* traps that show the instruction again: REP */
} probes[] = {
	P(nop, ALWAYS, 0), P(cpuid, ALWAYS, 0), P(in, ALWAYS, 0), P(out, ALWAYS, 0),
	P(rdmsr, ALWAYS, 0), P(wrmsr, ALWAYS, 0), P(rdtsc, ALWAYS, 0), P(read_cr3, ALWAYS, 0),
	P(write_cr3, ALWAYS, 0), P(write_cr0, ALWAYS, 0), P(write_cr4, ALWAYS, 0),
	P(clts, ALWAYS, 0), P(dr7, ALWAYS, 0), P(invlpg, ALWAYS, 0), P(pause, ALWAYS, 0),
	P(wbinvd, ALWAYS, 0), P(mmio_load, ALWAYS, 0), P(mmio_store, ALWAYS, 0),
	P(vmmcall, NEST_AMD, 0), P(vmcall, NEST_INTEL, 0), P(rep_outsb, ALWAYS, 2),
};

static bool applies(const struct step_probe *p)
{
	if (rt.tcg && p->fn == step_pause) {
		rt_note("PAUSE left out: QEMU 7.2 misc_helper.c do_pause leaves without #DB");
		return false;
	}
	if (p->where == ALWAYS)
		return true;
	return rt.nestbed && rt.vendor == (p->where == NEST_AMD ? RT_AMD : RT_INTEL);
}

static void run(const struct step_probe *p)
{
	u32 want = 3 + p->repeat;
	bool ok;

	traps = 0;
	stop_at = p->at->end;
	p->fn();
	ok = rt_quiet(traps == want, p->name, "%u traps, not %u; last at %lx", traps, want,
		      traps ? trap_ip[(traps < MAX_TRAPS ? traps : MAX_TRAPS) - 1] : 0);
	for (u32 i = 0; ok && i < want; i++) {
		ulong ip = i <= p->repeat ? p->at->insn
			 : i == want - 2 ? p->at->next : p->at->end;

		ok &= rt_quiet(trap_ip[i] == ip, p->name, "trap %u at %lx, not %lx", i,
			       trap_ip[i], ip);
		ok &= rt_quiet(trap_dr6[i] & DR6_BS, p->name, "trap %u: DR6 %lx without BS", i,
			       trap_dr6[i]);
	}
	rt_check(ok, p->name, "wrong traps");
}

int main(struct rt_info *info)
{
	rt_set_handler(VEC_DB, on_db);
	for (unsigned int i = 0; i < ARRAY_LEN(probes); i++)
		if (applies(&probes[i]))
			run(&probes[i]);
	return rt_result();
}
