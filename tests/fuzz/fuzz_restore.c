// SPDX-License-Identifier: MIT
/*
 * A machine is saved, the container is changed as the input says, checksums are
 * made right again or left as they are, and a new machine is restored from it.
 * That fails with a reason, or the machine that came to be saves as what
 * restores to the same again.  Unchanged it restores to the very same bytes.
 */
#include "tests/unit/vm_box.h"

#include "core/lib/crc32.h"

#define TRUST(cond) do { if (!(cond)) abort(); } while (0)
/* Of a container that is made up of the input itself. */
#define WHOLE		0x80

struct input {
	const u8 *p;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u64 num(struct input *in, size_t n)
{
	size_t have = MIN(in->left, n);
	u64 val = 0;

	memcpy(&val, in->p, have);
	in->p += have;
	in->left -= have;
	return val;
}

/* Bytes of the input at some places of memory; a byte and its repetitions. */
static void fill(struct vm_box *b, struct input *in, u32 n)
{
	for (; n && in->left; n--) {
		const struct gmem_slot *s = &b->vm.mem.slot[num(in, 1) % b->vm.mem.n];
		u64 at = num(in, 3) % s->size, len = num(in, 2) % 6000 + 1;
		u8 c = (u8)num(in, 1);

		len = MIN(len, s->size - at);
		if (c & 1)
			memset(s->host + at, c, len);
		else
			memcpy(s->host + at, in->p, MIN(len, in->left));
	}
}

/* Each checksum is that of what stands there now, as far as there is a structure. */
static void reseal(struct box_stream *s)
{
	struct save_header h;
	struct save_chunk c;
	u64 at;
	u32 crc;

	if (s->len < sizeof(h))
		return;
	memcpy(&h, s->p, sizeof(h));
	if (h.size < sizeof(h) || h.size > s->len)
		return;
	h.crc32 = crc = crc32_update(0, s->p + sizeof(h), h.size - sizeof(h));
	memcpy(s->p, &h, sizeof(h));
	for (at = h.size; s->len - at >= sizeof(c); at += sizeof(c) + c.size) {
		memcpy(&c, s->p + at, sizeof(c));
		if (c.size > s->len - at - sizeof(c))
			return;
		crc = crc32_update(crc, &c, offsetof(struct save_chunk, crc32));
		c.crc32 = crc = crc32_update(crc, s->p + at + sizeof(c), c.size);
		memcpy(s->p + at, &c, sizeof(c));
	}
}

/* Where things stand that checks are about: the next section or chunk. */
static u64 structure(const struct box_stream *s, u32 n)
{
	struct save_header h;
	struct save_section sec;
	struct save_chunk c;
	u64 at = sizeof(h);

	memcpy(&h, s->p, sizeof(h));
	for (; n && at + sizeof(sec) <= h.size && h.size <= s->len; n--) {
		memcpy(&sec, s->p + at, sizeof(sec));
		at += sizeof(sec) + ALIGN_UP((u64)sec.size, 8);
	}
	for (; n && at <= s->len && s->len - at >= sizeof(c); n--) {
		memcpy(&c, s->p + at, sizeof(c));
		at += sizeof(c) + c.size;
	}
	return at <= s->len ? at : 0;
}

static void change(struct box_stream *s, struct input *in)
{
	u8 op = (u8)num(in, 1);
	u64 at = op & 8 ? structure(s, (u32)num(in, 1)) + num(in, 1) : num(in, 3);
	u64 len = op & 16 ? num(in, 2) : num(in, 1) % 9;

	if (!s->len)
		return;
	at %= s->len;
	len = MIN(len, s->len - at);
	switch (op & 7) {
	case 0:			/* bytes away */
		memmove(s->p + at, s->p + at + len, s->len - at - len);
		s->len -= len;
		break;
	case 1:			/* cut off */
		s->len = at;
		break;
	case 2:			/* what stands elsewhere */
		memmove(s->p + at, s->p + num(in, 3) % (s->len - len + 1), len);
		break;
	case 3:
		s->p[at] ^= (u8)(1 << num(in, 1) % 8);
		break;
	case 4:
		memset(s->p + at, (int)num(in, 1), len);
		break;
	default:
		len = MIN(len, in->left);
		memcpy(s->p + at, in->p, len);
		in->p += len;
		in->left -= len;
		break;
	}
}

static bool documented(int err)
{
	return err == -EINVAL || err == -EPROTO || err == -ENOENT || err == -ENOMEM ||
	       err == -EIO;
}

static bool same(const struct box_stream *a, const struct box_stream *b)
{
	return a->len == b->len && !memcmp(a->p, b->p, a->len);
}

/* What was restored is saved, restored and saved: both say the same. */
static void settle(struct vm_box *b, const struct box_stream *must)
{
	struct box_stream first = box_save(b, &box_host), second;
	struct vm_box *again;
	char why[128] = "";

	TRUST(vm_snapshot_size(&b->vm, &box_host) == (s64)first.len);
	TRUST(!must || same(&first, must));
	TRUST(box_restore(&first, &box_host, &again, why, sizeof(why)) == 0);
	TRUST(first.at == first.len);
	second = box_save(again, &box_host);
	TRUST(same(&first, &second));
	vm_box_free(again);
	free(first.p);
	free(second.p);
}

static void restore(struct box_stream *s, const struct box_stream *must)
{
	struct vm_box *b;
	char why[128] = "";
	int err = box_restore(s, &box_host, &b, why, sizeof(why));

	box_fail_at = 0;
	TRUST(!err || (documented(err) && why[0] && !must));
	if (err)
		return;
	settle(b, must);
	vm_box_free(b);
}

static struct box_stream copy_of(const struct box_stream *s)
{
	struct box_stream c = { .p = malloc(s->len), .len = s->len };

	TRUST(c.p);
	memcpy(c.p, s->p, s->len);
	return c;
}

static struct box_stream valid(struct input *in, u32 cpus, u32 fills)
{
	struct vm_box *b = vm_box_whole(cpus);
	struct box_stream s;

	fill(b, in, fills);
	s = box_save(b, &box_host);
	vm_box_free(b);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	u8 how = (u8)num(&in, 1);
	struct box_stream good = { 0 }, s;

	if (how & WHOLE) {
		s = (struct box_stream){ .p = malloc(in.left + 1), .len = in.left };
		TRUST(s.p);
		memcpy(s.p, in.p, in.left);
	} else {
		good = valid(&in, 1 + (how & 1), how >> 1 & 7);
		s = copy_of(&good);
		if (how & 16)
			restore(&s, &good);
		while (in.left)
			change(&s, &in);
	}
	if (how & 32)
		reseal(&s);
	box_fail_at = how & 64 ? 1 + how % 8 : 0;
	box_once = size & 1;
	restore(&s, NULL);
	TRUST(!box_pages);
	free(s.p);
	free(good.p);
	return 0;
}
