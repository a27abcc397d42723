/* SPDX-License-Identifier: MIT */
#ifndef CORE_MON_FONT8X16_H
#define CORE_MON_FONT8X16_H

#include "core/lib/base.h"

#define FONT_WIDTH	8
#define FONT_HEIGHT	16
#define FONT_FIRST	0x20
#define FONT_LAST	0x7e

/* 16 rows from the top; bit 7 is the leftmost dot.  Unknown: a box. */
const u8 *font_glyph(u8 c);

#endif
