/* SPDX-License-Identifier: MIT */
/*
 * Guest memory in a container (core/vm/container.h).  Section SAVE_MEMORY, a
 * struct save_layout, says what memory there is.  When it is there, what is in
 * the memory follows the container as a row of chunks, each a struct
 * save_chunk and its data, and an end.  Pure.
 *
 * A chunk is a run of pages of one slot.  Addresses ascend; pages of zeros are
 * left out, and so are slots that show the bytes of another one.  The checksum
 * of a chunk goes on from that of the one before, and that of the first from
 * the container's: chunks cannot be left out, exchanged, or be those of another
 * machine without notice.
 */
#ifndef CORE_VM_SAVE_MEM_H
#define CORE_VM_SAVE_MEM_H

#include "core/lib/lz.h"
#include "core/mm/gmem.h"
#include "core/vm/container.h"

#define SAVE_LAYOUT_VERSION	1
#define SAVE_CHUNK_PAGES	(LZ_MAX / (u32)PAGE_SIZE)

struct save_slot {
	u64 gpa, size;
	u64 same_as;		/* GMEM_ALIAS: gpa of the slot whose bytes it shows */
	u32 flags;		/* 0, GMEM_RO, GMEM_RO | GMEM_ALIAS */
	u32 reserved;
};

struct save_layout {
	u64 ram;		/* what firmware interfaces say */
	u32 slots, reserved;
	struct save_slot slot[GMEM_MAX_SLOTS];
};
HW_SIZE(struct save_layout, 16 + 16 * 32);

enum save_coding {
	SAVE_END,		/* the last chunk: gpa is the number of pages, no data */
	SAVE_RAW,
	SAVE_LZ,		/* core/lib/lz.h */
};

struct save_chunk {
	u64 gpa;		/* of the first page */
	u32 pages;		/* 1 to SAVE_CHUNK_PAGES; end: 0 */
	u32 coding;
	u32 size;		/* of the data that follow */
	u32 crc32;		/* goes on over the members before it and the data */
};
HW_SIZE(struct save_chunk, 24);

/* Room to work in. */
struct save_mem_work {
	struct lz_table table;
	u8 data[LZ_MAX];
};

/*
 * The layout of g.  -EINVAL: it has slots that cannot be saved (answered by
 * devices).
 */
int __must_check save_layout_get(const struct gmem *g, u64 ram, struct save_layout *out);
/* Could gmem hold that, and in no more than max bytes?  0 or -EINVAL. */
int __must_check save_layout_check(const struct save_layout *l, u64 max);
/* Is that how g is?  0 or -EINVAL. */
int __must_check save_layout_match(const struct save_layout *l, const struct gmem *g);
/* The slot that shows the bytes of slot i, or NULL. */
const struct save_slot *save_layout_alias(const struct save_layout *l, u32 i);

/* What g holds; crc: the container's.  0, or an error of out. */
int __must_check save_mem_write(const struct gmem *g, u32 crc, const struct save_sink *out,
				struct save_mem_work *w);
/*
 * Into g, whose memory is zero.  0; -EINVAL (damaged, out of order, not in
 * memory) with the reason in *what; or an error of in.
 */
int __must_check save_mem_read(const struct gmem *g, u32 crc, const struct save_source *in,
			       struct save_mem_work *w, const char **what);

/*
 * As save_mem_read, but nothing is written: are the chunks whole, in order, and
 * in the memory that l describes?
 */
int __must_check save_mem_verify(const struct save_layout *l, u32 crc, const struct save_source *in,
				 struct save_mem_work *w, const char **what);
/* Bytes of memory that are to be made for l. */
u64 save_layout_bytes(const struct save_layout *l);

#endif
