// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/vm/nested_blob.h"

static int read_flags(u16 flags, u64 len, u32 size, const char **row)
{
	const struct nested_blob_header in = { .flags = flags, .size = size };
	struct nested_blob_header h;

	return nested_blob_read(&in, len, &h, row);
}

/* Each rule of the generic part of KVM_SET_NESTED_STATE, at its limit. */
static void test_read(void **state)
{
	static const struct { u16 flags; u16 len; u32 size; int err; const char *row; } rows[] = {
		{ 0, 0, 128, -EFAULT, "header" },
		{ 0, 127, 128, -EFAULT, "header" },
		{ 0, 128, 128, 0, NULL },
		{ 0, 128, 0, -EINVAL, "size" },
		{ 0, 128, 127, -EINVAL, "size" },
		{ 0, 128, 0xffffffff, 0, NULL },
		{ 0x010, 128, 128, -EINVAL, "flags" },
		{ 0x080, 128, 128, -EINVAL, "flags" },
		{ 0x200, 128, 128, -EINVAL, "flags" },
		{ 0x8000, 128, 128, -EINVAL, "flags" },
		{ 0x10f, 128, 128, 0, NULL },
		{ 0x002, 128, 128, -EINVAL, "run_pending" },
		{ 0x003, 128, 128, 0, NULL },
		/* Two faults: the first counts. */
		{ 0x012, 127, 127, -EFAULT, "header" },
		{ 0x012, 128, 127, -EINVAL, "size" },
		{ 0x012, 128, 128, -EINVAL, "flags" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *row = NULL;

		assert_int_equal(read_flags(rows[i].flags, rows[i].len, rows[i].size, &row),
				 rows[i].err);
		if (rows[i].err)
			assert_string_equal(row, rows[i].row);
	}
}

static void test_read_copies(void **state)
{
	struct nested_blob_header in = { .flags = 0x100, .format = 1, .size = 4224 }, h;
	const char *row;

	in.vendor[0] = 0x1122334455667788;
	in.vendor[14] = 1;
	assert_int_equal(nested_blob_read(&in, sizeof(in), &h, &row), 0);
	assert_memory_equal(&in, &h, sizeof(h));
}

/* The header takes 200 bytes; the buffer says room and has len. */
static void test_write(void **state)
{
	static const struct { u16 len; u32 room; int err; bool header, needed; } rows[] = {
		{ 7, 0, -EFAULT, false, false },
		{ 8, 0, -E2BIG, false, true },
		{ 8, 127, -E2BIG, false, true },
		{ 127, 128, -EFAULT, false, false },
		{ 128, 128, -E2BIG, true, true },
		{ 200, 199, -E2BIG, true, true },
		{ 200, 200, 0, true, true },
		{ 200, 0xffffffff, 0, true, true },
		{ 199, 200, -EFAULT, true, true },
	};
	const struct nested_blob_header h = { .flags = 0x100, .format = 1, .size = 200,
					      .vendor = { 0x3000 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 buf[256], want[256];

		memset(buf, 0xee, sizeof(buf));
		memcpy(buf + 4, &rows[i].room, 4);
		memcpy(want, buf, sizeof(want));
		if (rows[i].header)
			memcpy(want, &h, sizeof(h));
		if (rows[i].needed)
			memcpy(want + 4, &h.size, 4);
		assert_int_equal(nested_blob_write(buf, rows[i].len, &h), rows[i].err);
		assert_memory_equal(buf, want, sizeof(buf));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_copies),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
