/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/vm_box.h"

static int setup(void **state)
{
	struct vm_box *b = vm_box_whole(2);

	memset(gmem_ptr(&b->vm.mem, 0x3000, PAGE_SIZE), 0x5a, PAGE_SIZE);
	memcpy(gmem_ptr(&b->vm.mem, 0x103ff0, 16), "end of the RAM.", 16);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	vm_box_free(*state);
	return box_pages ? -1 : 0;
}

/* Into a new machine, and out of it the same bytes again. */
static void test_round_trip(void **state)
{
	struct vm_box *b = *state, *to = NULL;
	struct box_stream s = box_save(b, &box_host), again;
	char why[100] = "";

	assert_int_equal(vm_snapshot_size(&b->vm, &box_host), s.len);
	assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), 0);
	assert_int_equal(s.at, s.len);
	assert_int_equal(to->vm.vcpu_count, 2);
	assert_int_equal(to->vm.mem.n, 4);
	assert_memory_equal(gmem_ptr(&to->vm.mem, 0x103ff0, 16), "end of the RAM.", 16);
	assert_int_equal(*(u8 *)gmem_ptr(&to->vm.mem, 0x3fff, 1), 0x5a);
	/* The ROM is one, seen twice, and read-only in both places. */
	assert_memory_equal(gmem_ptr(&to->vm.mem, 0xe1000, 9), "read only", 9);
	assert_ptr_equal(gmem_ptr(&to->vm.mem, 0xe1000, 9), gmem_ptr(&to->vm.mem, 0xfffff000, 9));
	assert_int_equal(gmem_write(&to->vm.mem, 0xe1000, "x", 1), -EFAULT);
	assert_int_equal(gmem_write(&to->vm.mem, 0xfffff000, "x", 1), -EFAULT);
	again = box_save(to, &box_host);
	assert_int_equal(again.len, s.len);
	assert_memory_equal(again.p, s.p, s.len);
	vm_box_free(to);
	free(s.p);
	free(again.p);
}

static void test_sink_fails(void **state)
{
	struct vm_box *b = *state;
	s64 size = vm_snapshot_size(&b->vm, &box_host);

	for (s64 limit = 0; limit < size; limit += 61) {
		struct box_stream s = { .limit = (size_t)limit };
		const struct save_sink out = { box_write, &s };

		assert_int_equal(vm_snapshot_write(&b->vm, &box_host, &out), -E2BIG);
		free(s.p);
	}
}

/* Cut off anywhere: an error with a reason, and nothing is left behind. */
static void test_cut_off(void **state)
{
	struct vm_box *b = *state, *to = NULL;
	struct box_stream s = box_save(b, &box_host);
	size_t len = s.len;

	box_once = !box_once;
	if (box_once)
		test_cut_off(state);
	for (size_t cut = 0; cut < len; cut += cut < 100 || cut > len - 200 ? 1 : 251) {
		char why[100] = "";

		s.len = cut;
		assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), -EIO);
		assert_non_null(strstr(why, "ends too early"));
	}
	free(s.p);
}

/* Before a machine is made; a stream that comes once cannot tell. */
static void test_verified_first(void **state)
{
	struct vm_box *b = *state, *to = NULL;
	struct box_stream s = box_save(b, &box_host);
	char why[100] = "";

	s.p[s.len - 1] ^= 1;
	/* The container, the room to work in, and then the RAM. */
	box_fail_at = 3;
	assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "memory 0: has a wrong checksum");
	assert_int_equal(box_fail_at, 1);
	box_fail_at = 0;
	s.p[s.len - 1] ^= 1;
	s.p = realloc(s.p, s.len + 1);
	s.p[s.len++] = 0;
	assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "container 0: goes on behind its end");
	free(s.p);
}

/* What the guest was told of the CPU it is told on a larger one, too, and from there on. */
static void test_larger_cpu(void **state)
{
	struct vm_box *b = *state, *to = NULL, *third = NULL;
	struct box_stream s = box_save(b, &box_host), again;
	struct guest_cpu large = box_cpu;
	struct save_host h = box_host;
	char why[100] = "";

	large.word[2] = 0xff;
	large.xcr0 |= 0xe0;
	large.xsave_size = h.lim.xsave_size = BOX_XSAVE_MAX;
	h.lim.xcr0_allowed = large.xcr0;
	for (u32 i = 5; i < 8; i++) {
		large.state[i].size = 64;
		large.state[i].offset = 832 + 64 * (i - 5);
	}
	h.cpu = &large;
	assert_int_equal(box_restore(&s, &h, &to, why, sizeof(why)), 0);
	assert_true(to->vm.cpu_told);
	assert_memory_equal(&to->vm.cpu, &box_cpu, sizeof(box_cpu));
	/* The CPU keeps more for it; that stays here. */
	((u8 *)to->vm.vcpu[0]->xsave)[512] = 0xe3;
	((u8 *)to->vm.vcpu[0]->xsave)[900] = 1;
	again = box_save(to, &h);
	assert_int_equal(box_restore(&again, &box_host, &third, why, sizeof(why)), 0);
	assert_false(third->vm.cpu_told);
	assert_int_equal(((u8 *)third->vm.vcpu[0]->xsave)[512], 3);
	vm_box_free(third);
	vm_box_free(to);
	free(s.p);
	/* And the other way round. */
	s = box_save(b, &h);
	assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), -EPROTO);
	assert_string_equal(why, "CPU 0: lacks features of CPUID 7.0 ebx: 000000ff");
	free(s.p);
	free(again.p);
}

/* Each allocation fails once. */
static void test_no_memory(void **state)
{
	struct vm_box *b = *state, *to = NULL;
	struct box_stream s = box_save(b, &box_host);
	char why[100];
	u32 n = 1;
	int err;

	for (;; n++) {
		why[0] = 0;
		box_fail_at = n;
		err = box_restore(&s, &box_host, &to, why, sizeof(why));
		box_fail_at = 0;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_not_equal(why[0], 0);
	}
	/* The container, the room to work in, RAM in two parts, the ROM. */
	assert_int_equal(n, 6);
	vm_box_free(to);
	free(s.p);
}

static void test_too_large(void **state)
{
	struct vm_box *b = *state;
	struct box_stream s = box_save(b, &box_host);
	const struct save_source src = { .read = box_read, .ctx = &s };
	struct vm_snapshot snap;
	struct save_header h;
	char why[100] = "";

	assert_int_equal(vm_snapshot_open(&snap, &src, &box_host, 26 * PAGE_SIZE - 1, 1, why, 100),
			 -EINVAL);
	assert_string_equal(why, "memory 0: has an impossible or too large layout");
	/* A length that nobody has memory for is not tried. */
	memcpy(&h, s.p, sizeof(h));
	h.size = 1ULL << 62;
	memcpy(s.p, &h, sizeof(h));
	s.at = 0;
	assert_int_equal(vm_snapshot_open(&snap, &src, &box_host, BOX_MEM_MAX, 1, why, 100),
			 -EINVAL);
	assert_string_equal(why, "container 0: damaged");
	h.version++;
	memcpy(s.p, &h, sizeof(h));
	s.at = 0;
	assert_int_equal(vm_snapshot_open(&snap, &src, &box_host, BOX_MEM_MAX, 1, why, 100),
			 -EPROTO);
	free(s.p);
}

/* A container of a machine whose memory stayed where it was is not enough. */
static void test_without_memory(void **state)
{
	struct vm_box *b = *state, *to = NULL;
	u64 room = vm_save_size(&b->vm, &box_host);
	struct box_stream s = { .p = malloc(room) };
	s64 len = vm_save(&b->vm, &box_host, false, s.p, room);
	char why[100] = "";

	assert_true(len > 0);
	s.len = (size_t)len;
	assert_int_equal(box_restore(&s, &box_host, &to, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "memory 0: is missing");
	free(s.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verified_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_larger_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
