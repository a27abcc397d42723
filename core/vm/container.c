// SPDX-License-Identifier: MIT
#include "core/vm/container.h"

#include "core/lib/crc32.h"
#include "core/lib/string.h"

#define HEADER	sizeof(struct save_header)
#define ENTRY	sizeof(struct save_section)

void save_begin(struct save_out *o, void *buf, u64 size)
{
	*o = (struct save_out){ .buf = buf, .size = size, .len = HEADER };
}

void *save_section(struct save_out *o, u32 id, u32 index, u32 version, u32 size)
{
	const struct save_section s = { id, index, version, size };
	u64 at = o->len, bytes = ENTRY + ALIGN_UP((u64)size, 8);

	o->len += bytes;
	o->sections++;
	if (o->len > o->size)
		return NULL;
	memset(o->buf + at, 0, bytes);
	memcpy(o->buf + at, &s, ENTRY);
	return o->buf + at + ENTRY;
}

void save_put(struct save_out *o, u32 id, u32 index, u32 version, const void *data, u32 size)
{
	void *to = save_section(o, id, index, version, size);

	if (to)
		memcpy(to, data, size);
}

int save_end(struct save_out *o, u32 vendor)
{
	struct save_header h = { .version = SAVE_VERSION, .vendor = vendor, .size = o->len,
				 .sections = o->sections };

	if (o->len > o->size)
		return -E2BIG;
	memcpy(h.magic, SAVE_MAGIC, sizeof(h.magic));
	h.crc32 = crc32_update(0, o->buf + HEADER, o->len - HEADER);
	memcpy(o->buf, &h, HEADER);
	return 0;
}

/* The section at offset at, if all of it is there; its end in *next. */
static bool section_at(const struct save_in *in, u64 at, struct save_section *s, u64 *next)
{
	if (in->size - at < ENTRY)
		return false;
	memcpy(s, in->buf + at, ENTRY);
	if (ALIGN_UP((u64)s->size, 8) > in->size - at - ENTRY)
		return false;
	*next = at + ENTRY + ALIGN_UP((u64)s->size, 8);
	return true;
}

static bool seen_before(const struct save_in *in, u64 end, const struct save_section *want)
{
	struct save_section s;
	u64 next;

	for (u64 at = HEADER; at < end && section_at(in, at, &s, &next); at = next)
		if (s.id == want->id && s.index == want->index)
			return true;
	return false;
}

static bool padding_zero(const struct save_in *in, u64 at, u64 next)
{
	for (; at < next; at++)
		if (in->buf[at])
			return false;
	return true;
}

int save_header_check(const struct save_header *h)
{
	if (memcmp(h->magic, SAVE_MAGIC, sizeof(h->magic)))
		return -EINVAL;
	if (h->version != SAVE_VERSION)
		return -EPROTO;
	/* The search for twins is quadratic. */
	return h->size >= HEADER && h->sections <= SAVE_SECTIONS_MAX ? 0 : -EINVAL;
}

int save_open(struct save_in *in, const void *buf, u64 size)
{
	struct save_header *h = &in->header;
	struct save_section s;
	u64 at = HEADER, next;
	int err;

	*in = (struct save_in){ .buf = buf, .size = size };
	if (size < HEADER)
		return -EINVAL;
	memcpy(h, buf, HEADER);
	err = save_header_check(h);
	if (err)
		return err;
	if (h->size != size)
		return -EINVAL;
	if (crc32_update(0, in->buf + HEADER, size - HEADER) != h->crc32)
		return -EINVAL;
	for (u32 i = 0; i < h->sections; i++, at = next) {
		if (!section_at(in, at, &s, &next) || seen_before(in, at, &s) ||
		    !padding_zero(in, at + ENTRY + s.size, next))
			return -EINVAL;
		if (!s.id || s.id >= SAVE_ID_COUNT)
			return -EPROTO;
	}
	return at == size ? 0 : -EINVAL;
}

const void *save_find(const struct save_in *in, u32 id, u32 index, u32 version, u32 *size)
{
	struct save_section s;
	u64 next;

	for (u64 at = HEADER; at < in->size && section_at(in, at, &s, &next); at = next) {
		if (s.id != id || s.index != index)
			continue;
		*size = s.size;
		return s.version == version ? in->buf + at + ENTRY : NULL;
	}
	return NULL;
}

int save_get(const struct save_in *in, u32 id, u32 index, u32 version, void *out, u32 size)
{
	u32 have;
	const void *data = save_find(in, id, index, version, &have);

	if (!data)
		return -ENOENT;
	if (have != size)
		return -EINVAL;
	memcpy(out, data, size);
	return 0;
}
