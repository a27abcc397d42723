/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/vm/event.h"
#include "core/x86/regs.h"

static const struct event_gate open_gate = { true, true };
static const struct event_gate shut_gate = { false, false };

static struct event take(struct event_queue *q, const struct event_gate *g, u32 *windows)
{
	struct event e = { .type = 0xee };
	bool got = event_next(q, g, &e, windows);

	assert_int_equal(got, e.type != 0xee);
	return e;
}

/* APM2 8.5, SDM3 6.9: in delivery, exception, NMI, interrupt. */
static void test_order(void **state)
{
	struct event_queue q = {
		.reinject = { .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 },
		.exception = { .type = EVENT_EXCEPTION, .vector = VEC_DB, .payload = DR6_BS },
		.nmi = true, .intr = true, .intr_vector = 0x31,
	};
	struct event e;
	u32 w;

	e = take(&q, &open_gate, &w);
	assert_int_equal(e.type, EVENT_SOFT_INT);
	assert_int_equal(e.vector, 0x80);
	assert_int_equal(e.insn_len, 2);
	assert_int_equal(w, WINDOW_NMI | WINDOW_INTR);
	e = take(&q, &open_gate, &w);
	assert_int_equal(e.type, EVENT_EXCEPTION);
	assert_int_equal(e.payload, DR6_BS);
	assert_int_equal(w, WINDOW_NMI | WINDOW_INTR);
	e = take(&q, &open_gate, &w);
	assert_int_equal(e.type, EVENT_NMI);
	assert_int_equal(e.vector, VEC_NMI);
	assert_int_equal(w, WINDOW_INTR);
	e = take(&q, &open_gate, &w);
	assert_int_equal(e.type, EVENT_INTR);
	assert_int_equal(e.vector, 0x31);
	assert_int_equal(w, 0);
	assert_false(event_next(&q, &open_gate, &e, &w));
	assert_int_equal(w, 0);
}

static void test_faults(void **state)
{
	static const u8 others[] = { VEC_DB, VEC_BP, VEC_OF, VEC_DF, VEC_MC };
	struct event e;

	for (u8 vector = 0; vector < 32; vector++) {
		bool fault = true;

		for (unsigned int i = 0; i < sizeof(others); i++)
			fault &= vector != others[i];
		e = event_exception(vector);
		assert_int_equal(event_is_fault(&e), fault);
	}
	e = event_intr(VEC_GP);
	assert_false(event_is_fault(&e));
	e = event_nmi();
	assert_false(event_is_fault(&e));
	e = (struct event){ .type = EVENT_SOFT_INT, .vector = VEC_GP };
	assert_false(event_is_fault(&e));
}

static void test_gates(void **state)
{
	static const struct event_gate intr_only = { .intr_ok = true };
	static const struct event_gate nmi_only = { .nmi_ok = true };
	struct event_queue q = { .nmi = true, .intr = true, .intr_vector = 0x20 };
	struct event e;
	u32 w;

	assert_false(event_next(&q, &shut_gate, &e, &w));
	assert_int_equal(w, WINDOW_NMI | WINDOW_INTR);
	/* A blocked NMI does not hold an interrupt back. */
	assert_int_equal(take(&q, &intr_only, &w).type, EVENT_INTR);
	assert_int_equal(w, WINDOW_NMI);
	q.intr = true;
	assert_int_equal(take(&q, &nmi_only, &w).type, EVENT_NMI);
	assert_int_equal(w, WINDOW_INTR);
	/* Exceptions and what was in delivery know no gate. */
	q.reinject = event_nmi();
	q.exception = event_exception(VEC_UD);
	assert_int_equal(take(&q, &shut_gate, &w).type, EVENT_NMI);
	assert_int_equal(take(&q, &shut_gate, &w).vector, VEC_UD);
	assert_int_equal(w, WINDOW_INTR);
}

/* APM2 table 8-4, SDM3 table 6-5, all pairs of vectors. */
static int expected(u8 first, u8 second)
{
	u64 contributory = BIT(VEC_DE) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
			   BIT(VEC_CP);
	u64 fault = BIT(VEC_PF) | BIT(VEC_VE);
	bool c1 = contributory >> first & 1, c2 = contributory >> second & 1;
	bool p1 = fault >> first & 1, p2 = fault >> second & 1;

	if (first == VEC_DF && (c2 || p2 || second == VEC_DF))
		return -1;
	if ((c1 && c2) || (p1 && (c2 || p2)))
		return VEC_DF;
	return second;
}

static void check_pair(struct event_queue *q, u8 first, u8 second)
{
	int want = expected(first, second);
	int ret = event_queue_exception(q, event_exception(second));
	struct event e;
	u32 w;

	if (want < 0) {
		assert_int_equal(ret, -EIO);
		assert_false(event_next(q, &open_gate, &e, &w));
		return;
	}
	assert_int_equal(ret, 0);
	e = take(q, &open_gate, &w);
	assert_int_equal(e.type, EVENT_EXCEPTION);
	assert_int_equal(e.vector, want);
	assert_int_equal(e.has_error, want == VEC_DF && second != VEC_DF);
	assert_int_equal(e.error, 0);
	/* The first one is not delivered again behind it. */
	assert_false(event_next(q, &open_gate, &e, &w));
}

static void test_double_faults(void **state)
{
	for (u8 first = 0; first < 32; first++) {
		for (u8 second = 0; second < 32; second++) {
			struct event_queue pending = { .nmi = false };
			struct event_queue delivering = { .reinject = event_exception(first) };

			assert_int_equal(event_queue_exception(&pending, event_exception(first)),
					 0);
			check_pair(&pending, first, second);
			check_pair(&delivering, first, second);
		}
	}
}

static void test_triple_keeps_others(void **state)
{
	struct event_queue q = { .exception = event_exception_err(VEC_DF, 0), .nmi = true,
				 .intr = true, .intr_vector = 0x44 };
	u32 w;

	assert_int_equal(event_queue_exception(&q, event_exception_err(VEC_GP, 8)), -EIO);
	assert_int_equal(take(&q, &open_gate, &w).type, EVENT_NMI);
	assert_int_equal(take(&q, &open_gate, &w).vector, 0x44);
}

/* An exception ends the delivery of what is no exception: that does not come first. */
static void test_exception_replaces_delivery(void **state)
{
	static const u8 types[] = { EVENT_INTR, EVENT_NMI, EVENT_SOFT_INT, EVENT_SOFT_EXC,
				    EVENT_PRIV_EXC };

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		struct event_queue q = { .reinject = { .type = types[i], .vector = 0x21 } };
		struct event e;
		u32 w;

		assert_int_equal(event_queue_exception(&q, event_exception_err(VEC_PF, 2)), 0);
		e = take(&q, &open_gate, &w);
		assert_int_equal(e.vector, VEC_PF);
		assert_int_equal(e.error, 2);
		assert_false(event_next(&q, &open_gate, &e, &w));
	}
}

static void test_makers(void **state)
{
	struct event e = event_exception_err(VEC_TS, 0x38);

	assert_int_equal(e.type, EVENT_EXCEPTION);
	assert_true(e.has_error);
	assert_int_equal(e.error, 0x38);
	assert_false(event_exception(VEC_UD).has_error);
	assert_int_equal(event_intr(0x99).vector, 0x99);
}

static void test_names(void **state)
{
	assert_string_equal(event_type_name(EVENT_NMI), "NMI");
	assert_string_equal(event_type_name(EVENT_PRIV_EXC), "privileged software exception");
	assert_string_equal(event_type_name(EVENT_PRIV_EXC + 1), "?");
	assert_string_equal(event_type_name(255), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_double_faults),
		cmocka_unit_test(test_triple_keeps_others),
		cmocka_unit_test(test_exception_replaces_delivery),
		cmocka_unit_test(test_makers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
