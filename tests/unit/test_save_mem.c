/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"
#include "core/vm/save_mem.h"
#include "tests/unit/rng.h"

#define SEED	0x12345678u
#define RAM	(24 * PAGE_SIZE)
#define ROM	(2 * PAGE_SIZE)
#define ROM_AT	0xe0000ULL
#define ALIAS	0xffffe000ULL

static u8 ram[RAM] __aligned(8), rom[ROM] __aligned(8);
static struct save_mem_work work;
static struct gmem mem;

/* A stream; a write beyond limit fails. */
static struct {
	u8 buf[RAM + ROM + 4096];
	u64 len, at, limit;
} stream;

static int put(void *ctx, const void *buf, u64 len)
{
	if (len > stream.limit - stream.len)
		return -ENOSPC;
	memcpy(stream.buf + stream.len, buf, len);
	stream.len += len;
	return 0;
}

static int get(void *ctx, void *buf, u64 len)
{
	if (len > stream.len - stream.at)
		return -EIO;
	memcpy(buf, stream.buf + stream.at, len);
	stream.at += len;
	return 0;
}

static const struct save_sink sink = { put, NULL };
static const struct save_source source = { .read = get };

static int setup(void **state)
{
	memset(ram, 0, sizeof(ram));
	memset(rom, 0, sizeof(rom));
	gmem_init(&mem);
	assert_int_equal(gmem_add(&mem, 0x10000, RAM, ram, 0x100000, 0), 0);
	assert_int_equal(gmem_add(&mem, ROM_AT, ROM, rom, 0x200000, GMEM_RO), 0);
	return gmem_add(&mem, ALIAS, ROM, rom, 0x200000, GMEM_RO | GMEM_ALIAS);
}

static u64 save(void)
{
	stream.len = stream.at = 0;
	stream.limit = sizeof(stream.buf);
	assert_int_equal(save_mem_write(&mem, SEED, &sink, &work), 0);
	return stream.len;
}

/* What verifying says is what reading says, but for what is inside of packed pages. */
static int load(const char **what)
{
	struct save_layout l;
	const char *first = "";
	int err, verdict;

	memset(ram, 0, sizeof(ram));
	memset(rom, 0, sizeof(rom));
	assert_int_equal(save_layout_get(&mem, RAM, &l), 0);
	assert_int_equal(save_layout_bytes(&l), RAM + ROM);
	stream.at = 0;
	verdict = save_mem_verify(&l, SEED, &source, &work, &first);
	for (u64 i = 0; i < RAM; i++)
		assert_int_equal(ram[i], 0);
	stream.at = 0;
	err = save_mem_read(&mem, SEED, &source, &work, what);
	if (err && !strcmp(*what, "has a damaged chunk"))
		return err;
	assert_int_equal(verdict, err);
	if (err)
		assert_string_equal(first, *what);
	return err;
}

static struct save_chunk chunk(u64 at)
{
	struct save_chunk c;

	memcpy(&c, stream.buf + at, sizeof(c));
	return c;
}

/* Nothing but the end, and that says 0 pages. */
static void test_zero(void **state)
{
	struct save_chunk c;

	assert_int_equal(save(), sizeof(c));
	c = chunk(0);
	assert_int_equal(c.coding, SAVE_END);
	assert_int_equal(c.gpa, 0);
	assert_int_equal(c.crc32, crc32_update(SEED, &c, 20));
}

/* Runs end at zero pages, at the end of a slot, after 16 pages; aliases are left out. */
static void test_runs(void **state)
{
	static const struct { u64 gpa; u32 pages; } want[] = {
		{ 0x11000, 1 }, { 0x13000, 16 }, { 0x23000, 5 }, { ROM_AT + PAGE_SIZE, 1 },
	};
	struct save_chunk c;
	u64 at = 0;

	memset(ram + PAGE_SIZE, 1, PAGE_SIZE);
	memset(ram + 3 * PAGE_SIZE, 2, 21 * PAGE_SIZE);
	rom[ROM - 1] = 3;
	/* Equal bytes: one in 255, and some. */
	assert_in_range(save(), 0, 23 * 17 + 5 * 40);
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		c = chunk(at);
		assert_int_equal(c.gpa, want[i].gpa);
		assert_int_equal(c.pages, want[i].pages);
		assert_int_equal(c.coding, SAVE_LZ);
		at += sizeof(c) + c.size;
	}
	c = chunk(at);
	assert_int_equal(c.coding, SAVE_END);
	assert_int_equal(c.gpa, 23);
	assert_int_equal(at + sizeof(c), stream.len);
}

static void test_round_trip(void **state)
{
	struct rng r = rng_seed(3);
	static u8 want[RAM], want_rom[ROM];
	const char *what;

	for (u32 round = 0; round < 40; round++) {
		setup(NULL);
		for (u32 i = 0; i < RAM / PAGE_SIZE; i++)
			for (u32 k = 0; k < PAGE_SIZE && rng_one_in(&r, 2); k += 1 + round)
				ram[i * PAGE_SIZE + k] = (u8)rng_next(&r);
		rom[rng_below(&r, ROM)] = 7;
		memcpy(want, ram, RAM);
		memcpy(want_rom, rom, ROM);
		save();
		assert_int_equal(load(&what), 0);
		assert_int_equal(stream.at, stream.len);
		assert_memory_equal(ram, want, RAM);
		assert_memory_equal(rom, want_rom, ROM);
	}
}

/* Random pages do not pack: they go as they are. */
static void test_raw(void **state)
{
	struct rng r = { 4 };
	const char *what;

	for (u32 i = 0; i < 2 * PAGE_SIZE; i++)
		ram[i] = (u8)rng_next(&r);
	assert_int_equal(save(), 2 * sizeof(struct save_chunk) + 2 * PAGE_SIZE);
	assert_int_equal(chunk(0).coding, SAVE_RAW);
	assert_int_equal(load(&what), 0);
}

static void fill(void)
{
	struct rng r = { 5 };

	for (u32 i = 0; i < PAGE_SIZE; i++)
		ram[i] = (u8)rng_next(&r);
	memset(ram + 4 * PAGE_SIZE, 9, 2 * PAGE_SIZE);
	rom[5] = 1;
}

/* Whatever fails stops it, with that error. */
static void test_sink_and_source_fail(void **state)
{
	const char *what = NULL;
	u64 len;

	fill();
	len = save();
	for (u64 limit = 0; limit < len; limit++) {
		stream.len = 0;
		stream.limit = limit;
		fill();
		assert_int_equal(save_mem_write(&mem, SEED, &sink, &work), -ENOSPC);
	}
	for (u64 cut = 0; cut < len; cut++) {
		fill();
		save();
		stream.len = cut;
		assert_int_equal(load(&what), -EIO);
		assert_string_equal(what, "ends too early");
	}
}

/* Each changed bit is found; so are chunks of a container with another checksum. */
static void test_damage(void **state)
{
	const char *what;
	u64 len;

	fill();
	len = save();
	for (u64 bit = 0; bit < len * 8; bit++) {
		stream.buf[bit / 8] ^= (u8)(1 << bit % 8);
		assert_true(load(&what) < 0);
		stream.buf[bit / 8] ^= (u8)(1 << bit % 8);
	}
	stream.at = 0;
	assert_int_equal(save_mem_read(&mem, SEED + 1, &source, &work, &what), -EINVAL);
	assert_string_equal(what, "has a wrong checksum");
}

static u32 next_crc;

static void add(struct save_chunk c, const void *data)
{
	next_crc = crc32_update(crc32_update(next_crc, &c, 20), data, c.size);
	c.crc32 = next_crc;
	assert_int_equal(put(NULL, &c, sizeof(c)), 0);
	assert_int_equal(put(NULL, data, c.size), 0);
}

/* A checksum is no signature: what a hostile one can say. */
static void test_hostile(void **state)
{
	static u8 data[17 * PAGE_SIZE];
	static const struct {
		struct save_chunk c[2];
		const char *what;
	} rows[] = {
#define ONE(gpa_)	{ .gpa = gpa_, .pages = 1, .coding = SAVE_RAW, .size = PAGE_SIZE }
		{ { ONE(0x11000), ONE(0x11000) }, "pages are out of order" },
		{ { ONE(0x12000), ONE(0x11000) }, "pages are out of order" },
		{ { ONE(0x10008) }, "pages are out of order" },
		{ { ONE(0) }, "pages are outside of memory" },
		{ { ONE(0x10000 + RAM) }, "pages are outside of memory" },
		{ { ONE(ALIAS) }, "pages are outside of memory" },
		{ { ONE(~0xfffULL) }, "pages are outside of memory" },
		/* Over the end of a slot. */
		{ { { .gpa = 0x10000 + RAM - PAGE_SIZE, .pages = 2, .coding = SAVE_RAW,
		      .size = 2 * PAGE_SIZE } }, "pages are outside of memory" },
		{ { { .gpa = 0x10000, .pages = 17, .coding = SAVE_RAW,
		      .size = 17 * PAGE_SIZE } }, "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 0x100000, .coding = SAVE_RAW } },
		  "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 0, .coding = SAVE_RAW } },
		  "pages are out of order" },
		{ { { .gpa = 0x10000, .pages = 1, .coding = SAVE_RAW, .size = 4095 } },
		  "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 1, .coding = SAVE_LZ, .size = 4096 } },
		  "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 1, .coding = SAVE_LZ, .size = 0 } },
		  "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 1, .coding = SAVE_LZ, .size = 100 } },
		  "has a damaged chunk" },
		{ { { .gpa = 0x10000, .pages = 1, .coding = 3, .size = 100 } },
		  "has a damaged chunk" },
		{ { { .gpa = 1, .coding = SAVE_END } }, "has another number of pages" },
		{ { ONE(0x10000), { .gpa = 2, .coding = SAVE_END } },
		  "has another number of pages" },
		{ { { .pages = 1, .coding = SAVE_END } }, "has a damaged chunk" },
		{ { { .coding = SAVE_END, .size = 1 } }, "has a damaged chunk" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = "";

		stream.len = 0;
		stream.limit = sizeof(stream.buf);
		next_crc = SEED;
		add(rows[i].c[0], data);
		add(rows[i].c[1], data);
		if (load(&what) != -EINVAL || strcmp(what, rows[i].what))
			fail_msg("row %u: %s", i, what);
	}
}

static void test_layout(void **state)
{
	struct save_layout l;

	assert_int_equal(save_layout_get(&mem, 123, &l), 0);
	assert_int_equal(l.ram, 123);
	assert_int_equal(l.slots, 3);
	assert_int_equal(l.slot[2].same_as, ROM_AT);
	assert_int_equal(save_layout_check(&l, RAM + ROM), 0);
	assert_int_equal(save_layout_check(&l, RAM + ROM - 1), -EINVAL);
	assert_int_equal(save_layout_match(&l, &mem), 0);
	assert_null(save_layout_alias(&l, 0));
	assert_ptr_equal(save_layout_alias(&l, 1), &l.slot[2]);
	assert_int_equal(gmem_remove(&mem, ALIAS), 0);
	assert_int_equal(save_layout_match(&l, &mem), -EINVAL);
	assert_int_equal(gmem_add(&mem, ALIAS, PAGE_SIZE, NULL, 0, GMEM_MMIO), 0);
	assert_int_equal(save_layout_get(&mem, 123, &l), -EINVAL);
}

static void test_bad_layouts(void **state)
{
#define SLOT(n, member)	offsetof(struct save_layout, slot[n].member)
	static const struct { size_t at; u64 val; } rows[] = {
		{ SLOT(0, gpa), 0x10008 }, { SLOT(0, size), 0 }, { SLOT(0, size), 4095 },
		{ SLOT(0, size), ROM_AT }, { SLOT(0, size), ~0xfffULL },
		{ SLOT(2, gpa), 1ULL << 52 }, { SLOT(2, gpa), (1ULL << 52) - PAGE_SIZE },
		{ SLOT(2, gpa), ~0xfffULL }, { SLOT(2, size), PAGE_SIZE },
		{ SLOT(0, same_as), ROM_AT }, { SLOT(2, same_as), 0x10000 },
		{ SLOT(2, same_as), ALIAS }, { SLOT(2, same_as), 0x5000 },
		/* flags, with reserved above them */
		{ SLOT(0, flags), GMEM_MMIO }, { SLOT(0, flags), GMEM_ALIAS },
		{ SLOT(0, flags), 1ULL << 32 }, { SLOT(1, flags), 0 }, { SLOT(2, flags), 8 },
		{ SLOT(3, gpa), 1 }, { SLOT(15, flags), 1 },
		/* slots, with reserved above them */
		{ offsetof(struct save_layout, slots), 2 },
		{ offsetof(struct save_layout, slots), 4 },
		{ offsetof(struct save_layout, slots), 17 },
		{ offsetof(struct save_layout, slots), 3 | 1ULL << 32 },
	};
	struct save_layout l;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(save_layout_get(&mem, 0, &l), 0);
		memcpy((u8 *)&l + rows[i].at, &rows[i].val, 8);
		if (save_layout_check(&l, ~0ULL) != -EINVAL)
			fail_msg("row %u", i);
	}
	/* Two aliases of one ROM. */
	assert_int_equal(save_layout_get(&mem, 0, &l), 0);
	l.slot[3] = l.slot[2];
	l.slot[3].gpa += ROM;
	l.slots = 4;
	assert_int_equal(save_layout_check(&l, ~0ULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_zero, setup),
		cmocka_unit_test_setup(test_runs, setup),
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_raw, setup),
		cmocka_unit_test_setup(test_sink_and_source_fail, setup),
		cmocka_unit_test_setup(test_damage, setup),
		cmocka_unit_test_setup(test_hostile, setup),
		cmocka_unit_test_setup(test_layout, setup),
		cmocka_unit_test_setup(test_bad_layouts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
