/* SPDX-License-Identifier: MIT */
/* The machine's clock: MC146818 at 0x70, 0x71. */
#ifndef CORE_X86_RTC_HW_H
#define CORE_X86_RTC_HW_H

#include "core/lib/base.h"

/* Its time as seconds since 1970 (it is taken as UTC); 0 when there is none. */
s64 rtc_epoch(void);

#endif
