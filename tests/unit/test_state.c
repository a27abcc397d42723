/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"
#include "tests/unit/vm_box.h"

static u8 *buf;
static u64 room;

/* A machine with two vCPUs whose states differ from those after reset. */
static int setup(void **state)
{
	struct vm_box *b = vm_box_whole(2);

	for (u32 i = 0; i < 2; i++) {
		struct vcpu *v = b->vm.vcpu[i];

		v->gpr[3] = 0x1122334455667788 + i;
		v->rip = 0x1000 + i;
		v->rflags = 2;
		virt->set(v, VREG_LSTAR, 0xffffffff81000000 + i);
		virt->set(v, VREG_TSC_OFFSET, i * 1000 - 5000);
		virt->set(v, VREG_INT_SHADOW, i);
		virt->set_seg(v, VSEG_CS, &(struct vsegment){ .base = i, .limit = 99,
							     .selector = 8, .attr = 0xc9b });
		v->events.nmi = (u8)i;
		v->events.exception = event_exception_err(14, 7);
		v->mp_state = MP_HALTED;
		v->msrs.hwcr = i;
		((u8 *)v->xsave)[100] = (u8)(5 + i);
	}
	b->pc.tsc_base = box_host.now - 4000000;
	b->pc.rtc.s.ram[0x50] = 0x77;
	b->pc.pic.s.chip[0].imr = 0xfa;
	b->pc.test.mem[3 * PAGE_SIZE + 5] = 0x66;
	b->pc.test.mem[VTEST_MEM_SIZE - 1] = 0x67;
	room = vm_save_size(&b->vm, &box_host);
	buf = malloc(room);
	*state = b;
	return buf ? 0 : -1;
}

static int teardown(void **state)
{
	vm_box_free(*state);
	free(buf);
	return box_pages ? -1 : 0;
}

static u64 save(struct vm_box *b, bool layout)
{
	s64 len = vm_save(&b->vm, &box_host, layout, buf, room);

	assert_in_range(len, 32, room);
	return (u64)len;
}

static int check(struct vm_box *b, u64 len, const struct save_host *h, char *why)
{
	struct save_machine m;
	struct save_in in;
	int err = vm_restore_open(&in, buf, len, h, BOX_MEM_MAX, &m, why, 100);

	return err ? err : vm_restore_check(&in, &m, &b->vm, h, why, 100);
}

static void test_size(void **state)
{
	struct vm_box *b = *state;
	s64 len = vm_save(&b->vm, &box_host, true, buf, room);

	/* What is asked for is enough, and not far too much. */
	assert_in_range(len, room * 9 / 10, room);
	for (u64 less = 0; less < (u64)len; less += 97)
		assert_int_equal(vm_save(&b->vm, &box_host, true, buf, less), -E2BIG);
}

/* Of the test device's memory only what was written to takes room. */
static void test_size_of_test_memory(void **state)
{
	struct vm_box *b = *state;
	u64 len = save(b, false);

	b->pc.test.mem[3 * PAGE_SIZE + 5] = 0;
	assert_int_equal(save(b, false), len - sizeof(struct save_section) - PAGE_SIZE);
	b->pc.test.mem[VTEST_MEM_SIZE - 1] = 0;
	len = save(b, false);
	assert_true(len < VTEST_MEM_SIZE / 4);
	b->pc.test.mem[0] = 1;
	assert_int_equal(save(b, false), len + sizeof(struct save_section) + PAGE_SIZE);
}

/* A second later, on a host that is twice as fast. */
static void test_restore(void **state)
{
	struct vm_box *b = *state, *to = vm_box_whole(2);
	struct save_host later = box_host;
	struct save_machine m;
	struct save_in in;
	char why[100] = "";
	u64 len = save(b, true);

	later.now += 777;
	later.tsc_khz *= 2;
	assert_int_equal(vm_restore_open(&in, buf, len, &later, BOX_MEM_MAX, &m, why, 100), 0);
	assert_int_equal(m.vm.vcpus, 2);
	assert_true(m.has_layout);
	assert_int_equal(m.layout.slots, 4);
	assert_int_equal(m.layout.ram, 24 * PAGE_SIZE);
	box_placed = 0;
	assert_int_equal(vm_restore_check(&in, &m, &to->vm, &later, why, 100), 0);
	vm_restore(&in, &m, &to->vm, &later);
	assert_int_equal(box_placed, 3);
	for (u32 i = 0; i < 2; i++) {
		struct vcpu *a = b->vm.vcpu[i], *v = to->vm.vcpu[i];
		struct vsegment cs;

		assert_int_equal(v->gpr[3], a->gpr[3]);
		assert_int_equal(v->rip, a->rip);
		assert_int_equal(virt->get(v, VREG_LSTAR), virt->get(a, VREG_LSTAR));
		assert_int_equal(virt->get(v, VREG_INT_SHADOW), i);
		/* The guest's TSC goes on from where it was. */
		assert_int_equal(vcpu_tsc_at(v, later.now), vcpu_tsc_at(a, box_host.now));
		virt->get_seg(v, VSEG_CS, &cs);
		assert_int_equal(cs.limit, 99);
		assert_int_equal(cs.attr, 0xc9b);
		assert_memory_equal(&v->events.exception, &a->events.exception,
				    sizeof(v->events.exception));
		assert_int_equal(v->events.nmi, i);
		assert_int_equal(v->mp_state, MP_HALTED);
		assert_int_equal(v->msrs.hwcr, i);
		assert_memory_equal(v->xsave, a->xsave, BOX_XSAVE);
		assert_true(v->poke && v->flush);
	}
	/* 2 ms of guest time, in the new host's ticks. */
	assert_int_equal(later.now - to->pc.tsc_base, 8000000);
	/* What restoring took is no time of the guest's. */
	vm_restore_clock(&in, &m, &to->vm, later.now + 12345, later.tsc_khz);
	assert_int_equal(later.now + 12345 - to->pc.tsc_base, 8000000);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(vcpu_tsc_at(to->vm.vcpu[i], later.now + 12345),
				 vcpu_tsc_at(b->vm.vcpu[i], box_host.now));
	assert_memory_equal(&to->pc.rtc.s, &b->pc.rtc.s, sizeof(b->pc.rtc.s));
	assert_memory_equal(&to->pc.pic.s, &b->pc.pic.s, sizeof(b->pc.pic.s));
	assert_memory_equal(to->pc.test.mem, b->pc.test.mem, VTEST_MEM_SIZE);
	vm_box_free(to);
}

static void test_same_again(void **state)
{
	struct vm_box *b = *state, *to = vm_box_whole(2);
	u64 len = save(b, true);
	u8 *first = malloc(len);
	struct save_machine m;
	struct save_in in;
	char why[100];

	memcpy(first, buf, len);
	assert_int_equal(vm_restore_open(&in, first, len, &box_host, BOX_MEM_MAX, &m, why, 100),
			 0);
	assert_int_equal(vm_restore_check(&in, &m, &to->vm, &box_host, why, 100), 0);
	vm_restore(&in, &m, &to->vm, &box_host);
	assert_int_equal(save(to, true), len);
	assert_memory_equal(buf, first, len);
	free(first);
	vm_box_free(to);
}

/* Another machine than the container's, another host. */
static void test_does_not_fit(void **state)
{
	struct vm_box *b = *state, *one = vm_box_whole(1);
	struct save_host h = box_host;
	struct guest_cpu other = box_cpu;
	char why[100] = "";
	u64 len = save(b, false);

	assert_int_equal(check(one, len, &h, why), -EINVAL);
	assert_string_equal(why, "machine 0: of another size");
	h.vendor = VIRT_VMX;
	assert_int_equal(check(b, len, &h, why), -EPROTO);
	assert_string_equal(why, "container 0: of the other vendor");
	h = box_host;
	other.state[2].offset += 64;
	other.xsave_size += 64;
	h.cpu = &other;
	assert_int_equal(check(b, len, &h, why), -EPROTO);
	assert_string_equal(why, "CPU 0: has other XSAVE states here");
	other = box_cpu;
	other.word[1] &= ~(1u << 25);
	assert_int_equal(check(b, len, &h, why), -EPROTO);
	assert_string_equal(why, "CPU 0: lacks features of CPUID 1.0 edx: 02000000");
	h = box_host;
	h.lim.la57 = false;
	h.lim.cr4_allowed = 0;
	assert_int_equal(check(b, len, &h, why), 0);
	vm_box_free(one);
}

/* Where the data of a section stand. */
static u64 data_of(u32 id, u32 index)
{
	struct save_section s;
	u64 at = sizeof(struct save_header);

	for (;; at += sizeof(s) + ALIGN_UP((u64)s.size, 8)) {
		memcpy(&s, buf + at, sizeof(s));
		if (s.id == id && s.index == index)
			return at + sizeof(s);
	}
}

static void set64(u64 at, u64 val, u64 len)
{
	u32 crc;

	memcpy(buf + at, &val, 8);
	crc = crc32_update(0, buf + 32, len - 32);
	memcpy(buf + 28, &crc, 4);
}

static void test_hostile(void **state)
{
	static const struct {
		u32 id, index;
		s64 at;
		u64 val;
		const char *why;
	} rows[] = {
		{ SAVE_VM, 0, 0, 0, "machine 0: is impossible" },
		{ SAVE_VM, 0, 0, 33, "machine 0: is impossible" },
		{ SAVE_VM, 0, 8, 0, "machine 0: is impossible" },	/* tsc_khz */
		{ SAVE_VM, 0, 16, ~0ULL, "machine 0: is impossible" },	/* elapsed */
		{ SAVE_VM, 0, 24, 4096, "machine 0: of another size" },
		{ SAVE_VM, 0, 0, 2 | 1000ULL << 32,
		  "machine 0: with another frequency of its TSC" },
		{ SAVE_VCPU, 1, VREG_CR8 * 8, 16, "vCPU 1: CR8" },
		{ SAVE_XSAVE, 0, 512, 8, "vCPU 0: XSAVE header" },
		{ SAVE_APIC, 1, offsetof(struct vlapic_state, id), 0,
		  "local APIC 1: has an impossible state" },
		{ SAVE_RTC, 0, 10, 0x80, "rtc 0: has an impossible state" },
		{ SAVE_MEMORY, 0, 8, 17, "memory 0: has an impossible or too large layout" },
		/* The head of a section: another version, another number. */
		{ SAVE_UART, 0, -8, 2, "uart 0: is missing" },
		{ SAVE_UART, 0, -12, 1, "uart 0: is missing" },
		{ SAVE_XSAVE, 1, -12, 2, "vCPU 1: is missing" },
		{ SAVE_APIC, 1, -12, 2, "local APIC 1: is missing" },
		{ SAVE_VM, 0, -12, 1, "machine 0: is missing" },
		/* Of the test device's memory there are 16 pages. */
		{ SAVE_TEST_MEM, 15, -12, 16, "container 0: has parts that the machine has not" },
		{ SAVE_TEST_MEM, 3, -8, 2, "container 0: has parts that the machine has not" },
		/* A layout that is not known is not passed over. */
		{ SAVE_MEMORY, 0, -12, 1, "container 0: has parts that the machine has not" },
	};
	struct vm_box *b = *state, *to = vm_box_whole(2);

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		char why[100] = "";
		u64 len = save(b, true), at = data_of(rows[i].id, rows[i].index);
		u64 val = rows[i].val, old;

		memcpy(&old, buf + at + rows[i].at, 8);
		/* Of a section's head only one of its numbers is changed. */
		if (rows[i].at < 0)
			val |= old & ~0xffffffffULL;
		set64(at + (u64)rows[i].at, val, len);
		if (check(to, len, &box_host, why) >= 0 || strcmp(why, rows[i].why))
			fail_msg("row %u: %s", i, why);
	}
	vm_box_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size_of_test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
