// SPDX-License-Identifier: MIT
/*
 * Guests that are random: code, registers, tables and modes.  Whatever they
 * do, the hypervisor names the end and the next guest runs as ever.
 */
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "tests/common/common.h"
#include "tests/report.h"

#define ROUND_US	2000
#define DEVICES		0xfee00000u	/* nothing is mapped there */

#define SNAPSHOT_PAGES	(ALIGN_UP(sizeof(struct snapshot), PAGE_SIZE) / PAGE_SIZE)

GUEST64(g_nothing, "hlt");

static u64 pick(struct test_ctx *t, const u64 *from, unsigned int n)
{
	u64 r = test_random(t);

	return r & 1 ? from[(r >> 1) % n] : r;
}

/* Addresses at which hypervisors stumble. */
static u64 random_address(struct test_ctx *t)
{
	static const u64 at[] = {
		0, ~0ULL, G_DATA, G_DATA - 1, G_CODE, G_STACK_TOP, G_RAM_SIZE - 1, G_RAM_SIZE,
		DEVICES, DEVICES - 1, 0xffffffff, 0xfffffffd, 1ULL << 32, 0x7fffffffffff,
		0x800000000000, 0xffff800000000000, G_IDT, G_GDT, G_PML4, G_PD, 0xffff, 0x10000,
	};
	u64 a = pick(t, at, ARRAY_SIZE(at));

	return test_random(t) & 1 ? a : a & (G_RAM_SIZE - 1);
}

/*
 * Half of the bytes are from the parts of the opcode map that leave the
 * guest.  What ends QEMU is left out: MOV to a debug register (0F 23; see
 * svm.debug_exceptions in tests/defects.def), and LOCK, which stops its
 * compiler with some operands (7.2 tcg/tcg.c:3243 temp_load: tcg_abort).
 */
static void random_code(struct machine *m, u64 gpa, unsigned int len)
{
	static const u8 often[] = { 0x0f, 0x01, 0xf4, 0xe4, 0x6c, 0x6e, 0xf3, 0x66, 0x67, 0x48,
				    0x20, 0x22, 0xa2, 0x30, 0x32, 0x31, 0xc7, 0xae, 0xcd, 0xcf,
				    0x9d, 0xf1, 0xd9, 0xda, 0xc1, 0xe0, 0xa4, 0xab, 0x8b, 0x89,
				    0x00, 0x3e, 0x64, 0x8e, 0xca, 0xea, 0xfb, 0x17 };
	u8 *p = machine_ptr(m, gpa, len);

	for (unsigned int i = 0; i < len; i++) {
		u64 r = test_random(m->t);

		p[i] = r & 1 ? often[(r >> 8) % sizeof(often)] : (u8)(r >> 8);
		if (p[i] == 0xf0 || (i && p[i - 1] == 0x0f && p[i] == 0x23))
			p[i] = 0x22;
	}
}

static void random_registers(struct machine *m)
{
	for (unsigned int i = 0; i < 16; i++)
		m->v->gpr[i] = random_address(m->t);
	/* A stack that works, mostly. */
	if (test_random(m->t) & 3)
		m->v->gpr[VREG_RSP] = G_STACK_TOP - (test_random(m->t) & 0xff);
}

/* Each part of the state is left as it is three times out of four. */
static bool seldom(struct test_ctx *t)
{
	return (test_random(t) & 3) == 0;
}

static void random_tables(struct machine *m)
{
	static const enum vseg table[] = { VSEG_GDTR, VSEG_IDTR };
	static const u32 page[] = { G_PML4, G_PDPT, G_PD, G_PT32, G_IDT, G_GDT, G_TSS };
	struct test_ctx *t = m->t;
	struct vsegment seg;

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		if (!seldom(t))
			continue;
		seg = (struct vsegment){ .base = random_address(t) & BITS(46, 0),
					 .limit = test_random(t) & 0xffff };
		virt->set_seg(m->v, table[i], &seg);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++) {
		u64 *p = machine_ptr(m, page[i], PAGE_SIZE);

		if (seldom(t))
			p[test_random(t) % 16] ^= BIT(test_random(t) & 63);
	}
	if (seldom(t))
		virt->set(m->v, VREG_CR3, random_address(t) & BITS(31, 12));
}

static void random_state(struct machine *m)
{
	static const u64 flags[] = { RFLAGS_TF, RFLAGS_IF, RFLAGS_AC, RFLAGS_DF, RFLAGS_NT,
				     RFLAGS_RF, 3 << 12, RFLAGS_IF | RFLAGS_TF };
	struct test_ctx *t = m->t;

	random_registers(m);
	random_tables(m);
	m->v->rflags = RFLAGS_FIXED;
	if (seldom(t))
		m->v->rflags |= flags[test_random(t) % ARRAY_SIZE(flags)];
	/* RIP has 32 bits outside long mode (SDM3 27.3.1.4). */
	if (seldom(t))
		m->v->rip = random_address(t) & (virt->mode(m->v) == 2 ? BITS(46, 0) : BITS(31, 0));
	else if (seldom(t))
		m->v->rip += PAGE_SIZE - 1 - (test_random(t) & 15);
	if (seldom(t))
		virt->set(m->v, VREG_CR4, virt->get(m->v, VREG_CR4) | CR4_TSD | CR4_PGE);
	/* The shadow of STI goes with IF = 1 (SDM3 27.3.1.5). */
	virt->set(m->v, VREG_INT_SHADOW, m->v->rflags & RFLAGS_IF && seldom(t));
	if (seldom(t))
		vcpu_queue_exception(m->v, event_exception(VEC_DE));
	if (seldom(t))
		m->v->events.nmi = 1;
}

/* What a machine is before a round: all of it but the memory behind TABLES_END. */
#define TABLES_END	(G_CODE + 2 * PAGE_SIZE)

struct snapshot {
	struct machine *m;
	u64 reg[VREG_COUNT];
	struct vsegment seg[VSEG_COUNT];
	u8 memory[TABLES_END];
};

static struct snapshot *snapshot(struct test_ctx *t, enum machine_mode mode)
{
	struct snapshot *s = host_alloc(SNAPSHOT_PAGES, t->owner);

	REQUIRE(t, s);
	s->m = machine_new(t, mode, &g_nothing);
	if (mode == MODE_LONG64)
		machine_idt(s->m);
	for (unsigned int i = 0; i < VREG_COUNT; i++)
		s->reg[i] = virt->get(s->m->v, (enum vreg)i);
	for (unsigned int i = 0; i < VSEG_COUNT; i++)
		virt->get_seg(s->m->v, (enum vseg)i, &s->seg[i]);
	memcpy(s->memory, machine_ptr(s->m, 0, TABLES_END), TABLES_END);
	return s;
}

static void restore(const struct snapshot *s)
{
	struct vcpu *v = s->m->v;

	for (unsigned int i = 0; i < VREG_COUNT; i++)
		virt->set(v, (enum vreg)i, s->reg[i]);
	for (unsigned int i = 0; i < VSEG_COUNT; i++)
		virt->set_seg(v, (enum vseg)i, &s->seg[i]);
	memset(&v->events, 0, sizeof(v->events));
	memcpy(machine_ptr(s->m, 0, TABLES_END), s->memory, TABLES_END);
	virt->flush(v);
}

/*
 * Ends that a guest can bring about.  An entry fails only by our own doing;
 * QEMU says so of a guest's MOV to CR3 or CR4 with reserved bits (7.2
 * target/i386/tcg/sysemu/misc_helper.c:102, 111: cpu_vmexit(SVM_EXIT_ERR)).
 */
static bool end_is_right(const struct vcpu *v)
{
	if (v->stop == STOP_ENTRY_FAIL)
		return !strcmp(report_platform(), "tcg");
	return v->stop != STOP_NONE && v->stop != STOP_EXIT && v->stop != STOP_ERROR;
}

/* One guest, to its end or for a moment. */
static void random_round(const struct snapshot *s, u32 *ends)
{
	struct vcpu *v = s->m->v;
	struct test_ctx *t = s->m->t;
	u64 flags;

	restore(s);
	random_code(s->m, G_CODE, 0x40);
	random_code(s->m, G_CODE + PAGE_SIZE - 0x20, 0x40);
	random_state(s->m);
	v->deadline = rdtsc() + us_to_tsc(ROUND_US);
	s->m->vm.stop_mask = 0;
	/*
	 * Later than the deadline, also by a clock that is a little fast; taken
	 * in the guest, where it ends the round.  One that is pending would set
	 * the timer anew: let it in before.
	 */
	lapic_timer_stop();
	__asm__ volatile("nop");
	flags = irq_save();
	lapic_timer_oneshot(ROUND_US * 5 / 4);
	vcpu_run(v);
	irq_restore(flags);
	ends[MIN((u32)v->stop, (u32)STOP_ERROR)]++;
	if (!CHECK(t, end_is_right(v), "%s %s", stop_reason_name(v->stop), v->why))
		vcpu_dump(v);
}

GUEST64(g_proof, "mov $0x1234567, %eax; mov %eax, 0x30000; cpuid; hlt");

/* Of the machine's time, which an emulator may stretch: a long search is not silent. */
#define PROGRESS_US	5000000

static void tell(struct test_ctx *t, const u32 *ends, u64 from, u64 us)
{
	u32 n = 0;

	for (unsigned int i = 0; i <= STOP_ERROR; i++)
		n += ends[i];
	test_note(t, "%u guests in %llu of %llu s", n,
		  (unsigned long long)((time_us() - from) / 1000000),
		  (unsigned long long)(us / 1000000));
}

static void random_guests(struct test_ctx *t, u64 us)
{
	u64 from = time_us(), told = from;
	u32 ends[STOP_ERROR + 1] = { 0 };
	struct machine *m;

	/* One after the other: a machine is a good part of 64 MiB. */
	for (enum machine_mode mode = MODE_REAL16; mode <= MODE_LONG64; mode++) {
		u64 end = rdtsc() + us_to_tsc(us / (MODE_LONG64 + 1));
		struct snapshot *s = snapshot(t, mode);

		while (rdtsc() < end) {
			random_round(s, ends);
			if (time_us() - told < PROGRESS_US)
				continue;
			told = time_us();
			tell(t, ends, from, us);
		}
		machine_free(s->m);
		host_free(s, SNAPSHOT_PAGES);
	}
	for (unsigned int i = 0; i <= STOP_ERROR; i++)
		if (ends[i])
			test_note(t, "%u ended with %s", ends[i], stop_reason_name(i));
	/* What is left of the host is as good as before. */
	m = machine_new(t, MODE_LONG64, &g_proof);
	run_to_hlt(m);
	EXPECT_EQ(t, machine_read64(m, G_DATA), 0x1234567);
}

GUEST64(g_ud, "ud2; hlt");

/*
 * The gates are where no memory is, and so read as ones: #UD, then #GP, then #DF have
 * none, and the guest is shut down.
 */
TEST(common, idt_is_no_memory, .ref = "APM2 15.20, SDM3 28.2.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_ud);
	struct vsegment idtr = { .base = DEVICES, .limit = 0xfff };

	virt->set_seg(m->v, VSEG_IDTR, &idtr);
	m->v->deadline = t->deadline;
	m->vm.stop_mask = 0;
	EXPECT_EQ(t, vcpu_run(m->v), STOP_SHUTDOWN);
	EXPECT_EQ(t, m->v->exit.reason, EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.idt.vector, VEC_DF);
	EXPECT_EQ(t, m->v->rip, G_CODE);
}

#define SHORT_US	800000
#define LONG_US		60000000	/* for a search by hand, another seed= each time */

TEST(common, random_guest_svm, .ref = "APM2 15", .needs = NEED_SVM)
{
	random_guests(t, SHORT_US);
}

TEST(common, random_guest_vmx, .ref = "SDM3 25-28", .needs = NEED_VMX)
{
	random_guests(t, SHORT_US);
}

TEST(common, random_guest_long_svm, .ref = "APM2 15", .needs = NEED_SVM, .flags = TEST_OFF,
     .timeout = 120)
{
	random_guests(t, LONG_US);
}

TEST(common, random_guest_long_vmx, .ref = "SDM3 25-28", .needs = NEED_VMX, .flags = TEST_OFF,
     .timeout = 120)
{
	random_guests(t, LONG_US);
}
