/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The TCP connection beside the RDMA one: who is who, do both want the same,
 * are both ready, what did both find.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "slots.h"

/* A hello is one line of this length, padded with blanks. */
#define HELLO_LEN 512

struct hello {
	/* must be the same on both sides */
	enum operation op;
	uint64_t size;
	unsigned int iters;
	unsigned int batch;
	enum ibv_mtu mtu;
	/* of the sender */
	uint16_t lid;
	union ibv_gid gid;
	uint32_t qpn;
	uint32_t psn;
	uint32_t rkey;
	uint64_t tx_addr; /* of its first message to send */
	uint64_t rx_addr; /* of its first slot to receive into */
	uint64_t stride;
	unsigned int rd_atomic; /* RDMA reads it answers at a time */
	uint64_t seed;
};

/*
 * A socket, or -1 having said why. The server listens before it does anything
 * that takes long, so that its client has something to connect to.
 */
int exchange_listen(unsigned int port);
int exchange_accept(int listener);
int exchange_connect(const char *host, unsigned int port, unsigned int wait);

/* Both sides send first and then read. 0, or -1, having said why. */
int exchange_hello(int sock, const struct hello *local, struct hello *remote);
int exchange_result(int sock, const struct slots_result *local, struct slots_result *remote);
/* Returns when both sides came to the same @step. */
int exchange_barrier(int sock, char step);

/* The peer closed its end: it will not do its part of the work. */
bool exchange_peer_gone(int sock);

void hello_format(const struct hello *h, char line[HELLO_LEN]);
/* -1 if @line is no hello of this program's version */
int hello_parse(const char line[HELLO_LEN], struct hello *h);
/* -1, having said what differs, if the two sides were not asked for the same */
int hello_compare(const struct hello *local, const struct hello *remote);

#endif /* EXCHANGE_H */
