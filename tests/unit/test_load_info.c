// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

static struct load_guest g;
static struct load_plan p;
static struct capture cap;
static const u8 data[0x3000] = "data";

static int setup(void **state)
{
	guest_init(&g);
	memset(&p, 0, sizeof(p));
	p.img = &g.img;
	p.d = capture_start(&cap);
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static void test_initrd_is_the_first_module(void **state)
{
	const struct load_module initrd = { data, 1, "env" };
	const struct load_module m[2] = { { data, 2, "a" }, { data, 3, "b" } };

	g.img.modules = m;
	g.img.n_modules = 2;
	assert_int_equal(mb_modules(&g.img), 2);
	assert_ptr_equal(mb_module(&g.img, 0), &m[0]);
	assert_ptr_equal(mb_module(&g.img, 1), &m[1]);
	g.img.initrd = &initrd;
	assert_int_equal(mb_modules(&g.img), 3);
	assert_ptr_equal(mb_module(&g.img, 0), &initrd);
	assert_ptr_equal(mb_module(&g.img, 1), &m[0]);
	assert_ptr_equal(mb_module(&g.img, 2), &m[1]);
}

static void test_modules(void **state)
{
	struct load_module m[PLAN_MODULES_MAX + 1];

	for (u32 i = 0; i <= PLAN_MODULES_MAX; i++)
		m[i] = (struct load_module){ data, i + 1, "m" };
	g.img.data = data;
	g.img.size = sizeof(data);
	assert_int_equal(plan_add_segment(&p, 0x120000, 0x2001, 0, 1), 0);
	g.img.modules = m;
	g.img.n_modules = 2;
	assert_int_equal(mb_plan_modules(&p), 0);
	assert_int_equal(p.first_module, 1);
	assert_int_equal(p.seg[1].gpa, 0x123000);
	assert_int_equal(p.seg[2].gpa, 0x124000);
	assert_int_equal(p.seg[2].size, 2);
	assert_ptr_equal(p.seg[2].data, data);
	/* With the initrd there is one too many. */
	g.img.initrd = &m[0];
	g.img.n_modules = PLAN_MODULES_MAX;
	assert_int_equal(mb_plan_modules(&p), -EINVAL);
	assert_one_message(&cap, "more than 16 modules");
}

static void test_modules_before_a_high_kernel(void **state)
{
	struct load_module m = { data, sizeof(data), "m" };

	g.img.data = data;
	g.img.size = sizeof(data);
	g.img.modules = &m;
	g.img.n_modules = 1;
	assert_int_equal(plan_add_segment(&p, GUEST_TOP - 0x2000, 0x1000, 0, 1), 0);
	assert_int_equal(mb_plan_modules(&p), 0);
	assert_int_equal(p.seg[1].gpa, GUEST_HIGH);
}

static void test_memory_sizes(void **state)
{
	assert_int_equal(mb_mem_lower(&g.img), 640);
	assert_int_equal(mb_mem_upper(&g.img), 1024);
	g.map[0].size = 0x9fc00;
	g.map[2].size = 0x80000;
	assert_int_equal(mb_mem_lower(&g.img), 639);
	assert_int_equal(mb_mem_upper(&g.img), 512);
	/* Up to the first gap; what is not RAM is one. */
	g.map[1] = (struct mem_range){ GUEST_HIGH, 0x1000, MEM_ACPI };
	g.map[2] = (struct mem_range){ GUEST_HIGH + 0x1000, 0x1000, MEM_RAM };
	assert_int_equal(mb_mem_upper(&g.img), 0);
	g.map[1].type = MEM_RAM;
	assert_int_equal(mb_mem_upper(&g.img), 8);
	g.map[2].size = 1ULL << 51;
	assert_int_equal(mb_mem_upper(&g.img), 0xffffffff);
}

static void test_types(void **state)
{
	assert_int_equal(mb_mem_type(MEM_RAM), 1);
	assert_int_equal(mb_mem_type(MEM_ACPI), 3);
	assert_int_equal(mb_mem_type(MEM_NVS), 4);
	assert_int_equal(mb_mem_type(MEM_BAD), 5);
	assert_int_equal(mb_mem_type(MEM_TAKEN), 2);
}

static void test_writer(void **state)
{
	struct info_writer count = { NULL, 0x9000, 0 }, w = { &g.mem, 0x9000, 0 };

	assert_int_equal(info_put_string(&count, "abc"), 0x9000);
	assert_int_equal(info_put(&count, "", 0), 0x9004);
	assert_int_equal(g.ram[0x9000], 0xcc);
	assert_int_equal(info_put(&w, "xy", 2), 0x9000);
	assert_int_equal(info_put_string(&w, "z"), 0x9002);
	assert_int_equal(w.at, 0x9004);
	assert_string_equal((char *)g.ram + 0x9000, "xyz");
	w.at = GUEST_LOW - 1;
	info_put(&w, "xy", 2);
	assert_int_equal(w.err, -EFAULT);
	/* After an error nothing more is written. */
	w.at = 0xa000;
	info_put(&w, "xy", 2);
	assert_int_equal(g.ram[0xa000], 0xcc);
}

static void test_information_place(void **state)
{
	assert_int_equal(mb_plan_info(&p, 0x100), 0);
	assert_int_equal(p.info, 0x9000);
	g.img.n_map = PLAN_MMAP_MAX + 1;
	assert_int_equal(mb_plan_info(&p, 0x100), -EINVAL);
	assert_one_message(&cap, "memory map of 257 ranges");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_initrd_is_the_first_module),
		T(test_modules),
		T(test_modules_before_a_high_kernel),
		T(test_memory_sizes),
		T(test_types),
		T(test_writer),
		T(test_information_place),
	};

	return cmocka_run_group_tests_name("load_info", tests, NULL, NULL);
}
