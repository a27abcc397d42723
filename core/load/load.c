// SPDX-License-Identifier: MIT
#include "core/load/load.h"

#include "core/lib/physview.h"
#include "core/lib/string.h"
#include "core/load/load_plan.h"

static bool is_elf(const u8 *data, u64 size)
{
	return size >= 6 && !memcmp(data, "\x7f" "ELF", 4);
}

/* Linux Documentation/arch/x86/boot.rst, "The real-mode kernel header". */
static bool is_bzimage(const u8 *data, u64 size)
{
	return size >= 0x206 && get_le16(data + 0x1fe) == 0xaa55 &&
	       !memcmp(data + 0x202, "HdrS", 4);
}

/* A kernel with several headers is taken by the first that can be loaded. */
static enum load_format recognise(const u8 *data, u64 size, const char **why)
{
	s64 mb1 = mb1_find_header(data, size);

	if (mb1 >= 0 && mb1_has_addresses(data, (u64)mb1))
		return LOAD_MB1_AOUT;
	if (mb1 >= 0 && is_elf(data, size))
		return data[4] == 2 ? LOAD_MB1_ELF64 : LOAD_MB1_ELF32;
	if (is_bzimage(data, size))
		return LOAD_BZIMAGE;
	if (mb2_find_header(data, size) >= 0)
		return LOAD_MB2;
	if (!size)
		*why = "the file is empty";
	else if (mb1 >= 0)
		*why = "multiboot header without addresses in a file that is not ELF";
	else if (is_elf(data, size))
		*why = "ELF without a multiboot header";
	else if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		*why = "compressed with gzip";
	else
		*why = "neither a multiboot kernel nor a Linux bzImage";
	return LOAD_UNKNOWN;
}

enum load_format load_recognise(const char *name, const void *data, u64 size,
				const struct diag *d)
{
	const char *why = NULL;
	enum load_format format = recognise(data, size, &why);

	if (why)
		diag_printf(d, "guest %.60s: refused: %s", name, why);
	return format;
}

const char *load_format_name(enum load_format format)
{
	static const char *const names[] = {
		[LOAD_UNKNOWN] = "unknown format",
		[LOAD_MB1_ELF32] = "multiboot 1 ELF32",
		[LOAD_MB1_ELF64] = "multiboot 1 ELF64",
		[LOAD_MB1_AOUT] = "multiboot 1 with addresses",
		[LOAD_MB2] = "multiboot 2",
		[LOAD_BZIMAGE] = "Linux bzImage",
	};

	return (u32)format < ARRAY_SIZE(names) ? names[format] : names[LOAD_UNKNOWN];
}

struct load_reader {
	int (*plan)(struct load_plan *p);
	int (*write)(const struct load_plan *p, struct gmem *mem);
	void (*enter)(const struct load_plan *p, struct load_entry *e);
};

/* clang-format off */
static const struct load_reader readers[] = {
	[LOAD_MB1_ELF32] = { mb1_plan,   mb1_write,   mb1_enter },
	[LOAD_MB1_ELF64] = { mb1_plan,   mb1_write,   mb1_enter },
	[LOAD_MB1_AOUT]  = { mb1_plan,   mb1_write,   mb1_enter },
	[LOAD_MB2]       = { mb2_plan,   mb2_write,   mb2_enter },
	[LOAD_BZIMAGE]   = { linux_plan, linux_write, linux_enter },
};
/* clang-format on */

int load_guest(const struct load_image *img, struct gmem *mem, struct load_entry *e,
	       const struct diag *d)
{
	struct load_plan p = { .img = img, .mem = mem, .d = d };
	const struct load_reader *reader;
	int err;

	memset(e, 0, sizeof(*e));
	e->format = load_recognise(img->name, img->data, img->size, d);
	if (e->format == LOAD_UNKNOWN)
		return -EINVAL;
	reader = &readers[e->format];
	err = reader->plan(&p);
	if (!err)
		err = plan_write(&p, mem);
	if (!err)
		err = reader->write(&p, mem);
	if (err)
		return err;
	reader->enter(&p, e);
	e->end = p.end;
	return 0;
}
