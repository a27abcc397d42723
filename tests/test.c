/* SPDX-License-Identifier: MIT */
/* What a test calls: checks, rows, random numbers. */
#include "tests/test.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"

static void vreport(struct test_ctx *t, enum outcome o, const char *fmt, va_list ap)
{
	char text[160];

	nb_vsnprintf(text, sizeof(text), fmt, ap);
	if (t->rows) {
		struct test_row *r = &t->row[t->rows - 1];

		if (o > r->outcome) {
			r->outcome = (u8)o;
			nb_snprintf(r->reason, sizeof(r->reason), "%s", text);
		}
	}
	if (o > t->outcome) {
		t->outcome = (u8)o;
		nb_snprintf(t->reason, sizeof(t->reason), "%s%s%s",
			    t->rows ? t->row[t->rows - 1].name : "", t->rows ? ": " : "", text);
	}
}

void test_report(struct test_ctx *t, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	t->checks++;
	va_start(ap, fmt);
	vreport(t, o, fmt, ap);
	va_end(ap);
}

void test_leave(struct test_ctx *t)
{
	context_restore(&t->abort, 1);
}

void test_note(struct test_ctx *t, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	nb_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_printf(LOG_INFO, "%s: %s", t->test->id, text);
}

void test_row(struct test_ctx *t, const char *name)
{
	if (!t->row || t->rows == TEST_ROWS)
		TEST_ERROR(t, "more than %d rows", TEST_ROWS);
	t->row[t->rows++] = (struct test_row){ .name = name, .outcome = OUTCOME_PASS };
}

bool test_check(struct test_ctx *t, bool cond, const char *fmt, ...)
{
	va_list ap;

	t->checks++;
	if (cond)
		return true;
	va_start(ap, fmt);
	vreport(t, OUTCOME_FAIL, fmt, ap);
	va_end(ap);
	return false;
}

bool test_check_eq(struct test_ctx *t, u64 got, u64 want, const char *what, int line)
{
	return test_check(t, got == want, "line %d: %s: 0x%llx != 0x%llx", line, what,
			  (unsigned long long)got, (unsigned long long)want);
}

/* splitmix64: one multiply-xorshift chain for each number, any seed. */
u64 test_random(struct test_ctx *t)
{
	u64 z = t->rng += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}
