/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The lock of a queue's user side. Where the application has promised that one
 * thread at a time uses the queue, it is none.
 *
 * Our own, and not pthread_spin_lock(), since it is held for some dozen
 * instructions, and a call to take it and one to drop it would be half of that.
 */
#ifndef RXE_LOCK_H
#define RXE_LOCK_H

#include <stdbool.h>

struct rxe_lock {
	bool held;
	bool single_threaded;
};

void rxe_lock_wait(struct rxe_lock *lock);

static inline bool rxe_trylock(struct rxe_lock *lock)
{
	return !__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE);
}

/* For those who know already that there are several threads */

static inline void rxe_spin_lock(struct rxe_lock *lock)
{
	if (!rxe_trylock(lock))
		rxe_lock_wait(lock);
}

static inline void rxe_spin_unlock(struct rxe_lock *lock)
{
	__atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
}

/* For all others */

static inline void rxe_lock(struct rxe_lock *lock)
{
	if (!lock->single_threaded)
		rxe_spin_lock(lock);
}

static inline void rxe_unlock(struct rxe_lock *lock)
{
	if (!lock->single_threaded)
		rxe_spin_unlock(lock);
}

#endif /* RXE_LOCK_H */
