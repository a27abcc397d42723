// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/console.h"

static int messages;

static void count(void *ctx, const char *line)
{
	messages++;
}

static const struct diag diag = { count, NULL };

static struct console_config parsed(const char *s)
{
	struct console_config c = { .kind = CONSOLE_NONE };

	assert_int_equal(console_parse(s, &c, &diag), 0);
	return c;
}

static void test_good(void **state)
{
	struct console_config c = parsed("io:0x2f8,57600");

	assert_int_equal(c.kind, CONSOLE_IO);
	assert_int_equal(c.addr, 0x2f8);
	assert_int_equal(c.baud, 57600);
	c = parsed("io:0x3f8");
	assert_int_equal(c.baud, 115200);
	c = parsed("mmio:0xfe030000,0");
	assert_int_equal(c.kind, CONSOLE_MMIO);
	assert_int_equal(c.addr, 0xfe030000);
	assert_int_equal(c.baud, CONSOLE_BAUD_KEEP);
	c = parsed("pci:0a:1F.3,9600");
	assert_int_equal(c.kind, CONSOLE_PCI);
	assert_int_equal(c.bus, 0x0a);
	assert_int_equal(c.dev, 0x1f);
	assert_int_equal(c.fn, 3);
	assert_int_equal(c.baud, 9600);
	assert_int_equal(parsed("screen").kind, CONSOLE_SCREEN);
	assert_int_equal(parsed("none").kind, CONSOLE_NONE);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"", "com1", "io:", "io:0", "io:0xffff", "io:0x3f8,", "io:0x3f8,12345",
		"io:0x3f8,230400", "io:3f8", "mmio:", "mmio:0x", "mmio:0xffffffffffffffff",
		"pci:", "pci:0:0", "pci:00:20.0", "pci:00:1f.8", "pci:00:1f.0x", "pci:000:1.0",
		"screenx", "none,1", "io:0x3f8,9600,1",
		"io:0000000000000000000000000000000000000000000000000000000000000000000000003f8",
	};
	struct console_config c = { .addr = 42, .kind = CONSOLE_NONE };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		messages = 0;
		assert_int_equal(console_parse(bad[i], &c, &diag), -EINVAL);
		assert_int_equal(messages, 1);
		assert_int_equal(c.addr, 42);
	}
}

static void test_spcr(void **state)
{
	struct console_config c;
	struct console_spcr s = { .interface_type = 0, .address_space = 1, .bit_width = 8,
				  .address = 0x2f8, .baud_code = 7 };

	assert_int_equal(console_from_spcr(&s, &c), 0);
	assert_int_equal(c.kind, CONSOLE_IO);
	assert_int_equal(c.addr, 0x2f8);
	assert_int_equal(c.baud, 115200);
	s = (struct console_spcr){ .interface_type = 0x12, .address_space = 0, .bit_width = 32,
				   .access_size = 3, .address = 0xfedc9000, .baud_code = 0 };
	assert_int_equal(console_from_spcr(&s, &c), 0);
	assert_int_equal(c.kind, CONSOLE_MMIO);
	assert_int_equal(c.reg_shift, 2);
	assert_int_equal(c.access_width, 4);
	assert_int_equal(c.baud, CONSOLE_BAUD_KEEP);
	s.access_size = 1;
	assert_int_equal(console_from_spcr(&s, &c), 0);
	assert_int_equal(c.access_width, 1);
	s.bit_width = 8;
	assert_int_equal(console_from_spcr(&s, &c), 0);
	assert_int_equal(c.reg_shift, 0);
}

static void test_spcr_refused(void **state)
{
	const struct console_spcr ok = { .address_space = 1, .address = 0x3f8, .baud_code = 3 };
	struct console_spcr s = ok;
	struct console_config c;

	s.interface_type = 3;		/* ARM PL011 */
	assert_int_equal(console_from_spcr(&s, &c), -ENOTTY);
	s = ok;
	s.address_space = 2;
	assert_int_equal(console_from_spcr(&s, &c), -EINVAL);
	s = ok;
	s.address = 0;
	assert_int_equal(console_from_spcr(&s, &c), -EINVAL);
	s.address = 0x10000;
	assert_int_equal(console_from_spcr(&s, &c), -EINVAL);
	s = ok;
	s.baud_code = 5;
	assert_int_equal(console_from_spcr(&s, &c), -EINVAL);
	s.baud_code = 200;
	assert_int_equal(console_from_spcr(&s, &c), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_spcr),
		cmocka_unit_test(test_spcr_refused),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
