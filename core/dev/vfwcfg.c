// SPDX-License-Identifier: MIT
#include "core/dev/vfwcfg.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(fwcfg, "/kvm/dev", "fwcfg", "count", "accesses to the firmware configuration device");

#define SELECTOR	0x510
#define DATA		1	/* 0x511 */

/* docs/specs/fw_cfg, selector register: the item; bit 14 is a write mode of old. */
#define KEY_MASK	0xbfff

#define KEY_SIGNATURE	0x00
#define KEY_ID		0x01
#define KEY_RAM_SIZE	0x03
#define KEY_NOGRAPHIC	0x04
#define KEY_NB_CPUS	0x05
#define KEY_MAX_CPUS	0x0f
#define KEY_FILE_DIR	0x19

#define ID_TRADITIONAL	0x01	/* no DMA */

/* One entry of the file directory; numbers are big-endian. */
struct dir_entry {
	u8 size[4], select[2], reserved[2];
	char name[VFWCFG_NAME];
};
HW_SIZE(struct dir_entry, 64);

#define DIR_COUNT	4	/* bytes of the number of entries before them */

/* Numbers of an item, little-endian as x86 stores them. */
static u64 number_signature(const struct vfwcfg *f)
{
	return 'Q' | 'E' << 8 | 'M' << 16 | 'U' << 24;
}

static u64 number_id(const struct vfwcfg *f)
{
	return ID_TRADITIONAL;
}

static u64 number_ram_size(const struct vfwcfg *f)
{
	return f->ram_size;
}

/* There is no display. */
static u64 number_nographic(const struct vfwcfg *f)
{
	return 1;
}

static u64 number_cpus(const struct vfwcfg *f)
{
	return f->cpus;
}

static u64 number_max_cpus(const struct vfwcfg *f)
{
	return f->max_cpus;
}

/*
 * Items that are one number.  What is 0 in this machine (the UUID, machine id,
 * kernel and initrd) needs no row: behind the end of an item, and where there
 * is none, data reads 0.
 */
static const struct item {
	u16 key;
	u8 size;
	u64 (*number)(const struct vfwcfg *f);
} items[] = {
	{ KEY_SIGNATURE, 4, number_signature },
	{ KEY_ID, 4, number_id },
	{ KEY_RAM_SIZE, 8, number_ram_size },
	{ KEY_NOGRAPHIC, 2, number_nographic },
	{ KEY_NB_CPUS, 2, number_cpus },
	{ KEY_MAX_CPUS, 2, number_max_cpus },
};

static const struct item *find_item(u16 key)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (items[i].key == key)
			return &items[i];
	return NULL;
}

static const struct vfwcfg_file *find_file(const struct vfwcfg *f, u16 key)
{
	u32 i = key - VFWCFG_FIRST_FILE;

	return key >= VFWCFG_FIRST_FILE && i < f->n_files ? &f->file[i] : NULL;
}

static u32 dir_size(u32 files)
{
	return DIR_COUNT + files * (u32)sizeof(struct dir_entry);
}

static u32 item_size(const struct vfwcfg *f, u16 key)
{
	const struct item *item = find_item(key);
	const struct vfwcfg_file *file = find_file(f, key);

	if (item)
		return item->size;
	if (key == KEY_FILE_DIR)
		return dir_size(f->n_files);
	return file ? file->size : 0;
}

static void put_be(u8 *p, u32 val, unsigned int n)
{
	while (n--) {
		p[n] = (u8)val;
		val >>= 8;
	}
}

/* off is below dir_size. */
static u8 dir_byte(const struct vfwcfg *f, u32 off)
{
	struct dir_entry e;
	u8 count[DIR_COUNT];
	u32 i;

	if (off < DIR_COUNT) {
		put_be(count, f->n_files, sizeof(count));
		return count[off];
	}
	off -= DIR_COUNT;
	i = off / (u32)sizeof(e);
	memset(&e, 0, sizeof(e));
	put_be(e.size, f->file[i].size, sizeof(e.size));
	put_be(e.select, VFWCFG_FIRST_FILE + i, sizeof(e.select));
	memcpy(e.name, f->file[i].name, sizeof(e.name));
	return ((const u8 *)&e)[off % sizeof(e)];
}

static u8 item_byte(const struct vfwcfg *f, u16 key, u32 off)
{
	const struct item *item = find_item(key);

	if (item)
		return (u8)(item->number(f) >> (8 * off));
	if (key == KEY_FILE_DIR)
		return dir_byte(f, off);
	return ((const u8 *)find_file(f, key)->data)[off];
}

static u8 next_byte(struct vfwcfg *f)
{
	struct vfwcfg_state *s = &f->s;

	if (s->offset >= item_size(f, s->selector))
		return 0;
	return item_byte(f, s->selector, s->offset++);
}

/* The selector is write-only, the data a byte: a word is both. */
static u64 vfwcfg_read(void *ctx, u64 off, u8 size)
{
	if (off + size <= DATA)
		return 0xff;
	return off == DATA ? next_byte(ctx) : 0xff | (u64)next_byte(ctx) << 8;
}

/* Only a word selects; data cannot be written. */
static enum bus_result vfwcfg_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vfwcfg *f = ctx;

	if (size == 2) {
		f->s.selector = (u16)val & KEY_MASK;
		f->s.offset = 0;
	}
	return BUS_OK;
}

int vfwcfg_init(struct vfwcfg *f, struct bus *bus, u64 ram_size, u16 cpus)
{
	const struct bus_range r = { SELECTOR, SELECTOR + DATA, 2, vfwcfg_read, vfwcfg_write, f,
				     &fwcfg };

	memset(f, 0, sizeof(*f));
	f->ram_size = ram_size;
	f->cpus = f->max_cpus = cpus;
	return bus_add_io(bus, &r);
}

int vfwcfg_add_file(struct vfwcfg *f, const char *name, const void *data, u32 size)
{
	struct vfwcfg_file *file = &f->file[f->n_files];

	if (!*name || strnlen(name, VFWCFG_NAME) == VFWCFG_NAME || (size && !data))
		return -EINVAL;
	for (u32 i = 0; i < f->n_files; i++)
		if (!strcmp(f->file[i].name, name))
			return -EEXIST;
	if (f->n_files == VFWCFG_FILES)
		return -ENOSPC;
	str_copy(file->name, name, sizeof(file->name));
	file->data = data;
	file->size = size;
	f->n_files++;
	return 0;
}

/* The offset stays in the largest item that this key can be. */
int vfwcfg_state_check(const struct vfwcfg_state *s)
{
	const struct item *item = find_item(s->selector);
	u32 max = item ? item->size : 0;

	if (s->reserved || s->selector & ~KEY_MASK)
		return -EINVAL;
	if (s->selector == KEY_FILE_DIR)
		max = dir_size(VFWCFG_FILES);
	if (s->selector >= VFWCFG_FIRST_FILE &&
	    s->selector < VFWCFG_FIRST_FILE + VFWCFG_FILES)
		max = ~0U;
	return s->offset > max ? -EINVAL : 0;
}
