// SPDX-License-Identifier: MIT
/* QEMU's docs/specs/fw_cfg, as firmware and test kernels read it. */
#include "tests/unit/io_box.h"

#include "core/dev/vfwcfg.h"

#define RAM_SIZE	0x123456789000ULL

struct fixture {
	struct io_box box;
	struct vfwcfg f;
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	io_box_init(&x->box);
	*state = x;
	return vfwcfg_init(&x->f, &x->box.bus, RAM_SIZE, 0x104);
}

static int teardown(void **state)
{
	struct fixture *x = *state;
	int err = vfwcfg_state_check(&x->f.s);

	free(x);
	return err;
}

static void select_item(struct fixture *x, u16 key)
{
	io_out(&x->box, 0x510, 2, key);
}

static void read_item(struct fixture *x, void *buf, size_t n)
{
	for (u8 *p = buf; n--; p++)
		*p = io_inb(&x->box, 0x511);
}

/* As kvm-unit-tests' fwcfg_get_u: little-endian, as many bytes as it likes. */
static u64 item(struct fixture *x, u16 key, int n)
{
	u64 val = 0;

	select_item(x, key);
	read_item(x, &val, (size_t)n);
	return val;
}

static void test_signature_and_id(void **state)
{
	struct fixture *x = *state;
	char sig[5] = "";

	select_item(x, 0);
	read_item(x, sig, 4);
	assert_string_equal(sig, "QEMU");
	assert_int_equal(item(x, 1, 4), 1);
}

static void test_numbers(void **state)
{
	struct fixture *x = *state;

	assert_true(item(x, 0x03, 8) == RAM_SIZE);
	assert_int_equal(item(x, 0x04, 2), 1);
	assert_int_equal(item(x, 0x05, 2), 0x104);
	assert_int_equal(item(x, 0x0f, 2), 0x104);
	/* UUID, machine id, and what a direct boot would have. */
	assert_int_equal(item(x, 0x02, 8), 0);
	for (u16 key = 0x06; key < 0x20; key++)
		if (key != 0x0f)
			assert_int_equal(item(x, key, 8), 0);
}

/* Behind the end 0, for ever; a new selection starts again. */
static void test_end_of_an_item(void **state)
{
	struct fixture *x = *state;

	assert_true(item(x, 0x05, 8) == 0x104);
	assert_int_equal(io_inb(&x->box, 0x511), 0);
	assert_int_equal(x->f.s.offset, 2);
	assert_int_equal(item(x, 0x05, 2), 0x104);
	assert_int_equal(item(x, 0xffff, 4), 0);
	assert_int_equal(item(x, 0x8000, 4), 0);
	assert_int_equal(x->f.s.offset, 0);
}

static void test_access_sizes(void **state)
{
	struct fixture *x = *state;

	select_item(x, 0);
	/* Bytes select nothing, and data takes nothing. */
	io_outb(&x->box, 0x510, 1);
	io_outb(&x->box, 0x511, 1);
	assert_int_equal(io_inb(&x->box, 0x510), 0xff);
	assert_int_equal(io_inb(&x->box, 0x511), 'Q');
	assert_int_equal(io_in(&x->box, 0x510, 2), 'E' << 8 | 0xff);
	assert_int_equal(io_in(&x->box, 0x510, 4), 0xffff00ff | 'M' << 8);
	/* Bit 14 was for writing: the item is the same. */
	assert_int_equal(item(x, 0x4000, 1), 'Q');
	assert_int_equal(x->f.s.selector, 0);
}

static void test_files(void **state)
{
	static const u8 acpi[3] = { 1, 2, 3 };
	static const struct {
		u8 count[4];
		struct {
			u8 size[4], select[2], reserved[2];
			char name[56];
		} e[2];
	} want = {
		{ 0, 0, 0, 2 },
		{ { { 0, 0, 0, 3 }, { 0, 0x20 }, { 0 }, "etc/acpi/tables" },
		  { { 0, 1, 0, 0 }, { 0, 0x21 }, { 0 }, "opt/big" } },
	};
	static u8 big[0x10000], dir[sizeof(want) + 4];
	struct fixture *x = *state;

	assert_int_equal(item(x, 0x19, 4), 0);
	assert_int_equal(vfwcfg_add_file(&x->f, "etc/acpi/tables", acpi, 3), 0);
	big[0xffff] = 0x77;
	assert_int_equal(vfwcfg_add_file(&x->f, "opt/big", big, sizeof(big)), 0);
	select_item(x, 0x19);
	read_item(x, dir, sizeof(dir));
	assert_memory_equal(dir, &want, sizeof(want));
	assert_int_equal(dir[sizeof(want)], 0);
	assert_int_equal(item(x, 0x20, 8), 0x030201);
	select_item(x, 0x21);
	for (int i = 0; i < 0xffff; i++)
		assert_int_equal(io_inb(&x->box, 0x511), 0);
	assert_int_equal(io_inb(&x->box, 0x511), 0x77);
	assert_int_equal(io_inb(&x->box, 0x511), 0);
	assert_int_equal(item(x, 0x22, 4), 0);
}

static void test_bad_files(void **state)
{
	struct fixture *x = *state;
	char name[57] = "";

	assert_int_equal(vfwcfg_add_file(&x->f, "", "x", 1), -EINVAL);
	assert_int_equal(vfwcfg_add_file(&x->f, "a", NULL, 1), -EINVAL);
	memset(name, 'n', 56);
	assert_int_equal(vfwcfg_add_file(&x->f, name, "x", 1), -EINVAL);
	name[55] = 0;
	assert_int_equal(vfwcfg_add_file(&x->f, name, "x", 1), 0);
	assert_int_equal(vfwcfg_add_file(&x->f, name, "y", 1), -EEXIST);
	assert_int_equal(vfwcfg_add_file(&x->f, "empty", NULL, 0), 0);
	for (int i = 2; i < VFWCFG_FILES; i++) {
		name[0] = (char)i;
		assert_int_equal(vfwcfg_add_file(&x->f, name, "x", 1), 0);
	}
	assert_int_equal(vfwcfg_add_file(&x->f, "last", "x", 1), -ENOSPC);
	assert_int_equal(item(x, 0x19, 4), VFWCFG_FILES << 24);
	assert_int_equal(item(x, 0x21, 4), 0);
	assert_int_equal(item(x, 0x20 + VFWCFG_FILES - 1, 4), 'x');
	assert_int_equal(item(x, 0x20 + VFWCFG_FILES, 4), 0);
}

#define REFUSED(member, val) assert_refused(vfwcfg_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *x = *state;
	struct vfwcfg_state *s = &x->f.s;
	static struct vfwcfg second;

	assert_int_equal(sizeof(*s), 8);
	assert_reserved(vfwcfg_state_check, s, reserved);
	REFUSED(selector, 0x4000);
	REFUSED(offset, 5);
	select_item(x, 0x19);
	REFUSED(offset, 4 + 64 * VFWCFG_FILES + 1);
	select_item(x, 0x28);
	REFUSED(offset, 1);
	/* A file that this machine has not, or not so long: zeros. */
	select_item(x, 0x27);
	s->offset = ~0U;
	assert_int_equal(vfwcfg_state_check(s), 0);
	assert_int_equal(io_inb(&x->box, 0x511), 0);
	assert_int_equal(vfwcfg_init(&second, &x->box.bus, 0, 1), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_signature_and_id), T(test_numbers), T(test_end_of_an_item),
		T(test_access_sizes), T(test_files), T(test_bad_files), T(test_state_check),
	};

	return cmocka_run_group_tests_name("vfwcfg", tests, NULL, NULL);
}
