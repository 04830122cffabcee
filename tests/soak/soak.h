/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the processes and threads of a soak share: buffers that are revoked, the
 * keys to them, and what was counted.
 */
#ifndef SOAK_H
#define SOAK_H

#include <infiniband/verbs_ext.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fixture.h"
#include "fuzz_random.h"
#include "rc_pair.h"

#define SOAK_SIZE (3 * PAGE) /* of a buffer */
#define SOAK_OWNERS 2	     /* threads that register, of a process */
#define SOAK_BUFFERS (2 * SOAK_OWNERS)

#define SOAK_BATCH 4 /* writes that are posted together */

/* What is in the buffers: before anybody writes, by RDMA, and after a revoke */
#define SOAK_FRESH 0x11
#define SOAK_WRITTEN 0x22
#define SOAK_POISON 0x5a

struct soak_counts {
	atomic_ulong revokes; /* that took a pin away */
	atomic_ulong in_vain; /* revokes of what nobody had pinned */
	atomic_ulong written; /* revokes of what RDMA had written to, of those looked at */
	atomic_ulong registrations;
	atomic_ulong refused; /* registrations */
	atomic_ulong events;
	atomic_ulong transfers;
	atomic_ulong processes;
};

struct soak_shared {
	struct soak_counts counts;
	atomic_bool stop;   /* the processes that register */
	atomic_ulong round; /* of them */
	/* The keys of the region that each of them has now, or had last */
	struct {
		atomic_uint lkey;
		atomic_uint rkey;
	} keys[SOAK_OWNERS];
	atomic_bool used[SOAK_BUFFERS]; /* since the last revoke, of those that another process
					   revokes */
	char complaint[256];		/* the first one */
};

struct soak {
	struct soak_shared *shared;
	const char *device;
	bool does_dma; /* QEMU's edu */
	int exporter;
	int buffers[SOAK_BUFFERS];
};

extern struct soak soak;

void soak_setup(const char *device);
void soak_teardown(void);

/* In any process and thread: ends the process. */
void soak_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define soak_check(condition, ...)              \
	do {                                    \
		if (!(condition))               \
			soak_fail(__VA_ARGS__); \
	} while (0)

/*
 * Take the memory of a buffer away: nobody writes to it from then on. Whoever does so is
 * the only one, and gives it back. @look: first, whether RDMA has written to it.
 */
void soak_revoke(int buffer, bool look);
void soak_give_back(int buffer);
/* Likewise, if the process that took it away has ended; then nobody has any of the buffers. */
void soak_recover(void);

/* Threads of a process that registers: they never end. */
void *soak_owner_main(void *arg);
void *soak_writer_main(void *arg);
void *soak_reader_main(void *arg);
void *soak_dma_main(void *arg);

struct soak_thread {
	pthread_t id;
	struct ibv_context *context;
	struct ibv_pd *pd;
	unsigned int number; /* of the owner */
	struct fuzz_random random;
};

/* A process that registers, until it is told to stop, killed, or after so many rounds (0: never). */
pid_t soak_start_user(uint64_t seed, unsigned long rounds);

#endif /* SOAK_H */
