/* SPDX-License-Identifier: MIT */
/*
 * A test-and-set spin lock.  Not a ticket lock on purpose: a CPU that hung
 * inside a critical section is abandoned and its lock opened by force
 * (spin_reset), which tickets do not survive.  Not recursive, not fair, does
 * not touch the interrupt flag: what an NMI or trap handler uses must be
 * taken with spin_trylock.
 */
#ifndef CORE_LIB_SPINLOCK_H
#define CORE_LIB_SPINLOCK_H

#include "core/lib/base.h"

struct spinlock {
	u32 locked;
};

#define SPINLOCK_INIT	{ 0 }

/* Takes the lock if it is free; true when taken. */
static inline bool __must_check spin_trylock(struct spinlock *l)
{
	return !__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE);
}

static inline void spin_lock(struct spinlock *l)
{
	while (!spin_trylock(l)) {
		/* Read until free: the cache line stays shared meanwhile. */
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
	}
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

/*
 * Opens the lock whoever holds it.  Only after the holder has been stopped for
 * good; what the lock protects may be half changed.
 */
static inline void spin_reset(struct spinlock *l)
{
	spin_unlock(l);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->locked, __ATOMIC_RELAXED);
}

#endif
