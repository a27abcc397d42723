// SPDX-License-Identifier: MIT
/*
 * VMRUN again and again: what is kept of the one before must make no difference.  Each
 * VMRUN is done twice from the same state: as it comes, and with nothing kept, of a
 * vmcb12 that has the values which docs/nested.md says count.  Verdict and vmcb02 must
 * be the same.  And where vmcb02 has a clean bit, the CPU must know what it covers.
 */
#include "tests/unit/nested_box.h"

#define VMRUNS		400000
#define LENGTH		50	/* VMRUNs of an L1 */
#define PAGES		2

static const u64 page_pa[PAGES] = { PAGE12, PAGE12 + 0x5000 };

/* All of these and no less: docs/nested.md. */
#define ALL_KEPT	(VMCB_CLEAN_I | VMCB_CLEAN_IOPM | VMCB_CLEAN_ASID | VMCB_CLEAN_NP | \
			 VMCB_CLEAN_CRX | VMCB_CLEAN_DRX | VMCB_CLEAN_DT | VMCB_CLEAN_SEG | \
			 VMCB_CLEAN_CET)

/* What L1 says of its changes. */
enum { HONEST, CLEAN, DIRTY, ANYTHING, HABITS };

/* All that VMRUN reads and writes, but the pages. */
struct world {
	struct vmcb vmcb01, vmcb02, vmcb12;
	u8 msrpm02[MSRPM_SIZE];
	struct svm_vcpu a;
	struct svm_nested n;
	struct vcpu v;
};

static struct world before, fresh, kept;
static struct vmcb left[PAGES];		/* as VMRUN or #VMEXIT left them */
static struct vmcb ran[PAGES];		/* with the values that L2 had: L1 may have lied */
static struct vmcb good[PAGES];		/* one that entered L2 */
static struct vmcb known;		/* what the CPU has of vmcb02 */
static u8 known_map[MSRPM_SIZE];	/* and of its map */
static u64 model_pa, model_cr0, model_cr4;	/* of the VMRUN that is kept */
static u32 next_asid;
static u64 entries, refusals, lies;

static struct vmcb *page_at(unsigned int p)
{
	return (struct vmcb *)(memory + page_pa[p]);
}

static void world_get(struct world *w)
{
	w->vmcb01 = vmcb01;
	w->vmcb02 = vmcb02;
	w->vmcb12 = vmcb12;
	memcpy(w->msrpm02, msrpm02, sizeof(msrpm02));
	w->a = a;
	w->n = n;
	w->v = v;
}

static void world_set(const struct world *w)
{
	vmcb01 = w->vmcb01;
	vmcb02 = w->vmcb02;
	vmcb12 = w->vmcb12;
	memcpy(msrpm02, w->msrpm02, sizeof(msrpm02));
	a = w->a;
	n = w->n;
	v = w->v;
}

static void begin(struct rng *r)
{
	reset();
	svm.lbr = rng_one_in(r, 2);
	svm.caps.vmsave_virt = rng_one_in(r, 2);
	memset(&vmcb12, 0, sizeof(vmcb12));
	for (unsigned int p = 0; p < PAGES; p++) {
		good_page(r, page_at(p));
		left[p] = good[p] = *page_at(p);
	}
	model_pa = SVM_NOT_KEPT;
	next_asid = 1;
}

/* Is a map or a PDPT of c's in a page whose two versions are to be compared? */
static bool reads_pages(const struct vmcb *c)
{
	const u64 map = vmcb_get_msrpm_base_pa(c), pdpt = vmcb_get_cr3(c) & BITS(31, 5);
	const u64 end = page_pa[PAGES - 1] + PAGE_SIZE;

	return (map < end && map + MSRPM_SIZE + PAGE_SIZE > PAGE12) ||
	       (pdpt < end && pdpt + 32 > PAGE12);
}

/* The clean bits of what is as it was left. */
static u32 honest(unsigned int p)
{
	u32 clean = VMCB_CLEAN_ALL;

	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++)
		if (vmcb_read(page_at(p), f) != vmcb_read(&left[p], f))
			clean &= ~(u32)vmcb_field_info(f)->clean;
	return clean;
}

static void l1_changes(struct rng *r, unsigned int p, unsigned int habit)
{
	static const u32 fixed[] = { [CLEAN] = VMCB_CLEAN_ALL, [DIRTY] = 0 };
	struct vmcb *page = page_at(p);

	if (rng_one_in(r, 16))
		vmcb_set_cr0(&vmcb01, vmcb_get_cr0(&vmcb01) ^ (rng_one_in(r, 4) ? CR0_PG : CR0_WP));
	if (rng_one_in(r, 16))
		vmcb_set_cr4(&vmcb01, vmcb_get_cr4(&vmcb01) ^ CR4_PGE);
	/* A vmcb12 that was refused is mended, mostly. */
	if (n.failed && !rng_one_in(r, 4))
		*page = good[p];
	mutate(r, page, rng_one_in(r, 2) ? 0 : rng_below(r, 4));
	/* INT n, with a nRIP and without. */
	if (rng_one_in(r, 16)) {
		page->eventinj = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_SOFT_INT) | 0x30;
		page->nrip = rng_one_in(r, 2) ? page->rip + 2 : 0;
	}
	if (habit == HONEST)
		page->clean = honest(p);
	else
		page->clean = habit == ANYTHING ? (u32)rng_next(r) : fixed[habit];
	if (reads_pages(page) || reads_pages(&left[p]))
		page->clean = 0;
}

/* docs/nested.md: what no clean bit covers, and what is read at each VMRUN. */
static void copy_uncovered(struct vmcb *to, const struct vmcb *from)
{
	to->_int_ctl = from->_int_ctl;
	to->_int_vector = from->_int_vector;
	to->int_state = from->int_state;
	to->tlb_control = from->tlb_control;
	to->eventinj = from->eventinj;
	to->nrip = from->nrip;
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
	to->_cr2 = from->_cr2;
	to->_virt_ext = from->_virt_ext;
	if (!svm.lbr)
		return;
	to->_dbgctl = from->_dbgctl;
	to->_br_from = from->_br_from;
	to->_br_to = from->_br_to;
	to->_last_excp_from = from->_last_excp_from;
	to->_last_excp_to = from->_last_excp_to;
}

/* The vmcb12 whose values count: with all clean bits set, those that were kept. */
static void what_counts(unsigned int p, struct vmcb *to)
{
	const struct vmcb *page = page_at(p);

	*to = *page;
	if (model_pa != page_pa[p] || model_cr0 != vmcb_get_cr0(&vmcb01) ||
	    model_cr4 != vmcb_get_cr4(&vmcb01) || ~page->clean & ALL_KEPT)
		return;
	*to = ran[p];
	copy_uncovered(to, page);
	lies += honest(p) != VMCB_CLEAN_ALL;
}

static void vmrun(unsigned int p, struct world *w)
{
	v.rip = 0x1000;
	v.rflags = RFLAGS_FIXED;
	invalid = false;
	if (!svm_nested_vmrun(&v, page_pa[p]))
		fail_msg("no VMRUN");
	if (v.in_l2)
		svm_nested_prepare(&v);
	world_get(w);
}

/* From what there is now, but nothing of it may help. */
static void vmrun_fresh(unsigned int p, const struct vmcb *counts)
{
	const struct vmcb page = *page_at(p);

	*page_at(p) = *counts;
	page_at(p)->clean = 0;
	n.kept_pa = SVM_NOT_KEPT;
	memset(&vmcb12, 0x5a, sizeof(vmcb12));
	memset(&vmcb02, 0, sizeof(vmcb02));
	memset(msrpm02, 0xff, sizeof(msrpm02));
	vmrun(p, &fresh);
	*page_at(p) = page;
}

/* The first member in which two differ, or NULL. */
static const char *difference(const struct vmcb *x, const struct vmcb *y, u32 end)
{
	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++)
		if (f != VMCB_F_clean && vmcb_field_info(f)->offset < end &&
		    vmcb_read(x, f) != vmcb_read(y, f))
			return vmcb_field_info(f)->name;
	return NULL;
}

/* Of the copy of vmcb12 what VMRUN reads: the rest is of no meaning. */
static void only_read(struct vmcb *c)
{
	const struct vmcb all = *c;

	memset(c, 0, sizeof(*c));
	memcpy(c, &all, 0x18);
	memcpy((u8 *)c + 0x38, (const u8 *)&all + 0x38, 0x70 - 0x38);
	vmcb_set_nested_ctl(c, vmcb_get_nested_ctl(&all));
	vmcb_set_n_cr3(c, vmcb_get_n_cr3(&all));
	vmcb_set_virt_ext(c, vmcb_get_virt_ext(&all));
	c->eventinj = all.eventinj;
	c->nrip = all.nrip;
}

/* APM2 15.20: of the events that are injected only traps push nRIP. */
static void only_pushed(struct vmcb *c)
{
	const u64 type = c->eventinj >> 8 & 7, vector = c->eventinj & 0xff;
	bool trap = type == EVENTINJ_SOFT_INT ||
		    (type == EVENTINJ_EXCEPTION && (vector == VEC_BP || vector == VEC_OF));

	if (!(c->eventinj & EVENTINJ_VALID) || !trap)
		c->nrip = 0;
}

/* L2 is to be entered in both worlds, or in none. */
static const char *same(void)
{
	const char *name;

	CHECK(kept.v.in_l2 == fresh.v.in_l2);
	CHECK(kept.n.failed == fresh.n.failed);
	CHECK(kept.v.rip == fresh.v.rip && kept.v.rflags == fresh.v.rflags);
	CHECK(!memcmp(kept.v.gpr, fresh.v.gpr, sizeof(kept.v.gpr)));
	CHECK(!memcmp(&kept.vmcb01, &fresh.vmcb01, sizeof(kept.vmcb01)));
	if (!kept.v.in_l2)
		return NULL;
	only_pushed(&kept.vmcb02);
	only_pushed(&fresh.vmcb02);
	name = difference(&kept.vmcb02, &fresh.vmcb02, PAGE_SIZE);
	if (name)
		return name;
	only_read(&kept.vmcb12);
	only_read(&fresh.vmcb12);
	name = difference(&kept.vmcb12, &fresh.vmcb12, VMCB_SAVE_AREA);
	if (name)
		return name;
	CHECK(!memcmp(kept.msrpm02, fresh.msrpm02, sizeof(kept.msrpm02)));
	CHECK(!memcmp(&kept.a, &fresh.a, sizeof(kept.a)));
	CHECK(kept.n.pause_left == fresh.n.pause_left && kept.n.gif == fresh.n.gif);
	CHECK(kept.n.run_pending == fresh.n.run_pending && kept.n.now == fresh.n.now);
	CHECK(kept.v.l2_tsc_offset == fresh.v.l2_tsc_offset);
	CHECK(kept.v.l2_paging == fresh.v.l2_paging);
	CHECK(kept.n.kept_pa == fresh.n.kept_pa);
	return NULL;
}

/* APM2 15.15: what a clean bit covers is as the CPU has it. */
static const char *clean_bits(void)
{
	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++) {
		const struct vmcb_field_info *i = vmcb_field_info(f);

		if (vmcb02.clean & i->clean && vmcb_read(&vmcb02, f) != vmcb_read(&known, f))
			return i->name;
	}
	CHECK(!(vmcb02.clean & VMCB_CLEAN_IOPM) || !memcmp(msrpm02, known_map, MSRPM_SIZE));
	return NULL;
}

/* What the CPU and svm_enter do: the entry, some time in L2, the exit. */
static void l2_runs(struct rng *r)
{
	struct vmcb *c = &vmcb02;

	c->_cr0 ^= rng_one_in(r, 4) ? CR0_TS : 0;
	c->_cr2 = rng_one_in(r, 4) ? rng_next(r) : c->_cr2;
	c->_cr3 = rng_one_in(r, 4) ? rng_below(r, 0x40) << 12 : c->_cr3;
	c->_cr4 ^= rng_one_in(r, 4) ? CR4_PGE : 0;
	c->_dr6 ^= rng_one_in(r, 4) ? DR6_BS : 0;
	c->_dr7 ^= rng_one_in(r, 4) ? BIT(0) : 0;
	c->_ds.base = rng_one_in(r, 4) ? rng_next(r) >> 20 : c->_ds.base;
	c->_idtr.limit = rng_one_in(r, 4) ? (u32)rng_below(r, 0x10000) : c->_idtr.limit;
	c->_int_ctl ^= rng_one_in(r, 4) ? (u32)rng_below(r, 16) : 0;
	c->int_state = rng_one_in(r, 4);
	c->eventinj = 0;
	known = *c;
	memcpy(known_map, msrpm02, sizeof(known_map));
	c->clean = VMCB_CLEAN_ALL;
	c->tlb_control = TLB_CONTROL_NOTHING;
	v.rip = rng_next(r);
	v.rflags = RFLAGS_FIXED | (rng_next(r) & RFLAGS_IF);
	v.gpr[VREG_RAX] = rng_next(r);
	v.gpr[VREG_RSP] = rng_next(r);
	/* svm_nested_sync */
	vmcb12.int_state = c->int_state;
	vmcb_set_int_ctl(&vmcb12, (vmcb_get_int_ctl(&vmcb12) & ~INT_CTL_V_TPR) |
				  (vmcb_get_int_ctl(c) & 0xf));
}

/* APM2 15.6, as svm_nested_exit has it. */
static void store(struct vmcb *page, u64 nrip)
{
	page->_es = vmcb02._es;
	page->_cs = vmcb02._cs;
	page->_ss = vmcb02._ss;
	page->_ds = vmcb02._ds;
	page->_gdtr = vmcb02._gdtr;
	page->_idtr = vmcb02._idtr;
	page->_cpl = vmcb02._cpl;
	page->_efer = vmcb02._efer;
	page->_cr0 = vmcb02._cr0;
	page->_cr2 = vmcb02._cr2;
	page->_cr3 = vmcb02._cr3;
	page->_cr4 = vmcb02._cr4;
	page->_dr6 = vmcb02._dr6;
	page->_dr7 = vmcb02._dr7;
	if (v.l2_paging)
		page->_g_pat = vmcb02._g_pat;
	page->rflags = v.rflags;
	page->rip = v.rip;
	page->rsp = v.gpr[VREG_RSP];
	page->rax = v.gpr[VREG_RAX];
	page->int_state = vmcb12.int_state;
	page->_int_ctl = vmcb12._int_ctl;
	page->eventinj = 0;
	page->nrip = nrip;
}

/* As svm_nested_leave has it. */
static void leave(void)
{
	n.now->hw = (struct svm_asid){ a.cpu, a.asid_gen, vmcb_get_guest_asid(&vmcb02) };
	a.vmcb = &vmcb01;
	a.vmcb_pa = (u64)&vmcb01;
	a.asid_gen = n.l1.hw.gen;
	a.exc_want = n.l1.exc_want;
	a.vec3_want = n.l1.vec3_want;
	a.cr_write_want = n.l1.cr_write_want;
	a.efer_svme = n.l1.efer_svme;
	a.soft_len = 0;
	a.injected = a.attention = false;
	n.run_pending = n.gif = false;
	v.in_l2 = v.l2_paging = false;
	svm_apply_intercepts(&a);
}

/* APM2 15.16: a space whose translations are void has a new ASID. */
static void assign_asid(void)
{
	if (a.asid_gen)
		return;
	vmcb_set_guest_asid(&vmcb02, ++next_asid);
	a.asid_gen = 1;
}

static const char *step(struct rng *r, unsigned int habit)
{
	unsigned int p = rng_one_in(r, 8);
	const u64 nrip = rng_next(r);
	struct vmcb counts;
	const char *why;

	/* It comes to another CPU. */
	if (rng_one_in(r, 32)) {
		svm_nested_load(&v);
		model_pa = SVM_NOT_KEPT;
	}
	l1_changes(r, p, habit);
	what_counts(p, &counts);
	world_get(&before);
	vmrun_fresh(p, &counts);
	world_set(&before);
	vmrun(p, &kept);
	why = same();
	model_pa = v.in_l2 ? page_pa[p] : SVM_NOT_KEPT;
	model_cr0 = vmcb_get_cr0(&vmcb01);
	model_cr4 = vmcb_get_cr4(&vmcb01);
	entries += v.in_l2;
	refusals += !v.in_l2;
	if (v.in_l2 && !why) {
		good[p] = counts;
		assign_asid();
		why = clean_bits();
		l2_runs(r);
		ran[p] = counts;
		store(&ran[p], nrip);
		store(page_at(p), nrip);
		leave();
	}
	left[p] = *page_at(p);
	return why;
}

/* NB_SEED of a failure and NB_STATES=1 repeat the L1 that it happened to. */
static void test_sequences(void **state)
{
	const char *states = getenv("NB_STATES");
	u64 count = states ? strtoull(states, NULL, 0) : VMRUNS;
	struct rng r = rng_seed(1);

	for (u64 i = 0; i < count; i += LENGTH) {
		const u64 seed = r.s;
		const unsigned int habit = (unsigned int)rng_below(&r, HABITS);

		begin(&r);
		for (unsigned int k = 0; k < LENGTH; k++) {
			const char *why = step(&r, habit);

			if (why)
				fail_msg("NB_SEED=%llu NB_STATES=1: VMRUN %u, habit %u: %s",
					 (unsigned long long)seed, k, habit, why);
		}
	}
	/* It is worth something: L2 is entered and refused, and L1 lies. */
	if (count >= 10000) {
		assert_true(entries > count / 2);
		assert_true(refusals > count / 50);
		assert_true(lies > count / 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sequences, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
