/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The lock of a queue's user side. Where the application has promised that one
 * thread at a time uses the queue, it is none.
 */
#ifndef RXE_LOCK_H
#define RXE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

struct rxe_lock {
	pthread_spinlock_t spin;
	bool single_threaded;
};

static inline int rxe_lock_init(struct rxe_lock *lock, bool single_threaded)
{
	lock->single_threaded = single_threaded;
	return pthread_spin_init(&lock->spin, PTHREAD_PROCESS_PRIVATE);
}

static inline void rxe_lock_destroy(struct rxe_lock *lock)
{
	pthread_spin_destroy(&lock->spin);
}

static inline void rxe_lock(struct rxe_lock *lock)
{
	if (!lock->single_threaded)
		pthread_spin_lock(&lock->spin);
}

static inline void rxe_unlock(struct rxe_lock *lock)
{
	if (!lock->single_threaded)
		pthread_spin_unlock(&lock->spin);
}

#endif /* RXE_LOCK_H */
