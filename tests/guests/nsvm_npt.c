// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_npt, .nested = "svm", .ref = "APM2 15.25, 15.16", .timeout = "40000",
	.desc = "nested tables: rights at each level, fault information, A/D, sizes, changes");

#define PAGE	0x800000ul	/* what L2 accesses: memory that nobody uses */
#define OTHER	0xa00000ul
#define HIGH	0x8000000000ull	/* 512 GiB: no memory, and a top entry of its own */

#define TCG_RSVD	"QEMU 7.2 excp_helper.c mmu_translate: a reserved bit is reported without P"
#define TCG_PAT		"QEMU 7.2 svm_helper.c helper_vmrun: save.g_pat is never read"

static struct l2 l2;

L2_CODE(read, "mov $0x800000, %eax", "mov (%rax), %rbx");
L2_CODE(write, "mov $0x800000, %eax", "mov %rbx, (%rax)");
L2_CODE(rmw, "mov $0x800000, %eax", "lock incq (%rax)");
L2_CODE(read_rdi, "", "mov (%rdi), %rbx");
L2_CODE(write_rdi, "", "mov %rbx, (%rdi)");
L2_CODE(fetch_rdi, "", "jmp *%rdi");
L2_CODE(cross, "mov $0x800ffc, %eax", "mov %rbx, (%rax)");
L2_CODE(nop, "", "nop");

static u64 *at(ulong pa)
{
	return (u64 *)pa;
}

/* Fresh tables, L2 with them, everything flushed at the next VMRUN. */
static void start(void)
{
	npt_init();
	l2_init(&l2, NULL);
	npt_use(&l2);
	l2.c.tlb_control = TLB_FLUSH_ALL;
}

static u64 run(const struct l2_code *code)
{
	l2_run_code(&l2, code);
	l2.c.tlb_control = TLB_KEEP;
	return l2.c.exitcode;
}

static void expect_npf(const char *name, u64 info, u64 gpa)
{
	rt_quiet(l2.c.exitcode == EXIT_NPF && l2.c.exitinfo1 == info && l2.c.exitinfo2 == gpa,
		 name, "exit %llx info %llx %llx, not %llx %llx", l2.c.exitcode, l2.c.exitinfo1,
		 l2.c.exitinfo2, info, gpa);
}

/* Accesses, and what of EXITINFO1 each one makes. */
static const struct access {
	const struct l2_code *code;
	u64 info;
} accesses[] = {
	{ &l2_read_rdi, 0 }, { &l2_write_rdi, NPF_W }, { &l2_fetch_rdi, NPF_ID },
};

/* Rights that an entry can lack; to nested tables each access is a user's. */
static const struct lack {
	const char *name;
	u64 clear, set, info;
	u8 who;			/* bits: the accesses that fault */
} lacks[] = {
	{ "not present", NPT_P, 0, 0, 7 },
	{ "read-only", NPT_W, 0, NPF_P, 2 },
	{ "supervisor", NPT_U, 0, NPF_P, 7 },
	{ "no execute", 0, NPT_NX, NPF_P, 4 },
	{ "nothing at all", ~0ULL, 0, 0, 7 },
};

/*
 * PAGE's translation goes through a PML4 entry and a PDPT entry of its own: an
 * alias far away, so that code and stack keep their rights.
 */
static void alias(enum npt_level size)
{
	u64 offset = size == NPT_1G ? PAGE & 0x3fffffff : 0;

	*npt_entry(HIGH, size) = (PAGE - offset) | NPT_RIGHTS | (size != NPT_4K ? NPT_PS : 0);
	l2.regs.rdi = HIGH + offset;
}

static volatile u64 *l2_pml4, *l2_pdpt;

/* L2's tables: as L1's, and HIGH mapped to gpa HIGH with 1 GiB or 2 MiB pages. */
static void l2_tables(void)
{
	static u64 pml4[512] __attribute__((aligned(4096)));
	static u64 pdpt[512] __attribute__((aligned(4096)));
	static u64 pd[512] __attribute__((aligned(4096)));

	memcpy(pml4, (void *)rt_pml4, sizeof(pml4));
	pml4[1] = (ulong)pdpt | NPT_RIGHTS;
	pdpt[0] = (ulong)pd | NPT_RIGHTS;
	for (u64 i = 0; i < 512; i++)
		pd[i] = (HIGH + (i << 21)) | NPT_PS | NPT_RIGHTS;
	l2.c.cr3 = (ulong)pml4;
	l2_pml4 = pml4;
	l2_pdpt = pdpt;
}

static void check_right(enum npt_level size, enum npt_level level, const struct lack *k)
{
	for (unsigned int i = 0; i < ARRAY_LEN(accesses); i++) {
		volatile u64 *e;
		u64 old;

		start();
		l2_tables();
		alias(size);
		e = npt_entry(HIGH, level);
		old = *e;
		*e = (old & ~k->clear) | k->set;
		/* VMMCALL, for the fetch. */
		*at(PAGE) = 0xd9010f;
		run(accesses[i].code);
		if (k->who >> i & 1)
			expect_npf(k->name, NPF_FINAL | NPF_U | k->info | accesses[i].info,
				   l2.regs.rdi);
		else
			l2_expect_quiet(k->name, &l2, EXIT_VMMCALL);
		if (!(k->who >> i & 1))
			continue;
		/* L1 mends it: no flush, for nothing of it may be cached. */
		*e = old;
		svm_run(&l2);
		l2_expect_quiet("mended", &l2, EXIT_VMMCALL);
	}
}

static void check_rights(void)
{
	static const char *const name[] = { "4K pages", "2M pages", "1G pages" };

	for (unsigned int size = NPT_4K; size <= NPT_1G; size++) {
		if (size == NPT_1G && !rt_has(0x80000001, 0, EDX, 26)) {
			rt_note("no 1G pages");
			break;
		}
		for (unsigned int level = size; level <= NPT_512G; level++)
			for (unsigned int k = 0; k < ARRAY_LEN(lacks); k++)
				check_right(size, level, &lacks[k]);
		rt_check(true, name[size], " ");
	}
}

/* APM2 15.25.6, 5.4.1 */
static void check_reserved(void)
{
	const u64 width = cpuid(0x80000008).eax & 0xff;
	const struct {
		const char *name;
		enum npt_level level;
		u64 bits;
	} row[] = {
		{ "4K entry beyond the physical addresses", NPT_4K, BIT64(width) },
		{ "2M entry beyond the physical addresses", NPT_2M, BIT64(width) },
		{ "1G entry beyond the physical addresses", NPT_1G, BIT64(width) },
		{ "512G entry beyond the physical addresses", NPT_512G, BIT64(width) },
		{ "large-page bit in the top table", NPT_512G, NPT_PS },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(row); i++) {
		u64 want = NPF_FINAL | NPF_U | NPF_P | NPF_RSVD;

		if (width > 51 && row[i].bits != NPT_PS)
			continue;
		start();
		l2_tables();
		alias(NPT_4K);
		*npt_entry(HIGH, row[i].level) |= row[i].bits;
		run(&l2_read_rdi);
		rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_NPF &&
			 l2.c.exitinfo1 == want && l2.c.exitinfo2 == HIGH, row[i].name, TCG_RSVD);
	}
	/* A large page whose low address bits are set. */
	start();
	l2_tables();
	alias(NPT_2M);
	*npt_entry(HIGH, NPT_2M) |= BIT64(13);
	run(&l2_read_rdi);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_NPF &&
		 l2.c.exitinfo1 == (NPF_FINAL | NPF_U | NPF_P | NPF_RSVD), "2M page, bit 13",
		 TCG_RSVD);
}

/* APM2 15.25.6: L2's own tables, bit 33; their walk writes. */
static void check_table_walk(void)
{
	start();
	l2_tables();
	alias(NPT_4K);
	*npt_entry((ulong)l2_pdpt, NPT_4K) &= ~NPT_P;
	run(&l2_read_rdi);
	rt_check(l2.c.exitcode == EXIT_NPF && (l2.c.exitinfo1 & ~NPF_W) == (NPF_TABLE | NPF_U),
		 "L2's table is not there", "exit %llx info %llx", l2.c.exitcode, l2.c.exitinfo1);
	rt_check((l2.c.exitinfo2 & ~0xfffULL) == (ulong)l2_pdpt, "its address", "%llx",
		 l2.c.exitinfo2);
	*npt_entry((ulong)l2_pdpt, NPT_4K) = (ulong)l2_pdpt | NPT_P | NPT_U;
	run(&l2_read_rdi);
	rt_check(l2.c.exitcode == EXIT_NPF &&
		 l2.c.exitinfo1 == (NPF_TABLE | NPF_U | NPF_P | NPF_W), "L2's table is read-only",
		 "exit %llx info %llx", l2.c.exitcode, l2.c.exitinfo1);
	*npt_entry((ulong)l2_pdpt, NPT_4K) = (ulong)l2_pdpt | NPT_RIGHTS | NPT_NX;
	run(&l2_read_rdi);
	l2_expect("it need not be executable", &l2, EXIT_VMMCALL);
	/* The root of them. */
	start();
	l2_tables();
	*npt_entry((ulong)l2_pml4, NPT_4K) = 0;
	run(&l2_nop);
	rt_check(l2.c.exitcode == EXIT_NPF && l2.c.exitinfo1 & NPF_TABLE &&
		 (l2.c.exitinfo2 & ~0xfffULL) == (ulong)l2_pml4, "CR3's table is not there",
		 "exit %llx info %llx %llx", l2.c.exitcode, l2.c.exitinfo1, l2.c.exitinfo2);
}

/* L2's own page fault comes before what the nested tables would say. */
static void check_order(void)
{
	start();
	l2_tables();
	alias(NPT_4K);
	*npt_entry(HIGH, NPT_4K) = 0;
	l2_pdpt[0] &= ~NPT_W;
	l2.c.cr0 |= CR0_WP;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	run(&l2_write_rdi);
	rt_check(l2.c.exitcode == EXIT_EXCEPTION + VEC_PF && l2.c.exitinfo1 == 3 &&
		 l2.c.exitinfo2 == HIGH, "L2's #PF first", "exit %llx info %llx %llx",
		 l2.c.exitcode, l2.c.exitinfo1, l2.c.exitinfo2);
}

static void check_accessed_dirty(void)
{
	volatile u64 *e, *d, *t;

	start();
	l2_tables();
	alias(NPT_4K);
	e = npt_entry(HIGH, NPT_4K);
	d = npt_entry(HIGH, NPT_2M);
	t = npt_entry(HIGH, NPT_512G);
	run(&l2_read_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == NPT_A && *d & NPT_A && *t & NPT_A, "A after a read",
		 "%llx %llx %llx", *e, *d, *t);
	rt_check(!(*d & NPT_D), "no D in tables", "%llx", *d);
	run(&l2_write_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == (NPT_A | NPT_D), "D after a write", "%llx", *e);
	/* Cleared and flushed: they come again. */
	*e &= ~(NPT_A | NPT_D);
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == NPT_A, "A again", "%llx", *e);
	*e &= ~(NPT_A | NPT_D);
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_write_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == (NPT_A | NPT_D), "A and D again", "%llx", *e);
	/* A large page has its own. */
	start();
	l2_tables();
	alias(NPT_2M);
	e = npt_entry(HIGH, NPT_2M);
	run(&l2_read_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == NPT_A, "2M: A after a read", "%llx", *e);
	run(&l2_write_rdi);
	rt_check((*e & (NPT_A | NPT_D)) == (NPT_A | NPT_D), "2M: D after a write", "%llx", *e);
	/* An access that faults marks nothing. */
	start();
	l2_tables();
	alias(NPT_4K);
	e = npt_entry(HIGH, NPT_4K);
	*e &= ~NPT_W;
	run(&l2_write_rdi);
	l2_expect("write, read-only", &l2, EXIT_NPF);
	rt_check(!(*e & NPT_D), "no D from a fault", "%llx", *e);
}

/* What an entry points at is what L2 sees; changes are seen after a flush. */
static void check_translation(void)
{
	*at(PAGE) = 0x1111;
	*at(OTHER) = 0x2222;
	start();
	run(&l2_read);
	rt_check(l2.regs.rbx == 0x1111, "identity", "%llx", l2.regs.rbx);
	*npt_entry(PAGE, NPT_4K) = OTHER | NPT_RIGHTS;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read);
	rt_check(l2.regs.rbx == 0x2222, "4K elsewhere", "%llx", l2.regs.rbx);
	l2.regs.rbx = 0x3333;
	run(&l2_write);
	rt_check(*at(OTHER) == 0x3333 && *at(PAGE) == 0x1111, "written there", "%llx", *at(OTHER));
	start();
	*npt_entry(PAGE, NPT_2M) = OTHER | NPT_PS | NPT_RIGHTS;
	run(&l2_read);
	rt_check(l2.regs.rbx == 0x3333, "2M elsewhere", "%llx", l2.regs.rbx);
	/* L1 writes the page, L2 sees it. */
	*at(OTHER) = 0x4444;
	run(&l2_read);
	rt_check(l2.regs.rbx == 0x4444, "L1's write", "%llx", l2.regs.rbx);
}

/* Each way to flush. */
static void flush_by(const char *name, u8 tlb_control, u32 asid)
{
	static u32 value = 0x10000;

	start();
	*at(PAGE) = ++value;
	*at(OTHER) = ++value;
	run(&l2_read);
	rt_quiet(l2.regs.rbx == value - 1, name, "first %llx", l2.regs.rbx);
	*npt_entry(PAGE, NPT_4K) = OTHER | NPT_RIGHTS;
	l2.c.tlb_control = tlb_control;
	l2.c.guest_asid = asid;
	run(&l2_read);
	rt_check(l2.regs.rbx == value, name, "%llx, not %x", l2.regs.rbx, value);
}

static void check_flushes(void)
{
	flush_by("TLB_CONTROL 1", TLB_FLUSH_ALL, 1);
	flush_by("another ASID", TLB_KEEP, 2);
	if (svm_has(SVM_FLUSH_BY_ASID)) {
		flush_by("TLB_CONTROL 3", TLB_FLUSH_ASID, 1);
		flush_by("TLB_CONTROL 7", TLB_FLUSH_ASID_LOCAL, 1);
	} else {
		rt_note("no flush by ASID");
	}
	/* Rights taken away. */
	start();
	run(&l2_write);
	*npt_entry(PAGE, NPT_4K) &= ~NPT_W;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_write);
	expect_npf("write protected", NPF_FINAL | NPF_U | NPF_P | NPF_W, PAGE);
	*npt_entry(PAGE, NPT_2M) &= ~NPT_P;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read);
	expect_npf("unmapped", NPF_FINAL | NPF_U, PAGE);
	rt_check(true, "rights taken away", " ");
}

/* Another root: nothing of the first one may be left, with the same ASID flushed. */
static void check_roots(void)
{
	static u64 second[512] __attribute__((aligned(4096)));

	start();
	*at(PAGE) = 0x5151;
	run(&l2_read);
	memset(second, 0, sizeof(second));
	l2.c.n_cr3 = (ulong)second;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read);
	rt_check(l2.c.exitcode == EXIT_NPF, "empty root", "exit %llx", l2.c.exitcode);
	memcpy(second, npt_pml4, sizeof(second));
	run(&l2_read);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.regs.rbx == 0x5151, "filled root",
		 "exit %llx, %llx", l2.c.exitcode, l2.regs.rbx);
	/* Without nested paging again. */
	l2.c.nested_ctl = 0;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read);
	l2_expect("off", &l2, EXIT_VMMCALL);
}

static void check_accesses(void)
{
	/* An access over two pages reports the one that fails, and writes nothing. */
	start();
	*at(PAGE + 0xff8) = 0;
	*npt_entry(PAGE + 0x1000, NPT_4K) = 0;
	l2.regs.rbx = ~0ULL;
	run(&l2_cross);
	expect_npf("second page", NPF_FINAL | NPF_U | NPF_W, PAGE + 0x1000);
	rt_check(!*at(PAGE + 0xff8), "nothing is written", "%llx", *at(PAGE + 0xff8));
	start();
	*npt_entry(PAGE, NPT_4K) &= ~NPT_W;
	run(&l2_rmw);
	rt_check(l2.c.exitcode == EXIT_NPF && l2.c.exitinfo1 == (NPF_FINAL | NPF_U | NPF_P | NPF_W),
		 "read and write", "info %llx", l2.c.exitinfo1);
	if (!svm_has(SVM_DECODE_ASSISTS))
		return;
	rt_check(l2.c.insn_bytes_count >= 5 && !memcmp(l2.c.insn_bytes, (void *)l2_rmw.at, 5),
		 "its bytes", "%u", l2.c.insn_bytes_count);
	*npt_entry(PAGE, NPT_4K) |= NPT_W;
	run(&l2_nop);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && !l2.c.insn_bytes_count, "none with VMMCALL", "%u",
		 l2.c.insn_bytes_count);
}

/* APM2 15.8.4: MOV (%RDI), %RBX as the last three bytes that L2 can fetch. */
static void check_last_bytes(void)
{
	static const u8 code[] = { 0x48, 0x8b, 0x1f };
	u8 *end = (u8 *)OTHER + 0x1000;

	if (!svm_has(SVM_DECODE_ASSISTS))
		return;
	start();
	memcpy(end - sizeof(code), code, sizeof(code));
	*npt_entry(OTHER + 0x1000, NPT_4K) |= NPT_NX;
	*npt_entry(PAGE, NPT_4K) = 0;
	l2.regs.rdi = PAGE;
	l2.c.rip = (ulong)end - sizeof(code);
	svm_run(&l2);
	expect_npf("at the end of a page", NPF_FINAL | NPF_U, PAGE);
	rt_check(l2.c.insn_bytes_count == 3 && !memcmp(l2.c.insn_bytes, code, sizeof(code)),
		 "bytes up to the end", "%u", l2.c.insn_bytes_count);
	l2.c.rip = (ulong)end;
	svm_run(&l2);
	expect_npf("its next page", NPF_FINAL | NPF_U | NPF_P | NPF_ID, (ulong)end);
	rt_check(!l2.c.insn_bytes_count, "none of a fetch", "%u", l2.c.insn_bytes_count);
}

L2_CODE(read32, "", "mov (%rdi), %ebx");

/* The local APIC of L1 through L1's tables. */
static void check_apic(void)
{
	start();
	l2.regs.rdi = APIC_PAGE + APIC_VERSION;
	*npt_entry(APIC_PAGE, NPT_4K) |= 0x18;
	run(&l2_read32);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.regs.rbx == apic_read(APIC_VERSION),
		 "L1's APIC", "exit %llx, %llx", l2.c.exitcode, l2.regs.rbx);
	*npt_entry(APIC_PAGE, NPT_4K) = 0;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read32);
	expect_npf("not mapped", NPF_FINAL | NPF_U, APIC_PAGE + APIC_VERSION);
}

/* APM2 15.25.4: PAT is L2's own. */
L2_CODE(rdmsr_pat, "mov $0x277, %ecx", "rdmsr");
L2_CODE(wrmsr_pat, "mov $0x277, %ecx; mov $0x00070106, %eax; mov %eax, %edx", "wrmsr");

static void check_pat(void)
{
	u64 pat = rdmsr(MSR_PAT);

	start();
	l2.c.g_pat = 0x0606060606060606;
	run(&l2_rdmsr_pat);
	rt_known(svm_known(KNOWN_TCG_BARE), (u32)l2.c.rax == 0x06060606, "PAT of L2", TCG_PAT);
	run(&l2_wrmsr_pat);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.g_pat == 0x0007010600070106, "gPAT", TCG_PAT);
	rt_known(svm_known(KNOWN_TCG_BARE), rdmsr(MSR_PAT) == pat, "L1's PAT", TCG_PAT);
	wrmsr(MSR_PAT, pat);
}

/* APM2 15.33.1: VMSAVE and VMLOAD of L2 by its own physical addresses. */
L2_CODE(vmsave, "mov $0x800000, %eax", "vmsave");
L2_CODE(vmload, "mov $0x800000, %eax", "vmload");

static void check_virtual_vmload(void)
{
	struct vmcb *there = (struct vmcb *)OTHER;

	if (!svm_has(SVM_VMLOAD)) {
		rt_note("no virtual VMLOAD and VMSAVE");
		return;
	}
	start();
	l2.c.virt_ext = 2;
	l2.c.lstar = 0x445566;
	there->lstar = 0;
	*npt_entry(PAGE, NPT_4K) = OTHER | NPT_RIGHTS;
	run(&l2_vmsave);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && there->lstar == 0x445566, "virtual VMSAVE",
		 "exit %llx, %llx", l2.c.exitcode, there->lstar);
	there->lstar = 0x778899;
	run(&l2_vmload);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.c.lstar == 0x778899, "virtual VMLOAD",
		 "exit %llx, %llx", l2.c.exitcode, l2.c.lstar);
	*npt_entry(PAGE, NPT_4K) = 0;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_vmsave);
	rt_check(l2.c.exitcode == EXIT_NPF && (l2.c.exitinfo2 & ~0xfffULL) == PAGE,
		 "virtual VMSAVE to what is not mapped", "exit %llx", l2.c.exitcode);
	*npt_entry(PAGE, NPT_4K) = OTHER | (NPT_RIGHTS & ~NPT_W);
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_vmsave);
	rt_check(l2.c.exitcode == EXIT_NPF && (l2.c.exitinfo1 & 3) == (NPF_P | NPF_W),
		 "virtual VMSAVE to what is read only", "exit %llx info %llx", l2.c.exitcode,
		 l2.c.exitinfo1);
	run(&l2_vmload);
	l2_expect("virtual VMLOAD of it", &l2, EXIT_VMMCALL);
	*npt_entry(PAGE, NPT_4K) = OTHER | NPT_RIGHTS;
	L2_INTERCEPT(&l2, vec4, VEC4_VMSAVE, true);
	run(&l2_vmsave);
	l2_expect("an intercept comes first", &l2, EXIT_VEC4 + VEC4_VMSAVE);
	/* APM2 15.33.1: without nested paging they exit, whatever is intercepted. */
	l2_init(&l2, NULL);
	l2.c.virt_ext = 2;
	run(&l2_vmload);
	rt_check(l2.c.exitcode == EXIT_VEC4 + VEC4_VMLOAD && l2.c.rip == l2_vmload.at &&
		 l2.c.nrip == l2_vmload.next, "virtual VMLOAD without nested paging",
		 "exit %llx at %llx, nRIP %llx", l2.c.exitcode, l2.c.rip, l2.c.nrip);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	if (!svm_has(SVM_NP))
		return rt_skip("no nested paging");
	check_translation();
	check_rights();
	check_reserved();
	check_table_walk();
	check_order();
	check_accessed_dirty();
	check_flushes();
	check_roots();
	check_accesses();
	check_last_bytes();
	check_apic();
	check_pat();
	check_virtual_vmload();
	return rt_result();
}
