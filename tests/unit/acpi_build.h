/* SPDX-License-Identifier: MIT */
/* Builds ACPI tables with good checksums in a struct physmem. */
#ifndef TESTS_UNIT_ACPI_BUILD_H
#define TESTS_UNIT_ACPI_BUILD_H

#include "core/x86/acpi_read.h"
#include "tests/unit/physmem.h"

#define ACPI_RSDP	0x1000
#define ACPI_XSDT	0x1100
#define ACPI_RSDT	0x1300
#define ACPI_BASE	0x1000
#define ACPI_SIZE	0x10000

struct acpi_build {
	struct physmem mem;
	u64 next;		/* where the next table goes */
	u64 pa[32];
	u32 n;
};

static inline void acpi_checksum(struct acpi_build *a, u64 pa, u64 at, u32 len)
{
	u8 *p = a->mem.mem + (pa - ACPI_BASE);
	u8 sum = 0;

	p[at] = 0;
	for (u32 i = 0; i < len; i++)
		sum = (u8)(sum + p[i]);
	p[at] = (u8)-sum;
}

/* Copies body behind a header; the body's offset 0 is the table's 36. */
static inline u64 acpi_put_table(struct acpi_build *a, u64 pa, const char *signature, u8 revision,
				 const void *body, u32 body_len)
{
	physmem_put(&a->mem, pa, signature, 4);
	physmem_put_le(&a->mem, pa + 4, 4, 36 + body_len);
	physmem_put_le(&a->mem, pa + 8, 1, revision);
	physmem_put(&a->mem, pa + 10, "NESTBDUNITTEST\0\0\0\0NBED\0\0\0\0", 26);
	if (body_len)
		physmem_put(&a->mem, pa + 36, body, body_len);
	acpi_checksum(a, pa, 9, 36 + body_len);
	return pa;
}

/* Adds a table and lists it in the root tables. */
static inline u64 acpi_add(struct acpi_build *a, const char *signature, u8 revision,
			   const void *body, u32 body_len)
{
	u64 pa = acpi_put_table(a, a->next, signature, revision, body, body_len);

	a->next += 36 + body_len + 3;	/* any alignment */
	a->pa[a->n++] = pa;
	return pa;
}

static inline void acpi_build_init(struct acpi_build *a)
{
	memset(a, 0, sizeof(*a));
	physmem_init(&a->mem, ACPI_BASE, ACPI_SIZE);
	a->next = 0x2000;
}

/* XSDT, RSDT and RSDP over what was added. */
static inline void acpi_finish(struct acpi_build *a, u8 revision)
{
	u8 body[8 * ARRAY_SIZE(a->pa)];

	for (u32 i = 0; i < a->n; i++)
		memcpy(body + 8 * i, &a->pa[i], 8);
	acpi_put_table(a, ACPI_XSDT, "XSDT", 1, body, 8 * a->n);
	for (u32 i = 0; i < a->n; i++)
		memcpy(body + 4 * i, &a->pa[i], 4);
	acpi_put_table(a, ACPI_RSDT, "RSDT", 1, body, 4 * a->n);
	physmem_put(&a->mem, ACPI_RSDP, "RSD PTR \0NESTBD", 15);
	physmem_put_le(&a->mem, ACPI_RSDP + 15, 1, revision);
	physmem_put_le(&a->mem, ACPI_RSDP + 16, 4, ACPI_RSDT);
	physmem_put_le(&a->mem, ACPI_RSDP + 20, 4, 36);
	physmem_put_le(&a->mem, ACPI_RSDP + 24, 8, ACPI_XSDT);
	acpi_checksum(a, ACPI_RSDP, 8, 20);
	acpi_checksum(a, ACPI_RSDP, 32, 36);
}

#endif
