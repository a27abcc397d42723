// SPDX-License-Identifier: MIT
#include "vmx/perm.h"

#include "core/lib/string.h"

void vmx_msr_bitmap_fill(struct vmx_msr_bitmap *m, bool exit)
{
	memset(m, exit ? 0xff : 0, sizeof(*m));
}

void vmx_io_bitmap_fill(struct vmx_io_bitmap *m, bool exit)
{
	memset(m, exit ? 0xff : 0, sizeof(*m));
}

/* Both bitmaps: bit n of a map is bit n % 8 of byte n / 8. */
static void put_bit(u8 *map, u32 n, bool on)
{
	if (on)
		map[n / 8] |= (u8)(1u << n % 8);
	else
		map[n / 8] &= (u8)~(1u << n % 8);
}

static bool get_bit(const u8 *map, u32 n)
{
	return map[n / 8] & 1u << n % 8;
}

/*
 * SDM3 25.6.9: four bitmaps of 8192 bits, read before write, low before high.
 * The number of msr's bit in all of them in *n, or -ERANGE.
 */
static int msr_bit(u32 msr, bool write, u32 *n)
{
	u32 low = msr & 0x1fff;

	if (msr == low)
		*n = low;
	else if (msr == (0xc0000000u | low))
		*n = low + offsetof(struct vmx_msr_bitmap, read_high) * 8;
	else
		return -ERANGE;
	if (write)
		*n += offsetof(struct vmx_msr_bitmap, write_low) * 8;
	return 0;
}

int vmx_msr_bitmap_set(struct vmx_msr_bitmap *m, u32 msr, bool write, bool exit)
{
	u32 n;

	if (msr_bit(msr, write, &n))
		return -ERANGE;
	put_bit((u8 *)m, n, exit);
	return 0;
}

void vmx_io_bitmap_set(struct vmx_io_bitmap *m, u16 port, bool exit)
{
	put_bit((u8 *)m, port, exit);
}

bool vmx_msr_exits(const struct vmx_msr_bitmap *m, u32 msr, bool write)
{
	u32 n;

	return msr_bit(msr, write, &n) || get_bit((const u8 *)m, n);
}

bool vmx_io_exits(const struct vmx_io_bitmap *m, u16 port, u8 size)
{
	/* SDM3 26.1.3: an access that wraps around port ffff always exits. */
	if ((u32)port + size > 0x10000)
		return true;
	/* Any of its bytes is enough. */
	for (u8 i = 0; i < size; i++)
		if (get_bit((const u8 *)m, port + i))
			return true;
	return false;
}
