// SPDX-License-Identifier: MIT
/*
 * Multiboot 2 kernels, and the boot information, which boot/bootinfo.c must
 * be able to read back.
 */
#include "tests/unit/unit.h"

#include "boot/bootinfo.h"
#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

#define FILE_SIZE	0x2000
#define HEADER		0x100
#define RSDP		0xa2010

static struct load_guest g;
static struct load_entry e;
static struct capture cap;
static struct bootinfo b;
static u8 file[FILE_SIZE];
static u32 header_len;

static int setup(void **state)
{
	guest_init(&g);
	for (u32 i = 0; i < FILE_SIZE; i++)
		file[i] = (u8)(i * 5 + 1);
	g.img.data = file;
	g.img.size = FILE_SIZE;
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static void begin(void)
{
	header_len = 16;
}

/* A tag with n words behind its head. */
static void tag(u16 type, u16 flags, u32 n, const u32 *words)
{
	u8 *t = file + HEADER + header_len;

	put_le(t, 2, type);
	put_le(t + 2, 2, flags);
	put_le(t + 4, 4, 8 + 4 * n);
	for (u32 i = 0; i < n; i++)
		put_le(t + 8 + 4 * i, 4, words[i]);
	header_len += (8 + 4 * n + 7) & ~7u;
}

#define TAG(type, flags, ...)							\
	do {									\
		const u32 words[] = { __VA_ARGS__ };				\
		tag(type, flags, (u32)ARRAY_SIZE(words), words);		\
	} while (0)

static void seal(u32 arch, u32 len)
{
	u8 *h = file + HEADER;

	put_le(h, 4, 0xe85250d6);
	put_le(h + 4, 4, arch);
	put_le(h + 8, 4, len);
	put_le(h + 12, 4, 0u - 0xe85250d6 - arch - len);
}

static int finish(void)
{
	tag(0, 0, 0, NULL);
	seal(0, header_len);
	return load_guest(&g.img, &g.mem, &e, capture_start(&cap));
}

/* The file from 0x80 on at 0x110000, 0x400 bytes and 0x100 of bss. */
static void addresses(void)
{
	TAG(2, 0, 0x110080, 0x110000, 0x110400, 0x110500);
	TAG(3, 0, 0x110010);
}

static void expect_refused(int err, const char *why)
{
	memset(g.ram, 0xcc, GUEST_TOP);
	assert_int_equal(finish(), err);
	assert_one_message(&cap, why);
	assert_non_null(strstr(cap.text, "guest kut: refused: "));
	for (u32 i = 0; i < GUEST_LOW; i++)
		assert_int_equal(g.ram[i], 0xcc);
	for (u32 i = GUEST_HIGH; i < GUEST_TOP; i++)
		assert_int_equal(g.ram[i], 0xcc);
}

static void test_addresses(void **state)
{
	begin();
	addresses();
	assert_int_equal(finish(), 0);
	assert_string_equal(cap.text, "");
	assert_int_equal(e.format, LOAD_MB2);
	assert_int_equal(e.mode, LOAD_MODE_PROT32);
	assert_int_equal(e.eax, 0x36d76289);
	assert_int_equal(e.rip, 0x110010);
	assert_int_equal(e.rsi | e.cr3 | e.gdt_base | e.gdt_limit, 0);
	assert_int_not_equal(e.cs, e.ds);
	assert_memory_equal(g.ram + 0x110000, file + 0x80, 0x400);
	for (u32 i = 0x400; i < 0x500; i++)
		assert_int_equal(g.ram[0x110000 + i], 0);
	assert_int_equal(g.ram[0x110500], 0xcc);
	assert_int_equal(e.end, 0x110500);
}

static void test_load_addr_minus_one(void **state)
{
	/* The file from its beginning, all of it. */
	begin();
	TAG(2, 0, 0x110100, 0xffffffff, 0, 0);
	TAG(3, 0, 0x110010);
	assert_int_equal(finish(), 0);
	assert_memory_equal(g.ram + 0x110000, file, FILE_SIZE);
	assert_int_equal(e.end, 0x110000 + FILE_SIZE);
	/* A header that would begin below address 0. */
	begin();
	TAG(2, 0, 0x80, 0xffffffff, 0, 0);
	TAG(3, 0, 0x10);
	assert_int_equal(finish(), -EINVAL);
	assert_one_message(&cap, "header_addr 0x80 does not fit load_addr");
}

static void put_elf_kernel(bool is64, u16 type, u64 vaddr, u64 paddr, u64 entry)
{
	const struct elf_seg segs[] = {
		{ 1, 0x1000, vaddr, paddr, 0x300, 0x400 },
		{ 1, 0x1400, vaddr + 0x2000, paddr + 0x2000, 0x10, 0x10 },
	};

	put_elf(file, is64, entry, segs, 2);
	put_le(file + 16, 2, type);
}

static void test_elf(void **state)
{
	for (int is64 = 0; is64 < 2; is64++) {
		/* The entry is virtual, as the ELF header has it. */
		put_elf_kernel(is64, 2, 0xc0100000, 0x130000, 0xc0100020);
		begin();
		assert_int_equal(finish(), 0);
		assert_int_equal(e.format, LOAD_MB2);
		assert_int_equal(e.rip, 0x130020);
		assert_memory_equal(g.ram + 0x130000, file + 0x1000, 0x300);
		assert_memory_equal(g.ram + 0x132000, file + 0x1400, 0x10);
		assert_int_equal(e.end, 0x132010);
		/* The tag is physical, and counts more. */
		begin();
		TAG(3, 0, 0x132004);
		assert_int_equal(finish(), 0);
		assert_int_equal(e.rip, 0x132004);
	}
	begin();
	TAG(3, 0, 0x132010);
	assert_int_equal(finish(), -EINVAL);
	assert_one_message(&cap, "entry 0x132010 is outside what is loaded");
	put_elf_kernel(true, 3, 0x130000, 0x130000, 0x130000);
	begin();
	assert_int_equal(finish(), -EINVAL);
	assert_one_message(&cap, "ELF of type 3");
}

static void test_bad_kernels(void **state)
{
	static struct mem_range many[PLAN_MMAP_MAX + 1];

	begin();
	expect_refused(-EINVAL, "without an address tag in a file that is not ELF");
	begin();
	TAG(2, 0, 0x110080, 0x110000, 0x110400, 0x110500);
	expect_refused(-EINVAL, "has an address tag, but no entry address tag");
	begin();
	TAG(2, 0, 0x110080, 0x110000, 0x112000, 0);
	TAG(3, 0, 0x110010);
	expect_refused(-EINVAL, "truncated");
	begin();
	TAG(2, 0, 0x1f0080, 0x1f0000, 0x1f0400, 0x200001);
	TAG(3, 0, 0x1f0010);
	expect_refused(-ENOSPC, "beyond the guest's memory");
	begin();
	addresses();
	for (u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct mem_range){ GUEST_TOP + i, 1, MEM_RESERVED };
	memcpy(many, g.map, sizeof(g.map));
	g.img.map = many;
	g.img.n_map = ARRAY_SIZE(many);
	expect_refused(-EINVAL, "memory map of 257 ranges");
	g.img.n_map = 3;
	begin();
	addresses();
	g.img.rsdp = 0xe0000;
	expect_refused(-EINVAL, "RSDP at 0xe0000 cannot be read");
}

static void test_header(void **state)
{
	begin();
	addresses();
	tag(0, 0, 0, NULL);
	seal(4, header_len);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EOPNOTSUPP);
	assert_one_message(&cap, "multiboot 2 header for architecture 4, not i386");
	/* The end tag is missing, or cut off. */
	seal(0, header_len - 8);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "without an end tag");
	seal(0, header_len - 1);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "without an end tag");
	/* A header behind the end of the file. */
	seal(0, FILE_SIZE - HEADER + 1);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "truncated: multiboot 2 header of 7937 bytes");
	/* Just its fixed part: an empty list has no end tag either. */
	seal(0, 15);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "without an end tag");
	/* Type 0 of another size is no end. */
	begin();
	addresses();
	TAG(0, 0, 0);
	expect_refused(-EOPNOTSUPP, "multiboot 2 header tag 0 is not known");
	/* What stands behind the end tag does not count. */
	begin();
	addresses();
	tag(0, 0, 0, NULL);
	TAG(99, 0, 0);
	assert_int_equal(finish(), 0);
}

static void test_tag_sizes(void **state)
{
	static const u8 min[] = { [1] = 8, 24, 12, 12, 20, 8, 8, 12, 12, 24 };
	char want[64];

	for (u16 type = 1; type < ARRAY_SIZE(min); type++) {
		if (min[type] == 8)
			continue;
		begin();
		addresses();
		tag(type, 1, (min[type] - 12u) / 4, (const u32[4]){ 0 });
		snprintf(want, sizeof(want), "header tag %u has only %u bytes", type,
			 min[type] - 4);
		expect_refused(-EINVAL, want);
	}
	begin();
	addresses();
	put_le(file + HEADER + 16 + 4, 4, 7);
	expect_refused(-EINVAL, "header tag of 7 bytes at offset 16");
	begin();
	addresses();
	put_le(file + HEADER + 16 + 4, 4, 0xffffffff);
	expect_refused(-EINVAL, "header tag of 4294967295 bytes at offset 16");
}

static void test_tags_that_are_obeyed(void **state)
{
	/* Everything at once, all required; the framebuffer is only a wish. */
	begin();
	TAG(1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21);
	addresses();
	TAG(4, 0, 2);
	TAG(5, 0, 1024, 768, 32);
	tag(6, 0, 0, NULL);
	tag(7, 0, 0, NULL);
	TAG(8, 0, 0x110000);
	TAG(9, 0, 0x110000);
	assert_int_equal(finish(), 0);
	assert_string_equal(cap.text, "");
	/* EFI's entries do not count. */
	assert_int_equal(e.rip, 0x110010);
}

static void test_tags_that_are_not(void **state)
{
	/* clang-format off */
	static const struct { u16 type; u32 word; const char *why; } rows[] = {
		{ 1,	22,	"asks for multiboot 2 information 22, which is not known" },
		{ 1,	0xffffffff, "asks for multiboot 2 information 4294967295" },
		{ 1,	9,	"information 9 (ELF sections), which is not given" },
		{ 4,	1,	"asks for a screen" },
		{ 4,	3,	"asks for a screen" },
		{ 11,	0,	"multiboot 2 header tag 11 is not known" },
		{ 0xffff, 0,	"multiboot 2 header tag 65535 is not known" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		addresses();
		TAG(rows[i].type, 0, rows[i].word);
		expect_refused(-EOPNOTSUPP, rows[i].why);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		addresses();
		TAG(rows[i].type, 1, rows[i].word);
		assert_int_equal(finish(), 0);
		assert_string_equal(cap.text, "");
	}
}

static const void *guest_view(void *ctx, u64 pa, u64 len)
{
	return gmem_ptr(&g.mem, pa, len);
}

static void read_back(void)
{
	const struct phys_view view = { guest_view, NULL };

	assert_int_equal(e.ebx % 8, 0);
	assert_int_equal(bootinfo_parse(e.eax, e.ebx, &view, &b, capture_start(&cap)), 0);
	assert_string_equal(cap.text, "");
}

/* The information tag of this type: its bytes behind the head. */
static const u8 *info_tag(u32 type, u32 *size)
{
	const u8 *info = g.ram + e.ebx, *t;

	for (t = info + 8; t < info + get_le32(info); t += (get_le32(t + 4) + 7) & ~7u) {
		if (get_le32(t) == type) {
			*size = get_le32(t + 4);
			return t + 8;
		}
	}
	return NULL;
}

static void test_information(void **state)
{
	static const u8 rd1[5000] = "first", rd2[3] = "2nd";
	static const struct load_module initrd = { rd1, sizeof(rd1), "rd1 with args" };
	static const struct load_module module = { rd2, sizeof(rd2), "rd2" };
	const u8 *t;
	u32 size;

	begin();
	addresses();
	g.img.initrd = &initrd;
	g.img.modules = &module;
	g.img.n_modules = 1;
	g.map[1].type = MEM_ACPI;
	assert_int_equal(finish(), 0);
	assert_in_range(e.ebx, 0x9000, 0x9efff);
	read_back();
	assert_int_equal(b.protocol, 2);
	assert_string_equal(b.cmdline, "a b");
	assert_string_equal(b.loader, "nestbed");
	assert_int_equal(b.n_ranges, 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(b.ranges[i].base, g.map[i].base);
		assert_int_equal(b.ranges[i].size, g.map[i].size);
		assert_int_equal(b.ranges[i].type, g.map[i].type);
	}
	assert_int_equal(b.n_modules, 2);
	assert_int_equal(b.modules[0].start, 0x111000);
	assert_int_equal(b.modules[0].size, sizeof(rd1));
	assert_string_equal(b.modules[0].cmdline, "rd1 with args");
	assert_memory_equal(g.ram + 0x111000, rd1, sizeof(rd1));
	assert_int_equal(b.modules[1].start, 0x113000);
	assert_int_equal(b.modules[1].size, sizeof(rd2));
	assert_string_equal(b.modules[1].cmdline, "rd2");
	t = info_tag(4, &size);
	assert_non_null(t);
	assert_int_equal(size, 16);
	assert_int_equal(get_le32(t), 640);
	assert_int_equal(get_le32(t + 4), 1024);
	t = info_tag(6, &size);
	assert_int_equal(size, 16 + 3 * 24);
	assert_int_equal(get_le32(t), 24);
	assert_int_equal(get_le32(t + 4), 0);
	/* The end is in the total size; no RSDP, no load base. */
	t = info_tag(0, &size);
	assert_ptr_equal(t, g.ram + e.ebx + get_le32(g.ram + e.ebx));
	assert_int_equal(size, 8);
	assert_int_equal(get_le32(g.ram + e.ebx + 4), 0);
	assert_null(info_tag(14, &size));
	assert_null(info_tag(15, &size));
	assert_null(info_tag(21, &size));
}

static u8 sum(const u8 *p, u32 n)
{
	u8 s = 0;

	while (n--)
		s = (u8)(s + *p++);
	return s;
}

static void test_rsdp(void **state)
{
	u8 rsdp[36] = "RSD PTR ?NESTBD\2";

	put_le(rsdp + 16, 4, 0x1000);
	put_le(rsdp + 20, 4, 36);
	put_le(rsdp + 24, 8, 0x2000);
	rsdp[8] = 0;
	rsdp[8] = (u8)-sum(rsdp, 20);
	rsdp[32] = (u8)-sum(rsdp, 36);
	assert_int_equal(gmem_add(&g.mem, GUEST_LOW, 0x10000, g.ram + GUEST_LOW, 0x30000000, 0), 0);
	memcpy(g.ram + RSDP, rsdp, 36);
	g.img.rsdp = RSDP;
	begin();
	addresses();
	assert_int_equal(finish(), 0);
	read_back();
	assert_true(b.has_rsdp_v1);
	assert_true(b.has_rsdp_v2);
	assert_memory_equal(b.rsdp_v2, rsdp, 36);
	assert_memory_equal(b.rsdp_v1, "RSD PTR ", 8);
	assert_memory_equal(b.rsdp_v1 + 9, rsdp + 9, 6);
	assert_int_equal(b.rsdp_v1[15], 0);
	assert_memory_equal(b.rsdp_v1 + 16, rsdp + 16, 4);
	assert_int_equal(sum(b.rsdp_v1, 20), 0);
}

static void expect_base(u64 base)
{
	const u8 *t;
	u32 size;

	assert_int_equal(finish(), 0);
	assert_string_equal(cap.text, "");
	t = info_tag(21, &size);
	assert_non_null(t);
	assert_int_equal(size, 12);
	assert_int_equal(get_le32(t), base);
	assert_int_equal(e.rip, base + 0x20);
	assert_memory_equal(g.ram + base, file + 0x1000, 0x300);
	assert_int_equal(g.ram[base + 0x3ff], 0);
	assert_memory_equal(g.ram + base + 0x2000, file + 0x1400, 0x10);
	read_back();
}

static void test_relocatable(void **state)
{
	/* Linked where the guest has no memory; position independent. */
	put_elf_kernel(true, 3, 0x40000000, 0x40000000, 0x40000020);
	begin();
	TAG(10, 0, 0x100800, 0xffffffff, 0x1000, 0);
	expect_base(0x101000);
	begin();
	TAG(10, 0, 0x100800, 0xffffffff, 0x1000, 1);
	expect_base(0x101000);
	begin();
	TAG(10, 0, 0x100800, 0xffffffff, 0x10000, 2);
	expect_base(0x1f0000);
	assert_int_equal(e.end, 0x1f2010);
	/* An entry by tag moves with it. */
	begin();
	TAG(3, 0, 0x40000020);
	TAG(10, 0, 0, 0x180000, 0, 2);
	expect_base(0x180000 - 0x2010);
	/* Where it is linked, if it can be there and does not mind. */
	put_elf_kernel(false, 2, 0x140000, 0x140000, 0x140020);
	begin();
	TAG(10, 0, 0x100000, 0x180000, 0x1000, 0);
	expect_base(0x140000);
	begin();
	TAG(10, 0, 0x150000, 0x180000, 0x1000, 0);
	expect_base(0x150000);
}

static void test_relocatable_refused(void **state)
{
	put_elf_kernel(true, 2, 0x140000, 0x140000, 0x140020);
	begin();
	TAG(10, 0, 0x150000, 0x15200f, 0x1000, 0);
	expect_refused(-ENOSPC, "no room for the kernel from 0x150000 to 0x15200f");
	begin();
	TAG(10, 0, 0x150000, 0x152010, 0x1000, 3);
	expect_refused(-EINVAL, "load preference 3");
	begin();
	TAG(10, 1, 0x150000, 0x152010, 0x1001, 0);
	expect_refused(-EINVAL, "alignment 0x1001");
	begin();
	TAG(10, 0, 0x200000, 0x100000, 0x1000, 2);
	expect_refused(-ENOSPC, "no room for the kernel");
}

static void test_no_room(void **state)
{
	static const u8 big[0x100000];
	struct load_module m = { big, 0xef001, "rd" };

	begin();
	addresses();
	g.img.modules = &m;
	g.img.n_modules = 1;
	expect_refused(-ENOSPC, "no room for module \"rd\" of 0xef001 bytes");
	g.img.n_modules = 0;
	g.img.map = g.map + 2;
	g.img.n_map = 1;
	begin();
	TAG(2, 0, 0x100080, 0x100000, 0x100400, 0x1fffc0);
	TAG(3, 0, 0x100010);
	expect_refused(-ENOSPC, "no room for the boot information");
	/* The map says RAM where there is none. */
	g.map[2].size += 0x1000;
	begin();
	TAG(2, 0, 0x100080, 0x100000, 0x100400, 0x1fffc0);
	TAG(3, 0, 0x100010);
	assert_int_equal(finish(), -ENOSPC);
	assert_one_message(&cap, "cannot be written");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_addresses),
		T(test_load_addr_minus_one),
		T(test_elf),
		T(test_bad_kernels),
		T(test_header),
		T(test_tag_sizes),
		T(test_tags_that_are_obeyed),
		T(test_tags_that_are_not),
		T(test_information),
		T(test_rsdp),
		T(test_relocatable),
		T(test_relocatable_refused),
		T(test_no_room),
	};

	return cmocka_run_group_tests_name("load_mb2", tests, NULL, NULL);
}
