/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The test exporter's ioctls as functions. All return 0 or an errno value unless
 * they say otherwise. @dev is from exporter_open(), @fd a dma-buf's; what each
 * does is in dmabuf_test.h.
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dmabuf_test.h"

/* Load the module from a file; it may be loaded already. */
int exporter_load(const char *path);
/* EAGAIN: in use */
int exporter_unload(void);

/* A fd, or -1 with errno; ENOENT: the module is not loaded. Each is an importer of its own. */
int exporter_open(void);

/* The fd of a dma-buf, or -1 with errno. */
int exporter_create(int dev, const struct dmabuf_test_create *args);

/* The next @count calls of @op take @delay_ms longer, and fail with @err unless that is 0. */
int exporter_behave(int dev, int fd, enum dmabuf_test_op op, unsigned int count, int err,
		    unsigned int delay_ms);
/* Likewise, but a signal ends the delay. */
int exporter_behave_interruptible(int dev, int fd, enum dmabuf_test_op op, unsigned int count,
				  int err, unsigned int delay_ms);

int exporter_move(int dev, int fd, enum dmabuf_test_memory memory);
int exporter_force_move(int dev, int fd, enum dmabuf_test_memory memory);
int exporter_free_old(int dev, int fd);
int exporter_revoke(int dev, int fd, unsigned int timeout_ms, struct dmabuf_test_revoke *result);
int exporter_unrevoke(int dev, int fd);

int exporter_fill(int dev, int fd, unsigned int age, uint64_t offset, uint64_t length,
		  uint8_t value);

/* What exporter_check() found: a byte that should not be there. */
struct exporter_difference {
	bool any;
	uint64_t offset;
	uint8_t found;
};

int exporter_check(int dev, int fd, unsigned int age, uint64_t offset, uint64_t length,
		   uint8_t value, struct exporter_difference *difference);

int exporter_fence(int dev, int fd, unsigned int delay_ms);
int exporter_signal(int dev, int fd);
int exporter_counters(int dev, int fd, struct dmabuf_test_counters *counters);

/* How many there are now: of attachments, pins, mappings, vmaps. */
static inline int exporter_now(const struct dmabuf_test_counters *counters,
			       enum dmabuf_test_counter what)
{
	return counters->count[what] - counters->count[what + 1];
}

/* Whether nobody has anything of the buffer any more. */
static inline bool exporter_idle(const struct dmabuf_test_counters *counters)
{
	return !exporter_now(counters, DMABUF_TEST_ATTACHES) &&
	       !exporter_now(counters, DMABUF_TEST_PINS) &&
	       !exporter_now(counters, DMABUF_TEST_MAPS) &&
	       !exporter_now(counters, DMABUF_TEST_VMAPS);
}

/* @function of the kernel, as /proc/kallsyms calls it */
int exporter_delay(int dev, const char *function, unsigned int delay_us);
int exporter_delayed(int dev, struct dmabuf_test_delayed *delayed);

/* @dev as an importer */
int exporter_attach(int dev, int fd, unsigned int flags);
int exporter_step(int dev, enum dmabuf_test_step step);
int exporter_importer(int dev, struct dmabuf_test_importer *state);
int exporter_poke(int dev, uint64_t offset, uint64_t length, uint8_t value);

#endif /* EXPORTER_H */
