/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What rxe needs to import a dma-buf and to write to it: device, PD, two
 * connected QPs and ordinary memory as the other side of transfers.
 */
#ifndef RDMA_H
#define RDMA_H

#include <infiniband/verbs_ext.h>

#include "fixture.h"
#include "rc_pair.h"

struct rdma {
	struct usage before;
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct rc_pair pair;
	uint32_t pin_flags; /* of registrations */
	size_t size;
	void *local;
	struct ibv_mr *local_mr;
};

void rdma_setup(struct rdma *r, size_t size);
/* Fails the test if anything is left. */
void rdma_teardown(struct rdma *r);

/* With the owner's consent to a revoke, if the kernel knows of such. */
void rdma_allow_revoke(struct rdma *r);

/* All of the buffer; NULL with errno, or as a call that has to succeed. */
struct ibv_mr *rdma_try_register(struct rdma *r, int fd);
struct ibv_mr *rdma_register(struct rdma *r, int fd);

/* Write @value to all of the region; a completion status. */
int rdma_write(struct rdma *r, struct ibv_mr *mr, uint8_t value);

/*
 * After a failure. With new QPs: in the old ones rxe may still be about to enter
 * the error state, and packets of the old connection may be on their way.
 */
int rdma_reconnect(struct rdma *r);

#endif /* RDMA_H */
