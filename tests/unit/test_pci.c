// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/pci.h"

#define MAX_FUNCTIONS	300

/* A bus with writable BARs that keep their size's bits at zero. */
struct function {
	u16 addr;
	u32 reg[16];
	u32 bar_mask[6];	/* bits that can be written */
	u32 bar_fixed[6];	/* low bits that always read so */
};

static struct function bus[MAX_FUNCTIONS];
static u32 n_functions;
static bool decoded_while_sizing;

static struct function *find(u16 addr)
{
	for (u32 i = 0; i < n_functions; i++)
		if (bus[i].addr == addr)
			return &bus[i];
	return NULL;
}

static u32 fake_read(void *ctx, u16 addr, u16 reg)
{
	const struct function *f = find(addr);

	assert_int_equal(reg & 3, 0);
	return f && reg < 0x40 ? f->reg[reg / 4] : ~0u;
}

static void fake_write(void *ctx, u16 addr, u16 reg, u32 val)
{
	struct function *f = find(addr);
	u32 i = (reg - 0x10u) / 4;

	assert_non_null(f);
	if (reg == 4) {
		/* Status bits are cleared by writing ones: none may be written. */
		assert_int_equal(val >> 16, 0);
		f->reg[1] = (f->reg[1] & 0xffff0000) | val;
		return;
	}
	assert_true(i < 6);
	decoded_while_sizing |= f->reg[1] & 3;
	f->reg[reg / 4] = (val & f->bar_mask[i]) | f->bar_fixed[i];
}

static struct pci_access access_all(void)
{
	return (struct pci_access){ fake_read, fake_write, NULL, 0, 255 };
}

static struct function *add(u16 addr, u32 id, u32 class, u8 header)
{
	struct function *f = &bus[n_functions++];

	memset(f, 0, sizeof(*f));
	f->addr = addr;
	f->reg[0] = id;
	f->reg[1] = 0x02100007;
	f->reg[2] = class;
	f->reg[3] = (u32)header << 16;
	return f;
}

static struct pci_list list;

static int reset(void **state)
{
	n_functions = 0;
	decoded_while_sizing = false;
	return 0;
}

static void test_enumerate(void **state)
{
	struct pci_access a = access_all();
	u32 from = 0;

	add(PCI_ADDR(0, 0, 0), 0x29c08086, 0x06000000, 0);
	add(PCI_ADDR(0, 1, 0), 0x000c1b36, 0x06040001, 1)->reg[6] = 0x00020100 | 0x0300;
	add(PCI_ADDR(0, 0x1f, 0), 0x29188086, 0x06010002, 0x80);
	add(PCI_ADDR(0, 0x1f, 2), 0x29228086, 0x01060102, 0);
	/* A function 3 behind a single-function device is an alias. */
	add(PCI_ADDR(0, 2, 0), 0x11111234, 0x03000002, 0);
	add(PCI_ADDR(0, 2, 3), 0x11111234, 0x03000002, 0);
	/* No function 0: nothing there, however loud the others are. */
	add(PCI_ADDR(0, 3, 1), 0xabcd1234, 0, 0x80);
	add(PCI_ADDR(3, 0, 0), 0x10d38086, 0x02000000, 0);
	add(PCI_ADDR(255, 31, 0), 0x12341234, 0x07000200, 0);
	pci_enumerate(&a, &list);
	assert_int_equal(list.count, 7);
	assert_int_equal(list.dropped, 0);
	assert_int_equal(list.dev[1].secondary_bus, 3);
	assert_int_equal(list.dev[1].header_type, 1);
	assert_int_equal(list.dev[4].addr, PCI_ADDR(0, 0x1f, 2));
	assert_int_equal(list.dev[6].addr, PCI_ADDR(255, 31, 0));
	assert_int_equal(list.dev[6].prog_if, 2);
	assert_ptr_equal(pci_find_class(&list, 2, 0, &from), &list.dev[5]);
	assert_null(pci_find_class(&list, 2, 0, &from));
	assert_ptr_equal(pci_find_addr(&list, PCI_ADDR(3, 0, 0)), &list.dev[5]);
	assert_null(pci_find_addr(&list, PCI_ADDR(3, 1, 0)));
	a.first_bus = 1;
	a.last_bus = 3;
	pci_enumerate(&a, &list);
	assert_int_equal(list.count, 1);
}

static void test_more_devices_than_fit(void **state)
{
	struct pci_access a = access_all();

	for (u32 i = 0; i < MAX_FUNCTIONS; i++)
		add((u16)(i * 8), 0x00011234, 0, 0);
	pci_enumerate(&a, &list);
	assert_int_equal(list.count, PCI_MAX_DEVS);
	assert_int_equal(list.dropped, MAX_FUNCTIONS - PCI_MAX_DEVS);
}

static void set_bar(struct function *f, u32 n, u32 value, u32 mask, u32 fixed)
{
	f->reg[4 + n] = value | fixed;
	f->bar_mask[n] = mask;
	f->bar_fixed[n] = fixed;
}

static void test_bars(void **state)
{
	struct pci_access a = access_all();
	struct function *f = add(0, 0x00011234, 0, 0);
	struct pci_bar bar;
	u32 before[16];

	set_bar(f, 0, 0xfebf0000, 0xfffff000, 0);		/* 4 KiB memory */
	set_bar(f, 1, 0xc040, 0x0000ffe0, 1);			/* 32 ports, 16 bits wired */
	set_bar(f, 2, 0x80000000, 0xc0000000, 0xc);		/* 64-bit, prefetchable */
	set_bar(f, 3, 0x00000012, 0xffffffff, 0);
	set_bar(f, 4, 0, 0xfff00000, 0);			/* unassigned */
	pci_enumerate(&a, &list);
	memcpy(before, f->reg, sizeof(before));

	assert_int_equal(pci_bar_size(&a, &list.dev[0], 0, &bar), 0);
	assert_int_equal(bar.addr, 0xfebf0000);
	assert_int_equal(bar.size, 0x1000);
	assert_false(bar.io);
	assert_int_equal(pci_bar_size(&a, &list.dev[0], 1, &bar), 0);
	assert_true(bar.io);
	assert_int_equal(bar.addr, 0xc040);
	assert_int_equal(bar.size, 0x20);
	assert_int_equal(pci_bar_size(&a, &list.dev[0], 2, &bar), 0);
	assert_true(bar.is64 && bar.prefetch);
	assert_true(bar.addr == 0x1280000000ULL);
	assert_int_equal(bar.size, 0x40000000);
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 3, &bar), -EINVAL);
	assert_int_equal(pci_bar_size(&a, &list.dev[0], 4, &bar), -ENODEV);
	assert_int_equal(bar.size, 0x100000);
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 5, &bar), -ENODEV);
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 6, &bar), -EINVAL);
	assert_memory_equal(before, f->reg, sizeof(before));
	assert_false(decoded_while_sizing);
	f->reg[1] = 0xffff0004;
	pci_enable(&a, &list.dev[0]);
	assert_int_equal(f->reg[1], 0xffff0007);
	/* Reading alone gives no size and writes nothing. */
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 0, &bar), 0);
	assert_int_equal(bar.size, 0);
}

static void test_bar_of_a_bridge(void **state)
{
	struct pci_access a = access_all();
	struct function *f = add(0, 0x00011234, 0x06040000, 1);
	struct pci_bar bar;

	/* A 64-bit BAR in the last slot has no upper half. */
	set_bar(f, 1, 0x80000000, 0xffff0000, 4);
	f->reg[6] = 0x00010100;
	pci_enumerate(&a, &list);
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 1, &bar), -EINVAL);
	assert_int_equal(pci_bar_read(&a, &list.dev[0], 2, &bar), -EINVAL);
}

static void test_class_names(void **state)
{
	assert_string_equal(pci_class_name(2), "network");
	assert_string_equal(pci_class_name(7), "communication");
	assert_string_equal(pci_class_name(0xff), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_enumerate, reset),
		cmocka_unit_test_setup(test_more_devices_than_fit, reset),
		cmocka_unit_test_setup(test_bars, reset),
		cmocka_unit_test_setup(test_bar_of_a_bridge, reset),
		cmocka_unit_test(test_class_names),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
