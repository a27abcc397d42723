/* SPDX-License-Identifier: MIT */
#include "core/vm/event.h"

#include "core/x86/regs.h"

/* APM2 8.2.9 table 8-4, SDM3 6.15 table 6-4. */
enum exc_class { EXC_BENIGN, EXC_CONTRIBUTORY, EXC_PAGE_FAULT, EXC_DOUBLE };

static enum exc_class exc_class(u8 vector)
{
	switch (vector) {
	case VEC_DE: case VEC_TS: case VEC_NP: case VEC_SS: case VEC_GP: case VEC_CP:
		return EXC_CONTRIBUTORY;
	case VEC_PF:
	case VEC_VE:
		return EXC_PAGE_FAULT;
	case VEC_DF:
		return EXC_DOUBLE;
	default:
		return EXC_BENIGN;
	}
}

bool event_is_fault(const struct event *e)
{
	return e->type == EVENT_EXCEPTION && e->vector != VEC_DB && e->vector != VEC_BP &&
	       e->vector != VEC_OF && e->vector != VEC_DF && e->vector != VEC_MC;
}

int event_queue_exception(struct event_queue *q, struct event e)
{
	enum exc_class first, second = exc_class(e.vector);
	struct event *old = &q->exception;

	/*
	 * An exception while another was being delivered counts as its successor.
	 * Anything else whose delivery it ended is gone, as on a CPU: INT n is
	 * executed again, an acknowledged interrupt is lost.
	 */
	if (old->type == EVENT_NONE && q->reinject.type == EVENT_EXCEPTION)
		old = &q->reinject;
	else
		q->reinject.type = EVENT_NONE;
	if (old->type == EVENT_NONE) {
		q->exception = e;
		return 0;
	}
	first = exc_class(old->vector);
	if (first == EXC_DOUBLE && second != EXC_BENIGN) {
		*q = (struct event_queue){ .nmi = q->nmi, .intr = q->intr,
					   .intr_vector = q->intr_vector };
		return -EIO;
	}
	*old = (struct event){ 0 };
	if ((first == EXC_CONTRIBUTORY && second == EXC_CONTRIBUTORY) ||
	    (first == EXC_PAGE_FAULT && (second == EXC_CONTRIBUTORY || second == EXC_PAGE_FAULT)))
		e = event_exception_err(VEC_DF, 0);
	q->exception = e;
	return 0;
}

bool event_next(struct event_queue *q, const struct event_gate *gate,
		struct event *out, u32 *windows)
{
	bool got = true;

	if (q->reinject.type != EVENT_NONE) {
		*out = q->reinject;
		q->reinject.type = EVENT_NONE;
	} else if (q->exception.type != EVENT_NONE) {
		*out = q->exception;
		q->exception.type = EVENT_NONE;
	} else if (q->nmi && gate->nmi_ok) {
		*out = event_nmi();
		q->nmi--;
	} else if (q->intr && gate->intr_ok) {
		*out = event_intr(q->intr_vector);
		q->intr = false;
	} else {
		got = false;
	}
	*windows = (q->nmi ? WINDOW_NMI : 0) | (q->intr ? WINDOW_INTR : 0);
	return got;
}

const char *event_type_name(u8 type)
{
	static const char *const name[] = {
		[EVENT_NONE] = "none", [EVENT_INTR] = "external interrupt",
		[EVENT_NMI] = "NMI", [EVENT_EXCEPTION] = "exception",
		[EVENT_SOFT_INT] = "software interrupt",
		[EVENT_SOFT_EXC] = "software exception",
		[EVENT_PRIV_EXC] = "privileged software exception",
	};

	return type < ARRAY_SIZE(name) ? name[type] : "?";
}
