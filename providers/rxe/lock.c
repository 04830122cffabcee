// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <sched.h>

#include "lock.h"

#define SPINS 100

/* The holder is soon done if it runs; if it does not, let it. */
void rxe_lock_wait(struct rxe_lock *lock)
{
	do {
		for (int i = 0; i < SPINS; i++)
			if (!__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
				break;
		if (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			sched_yield();
	} while (!rxe_trylock(lock));
}
