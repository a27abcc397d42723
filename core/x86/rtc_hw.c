// SPDX-License-Identifier: MIT
#include "core/x86/rtc_hw.h"

#include "core/lib/string.h"
#include "core/x86/insn.h"

/* MC146818 data sheet, address map; the century is where ACPI says, usually here. */
enum { RTC_SECOND = 0, RTC_MINUTE = 2, RTC_HOUR = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9,
       RTC_A = 10, RTC_B = 11 };
#define A_UIP		BIT(7)
#define B_24H		BIT(1)
#define B_BINARY	BIT(2)
#define HOUR_PM		0x80
/* An update takes 2 ms at most; a read of a port about 1 us. */
#define UIP_READS	20000
#define MAX_TRIES	8

static const u8 clock_regs[] = { RTC_SECOND, RTC_MINUTE, RTC_HOUR, RTC_DAY, RTC_MONTH, RTC_YEAR };
enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static u8 cmos_read(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static bool read_once(u8 *f)
{
	u32 n = 0;

	while (cmos_read(RTC_A) & A_UIP)
		if (++n == UIP_READS)
			return false;
	for (u32 i = 0; i < FIELDS; i++)
		f[i] = cmos_read(clock_regs[i]);
	return true;
}

static u32 number(u8 v, u8 reg_b)
{
	return reg_b & B_BINARY ? v : (u32)(v >> 4) * 10 + (v & 15);
}

/* Days since 1970 of a date of the Gregorian calendar, years counted from March. */
static s64 days(u32 year, u32 month, u32 day)
{
	u32 y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return (s64)(365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1) - 719468;
}

s64 rtc_epoch(void)
{
	u8 f[FIELDS], again[FIELDS], b;
	u32 hour, tries = 0;

	do {
		if (!read_once(f) || !read_once(again) || ++tries > MAX_TRIES)
			return 0;
	} while (memcmp(f, again, sizeof(f)));
	b = cmos_read(RTC_B);
	hour = number(f[HOUR] & (b & B_24H ? 0xff : (u8)~HOUR_PM), b);
	if (!(b & B_24H))
		hour = hour % 12 + (f[HOUR] & HOUR_PM ? 12 : 0);
	if (number(f[MONTH], b) - 1 > 11 || number(f[DAY], b) - 1 > 30)
		return 0;
	return days(2000 + number(f[YEAR], b), number(f[MONTH], b), number(f[DAY], b)) * 86400 +
	       hour * 3600 + number(f[MINUTE], b) * 60 + number(f[SECOND], b);
}
