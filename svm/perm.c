// SPDX-License-Identifier: MIT
#include "svm/perm.h"

/* APM2 15.11, table 15-7: three ranges of 8K MSRs, 2K bytes each. */
static const struct { u32 first; u16 byte; } ranges[] = {
	{ 0x00000000, 0x0000 },
	{ 0xc0000000, 0x0800 },
	{ 0xc0010000, 0x1000 },
};

int msrpm_bit(u32 msr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (msr - ranges[i].first < 0x2000)
			return ranges[i].byte * 8 + (int)(msr - ranges[i].first) * 2;
	}
	return -1;
}

int msrpm_set(u8 *map, u32 msr, u32 rw, bool on)
{
	int bit = msrpm_bit(msr);
	u8 mask;

	if (bit < 0)
		return on ? 0 : -EINVAL;
	/* Two bits never straddle a byte: the number is even. */
	mask = (u8)((rw & 3) << (bit & 7));
	if (on)
		map[bit / 8] |= mask;
	else
		map[bit / 8] &= (u8)~mask;
	return 0;
}

u32 msrpm_get(const u8 *map, u32 msr)
{
	int bit = msrpm_bit(msr);

	if (bit < 0)
		return PERM_READ | PERM_WRITE;
	return map[bit / 8] >> (bit & 7) & 3;
}

void iopm_set(u8 *map, u16 port, bool on)
{
	if (on)
		map[port / 8] |= (u8)(1u << (port & 7));
	else
		map[port / 8] &= (u8)~(1u << (port & 7));
}

bool iopm_get(const u8 *map, u16 port, unsigned int size)
{
	/* APM2 15.10.1: every byte of the access; beyond FFFFh in the third page. */
	for (unsigned int i = 0; i < size; i++) {
		u32 p = (u32)port + i;

		if (map[p / 8] >> (p & 7) & 1)
			return true;
	}
	return false;
}

void perm_merge(u8 *out, const u8 *a, const u8 *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = a[i] | b[i];
}
