/* SPDX-License-Identifier: MIT */
/* Segment registers with their hidden parts, and the descriptor tables. */
#include "core/x86/regs.h"
#include "tests/common/common.h"

/* Stores what a guest can see of its segments. */
GUEST64(c_segs64,
	"mov %es, 0x30000; mov %cs, 0x30002; mov %ss, 0x30004; mov %ds, 0x30006\n\t"
	"mov %fs, 0x30008; mov %gs, 0x3000a; sldt 0x3000c; str 0x3000e\n\t"
	"sgdt 0x30010; sidt 0x30020\n\t"
	"mov %fs:0, %rax; mov %rax, 0x30030; mov %gs:0, %rax; mov %rax, 0x30038\n\t"
	"hlt");

static const struct vsegment segs64[VSEG_COUNT] = {
	[VSEG_ES] = { 0x13, 0xcf3, 0xffffffff, 0, false },
	[VSEG_CS] = { G_SEL_CODE64, 0xa9b, 0xffffffff, 0, false },
	[VSEG_SS] = { G_SEL_DATA, 0xc93, 0xffffffff, 0, false },
	[VSEG_DS] = { 0x28, 0x093, 0xabcd, 0, false },
	[VSEG_FS] = { 0x43, 0xcf3, 0xffffffff, G_DATA + 0x100, false },
	[VSEG_GS] = { 0x00, 0x493, 0x12345, G_DATA + 0x200, false },
	[VSEG_LDTR] = { 0x58, 0x082, 0x77, 0x31000, false },
	[VSEG_TR] = { G_SEL_TSS, 0x08b, 0x67, G_TSS, false },
	[VSEG_GDTR] = { 0, 0, 0x57, G_GDT, false },
	[VSEG_IDTR] = { 0, 0, 0x123, 0x32000, false },
};

static void seg_equal(struct test_ctx *t, enum vseg s, const struct vsegment *got,
		      const struct vsegment *want)
{
	const char *name = vseg_name(s);

	CHECK(t, got->base == want->base, "%s base 0x%llx != 0x%llx", name,
	      (unsigned long long)got->base, (unsigned long long)want->base);
	CHECK(t, got->limit == want->limit, "%s limit 0x%x != 0x%x", name, got->limit, want->limit);
	if (s >= VSEG_GDTR)
		return;
	CHECK(t, got->selector == want->selector, "%s selector 0x%x != 0x%x", name, got->selector,
	      want->selector);
	CHECK(t, got->attr == want->attr, "%s attributes 0x%x != 0x%x", name, got->attr,
	      want->attr);
	CHECK(t, got->unusable == want->unusable, "%s unusable %d != %d", name, got->unusable,
	      want->unusable);
}

static void set_all(struct machine *m, const struct vsegment *segs)
{
	for (enum vseg s = VSEG_ES; s < VSEG_COUNT; s++)
		virt->set_seg(m->v, s, &segs[s]);
}

static void compare_all(struct machine *m, const struct vsegment *segs)
{
	struct vsegment got;

	for (enum vseg s = VSEG_ES; s < VSEG_COUNT; s++) {
		virt->get_seg(m->v, s, &got);
		seg_equal(m->t, s, &got, &segs[s]);
	}
}

TEST(common, segments_kept, .ref = "APM2 15.5.1, 15.5.2, SDM3 27.3.2.2, 28.3.2",
     .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_segs64);
	const u16 *sel = machine_ptr(m, G_SEEN, 16);
	const u8 *seen = machine_ptr(m, G_SEEN, 64);

	machine_write64(m, G_DATA + 0x100, 0x1111222233334444ULL);
	machine_write64(m, G_DATA + 0x200, 0x5555666677778888ULL);
	set_all(m, segs64);
	compare_all(m, segs64);
	run_to_hlt(m);
	for (enum vseg s = VSEG_ES; s <= VSEG_TR; s++)
		CHECK(t, sel[s] == segs64[s].selector, "%s in the guest: 0x%x", vseg_name(s),
		      sel[s]);
	EXPECT_EQ(t, *(const u16 *)(seen + 0x10), segs64[VSEG_GDTR].limit);
	EXPECT_EQ(t, *(const u32 *)(seen + 0x12), segs64[VSEG_GDTR].base);
	EXPECT_EQ(t, *(const u16 *)(seen + 0x20), segs64[VSEG_IDTR].limit);
	EXPECT_EQ(t, *(const u32 *)(seen + 0x22), segs64[VSEG_IDTR].base);
	EXPECT_EQ(t, *(const u64 *)(seen + 0x30), 0x1111222233334444ULL);
	EXPECT_EQ(t, *(const u64 *)(seen + 0x38), 0x5555666677778888ULL);
	/* Their hidden parts come back as they went in. */
	compare_all(m, segs64);
}

TEST(common, segments_two_vcpus, .ref = "APM2 15.5.2, SDM3 27.3.2.2", .needs = NEED_VIRT)
{
	struct machine *a = machine_new(t, MODE_LONG64, &c_segs64);
	struct machine *b = machine_new(t, MODE_LONG64, &c_segs64);
	const u64 *seen = machine_ptr(a, G_SEEN, 64);
	struct vsegment other[VSEG_COUNT];

	for (u32 i = 0; i < VSEG_COUNT; i++) {
		other[i] = segs64[i];
		if (i == VSEG_FS || i == VSEG_GS || i == VSEG_IDTR)
			other[i].base += 0x8000;
	}
	set_all(a, segs64);
	set_all(b, other);
	run_to_hlt(b);
	machine_write64(a, G_DATA + 0x100, 0xfeedface);
	run_to_hlt(a);
	EXPECT_EQ(t, seen[6], 0xfeedface);
	compare_all(b, other);
	compare_all(a, segs64);
}

/* What the guest loads itself is what the exit shows. */
GUEST64(c_load_segs,
	"mov $0x43, %eax; mov %eax, %es; xor %eax, %eax; mov %eax, %gs\n\t"
	"mov $0x28, %eax; mov %eax, %ds; mov $0x50, %eax; ltr %ax\n\t"
	"lgdt 0x30000; lidt 0x30010; hlt");

TEST(common, segments_loaded_by_guest, .ref = "APM2 4.5, 15.6, SDM3 28.3.2", .needs = NEED_VIRT)
{
	static const struct vsegment want[VSEG_COUNT] = {
		[VSEG_ES] = { 0x43, 0xcf3, 0xffffffff, 0, false },
		[VSEG_DS] = { 0x28, 0x093, 0xffff, 0, false },
		[VSEG_TR] = { G_SEL_TSS2, 0x08b, 0x67, G_TSS + 0x800, false },
		[VSEG_GDTR] = { 0, 0, 0x6f, G_GDT, false },
		[VSEG_IDTR] = { 0, 0, 0xfff, G_IDT, false },
	};
	static const u8 which[] = { VSEG_ES, VSEG_DS, VSEG_TR, VSEG_GDTR, VSEG_IDTR };
	struct machine *m = machine_new(t, MODE_LONG64, &c_load_segs);
	struct vsegment got;

	machine_write64(m, G_DATA, 0x6f | (u64)G_GDT << 16);
	machine_write64(m, G_DATA + 8, 0);
	machine_write64(m, G_DATA + 16, 0xfff | (u64)G_IDT << 16);
	machine_write64(m, G_DATA + 24, 0);
	run_to_hlt(m);
	for (u32 i = 0; i < ARRAY_SIZE(which); i++) {
		virt->get_seg(m->v, which[i], &got);
		seg_equal(t, which[i], &got, &want[which[i]]);
	}
	virt->get_seg(m->v, VSEG_GS, &got);
	EXPECT_EQ(t, got.selector, 0);
	/* The TSS descriptor is busy in the table too: type 9 became 11. */
	EXPECT_EQ(t, machine_read64(m, G_GDT + G_SEL_TSS2) >> 40 & 0xff, 0x8b);
}

/* Base and limit at work: the last byte inside, then one beyond. */
GUEST32(c_limit, "mov %fs:(%esi), %al; hlt; mov %fs:1(%esi), %al; hlt");

TEST(common, segment_limit_works, .ref = "APM2 4.12, SDM3 5.3", .needs = NEED_VIRT)
{
	static const struct { u16 attr; u32 limit, first; const char *name; } row[] = {
		{ 0x493, 0x1fff, 0x1fff, "byte granular" },
		{ 0xc93, 0x3fff, 0x3fff, "page granular" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct machine *m = machine_new(t, MODE_PROT32, &c_limit);
		struct vsegment fs = { .selector = 0x10, .attr = row[i].attr,
				       .limit = row[i].limit, .base = 0x31000 };

		test_row(t, row[i].name);
		idt32(m);
		virt->set_seg(m->v, VSEG_FS, &fs);
		m->v->gpr[VREG_RSI] = row[i].first;
		*(u8 *)machine_ptr(m, 0x31000 + row[i].first, 1) = 0x5a;
		run_to_hlt(m);
		EXPECT_EQ(t, m->v->gpr[VREG_RAX] & 0xff, 0x5a);
		expect_exc32(m, VEC_GP, 0);
		machine_free(m);
	}
}

/* A segment that must not be used (VMX: unusable, SVM: not present). */
TEST(common, segment_unusable, .ref = "APM2 15.5.1, SDM3 25.4.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_PROT32, &c_limit);
	struct vsegment fs = { .unusable = true }, got;

	idt32(m);
	virt->set_seg(m->v, VSEG_FS, &fs);
	expect_exc32(m, VEC_GP, 0);
	virt->get_seg(m->v, VSEG_FS, &got);
	EXPECT(t, got.unusable);
}
