/* SPDX-License-Identifier: MIT */
/*
 * Types, attributes and small macros that every file uses.  Leaf: includes
 * only what a freestanding compiler provides.
 */
#ifndef CORE_LIB_BASE_H
#define CORE_LIB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __must_check	__attribute__((warn_unused_result))
#define __noreturn	__attribute__((noreturn))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define __section(s)	__attribute__((section(s)))
#define __used		__attribute__((used))
#define __unused	__attribute__((unused))
#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define BIT(n)		(1ULL << (n))
/* Bits hi..lo set, as the manuals write [hi:lo]. */
#define BITS(hi, lo)	((~0ULL >> (63 - (hi))) & (~0ULL << (lo)))
#define FIELD_GET(v, hi, lo)	(((u64)(v) & BITS(hi, lo)) >> (lo))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN_UP(x, a)	ALIGN_DOWN((x) + ((a) - 1), a)
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)

#define STATIC_ASSERT(cond, msg)	_Static_assert(cond, msg)
/* Every member of a structure that hardware or a file format defines. */
#define HW_FIELD(type, member, off) \
	STATIC_ASSERT(offsetof(type, member) == (off), #type "." #member)
#define HW_SIZE(type, size) \
	STATIC_ASSERT(sizeof(type) == (size), "sizeof " #type)

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ULL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define SIZE_2M		(2ULL << 20)
#define SIZE_1G		(1ULL << 30)

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()	__asm__ volatile("" ::: "memory")

/*
 * An entry of a table that the linker collects: SECTION_ENTRY(tests) places
 * a const object in .nb.tests; linker.ld brackets it with
 * __start_nb_tests and __stop_nb_tests.  The alignment is fixed so that the
 * compiler cannot put gaps between entries.
 */
#define SECTION_ENTRY(table) \
	__used __section(".nb." #table) __aligned(8)
#define SECTION_BOUNDS(type, table) \
	extern const type __start_nb_##table[], __stop_nb_##table[]

/* Linux numbers: save formats and users know them. */
#ifndef EPERM
#define EPERM		1
#define ENOENT		2
#define EIO		5
#define E2BIG		7
#define ENXIO		6
#define EAGAIN		11
#define ENOMEM		12
#define EFAULT		14
#define EBUSY		16
#define EEXIST		17
#define ENODEV		19
#define EISDIR		21
#define EINVAL		22
#define ENOSPC		28
#define ENOTTY		25
#define ERANGE		34
#define ENOSYS		38
#define ELOOP		40
#define EPROTO		71
#define EOVERFLOW	75
#define EOPNOTSUPP	95
#define ETIMEDOUT	110
#define ECANCELED	125
#endif

#endif
