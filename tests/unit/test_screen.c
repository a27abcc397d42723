// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/font8x16.h"
#include "core/mon/screen.h"

static struct screen scr;

static char vga_at(const u16 *mem, int row, int col)
{
	return (char)mem[row * 80 + col];
}

static u16 *vga_open(void)
{
	u16 *mem = calloc(80 * 25, 2);
	struct screen_mode m = { .kind = SCREEN_VGA_TEXT, .mem = mem, .pitch = 160,
				 .width = 80, .height = 25, .bpp = 16 };

	assert_int_equal(screen_init(&scr, &m), 0);
	return mem;
}

/* Exactly as large as the mode says, so that the sanitizer sees each overrun. */
static u8 *fb_open(u32 width, u32 height, u8 bpp)
{
	u32 bytes = (bpp + 7) / 8;
	u8 *mem = malloc((size_t)width * height * bytes);
	struct screen_mode m = {
		.kind = SCREEN_FRAMEBUFFER, .mem = mem, .pitch = width * bytes,
		.width = width, .height = height, .bpp = bpp,
		.red_pos = 16, .red_size = 8, .green_pos = 8, .green_size = 8, .blue_size = 8,
	};

	if (bpp == 16) {
		m.red_pos = 11; m.red_size = 5; m.green_pos = 5; m.green_size = 6;
		m.blue_size = 5;
	} else if (bpp == 15) {
		m.red_pos = 10; m.red_size = 5; m.green_pos = 5; m.green_size = 5;
		m.blue_size = 5;
	}
	assert_int_equal(screen_init(&scr, &m), 0);
	return mem;
}

static void line(const char *s)
{
	scr.sink.line(scr.sink.ctx, s, strlen(s));
}

static void test_vga_text(void **state)
{
	u16 *mem = vga_open();

	line("ok 1 first");
	line("not ok 2 second");
	line("@nestbed test second fail");
	line("# warning: third");
	assert_int_equal(mem[0], 0x07 << 8 | 'o');
	assert_int_equal(mem[80], 0x0c << 8 | 'n');
	assert_int_equal(mem[160], 0x0e << 8 | '#');
	assert_int_equal(vga_at(mem, 2, 15), 'd');
	assert_int_equal(mem[161 + 80], 0x07 << 8 | ' ');
	free(mem);
}

static void test_vga_wraps_and_scrolls(void **state)
{
	u16 *mem = vga_open();
	char text[100];

	memset(text, 'w', 90);
	text[90] = '\0';
	line(text);
	assert_int_equal(vga_at(mem, 1, 9), 'w');
	assert_int_equal(vga_at(mem, 1, 10), ' ');
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		line(text);
	}
	/* The newest line is shown, with the one before it above. */
	snprintf(text, sizeof(text), "line 99");
	for (int i = 0; i < 7; i++) {
		assert_int_equal(vga_at(mem, (int)scr.row - 1, i), text[i]);
		assert_int_equal(vga_at(mem, (int)scr.row - 2, i), i == 6 ? '8' : text[i]);
	}
	free(mem);
}

/* Each depth: the letter's dots are where the font has them, in its colour. */
static void check_depth(u8 bpp, u32 want_on)
{
	u32 bytes = (bpp + 7) / 8;
	u8 *mem = fb_open(160, 64, bpp);
	const u8 *glyph = font_glyph('A');

	line("A");
	for (u32 y = 0; y < FONT_HEIGHT; y++) {
		for (u32 x = 0; x < FONT_WIDTH; x++) {
			u32 v = 0;

			memcpy(&v, mem + y * 160 * bytes + x * bytes, bytes);
			assert_int_equal(v, glyph[y] & (0x80 >> x) ? want_on : 0);
		}
	}
	for (int i = 0; i < 20; i++)
		line("scrolling far beyond the right edge of this small screen");
	free(mem);
}

static void test_depths(void **state)
{
	check_depth(32, 0xd0d0d0);
	check_depth(24, 0xd0d0d0);
	check_depth(16, 0x1a << 11 | 0x34 << 5 | 0x1a);
	check_depth(15, 0x1a << 10 | 0x1a << 5 | 0x1a);
}

static void test_large_screen_is_scaled(void **state)
{
	u8 *mem = fb_open(1920, 1080, 32);
	u32 on = 0;

	assert_int_equal(scr.scale, 2);
	assert_int_equal(scr.cols, 120);
	assert_int_equal(scr.rows, 33);
	line("-");
	for (u32 x = 0; x < 16; x++)
		on += ((u32 *)mem)[14 * 1920 + x] != 0;
	assert_int_equal(on, 12);
	for (int i = 0; i < 80; i++)
		line("text");
	free(mem);
}

static void summary(const char *verdict, u32 n)
{
	static const char *const names[] = { "svm.intercept.cpuid", "svm.npt.fill", "vmx.x", "a",
		"b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
		"r", "s", "t", "u", "v", "w" };
	struct screen_counts c = { .passed = 10, .failed = n };

	assert_true(n <= ARRAY_SIZE(names));
	screen_summary(&scr, verdict, &c, names, n);
}

static bool vga_has(const u16 *mem, const char *want, u8 attr)
{
	size_t len = strlen(want);

	for (size_t i = 0; i + len <= 80 * 25; i++) {
		size_t k = 0;

		while (k < len && mem[i + k] == (u16)(attr << 8 | (u8)want[k]))
			k++;
		if (k == len)
			return true;
	}
	return false;
}

/* A letter of half blocks has as many dots as the font's rows 2 to 13. */
static void check_block_letter(const u16 *mem, u32 col, char c, u8 attr)
{
	for (u32 y = 0; y < 12; y++) {
		for (u32 x = 0; x < FONT_WIDTH; x++) {
			u16 cell = mem[(y / 2 + 1) * 80 + col + x];
			u8 ch = (u8)cell;
			bool on = ch == 0xdb || ch == (y % 2 ? 0xdc : 0xdf);

			assert_int_equal(on, (font_glyph((u8)c)[y + 2] >> (7 - x)) & 1);
			assert_true(!on || cell >> 8 == attr);
		}
	}
}

static void test_summary_vga(void **state)
{
	u16 *mem = vga_open();

	for (int i = 0; i < 60; i++)
		line("some old text that must go away");
	summary("fail", 2);
	check_block_letter(mem, 0, 'F', 0x0c);
	check_block_letter(mem, 24, 'L', 0x0c);
	assert_false(vga_has(mem, "old", 0x07));
	assert_true(vga_has(mem, "svm.intercept.cpuid", 0x0c));
	assert_true(vga_has(mem, "svm.npt.fill", 0x0c));
	assert_false(vga_has(mem, "more", 0x0c));
	summary("fail", 26);
	assert_true(vga_has(mem, "more", 0x0c));
	assert_true(scr.row <= scr.rows);
	summary("pass", 0);
	check_block_letter(mem, 0, 'P', 0x0a);
	check_block_letter(mem, 32, ' ', 0x07);
	summary("incomplete", 0);
	check_block_letter(mem, 72, 'E', 0x0e);
	/* A word that is too long for large letters is still shown. */
	summary("inconclusive", 0);
	assert_true(vga_has(mem, "inconclusive", 0x0e));
	free(mem);
}

static void test_summary_framebuffer(void **state)
{
	static const u32 sizes[][2] = { { 1024, 768 }, { 640, 480 }, { 1920, 1200 }, { 100, 50 },
					{ 8, 16 }, { 50, 200 } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 words = sizes[i][0] * sizes[i][1], green = 0;
		u8 *mem = fb_open(sizes[i][0], sizes[i][1], 32);

		summary("pass", 0);
		for (u32 k = 0; k < words; k++)
			green += ((u32 *)mem)[k] == scr.pixel[COLOR_GREEN];
		if (i < 3)
			assert_true(green > 1000);
		/* Text over the large letters replaces all their dots. */
		for (u32 k = 0; k < 3 * scr.rows; k++)
			line("x");
		green = 0;
		for (u32 k = 0; k < words; k++)
			green += ((u32 *)mem)[k] == scr.pixel[COLOR_GREEN];
		assert_int_equal(green, 0);
		summary("incomplete", 20);
		free(mem);
	}
}

static void test_bad_modes(void **state)
{
	u8 mem[4096];
	const struct screen_mode good = {
		.kind = SCREEN_FRAMEBUFFER, .mem = mem, .pitch = 64, .width = 16, .height = 16,
		.bpp = 32, .red_pos = 16, .red_size = 8, .green_pos = 8, .green_size = 8,
		.blue_size = 8,
	};
	struct screen_mode m = good;

	assert_int_equal(screen_init(&scr, &m), 0);
	m.mem = NULL;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	m = good; m.bpp = 8;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	m = good; m.pitch = 63;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	m = good; m.red_pos = 30;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	m = good; m.width = 0;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	m = good; m.kind = SCREEN_NONE;
	assert_int_equal(screen_init(&scr, &m), -EINVAL);
	/* What could not be set up ignores output. */
	screen_line(&scr, COLOR_NORMAL, "x", 1);
	summary("pass", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vga_text),
		cmocka_unit_test(test_vga_wraps_and_scrolls),
		cmocka_unit_test(test_depths),
		cmocka_unit_test(test_large_screen_is_scaled),
		cmocka_unit_test(test_summary_vga),
		cmocka_unit_test(test_summary_framebuffer),
		cmocka_unit_test(test_bad_modes),
	};

	return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
