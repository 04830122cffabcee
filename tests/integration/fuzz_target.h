/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the fuzzer's threads share: devices, dma-bufs of every kind that there is,
 * and what an administrator can do to them meanwhile.
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs_ext.h>

#include "dmabuf_alloc.h"

/* What can happen to a device. All return 0 or an errno value. */
struct fuzz_device_ops {
	/* It goes, and comes back as new. */
	int (*replace)(void);
	/* Commands fail from now on, or do not end; one of several ways. It may be good for nothing
	 * then. */
	int (*damage)(unsigned int way);
};

struct fuzz_device {
	const char *name;
	struct ibv_context *context;
	struct ibv_pd *pd;
	const struct fuzz_device_ops *ops; /* or NULL */
	pthread_mutex_t replacing;
	atomic_bool replaced; /* it has to be opened again */
};

struct fuzz_buffer {
	int fd;
	uint64_t size;
	bool tested; /* the test exporter's */
	bool revoking;
	bool moving;
};

#define FUZZ_DEVICES 2
#define FUZZ_BUFFERS 12

struct fuzz_target {
	struct fuzz_device devices[FUZZ_DEVICES];
	unsigned int num_devices;
	pthread_rwlock_t lock; /* to use a device, or to open it again */
	int exporter;	       /* the test exporter, or -1 */
	struct fuzz_buffer buffers[FUZZ_BUFFERS];
	unsigned int num_buffers;
	struct dmabuf memory[3]; /* of the first buffers */
	const char *cgroup;	 /* whose limits can be changed, or NULL */
};

/* Without a device. All of these fail the test, or end the program, rather than return an error. */
void fuzz_target_setup(struct fuzz_target *t);
void fuzz_target_add_device(struct fuzz_target *t, const char *name,
			    const struct fuzz_device_ops *ops);
/* Whatever the calls have left of MRs goes, and then nobody holds any of the buffers. */
void fuzz_target_teardown(struct fuzz_target *t);

/* A device that nobody replaces until fuzz_device_put(). */
struct fuzz_device *fuzz_device_get(struct fuzz_target *t, unsigned int number);
void fuzz_device_put(struct fuzz_target *t);
/* By the holder of the device, who can then only put it. EBUSY: another thread does. */
int fuzz_device_replace(struct fuzz_device *device);
/* Likewise; EBUSY also for a device that was replaced, as nobody would replace it again. */
int fuzz_device_damage(struct fuzz_device *device, unsigned int way);

#endif /* FUZZ_TARGET_H */
