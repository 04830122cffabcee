/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Holds the reservation lock of a dma-buf, as an exporter that is slow does: a
 * thread pins the dma-buf, and the pin takes its time under the lock.
 */
#ifndef EXPORTER_LOCK_H
#define EXPORTER_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct exporter_lock {
	pthread_t thread;
	int dev;
	int err; /* of the pin, valid when it has ended */
	atomic_bool ended;
};

/*
 * Returns 0 when the lock is held, or an errno value. @fd is a dma-buf of the test
 * exporter with a pin operation. Its next pins are as usual again. It is let go of
 * after a minute, so that a test which waits for it fails rather than hangs. What
 * takes the lock of every dma-buf must not be called meanwhile, as usage_read()
 * does.
 */
int exporter_lock(struct exporter_lock *lock, int fd);

/* Whether it was held all the time since then. */
bool exporter_unlock(struct exporter_lock *lock);

#endif /* EXPORTER_LOCK_H */
