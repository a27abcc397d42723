// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_check, .nested = "svm", .ref = "APM2 15.5.1, 15.20, 15.25.3, 15.25.4",
	.desc = "each consistency check of VMRUN: VMEXIT_INVALID, and L2 is never entered");

static struct l2 l2;
static volatile u32 entered;

static void enter(void)
{
	entered++;
}

enum op { END, SET, OR, CLEAR, PHYS };	/* PHYS: that far from the end of physical addresses */

struct poke {
	u16 offset;
	u8 size, op;
	u64 val;
};

struct row {
	const char *name;
	struct poke poke[4];
	u32 known;
	const char *why;
};

#define MEMBER(n)	offsetof(struct vmcb, n), sizeof(((struct vmcb *)0)->n)
#define SET(n, v)	{ MEMBER(n), SET, v }
#define OR(n, v)	{ MEMBER(n), OR, v }
#define CLEAR(n, v)	{ MEMBER(n), CLEAR, v }
#define PHYS(n, v)	{ MEMBER(n), PHYS, v }
#define ROW(n, ...)	{ n, { __VA_ARGS__ }, 0, NULL }
#define KNOWN(n, k, w, ...) { n, { __VA_ARGS__ }, k, w }

#define BOCHS_CR3	"Bochs 2.7 cpu/svm.cc SvmEnterLoadCheckGuestState: CR3 is not checked"
#define BOCHS_MAP	"Bochs 2.7 cpu/svm.cc SvmEnterLoadCheckControls: nothing checks its end"
#define BOTH_BR		"QEMU 7.2 helper_vmrun, Bochs 2.7 SvmInjectEvents: #BR is taken"
#define TCG_NCR3	"QEMU 7.2 svm_helper.c helper_vmrun: nested_cr3 is loaded as it is"
#define TCG_PAT		"QEMU 7.2 svm_helper.c helper_vmrun: save.g_pat is never read"

/* clang-format off */
static const struct row bad[] = {
	ROW("EFER.SVME = 0",			CLEAR(efer, EFER_SVME)),
	ROW("EFER bit 1",			OR(efer, BIT64(1))),
	ROW("EFER bit 9",			OR(efer, BIT64(9))),
	ROW("EFER bit 16",			OR(efer, BIT64(16))),
	ROW("EFER bit 22",			OR(efer, BIT64(22))),
	ROW("EFER bit 31",			OR(efer, BIT64(31))),
	ROW("EFER bit 32",			OR(efer, BIT64(32))),
	ROW("EFER bit 63",			OR(efer, BIT64(63))),
	ROW("CR0.NW without CR0.CD",		OR(cr0, CR0_NW), CLEAR(cr0, CR0_CD)),
	ROW("CR0 bit 32",			OR(cr0, BIT64(32))),
	ROW("CR0 bit 63",			OR(cr0, BIT64(63))),
	KNOWN("CR3 bit 63", KNOWN_BOCHS_BARE, BOCHS_CR3, OR(cr3, BIT64(63))),
	KNOWN("CR3 beyond the physical addresses", KNOWN_BOCHS_BARE, BOCHS_CR3, PHYS(cr3, 0)),
	KNOWN("CR3 bit 63 without LME", KNOWN_BOCHS_BARE, BOCHS_CR3, OR(cr3, BIT64(63)),
	      CLEAR(efer, EFER_LME | EFER_LMA)),
	ROW("CR4 bit 13",			OR(cr4, BIT64(13))),
	ROW("CR4 bit 14",			OR(cr4, BIT64(14))),
	ROW("CR4 bit 15",			OR(cr4, BIT64(15))),
	ROW("CR4 bit 19",			OR(cr4, BIT64(19))),
	ROW("CR4 bit 25",			OR(cr4, BIT64(25))),
	ROW("CR4 bit 31",			OR(cr4, BIT64(31))),
	ROW("CR4 bit 32",			OR(cr4, BIT64(32))),
	ROW("CR4 bit 63",			OR(cr4, BIT64(63))),
	ROW("DR6 bit 32",			OR(dr6, BIT64(32))),
	ROW("DR6 bit 63",			OR(dr6, BIT64(63))),
	ROW("DR7 bit 32",			OR(dr7, BIT64(32))),
	ROW("DR7 bit 63",			OR(dr7, BIT64(63))),
	ROW("LME and PG without PAE",		CLEAR(cr4, CR4_PAE)),
	ROW("LME, PG, PAE, CS.L and CS.D",	OR(cs.attrib, 0x400)),
	ROW("VMRUN not intercepted",		CLEAR(intercept_vec4, 1u << VEC4_VMRUN)),
	ROW("no intercept at all",		SET(intercept_vec4, 0), SET(intercept_vec3, 0)),
	ROW("ASID 0",				SET(guest_asid, 0)),
	ROW("MSR map beyond the physical addresses", PHYS(msrpm_base_pa, 0)),
	ROW("I/O map beyond the physical addresses", PHYS(iopm_base_pa, 0)),
	ROW("MSR map at bit 63",		OR(msrpm_base_pa, BIT64(63))),
	ROW("I/O map at bit 63",		OR(iopm_base_pa, BIT64(63))),
	KNOWN("MSR map reaches beyond them", KNOWN_BOCHS_BARE, BOCHS_MAP,
	      PHYS(msrpm_base_pa, -0x1000ULL)),
	KNOWN("MSR map reaches the last of them", KNOWN_BOCHS_BARE, BOCHS_MAP,
	      PHYS(msrpm_base_pa, -0x2000ULL)),
	KNOWN("I/O map reaches beyond them", KNOWN_BOCHS_BARE, BOCHS_MAP,
	      PHYS(iopm_base_pa, -0x2000ULL)),
	ROW("event of type 1",			SET(eventinj, EVENT_INTR | 0x100 | 0x30)),
	ROW("event of type 5",			SET(eventinj, EVENT_INTR | 0x500 | 0x30)),
	ROW("event of type 6",			SET(eventinj, EVENT_INTR | 0x600 | 0x30)),
	ROW("event of type 7",			SET(eventinj, EVENT_INTR | 0x700 | 0x30)),
	ROW("exception with vector 2",		SET(eventinj, EVENT_EXCEPTION | VEC_NMI)),
	ROW("exception with vector 32",		SET(eventinj, EVENT_EXCEPTION | 32)),
	ROW("exception with vector 255",	SET(eventinj, EVENT_EXCEPTION | 255)),
	KNOWN("#BR in 64-bit mode", KNOWN_TCG_BARE | KNOWN_BOCHS_BARE, BOTH_BR,
	      SET(eventinj, EVENT_EXCEPTION | VEC_BR)),
};

/* With nested paging. */
static const struct row bad_npt[] = {
	KNOWN("nCR3 beyond the physical addresses", KNOWN_TCG_BARE, TCG_NCR3, PHYS(n_cr3, 0)),
	KNOWN("nCR3 bit 63", KNOWN_TCG_BARE, TCG_NCR3, OR(n_cr3, BIT64(63))),
	KNOWN("gPAT type 2 in PA0", KNOWN_TCG_BARE, TCG_PAT, SET(g_pat, 0x0007040600070402)),
	KNOWN("gPAT type 3 in PA7", KNOWN_TCG_BARE, TCG_PAT, SET(g_pat, 0x0307040600070406)),
	KNOWN("gPAT reserved bit", KNOWN_TCG_BARE, TCG_PAT, SET(g_pat, 0x0007040600078406)),
};

/* What no rule forbids. */
static const struct row good[] = {
	ROW("nothing",				OR(efer, 0)),
	ROW("CR0.CD and CR0.NW",		OR(cr0, CR0_CD | CR0_NW)),
	ROW("CR0.CD",				OR(cr0, CR0_CD)),
	ROW("CR0.ET = 0",			CLEAR(cr0, CR0_ET)),
	ROW("CR3 bits 4:3",			OR(cr3, 0x18)),
	ROW("DR6 low half",			SET(dr6, 0)),
	ROW("DR7 low half",			SET(dr7, 0)),
	ROW("the last ASID",			PHYS(guest_asid, 0)),
	ROW("maps with bits 11:0",		OR(msrpm_base_pa, 0xfff), OR(iopm_base_pa, 0xfff)),
	ROW("gPAT without nested paging",	SET(g_pat, ~0ULL)),
	ROW("nCR3 without nested paging",	SET(n_cr3, ~0ULL)),
	ROW("an event that is not valid",	SET(eventinj, 0x7ff)),
	ROW("reserved bytes of the control area", SET(reserved_018, ~0ULL),
	    SET(reserved_05d, ~0ULL), SET(reserved_0c4, ~0ULL)),
	ROW("every segment's attributes",	SET(ds.attrib, 0xfff), SET(es.attrib, 0),
	    SET(tr.attrib, 0)),
	ROW("RFLAGS bit 1 = 0",			SET(rflags, 0)),
	ROW("all other intercepts",		SET(intercept_vec3, ~0u & ~(1u << VEC3_PUSHF)),
	    OR(intercept_vec4, 0x7f)),
};
/* clang-format on */

static u64 phys_end(const struct poke *p)
{
	if (p->offset == offsetof(struct vmcb, guest_asid))
		return svm_asids() - 1;
	return BIT64(cpuid(0x80000008).eax & 0xff);
}

static void poke(const struct poke *p)
{
	for (unsigned int i = 0; i < 4 && p[i].op != END; i++) {
		u8 *at = (u8 *)&l2.c + p[i].offset;
		u8 size = p[i].size > 8 ? 8 : p[i].size;
		u64 v = 0;

		memcpy(&v, at, size);
		v = p[i].op == SET ? p[i].val : p[i].op == OR ? v | p[i].val :
		    p[i].op == CLEAR ? v & ~p[i].val : phys_end(&p[i]) + p[i].val;
		memcpy(at, &v, size);
	}
}

static void prepare(bool npt)
{
	l2_init(&l2, enter);
	/* A bad event that is accepted ends here and not in L2's handler. */
	l2.c.intercept_exceptions = ~0u;
	if (npt)
		npt_use(&l2);
	l2.c.rax = 0x5a5a;
	l2.regs.rbx = 0xa5a5;
	entered = 0;
}

/*
 * The low half says INVALID; the high one is judged once.  What becomes of the
 * save area no manual says; nestbed leaves it alone.
 */
static bool refused(void)
{
	return (u32)l2.c.exitcode == 0xffffffff && !entered && l2.regs.rbx == 0xa5a5 &&
	       (!rt.nestbed || (l2.c.rax == 0x5a5a && l2.c.rip == (ulong)enter));
}

/* An event that should have been refused. */
static bool on_event(struct rt_regs *r)
{
	entered++;
	return true;
}

static void check_bad(const struct row *r, bool npt)
{
	bool ok;

	prepare(npt);
	poke(r->poke);
	svm_run(&l2);
	ok = refused();
	if (r->why)
		rt_known(svm_known(r->known), ok, r->name, r->why);
	else
		rt_check(ok, r->name, "exit %llx, entered %u, rip %llx", l2.c.exitcode, entered,
			 l2.c.rip);
	prepare(npt);
	svm_run(&l2);
	l2_expect_quiet("enters again", &l2, EXIT_VMMCALL);
	rt_quiet(entered == 1, "enters again", "%u", entered);
}

static void check_good(const struct row *r)
{
	prepare(false);
	poke(r->poke);
	l2.c.intercept_exceptions = 0;
	svm_run(&l2);
	l2_expect(r->name, &l2, EXIT_VMMCALL);
	rt_quiet(entered == 1, r->name, "entered %u", entered);
}

/* CR4 bits of features that CPUID does not have are MBZ (APM2 3.1.3). */
static void check_cr4_features(void)
{
	static const struct {
		const char *name;
		u32 leaf;
		u8 reg, cpuid_bit, bit;
		u32 known;
	} cr4[] = {
		{ "CR4.UMIP", 7, ECX, 2, 11, 0 }, { "CR4.LA57", 7, ECX, 16, 12, 0 },
		{ "CR4.FSGSBASE", 7, EBX, 0, 16, 0 },
		{ "CR4.PCIDE", 1, ECX, 17, 17, KNOWN_TCG_BARE },
		{ "CR4.OSXSAVE", 1, ECX, 26, 18, 0 }, { "CR4.SMEP", 7, EBX, 7, 20, 0 },
		{ "CR4.SMAP", 7, EBX, 20, 21, 0 }, { "CR4.PKE", 7, ECX, 3, 22, 0 },
		{ "CR4.CET", 7, ECX, 7, 23, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cr4); i++) {
		if (rt_has(cr4[i].leaf, 0, cr4[i].reg, cr4[i].cpuid_bit))
			continue;
		prepare(false);
		l2.c.cr4 |= BIT64(cr4[i].bit);
		svm_run(&l2);
		rt_known(svm_known(cr4[i].known), refused(), cr4[i].name,
			 "is not in CPUID; QEMU 7.2 cpu.h cr4_reserved_bits has PCIDE always");
	}
}

/* Bochs stops there: cpu/proc_ctrl.cc, "change_cpu_mode: EFER.LMA is set when CR0.PE=0 !". */
static void check_long_real(void)
{
	if (svm_known(KNOWN_BOCHS_BARE)) {
		rt_note("LME and PG without PE left out: Bochs 2.7 proc_ctrl.cc panics");
		return;
	}
	prepare(false);
	l2.c.cr0 &= ~CR0_PE;
	svm_run(&l2);
	rt_check(refused(), "LME and PG without PE", "exit %llx", l2.c.exitcode);
}

static void check_exit(void)
{
	prepare(false);
	l2.c.guest_asid = 0;
	svm_run(&l2);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_INVALID, "VMEXIT_INVALID",
		 "QEMU 7.2 svm_helper.c cpu_vmexit: exit_code has 32 bits");
	rt_check(read_cr3() == l2.c.cr3 && read_cr0() == l2.c.cr0, "L1 goes on", " ");
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	rt_set_handler(VEC_BR, on_event);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++)
		check_bad(&bad[i], false);
	if (svm_has(SVM_NP)) {
		npt_init();
		for (unsigned int i = 0; i < ARRAY_LEN(bad_npt); i++)
			check_bad(&bad_npt[i], true);
		/* All the other rules hold there too. */
		for (unsigned int i = 0; i < ARRAY_LEN(bad); i++)
			check_bad(&bad[i], true);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(good); i++)
		check_good(&good[i]);
	check_cr4_features();
	check_long_real();
	check_exit();
	return rt_result();
}
