// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/font8x16.h"

static void test_every_character_has_its_own_glyph(void **state)
{
	for (u8 a = FONT_FIRST; a < FONT_LAST; a++)
		for (u8 b = a + 1; b <= FONT_LAST; b++)
			assert_memory_not_equal(font_glyph(a), font_glyph(b), FONT_HEIGHT);
}

static void test_letters_leave_a_gap(void **state)
{
	static const u8 blank[FONT_HEIGHT];

	assert_memory_equal(font_glyph(' '), blank, FONT_HEIGHT);
	for (u8 c = FONT_FIRST + 1; c <= FONT_LAST; c++) {
		const u8 *g = font_glyph(c);

		assert_memory_not_equal(g, blank, FONT_HEIGHT);
		/* Lines and characters do not touch; '_' and '*' may. */
		assert_int_equal(g[0] | g[15], 0);
		for (int i = 0; c != '_' && c != '*' && i < FONT_HEIGHT; i++)
			assert_int_equal(g[i] & 1, 0);
	}
}

static void test_unknown_is_a_box(void **state)
{
	assert_ptr_equal(font_glyph(0), font_glyph(0xff));
	assert_ptr_equal(font_glyph(0x7f), font_glyph(0x1f));
	assert_memory_not_equal(font_glyph(0), font_glyph(' '), FONT_HEIGHT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_character_has_its_own_glyph),
		cmocka_unit_test(test_letters_leave_a_gap),
		cmocka_unit_test(test_unknown_is_a_box),
	};

	return cmocka_run_group_tests_name("font8x16", tests, NULL, NULL);
}
