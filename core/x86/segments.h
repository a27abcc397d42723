/* SPDX-License-Identifier: MIT */
/* Selectors of the hypervisor's GDT (core/x86/percpu.c); also for assembly. */
#ifndef CORE_X86_SEGMENTS_H
#define CORE_X86_SEGMENTS_H

#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_TSS		0x18
#define SEL_CODE32	0x28		/* boot and AP start only */

#endif
