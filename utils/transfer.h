/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The RDMA side: device, buffer, MR, queue pair, and moving batches of
 * messages. Functions return 0, or -1 having said on stderr what failed.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <infiniband/verbs_ext.h>
#include <stdbool.h>
#include <stdint.h>

#include "dmabuf_alloc.h"
#include "exchange.h"
#include "options.h"
#include "slots.h"

struct transfer {
	const struct options *opt;
	int sock; /* tells that the peer is gone; -1 until connected */
	struct ibv_context *context;
	struct ibv_comp_channel *channel;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct ibv_mr *mr;
	struct ibv_port_attr port;
	union ibv_gid gid;
	int gid_index;
	unsigned int rd_atomic;	     /* RDMA reads that the device answers at a time */
	unsigned int init_rd_atomic; /* RDMA reads that it has under way at a time */
	unsigned int depth;	     /* sends that the queue holds */

	struct dmabuf buf;
	struct dmabuf_id id;		    /* zero without a dma-buf */
	struct ibv_ext_dmabuf_mr_info info; /* zero unless the kernel can tell */
	double *reg_usec;   /* --reg-iters samples of each; the last deregistration is */
	double *dereg_usec; /* known after transfer_dereg() */
	struct slots slots;
	struct hello remote;
	uint64_t send_done; /* completions so far */
	uint64_t recv_done;
};

int transfer_open(struct transfer *t, const struct options *opt);
/* Allocates the buffer and registers it, taking the time. */
int transfer_register(struct transfer *t);
void transfer_hello(const struct transfer *t, struct hello *h);
int transfer_connect(struct transfer *t, const struct hello *local, const struct hello *remote);

/*
 * What one side of a batch of @count messages does, @seq being the number of the
 * first. Receives are posted by the receiving side before the sending side starts.
 */
enum transfer_way {
	TRANSFER_PINGPONG, /* there and back, one after the other */
	TRANSFER_STREAM,   /* one direction, as many at a time as the queue takes */
};

int transfer_post_recvs(struct transfer *t, enum transfer_way way, uint64_t seq,
			unsigned int count);
/* Not for RDMA reads, which concern one side only. */
int transfer_pingpong(struct transfer *t, uint64_t seq, unsigned int count, bool first);
/* @depth messages under way at a time; returns when all are complete. */
int transfer_stream(struct transfer *t, uint64_t seq, unsigned int count, unsigned int depth);
/* The other side of it: returns when all has arrived. */
int transfer_stream_wait(struct transfer *t, unsigned int count);

int transfer_dereg(struct transfer *t);
void transfer_close(struct transfer *t);

double now_usec(void);

/* For the parts of it among themselves. */
int transfer_fail(const char *what, int err);
int transfer_access(const struct options *o);
uint64_t transfer_addr(const struct transfer *t, size_t offset);

#endif /* TRANSFER_H */
