// SPDX-License-Identifier: MIT
/* Nested state given to and taken from a vCPU: KVM_SET_ and GET_NESTED_STATE. */
#include "core/lib/string.h"
#include "core/vm/nested.h"
#include "svm/nested.h"
#include "svm/nested_state_blob.h"
#include "tests/svm/svm_test.h"

#define G_L1		(G_CODE + 0x800)	/* L1 goes on there after #VMEXIT */
#define G_VMCB12	G_DATA
#define L1_STACK	(G_STACK_TOP - 0x1000)

struct blob {
	union {
		struct svm_nested_blob b;
		u64 word[sizeof(struct svm_nested_blob) / 8];
	};
};

/* Adds 5 to EBX and calls L1; what L1 does is to count in EDI and leave. */
GUEST64(l2_code, "add $5, %ebx\n vmmcall\n hlt");
GUEST64(l1_code, "inc %edi\n vmmcall\n hlt");

static struct vmcb *control_of(struct blob *s)
{
	return (struct vmcb *)s->b.control;
}

/*
 * A vCPU with what L2 needs, and a state in which L2 is about to begin.  The save
 * area is that of L1, which differs from it in RIP and RSP.
 */
static struct machine *new_machine(struct test_ctx *t, struct blob *s)
{
	struct machine *m = machine_new(t, MODE_LONG64, &l2_code);
	const struct svm_nested_flags flags = { .guest_mode = true, .run_pending = true,
						.gif = true, .vmcb_pa = G_VMCB12 };
	static struct vmcb control, l1;

	REQUIRE_EQ(t, virt->nested->init(m->v), 0);
	m->vm.nested = true;
	machine_code(m, G_L1, &l1_code);
	virt->set(m->v, VREG_EFER, virt->get(m->v, VREG_EFER) | EFER_SVME);
	memset(&control, 0, sizeof(control));
	vmcb_set_intercept_vec4(&control, VEC4_VMRUN | VEC4_VMMCALL);
	vmcb_set_guest_asid(&control, 1);
	l1 = *vmcb_of(m);
	l1.rip = G_L1;
	l1.rsp = L1_STACK;
	l1.rflags = RFLAGS_FIXED;
	s->b.h.size = sizeof(s->b);
	REQUIRE_EQ(t, svm_nested_blob_get(s, sizeof(s->b), &flags, &control, &l1), 0);
	return m;
}

static int get(struct machine *m, struct blob *s)
{
	memset(s, 0, sizeof(*s));
	s->b.h.size = sizeof(s->b);
	return virt->nested->state_get(m->v, s, sizeof(s->b));
}

/* L2 runs, and ends with VMMCALL; L1 goes on behind its VMRUN. */
static void expect_run(struct test_ctx *t, struct machine *m)
{
	const struct vmcb *page = machine_ptr(m, G_VMCB12, PAGE_SIZE);

	machine_set(m, VREG_RBX, 100);
	machine_set(m, VREG_RDI, 7);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT(t, !m->v->in_l2);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 105);
	EXPECT_EQ(t, machine_get(m, VREG_RDI), 8);
	EXPECT_EQ(t, machine_get(m, VREG_RSP), L1_STACK);
	EXPECT_EQ(t, m->v->rip, G_L1 + 2);
	EXPECT_EQ(t, page->exitcode, SVM_EXIT_VMMCALL);
	EXPECT_EQ(t, page->rip, G_CODE + 3);
	EXPECT_EQ(t, page->rsp, G_STACK_TOP);
}

/* Set, get, set on another vCPU and on the same one, which is in L2 by then. */
TEST(svm, nested_state_round_trip, .ref = "KVM_SET_NESTED_STATE", .needs = NEED_SVM)
{
	static struct blob first, again;
	const char *row = "";

	for (unsigned int twice = 0; twice < 2; twice++) {
		struct machine *m = new_machine(t, &first);
		struct machine *other = new_machine(t, &again);

		test_row(t, twice ? "set twice" : "set once");
		for (unsigned int i = 0; i <= twice; i++)
			EXPECT_EQ(t, virt->nested->state_set(m->v, &first, sizeof(first), false,
							     &row), 0);
		EXPECT(t, m->v->in_l2);
		EXPECT_EQ(t, get(m, &again), 0);
		EXPECT_EQ(t, again.b.h.flags, NESTED_GUEST_MODE | NESTED_RUN_PENDING |
			  NESTED_GIF_SET);
		EXPECT_EQ(t, again.b.h.vendor[SVM_BLOB_VMCB_PA], G_VMCB12);
		EXPECT(t, !memcmp(first.b.control, again.b.control, sizeof(first.b.control)));
		EXPECT_EQ(t, virt->nested->state_set(other->v, &again, sizeof(again), false, &row),
			  0);
		expect_run(t, m);
		expect_run(t, other);
		EXPECT_EQ(t, m->v->stat.nested_state_set, twice + 1);
		EXPECT_EQ(t, m->v->stat.nested_state_get, 1);
		machine_free(other);
		machine_free(m);
	}
}

#define G_NPT		0x68000			/* four levels for 2 MiB */
#define G_SEEN		0x70000			/* what L2 reads there is in one of two pages */
#define G_PAGE(n)	(0x71000 + (n) * PAGE_SIZE)

GUEST64(l2_reads, "1: mov 0x70000, %ebx\n cpuid\n jmp 1b");

static u64 *make_npt(struct machine *m)
{
	u64 *table = machine_ptr(m, G_NPT, 4 * PAGE_SIZE);

	for (u64 i = 0; i < 3; i++)
		table[i * 512] = (G_NPT + (i + 1) * PAGE_SIZE) | 7;
	for (u64 i = 0; i < 512; i++)
		table[1536 + i] = i * PAGE_SIZE | 7;
	for (u32 i = 0; i < 2; i++)
		*(u32 *)machine_ptr(m, G_PAGE(i), 4) = 0x1111 * (i + 1);
	return &table[1536 + G_SEEN / PAGE_SIZE];
}

/*
 * Guest memory may be restored behind the nested state: what shadows were made
 * of before says nothing.  And no vmcb12 is kept.
 */
TEST(svm, nested_state_then_memory, .ref = "KVM_SET_NESTED_STATE", .needs = NEED_SVM)
{
	static struct blob s;
	struct machine *m = new_machine(t, &s);
	u64 *entry = make_npt(m);
	const char *row = "";

	machine_code(m, G_CODE, &l2_reads);
	vmcb_set_nested_ctl(control_of(&s), NESTED_CTL_NP_ENABLE);
	vmcb_set_n_cr3(control_of(&s), G_NPT);
	for (u32 i = 0; i < 4; i++) {
		EXPECT_EQ(t, virt->nested->state_set(m->v, &s, sizeof(s), false, &row), 0);
		EXPECT_EQ(t, svm_nested_of(m->v)->kept_pa, SVM_NOT_KEPT);
		*entry = G_PAGE(i & 1) | 7;
		m->v->rip = G_CODE;
		REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
		EXPECT(t, m->v->in_l2);
		EXPECT_EQ(t, machine_get(m, VREG_RBX), 0x1111 * ((i & 1) + 1));
		EXPECT_EQ(t, get(m, &s), 0);
	}
	EXPECT(t, m->v->stat.nested_npf_fills >= 4);
}

/* Out of guest mode: only GIF counts, and vmcb_pa reads back 0. */
TEST(svm, nested_state_leave, .ref = "KVM_SET_NESTED_STATE", .needs = NEED_SVM)
{
	static struct blob s, out;
	struct machine *m = new_machine(t, &s);
	const char *row = "";

	for (unsigned int gif = 0; gif < 2; gif++) {
		test_row(t, gif ? "GIF set" : "GIF clear");
		EXPECT_EQ(t, virt->nested->state_set(m->v, &s, sizeof(s), false, &row), 0);
		EXPECT(t, m->v->in_l2);
		out = (struct blob){ .b.h = { .format = NESTED_FORMAT_SVM, .size = 128,
					      .flags = gif ? NESTED_GIF_SET : 0,
					      .vendor = { ~0ULL } } };
		EXPECT_EQ(t, virt->nested->state_set(m->v, &out, 128, false, &row), 0);
		EXPECT(t, !m->v->in_l2);
		EXPECT_EQ(t, get(m, &out), 0);
		EXPECT_EQ(t, out.b.h.size, 128);
		EXPECT_EQ(t, out.b.h.flags, gif ? NESTED_GIF_SET : 0);
		EXPECT_EQ(t, out.b.h.vendor[SVM_BLOB_VMCB_PA], 0);
	}
}

enum where { HEADER16, HEADER32, VMCB_PA, CONTROL, SAVE, REGISTER, LENGTH };

/* One thing wrong in a state that is right otherwise. */
static const struct bad {
	const char *row;	/* the rule that must say so */
	u8 where;
	u16 at;			/* offset, VMCB_F_ or VREG_ */
	int err;
	u64 val;
} bad_states[] = {
	{ "header", LENGTH, 0, -EFAULT, 127 },
	{ "size", HEADER32, 4, -EINVAL, 127 },
	{ "flags", HEADER16, 0, -EINVAL, NESTED_GUEST_MODE | 0x80 },
	{ "run_pending", HEADER16, 0, -EINVAL, NESTED_RUN_PENDING },
	{ "format", HEADER16, 2, -EINVAL, NESTED_FORMAT_VMX },
	{ "svm_flags", HEADER16, 0, -EINVAL, NESTED_GUEST_MODE | NESTED_EVMCS },
	{ "svm_flags", HEADER16, 0, -EINVAL, NESTED_MTF_PENDING },
	{ "svme", REGISTER, VREG_EFER, -EINVAL, EFER_LME | EFER_LMA },
	{ "vmcb_pa", VMCB_PA, 0, -EINVAL, G_VMCB12 + 8 },
	{ "vmcb_pa", VMCB_PA, 0, -EINVAL, ~0ULL },
	{ "svm_size", HEADER32, 4, -EINVAL, 4223 },
	{ "data", LENGTH, 0, -EFAULT, 4223 },
	{ "vmrun_intercept", CONTROL, VMCB_F_intercept_vec4, -EINVAL, 0 },
	{ "asid", CONTROL, VMCB_F_guest_asid, -EINVAL, 0 },
	{ "msrpm", CONTROL, VMCB_F_msrpm_base_pa, -EINVAL, ~0xfffULL },
	{ "iopm", CONTROL, VMCB_F_iopm_base_pa, -EINVAL, ~0xfffULL },
	{ "set_vnmi_intercept", CONTROL, VMCB_F_int_ctl, -EINVAL, INT_CTL_V_NMI_ENABLE },
	{ "event_type", CONTROL, VMCB_F_eventinj, -EINVAL, EVENTINJ_VALID | 1 << 8 },
	{ "l2_cr0_nw", REGISTER, VREG_CR0, -EINVAL, CR0_PE | CR0_PG | CR0_NW },
	{ "l1_cr0_pg", SAVE, VMCB_F_cr0, -EINVAL, CR0_PE },
	{ "l1_cr0_pe", SAVE, VMCB_F_cr0, -EINVAL, CR0_PG },
	{ "l1_rflags_vm", SAVE, VMCB_F_rflags, -EINVAL, RFLAGS_FIXED | RFLAGS_VM },
	{ "efer_svme", SAVE, VMCB_F_efer, -EINVAL, EFER_LME | EFER_LMA },
	{ "cr0_nw", SAVE, VMCB_F_cr0, -EINVAL, CR0_PE | CR0_PG | CR0_NW },
	{ "cr0_high", SAVE, VMCB_F_cr0, -EINVAL, CR0_PE | CR0_PG | 1ULL << 32 },
	{ "dr6_high", SAVE, VMCB_F_dr6, -EINVAL, 1ULL << 32 },
	{ "dr7_high", SAVE, VMCB_F_dr7, -EINVAL, 1ULL << 32 },
	{ "lme_pae", SAVE, VMCB_F_cr4, -EINVAL, 0 },
	{ "cr3", SAVE, VMCB_F_cr3, -EINVAL, 1ULL << 60 },
	{ "cs_l_d", SAVE, VMCB_F_cs_attrib, -EINVAL, 0xe9b },
	{ "cr4", SAVE, VMCB_F_cr4, -EINVAL, CR4_PAE | 1ULL << 40 },
	{ "efer", SAVE, VMCB_F_efer, -EINVAL, EFER_SVME | EFER_LME | EFER_LMA | 1ULL << 40 },
};

/* Returns the length of the buffer. */
static u64 spoil(struct machine *m, const struct bad *b, struct blob *s)
{
	u8 *p = (u8 *)s;

	switch (b->where) {
	case HEADER16:
		memcpy(p + b->at, &b->val, 2);
		return sizeof(*s);
	case HEADER32:
		memcpy(p + b->at, &b->val, 4);
		return sizeof(*s);
	case VMCB_PA:
		s->b.h.vendor[SVM_BLOB_VMCB_PA] = b->val;
		return sizeof(*s);
	case CONTROL:
	case SAVE:
		vmcb_write(control_of(s), b->at, b->val);
		return sizeof(*s);
	case REGISTER:
		virt->set(m->v, b->at, b->val);
		return sizeof(*s);
	default:
		return b->val;
	}
}

static void expect_refused(struct test_ctx *t, struct machine *m, const struct bad *b,
			   const struct blob *good)
{
	static struct blob before, after, s;
	const char *row = "";
	u64 cr0 = virt->get(m->v, VREG_CR0), efer = virt->get(m->v, VREG_EFER);
	u64 einval = m->v->stat.nested_state_set_einval, len;
	bool in_l2 = m->v->in_l2;
	int err;

	EXPECT_EQ(t, get(m, &before), 0);
	s = *good;
	len = spoil(m, b, &s);
	err = virt->nested->state_set(m->v, &s, len, false, &row);
	CHECK(t, err == b->err && !strcmp(row, b->row), "error %d of %s", err, row);
	virt->set(m->v, VREG_CR0, cr0);
	virt->set(m->v, VREG_EFER, efer);
	EXPECT_EQ(t, m->v->stat.nested_state_set_einval - einval, b->err == -EINVAL);
	EXPECT_EQ(t, m->v->in_l2, in_l2);
	EXPECT_EQ(t, get(m, &after), 0);
	EXPECT(t, !memcmp(&before, &after, sizeof(before)));
}

/* Each rule by itself; the old state stays, and still runs. */
TEST(svm, nested_state_errors, .ref = "KVM_SET_NESTED_STATE", .needs = NEED_SVM)
{
	static struct blob good;
	struct machine *m = new_machine(t, &good);
	const char *row = "";

	for (unsigned int l2 = 0; l2 < 2; l2++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(bad_states); i++) {
			test_row(t, bad_states[i].row);
			expect_refused(t, m, &bad_states[i], &good);
		}
		test_row(t, l2 ? "in L2: it runs" : "a good one");
		if (!l2)
			EXPECT_EQ(t, virt->nested->state_set(m->v, &good, sizeof(good), false,
							     &row), 0);
		else
			expect_run(t, m);
	}
}

/* A buffer that is too small says how much it takes; what is too short is -EFAULT. */
TEST(svm, nested_state_sizes, .ref = "KVM_GET_NESTED_STATE", .needs = NEED_SVM)
{
	static struct blob good, s;
	struct machine *m = new_machine(t, &good);
	const char *row = "";

	EXPECT_EQ(t, virt->nested->state_set(m->v, &good, sizeof(good), false, &row), 0);
	for (u32 room = 0; room < sizeof(s); room += room < 130 ? 1 : 64) {
		s = (struct blob){ .b.h.size = room };
		EXPECT_EQ(t, virt->nested->state_get(m->v, &s, sizeof(s)), -E2BIG);
		EXPECT_EQ(t, s.b.h.size, sizeof(s));
	}
	s = (struct blob){ .b.h.size = sizeof(s) };
	EXPECT_EQ(t, virt->nested->state_get(m->v, &s, 7), -EFAULT);
	EXPECT_EQ(t, m->v->stat.nested_state_get, 0);
}
