/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A QP that is connected to itself, so that what it sends it also receives: all
 * that bench/provider needs. Any failure ends the program.
 */
#ifndef PROVIDER_QUEUES_H
#define PROVIDER_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#define BATCH 32
#define DEPTH 256

struct domain {
	struct ibv_context *context;
	struct ibv_pd *pd; /* what objects are created with */
	struct ibv_pd *protection_domain;
	struct ibv_td *td; /* NULL: several threads may use the queues */
	struct ibv_mr *mr;
	uint8_t *buffer;
};

struct queues {
	struct domain *domain;
	struct ibv_cq_ex *send_cq;
	struct ibv_cq_ex *recv_cq;
	struct ibv_srq *srq; /* NULL: the QP has its own receive queue */
	struct ibv_qp *qp;
	struct ibv_qp_ex *qp_ex; /* NULL: the QP takes lists only */
};

enum queues_flags {
	WITH_SRQ = 1 << 0,
	WITH_QP_EX = 1 << 1,
};

void domain_open(struct domain *d, bool thread_domain);
void domain_close(struct domain *d);
void queues_create(struct queues *q, struct domain *d, int flags);
void queues_destroy(struct queues *q);

/* Lists of @num requests, at most BATCH, to send one byte and to receive one */
struct ibv_send_wr *send_list(struct queues *q, int num, int send_flags);
struct ibv_recv_wr *recv_list(struct queues *q, int num);

void post_sends(struct queues *q, int num);
void post_recvs(struct queues *q, int num);

/* Until @num completions have come */
void drain(struct ibv_cq_ex *cq, int num);

void die(const char *what) __attribute__((noreturn));

#endif /* PROVIDER_QUEUES_H */
