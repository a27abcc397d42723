// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_random, .nested = "svm", .bare = "no", .timeout = "300000",
	.ref = "APM2 15.5.1, 15.20, 15.25.3",
	.desc = "100,000 random VMCBs: each is refused or left as the manual says");

#define MEMORY		0x1000000ull	/* of this machine */
#define SEED		1
#define STATES		100000
#define STATES_BOCHS	5000	/* which is that much slower */

static struct l2 l2;
static struct vmcb good;
static u8 code[0x1000] __attribute__((aligned(4096)));
static u64 pml4[512] __attribute__((aligned(4096)));
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 phys_end;
static u64 state;

/* splitmix64 */
static u64 next(void)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/*
 * L2 can execute HLT, and nothing else, and write to its stack and to its tables:
 * whatever state it is in, it leaves at once and L1 is as it was.
 */
static void confine(void)
{
	static const struct { void *at; u32 size; } own[] = {
		{ pml4, sizeof(pml4) }, { pdpt, sizeof(pdpt) }, { pd, sizeof(pd) },
		{ l2.stack, sizeof(l2.stack) },
	};

	npt_init();
	for (u64 gpa = 0; gpa >> 32 == 0; gpa += 0x200000)
		*npt_entry(gpa, NPT_2M) = gpa >= MEMORY ? 0 : gpa | NPT_P | NPT_U | NPT_PS | NPT_NX;
	*npt_entry((ulong)code, NPT_4K) &= ~NPT_NX;
	for (u32 i = 0; i < ARRAY_LEN(own); i++)
		for (u32 off = 0; off < own[i].size; off += 0x1000)
			*npt_entry((ulong)own[i].at + off, NPT_4K) |= NPT_W;
}

static void l2_tables(void)
{
	pml4[0] = (ulong)pdpt | NPT_RIGHTS;
	pdpt[0] = (ulong)pd | NPT_RIGHTS;
	for (u64 i = 0; i < 512; i++)
		pd[i] = i << 21 | NPT_PS | NPT_RIGHTS;
}

static void prepare(void)
{
	memset(code, 0xf4, sizeof(code));
	confine();
	l2_tables();
	l2_init(&l2, NULL);
	npt_use(&l2);
	l2.c.cr3 = (ulong)pml4;
	l2.c.rip = (ulong)code;
	l2.c.rax = 0x5a5a;
	l2.c.intercept_exceptions = ~0u;
	l2.c.intercept_vec3 = ~0u;
	l2.c.intercept_vec4 |= 0x3fff;
	good = l2.c;
}

#define MEMBER(n)	offsetof(struct vmcb, n), sizeof(((struct vmcb *)0)->n)
/* Bits that rules look at; the others of CR4 and EFER are CPUID's. */
static const struct { u16 offset, size; u64 bits; } judged[] = {
	{ MEMBER(efer), 0xffffffff80411f03 & ~BIT64(10) },
	{ MEMBER(cr0), 0xffffffffe0010001 }, { MEMBER(cr3), 0xfff0000000000000 },
	{ MEMBER(cr4), 0xfffffffffe08e0f0 & ~BIT64(6) },
	{ MEMBER(dr6), 0xffffffff00000000 }, { MEMBER(dr7), 0xffffffff00000000 },
	{ MEMBER(cs.attrib), 0x600 }, { MEMBER(guest_asid), 1 },
	{ MEMBER(intercept_vec4), 1 }, { MEMBER(g_pat), 0x8200000082808282 },
	{ MEMBER(n_cr3), 0xfff0000000000000 }, { MEMBER(msrpm_base_pa), 0xfff0000000000fff },
	{ MEMBER(iopm_base_pa), 0xfff0000000000fff }, { MEMBER(eventinj), 0x80000fff },
	{ MEMBER(eventinj), 0x80000fff }, { MEMBER(eventinj), 0x80000000 },
};

/* What no rule looks at.  Not the clean bits: nsvm_misc has what becomes of lies. */
static const struct { u16 offset, size; } others[] = {
	{ MEMBER(tsc_offset) }, { MEMBER(tlb_control) }, { MEMBER(reserved_018) },
	{ MEMBER(pause_filter_count) }, { MEMBER(pause_filter_threshold) },
	{ MEMBER(int_ctl) }, { MEMBER(int_vector) }, { MEMBER(int_state) }, { MEMBER(ghcb_pa) },
	{ MEMBER(avic_apic_bar) }, { MEMBER(avic_backing_page) }, { MEMBER(virt_ext) },
	{ MEMBER(nrip) }, { MEMBER(vmsa_pa) }, { MEMBER(exitintinfo) },
	{ MEMBER(es) }, { MEMBER(cs.base) }, { MEMBER(cs.limit) }, { MEMBER(ss) },
	{ MEMBER(ds) }, { MEMBER(gdtr) }, { MEMBER(idtr) }, { MEMBER(cpl) }, { MEMBER(rflags) },
	{ MEMBER(rip) }, { MEMBER(rsp) }, { MEMBER(rax) }, { MEMBER(cr2) }, { MEMBER(dbgctl) },
	{ MEMBER(msrpm_base_pa) }, { MEMBER(iopm_base_pa) },
};

static void change(u32 offset, u32 size, u64 bits)
{
	u8 *at = (u8 *)&l2.c + offset;
	u64 v = 0, bit;

	size = size > 8 ? 8 : size;
	memcpy(&v, at, size);
	do
		bit = BIT64(next() % 64);
	while (!(bits & bit));
	v ^= bit;
	memcpy(at, &v, size);
}

static void mutate(void)
{
	for (u64 k = 1 + next() % 4; k; k--) {
		u32 i = (u32)(next() % ARRAY_LEN(judged)), o = (u32)(next() % ARRAY_LEN(others));
		u64 v = next() % 2 ? next() : next() % 0x1000 << 12;
		u32 size = others[o].size > 8 ? 8 : others[o].size;

		if (next() % 2)
			change(judged[i].offset, judged[i].size, judged[i].bits);
		else
			memcpy((u8 *)&l2.c + others[o].offset, &v, size);
	}
	l2.c.int_ctl &= ~V_NMI_ENABLE;
	/* The manual does not say what a CR3 of 64 bits is outside of long mode. */
	if (!(l2.c.efer & EFER_LME && l2.c.cr0 & CR0_PG))
		l2.c.cr3 = (u32)l2.c.cr3;
}

static bool event_legal(const struct vmcb *c, bool code64)
{
	u32 type = c->eventinj >> 8 & 7, vector = c->eventinj & 0xff;

	if (!(c->eventinj >> 31 & 1) || type == 0 || type == 2 || type == 4)
		return true;
	/* APM2 8.1: the vectors that are exceptions; no CET here. */
	return type == 3 && vector < 32 && 0x400f7dfbu >> vector & 1 &&
	       !(code64 && (vector == VEC_OF || vector == VEC_BR));
}

static bool pat_legal(u64 pat)
{
	for (u32 i = 0; i < 64; i += 8) {
		u32 type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* APM2 15.5.1, of the bits in judged and for maps anywhere. */
static bool legal(const struct vmcb *c)
{
	bool lm = c->efer & EFER_LME && c->cr0 & CR0_PG;

	if (!(c->intercept_vec4 & 1) || !c->guest_asid || c->n_cr3 >= phys_end ||
	    (c->msrpm_base_pa & ~0xfffull) > phys_end - 0x2000 ||
	    (c->iopm_base_pa & ~0xfffull) > phys_end - 0x3000)
		return false;
	if (!(c->efer & EFER_SVME) || c->efer & 0xffffffff80410202 ||
	    c->cr4 & 0xfffffffffe08e000 || c->cr0 >> 32 || c->dr6 >> 32 || c->dr7 >> 32 ||
	    (c->cr0 & (CR0_CD | CR0_NW)) == CR0_NW || !pat_legal(c->g_pat))
		return false;
	if (lm && (!(c->cr4 & CR4_PAE) || !(c->cr0 & CR0_PE) || c->cr3 >= phys_end ||
		   (c->cs.attrib & 0x600) == 0x600))
		return false;
	return event_legal(c, lm && c->cs.attrib & 0x200);
}

/* Refused, and nothing of it was loaded or stored; or one of what can happen at once. */
static bool allowed(const struct vmcb *was)
{
	u64 e = l2.c.exitcode;

	if (!legal(was))
		return e == EXIT_INVALID && !memcmp(&l2.c.es, &was->es, 0x298);
	return (e >= EXIT_EXCEPTION && e < EXIT_EXCEPTION + 32) || e == EXIT_INTR ||
	       e == EXIT_VINTR || e == EXIT_HLT || e == EXIT_TASK_SWITCH ||
	       e == EXIT_SHUTDOWN || e == EXIT_NPF;
}

int main(struct rt_info *info)
{
	static struct vmcb was;
	u32 entered = 0, states = rt.bochs ? STATES_BOCHS : STATES;
	const char *why;
	bool ok = true;

	if (!svm_enable(&why))
		return rt_skip(why);
	if (!svm_has(SVM_NP))
		return rt_skip("no nested paging");
	phys_end = BIT64(cpuid(0x80000008).eax & 0xff);
	prepare();
	state = SEED;
	for (u32 i = 0; i < states && ok; i++) {
		u64 seed = state;

		memcpy(&l2.c, &good, 0x700);
		mutate();
		memcpy(&was, &l2.c, 0x700);
		svm_run(&l2);
		entered += l2.c.exitcode != EXIT_INVALID;
		ok = rt_quiet(allowed(&was), "state",
			      "seed %llx: exit %llx info %llx %llx, legal %u", seed,
			      l2.c.exitcode, l2.c.exitinfo1, l2.c.exitinfo2, legal(&was));
		if (was.eventinj >> 31 & 1)
			l2_tables();
		/* A busy emulator takes minutes for all of them: it is alive. */
		if (i % 20000 == 19999)
			rt_printf("NOTE %u states\n", i + 1);
	}
	rt_check(ok, "all of them", "not even half");
	rt_check(entered > states / 8 && entered < states - states / 8, "both kinds", "%u entered",
		 entered);
	memcpy(&l2.c, &good, 0x700);
	l2.c.tlb_control = TLB_FLUSH_ALL;
	l2_tables();
	svm_run(&l2);
	l2_expect("the good one", &l2, EXIT_HLT);
	return rt_result();
}
