// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "exporter.h"
#include "lock.h"

#define HOLD_MS 60000

static void on_signal(int signal)
{
	(void)signal;
}

static void *hold(void *arg)
{
	struct exporter_lock *lock = arg;

	lock->err = exporter_step(lock->dev, DMABUF_TEST_STEP_PIN);
	lock->ended = true;
	return NULL;
}

static int count_delays(int dev, int fd, unsigned int *delays)
{
	struct dmabuf_test_counters counters;
	int err = exporter_counters(dev, fd, &counters);

	if (!err)
		*delays = counters.count[DMABUF_TEST_DELAYS];
	return err;
}

static void sleep_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

int exporter_lock(struct exporter_lock *lock, int fd)
{
	struct sigaction action = { .sa_handler = on_signal };
	unsigned int before, now;
	int err;

	sigaction(SIGUSR2, &action, NULL);
	lock->ended = false;
	lock->dev = exporter_open();
	if (lock->dev < 0)
		return errno;
	err = exporter_attach(lock->dev, fd, DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_P2P);
	if (!err)
		err = count_delays(lock->dev, fd, &before);
	if (!err)
		err = exporter_behave_interruptible(lock->dev, fd, DMABUF_TEST_OP_PIN, 1, 0,
						    HOLD_MS);
	if (!err)
		err = pthread_create(&lock->thread, NULL, hold, lock);
	if (err)
		goto out;

	for (now = before; !err && now == before && !lock->ended;) {
		sleep_a_little();
		err = count_delays(lock->dev, fd, &now);
	}
	if (!err && !lock->ended)
		return 0;
	pthread_kill(lock->thread, SIGUSR2);
	pthread_join(lock->thread, NULL);
	/* An exporter without the operation pins at once. */
	if (!err)
		err = lock->err ? lock->err : EINVAL;
out:
	close(lock->dev);
	return err;
}

bool exporter_unlock(struct exporter_lock *lock)
{
	bool held = !lock->ended;

	pthread_kill(lock->thread, SIGUSR2);
	pthread_join(lock->thread, NULL);
	/* It detaches, and undoes the pin if there is one. */
	close(lock->dev);
	return held && lock->err == EINTR;
}
