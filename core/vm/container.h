/* SPDX-License-Identifier: MIT */
/*
 * The container of a saved machine: a header and sections, each with an id, a
 * number within its kind, a version and a length.  Integers are little-endian
 * as the CPU has them.  Pure.
 *
 *	0	8	magic "NBSAVE\r\n"
 *	8	4	version of the container (1)
 *	12	4	vendor: 1 SVM, 2 VMX
 *	16	8	bytes in all
 *	24	4	sections
 *	28	4	CRC-32 of all that follows
 *	32	...	sections
 *
 * A section is a struct save_section, its data, and zeros up to a multiple of
 * 8 bytes.  What a reader does not know it refuses: nothing of a machine is
 * dropped silently.
 */
#ifndef CORE_VM_CONTAINER_H
#define CORE_VM_CONTAINER_H

#include "core/lib/base.h"

#define SAVE_MAGIC	"NBSAVE\r\n"
#define SAVE_VERSION	1
#define SAVE_SECTIONS_MAX 1024

struct save_header {
	u8 magic[8];
	u32 version, vendor;
	u64 size;
	u32 sections, crc32;
};
HW_SIZE(struct save_header, 32);

struct save_section {
	u32 id;			/* enum save_id */
	u32 index;		/* vCPU number, or 0 */
	u32 version;
	u32 size;		/* of the data */
};
HW_SIZE(struct save_section, 16);

enum save_id {
	SAVE_VM = 1, SAVE_VCPU, SAVE_XSAVE, SAVE_APIC, SAVE_PIC, SAVE_IOAPIC, SAVE_PIT, SAVE_UART,
	SAVE_RTC, SAVE_PM, SAVE_FWCFG, SAVE_PCI, SAVE_TEST, SAVE_MEMORY, SAVE_NESTED,
	SAVE_CPU, SAVE_TEST_MEM,
	SAVE_ID_COUNT
};

/*
 * Where a container goes to and comes from, in order.  0 or -E...; a source
 * gives exactly len bytes, or -EIO (or another error) when there are fewer.
 */
struct save_sink {
	int (*write)(void *ctx, const void *buf, u64 len);
	void *ctx;
};

struct save_source {
	int (*read)(void *ctx, void *buf, u64 len);
	void *ctx;
	/* The next read is at that offset from the start; NULL: it can be read once only. */
	void (*seek)(void *ctx, u64 at);
};

struct save_out {
	u8 *buf;
	u64 size;		/* of buf */
	u64 len;		/* so far; counts on when buf is full */
	u32 sections;
};

void save_begin(struct save_out *o, void *buf, u64 size);
/*
 * Appends a section; returns where its size bytes go, zeroed, or NULL when the
 * buffer is full: go on, save_end tells how much it takes.
 */
void *save_section(struct save_out *o, u32 id, u32 index, u32 version, u32 size);
/* As save_section, with a copy of the data. */
void save_put(struct save_out *o, u32 id, u32 index, u32 version, const void *data, u32 size);
/* Closes it.  0, or -E2BIG: o->len bytes are needed. */
int __must_check save_end(struct save_out *o, u32 vendor);

struct save_in {
	const u8 *buf;
	u64 size;
	struct save_header header;
};

/*
 * Checks header, checksum, and the chain of sections: ids known, no section
 * twice, padding zero.  0; -EINVAL (not a container, damaged); -EPROTO
 * (another version, an unknown section).
 */
int __must_check save_open(struct save_in *in, const void *buf, u64 size);
/* Is that a header of a container?  As save_open, but what follows is not there yet. */
int __must_check save_header_check(const struct save_header *h);
/*
 * The section's data and its length.  NULL when it is not there, or has
 * another version.
 */
const void *save_find(const struct save_in *in, u32 id, u32 index, u32 version, u32 *size);
/* As save_find, only with exactly that size, copied to out.  0, -ENOENT, -EINVAL. */
int __must_check save_get(const struct save_in *in, u32 id, u32 index, u32 version, void *out,
			  u32 size);

#endif
