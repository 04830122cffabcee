// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A process that registers and uses what is being revoked. It may end at any time,
 * and leaves then what it has to the kernel.
 */
#include <pthread.h>
#include <unistd.h>

#include "soak.h"
#include "test.h"

#define MAX_THREADS 8

struct user {
	struct ibv_context *contexts[SOAK_OWNERS];
	struct ibv_pd *pds[SOAK_OWNERS];
	struct soak_thread threads[MAX_THREADS];
	unsigned int num_threads;
};

static void start(struct user *user, uint64_t seed, unsigned int number, void *(*body)(void *))
{
	struct soak_thread *thread = &user->threads[user->num_threads];

	thread->number = number;
	thread->context = user->contexts[number];
	thread->pd = user->pds[number];
	thread->random = (struct fuzz_random){ .state = seed + user->num_threads++ };
	soak_check(!pthread_create(&thread->id, NULL, body, thread), "thread");
}

static void open_device_for(struct user *user, unsigned int number)
{
	user->contexts[number] = open_device_named(soak.device);
	soak_check(user->contexts[number], "cannot open %s: %s", soak.device, strerrorname(errno));
	user->pds[number] = ibv_alloc_pd(user->contexts[number]);
	soak_check(user->pds[number], "PD: %s", strerrorname(errno));
}

/* An owner, and those who use its keys. The pins are the process's. */
static void start_owner(struct user *user, uint64_t seed, unsigned int number)
{
	start(user, seed, number, soak_owner_main);
	if (soak.does_dma) {
		start(user, seed, number, soak_dma_main);
	} else {
		start(user, seed, number, soak_writer_main);
		start(user, seed, number, soak_reader_main);
	}
}

static void stop(struct user *user)
{
	unsigned int i;

	for (i = 0; i < user->num_threads; i++)
		pthread_join(user->threads[i].id, NULL);
	for (i = 0; i < SOAK_OWNERS; i++) {
		ibv_dealloc_pd(user->pds[i]);
		ibv_close_device(user->contexts[i]);
	}
}

static void run(uint64_t seed, unsigned long rounds)
{
	struct user user = {};
	unsigned int i;

	/* Once the first owner has begun the device may be taken away. */
	for (i = 0; i < SOAK_OWNERS; i++)
		open_device_for(&user, i);
	for (i = 0; i < SOAK_OWNERS; i++)
		start_owner(&user, seed, i);
	while (rounds && !soak.shared->stop && soak.shared->round < rounds)
		usleep(1000);
	/* Of a process that exits the threads are in the middle of something. */
	if (!rounds)
		stop(&user);
	_exit(0);
}

pid_t soak_start_user(uint64_t seed, unsigned long rounds)
{
	pid_t pid;

	soak.shared->stop = false;
	soak.shared->round = 0;
	soak.shared->counts.processes++;
	pid = fork();
	soak_check(pid >= 0, "fork: %s", strerrorname(errno));
	if (!pid)
		run(seed, rounds);
	return pid;
}
