// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <pthread.h>

#include "core/lib/spinlock.h"

static struct spinlock lock = SPINLOCK_INIT;
static volatile long counter;

static void test_trylock_and_reset(void **state)
{
	assert_false(spin_is_locked(&lock));
	assert_true(spin_trylock(&lock));
	assert_true(spin_is_locked(&lock));
	assert_false(spin_trylock(&lock));
	spin_reset(&lock);
	assert_true(spin_trylock(&lock));
	spin_unlock(&lock);
	assert_false(spin_is_locked(&lock));
}

static void *count(void *arg)
{
	for (int i = 0; i < 200000; i++) {
		spin_lock(&lock);
		counter = counter + 1;
		spin_unlock(&lock);
	}
	return NULL;
}

static void test_excludes(void **state)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, count, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(counter, 600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trylock_and_reset),
		cmocka_unit_test(test_excludes),
	};

	return cmocka_run_group_tests_name("spinlock", tests, NULL, NULL);
}
