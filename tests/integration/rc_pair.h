/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Two RC QPs of one process, connected to each other over the device's own
 * address. Usable from threads: no call fails a test.
 */
#ifndef RC_PAIR_H
#define RC_PAIR_H

#include <infiniband/verbs.h>

struct rc_pair {
	struct ibv_cq *requester_cq;
	struct ibv_cq *responder_cq;
	struct ibv_qp *requester;
	struct ibv_qp *responder;
	union ibv_gid gid;
	uint8_t gid_index;
	enum ibv_mtu mtu;
};

/* One side of a transfer: bytes behind a key */
struct rc_bytes {
	uint64_t addr;
	uint32_t length;
	uint32_t key;
};

/* No completion within the time that a connection may take to give up. */
#define RC_TIMED_OUT (-1)
/* The QP took no such work request; errno says why. */
#define RC_NOT_POSTED (-2)

/* 0 or an errno value */
int rc_pair_create(struct rc_pair *pair, struct ibv_pd *pd);
/* Both CQs have their events in @channel. */
int rc_pair_create_with_channel(struct rc_pair *pair, struct ibv_pd *pd,
				struct ibv_comp_channel *channel);
/* Unreliably connected: for writes, which the other side may refuse and nobody hears of it. */
int uc_pair_create(struct rc_pair *pair, struct ibv_pd *pd);
void rc_pair_destroy(struct rc_pair *pair);

/* Connect again after an operation failed. */
int rc_pair_reset(struct rc_pair *pair);

/* Bytes in a packet */
unsigned int rc_pair_mtu(const struct rc_pair *pair);

/*
 * Each returns the requester's completion status, or one of the two above.
 * rc_send() delivers to @to on the other side, and returns that side's status
 * in *received.
 */
int rc_write(struct rc_pair *pair, struct rc_bytes from, uint64_t to, uint32_t rkey);
int rc_read(struct rc_pair *pair, struct rc_bytes to, uint64_t from, uint32_t rkey);
int rc_send(struct rc_pair *pair, struct rc_bytes from, struct rc_bytes to, int *received);
int rc_fetch_add(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey,
		 uint64_t add);
int rc_compare_swap(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey,
		    uint64_t compare, uint64_t swap);

/* Wait for the requester's next completion, or the responder's. */
int rc_wait(struct rc_pair *pair);
int rc_wait_responder(struct rc_pair *pair);
/* The responder's, with all that it tells; @wc is filled unless it timed out. */
int rc_wait_receive(struct rc_pair *pair, struct ibv_wc *wc);

const char *rc_status_str(int status);

#endif /* RC_PAIR_H */
