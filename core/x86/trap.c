/* SPDX-License-Identifier: MIT */
#include "core/x86/trap.h"

#include "core/lib/log.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/panic.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"

#include "core/x86/segments.h"

/* APM2 4.8.4, SDM3 6.14.1: 64-bit interrupt gate. */
struct idt_gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
} __packed;
HW_SIZE(struct idt_gate, 16);

struct ex_entry {
	u64 from, to;
};
SECTION_BOUNDS(struct ex_entry, ex_table);

extern const u8 trap_stubs[];		/* boot/traps.S: one each 16 bytes */

#define NMI_HANDLERS	4

static struct idt_gate idt[256];
static void (*irq_handler[256])(struct trap_frame *);
static bool (*nmi_handler[NMI_HANDLERS])(struct trap_frame *);

static u8 ist_of(unsigned int vector)
{
	switch (vector) {
	case VEC_NMI: return IST_NMI;
	case VEC_DF: return IST_DF;
	case VEC_MC: return IST_MC;
	default: return 0;
	}
}

void trap_init(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		u64 addr = (u64)trap_stubs + i * 16;

		idt[i] = (struct idt_gate){
			.offset_low = (u16)addr, .offset_mid = (u16)(addr >> 16),
			.offset_high = (u32)(addr >> 32), .selector = SEL_CODE64,
			.ist = ist_of(i), .type = 0x8e,
		};
	}
}

void trap_load_idt(void)
{
	struct { u16 limit; u64 base; } __packed ptr = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" :: "m"(ptr));
}

void irq_register(u8 vector, void (*fn)(struct trap_frame *))
{
	irq_handler[vector] = fn;
}

void nmi_register(bool (*fn)(struct trap_frame *))
{
	for (unsigned int i = 0; i < NMI_HANDLERS; i++) {
		if (!nmi_handler[i]) {
			nmi_handler[i] = fn;
			return;
		}
	}
	panic("more than %d NMI handlers", NMI_HANDLERS);
}

static void handle_nmi(struct trap_frame *f)
{
	bool claimed = false;

	this_cpu()->nmis++;
	for (unsigned int i = 0; i < NMI_HANDLERS && nmi_handler[i]; i++)
		claimed |= nmi_handler[i](f);
	/* An NMI without a sender we know: count it, the machine may tell more. */
	if (!claimed)
		this_cpu()->nmis_unknown++;
}

/*
 * insn.h: the instruction may fault; its fix-up wants vector + 1 in R8.  An
 * entry that leads to itself says that a stray #DB may come there: it is
 * dropped, with all registers as they are (svm/entry.S).
 */
static bool fixup(struct trap_frame *f)
{
	for (const struct ex_entry *e = __start_nb_ex_table; e < __stop_nb_ex_table; e++) {
		if (e->from == f->rip && e->to == f->rip)
			return f->vector == VEC_DB;
		if (e->from == f->rip) {
			f->rip = e->to;
			f->r8 = f->vector + 1;
			return true;
		}
	}
	return false;
}

void trap_abandon(struct trap_frame *f, const struct context *c, int val)
{
	f->rip = (u64)context_restore;
	f->rdi = (u64)c;
	f->rsi = (u64)(s64)val;
	/* IRET ends NMI blocking; the target sets its own stack at once. */
	f->rsp = c->regs[6];
	f->rflags = RFLAGS_FIXED;
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector == VEC_NMI) {
		handle_nmi(f);
	} else if (f->vector < 32) {
		if (!fixup(f))
			panic_trap(f);
	} else if (f->vector != VEC_SPURIOUS) {
		this_cpu()->irqs++;
		if (irq_handler[f->vector])
			irq_handler[f->vector](f);
		lapic_eoi();
	}
}
