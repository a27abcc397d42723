/* SPDX-License-Identifier: MIT */
/*
 * Events that go down to a guest: the neutral form of SVM's EVENTINJ
 * (APM2 15.20) and VMX's VM-entry interruption information (SDM3 25.8.3).
 */
#ifndef CORE_VM_EVENT_H
#define CORE_VM_EVENT_H

#include "core/lib/base.h"

enum event_type {
	EVENT_NONE,
	EVENT_INTR,		/* external interrupt */
	EVENT_NMI,
	EVENT_EXCEPTION,	/* hardware exception */
	EVENT_SOFT_INT,		/* INT n */
	EVENT_SOFT_EXC,		/* INT3, INTO: VMX has a type of its own */
	EVENT_PRIV_EXC,		/* INT1 (ICEBP): VMX type 5; SVM: exception */
	EVENT_NPF,		/* none: L1's nested tables refuse what L0 does for L2 */
};

struct event {
	u8 type;		/* enum event_type */
	u8 vector;
	bool has_error;
	u8 insn_len;		/* of INT n, INT3, INTO, INT1: RIP to push is behind it */
	u32 error;
	u64 payload;		/* CR2 of #PF; DR6 bits of #DB; address of EVENT_NPF */
};

static inline struct event event_exception(u8 vector)
{
	return (struct event){ .type = EVENT_EXCEPTION, .vector = vector };
}

static inline struct event event_exception_err(u8 vector, u32 error)
{
	return (struct event){ .type = EVENT_EXCEPTION, .vector = vector,
			       .has_error = true, .error = error };
}

static inline struct event event_intr(u8 vector)
{
	return (struct event){ .type = EVENT_INTR, .vector = vector };
}

static inline struct event event_nmi(void)
{
	return (struct event){ .type = EVENT_NMI, .vector = 2 };
}

/*
 * What waits for one vCPU.  reinject is an event whose delivery an exit
 * interrupted: it goes first (APM2 15.7.2, SDM3 28.2.4).
 */
struct event_queue {
	struct event reinject;
	struct event exception;
	u8 nmi;			/* NMIs that wait: at most two, the second one latched */
	bool intr;
	u8 intr_vector;
};

/*
 * WINDOW_TPR: an interrupt of class bits 11:8 waits for a TPR below it; exit
 * when the guest lowers its TPR (CR8).  WINDOW_CR8: exit at any write to CR8.
 */
enum event_window { WINDOW_INTR = 1, WINDOW_NMI = 2, WINDOW_TPR = 4, WINDOW_CR8 = 8 };
#define WINDOW_TPR_CLASS(c)	((u32)(c) << 8)
#define WINDOW_TPR_CLASS_OF(w)	((u8)((w) >> 8 & 15))

/* What of the guest decides whether an event may be delivered now. */
struct event_gate {
	bool intr_ok;		/* RFLAGS.IF = 1 and no interrupt shadow */
	bool nmi_ok;		/* not in an NMI handler, no shadow */
};

/*
 * Of those the pushed RFLAGS has RF set, so that a breakpoint at the instruction
 * does not hit again (APM2 3.1.6, SDM3 18.3.1.1).  #DB can be either: false.
 */
bool event_is_fault(const struct event *e);

/*
 * Takes the next deliverable event out of q.  Returns true and fills *out,
 * or returns false; *windows gets the WINDOW_ bits to wait for with what
 * stays queued.  Order: reinjection, exception, NMI, interrupt.
 */
bool event_next(struct event_queue *q, const struct event_gate *gate,
		struct event *out, u32 *windows);

/*
 * Queues an exception.  With one pending already they combine as APM2 8.2.9
 * and SDM3 6.15 (table 6-5) say: benign, double fault, or shutdown, for
 * which -EIO is returned (a triple fault) and no exception stays queued.  An
 * exception in reinject counts as pending; another event there is dropped.
 */
int __must_check event_queue_exception(struct event_queue *q, struct event e);

/* "external interrupt", "NMI", ... */
const char *event_type_name(u8 type);

#endif
