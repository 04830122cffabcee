/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What registrations may leave behind, counted over the whole machine: nothing
 * else uses dma-bufs or RDMA while the tests run.
 */
#ifndef LEAK_CHECK_H
#define LEAK_CHECK_H

#include <stddef.h>

struct usage {
	unsigned int mrs;	  /* of the device, as RDMA netlink counts them */
	unsigned int dmabufs;	  /* in debugfs */
	unsigned int attachments; /* of all dma-bufs, in debugfs */
	unsigned long pinned_kib; /* of this process: VmPin */
	unsigned int descriptors; /* of this process */
};

void usage_read(struct usage *usage);

/* Prints every difference; returns 0 if there is none. */
int usage_compare(const struct usage *expected, const char *when);

/* Fails the test unless all is as in @expected. */
void assert_usage(const struct usage *expected, const char *when);

/* Fails the test unless there is also so much of these; @charged in bytes. */
void assert_held(const struct usage *idle, unsigned int mrs, unsigned int attachments,
		 size_t charged, const char *when);

#endif /* LEAK_CHECK_H */
