/* SPDX-License-Identifier: MIT */
/* Our own bug: say everything, then end the run as told. */
#ifndef CORE_X86_PANIC_H
#define CORE_X86_PANIC_H

#include "core/x86/trap.h"

void panic(const char *fmt, ...) __noreturn __printf(1, 2);
void panic_trap(struct trap_frame *f) __noreturn;

/* "symbol+0x12" of a code address, or "?" */
void symbol_format(char *buf, size_t size, u64 addr);

/*
 * Called once at the end of a panic, after the dump: closes the report and
 * ends the machine.  Set by main; until then a panic halts.
 */
extern void (*panic_end)(const char *reason);
/* Extra dump: the last exits (core/vm sets it). */
extern void (*panic_dump_exits)(void);

#define BUG_ON(cond) \
	do { if (unlikely(cond)) panic("%s:%d: %s", __FILE__, __LINE__, #cond); } while (0)

#endif
