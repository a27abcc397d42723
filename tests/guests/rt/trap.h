/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GUESTS_RT_TRAP_H
#define TESTS_GUESTS_RT_TRAP_H

/* GDT, IDT, TSS of the payload's mode. */
void rt_trap_init(void);

#endif
