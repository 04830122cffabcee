/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A network with a device of rxe and a peer that is the test: it sends whatever
 * packets it likes, and sees the answers. So it can ask for what a well-behaved
 * requester does not, and repeat requests although no answer was lost.
 */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>

#include "rc_pair.h"

#define PEER_DEVICE "rxe_peer"
/* Bytes in a packet */
#define PEER_MTU 1024

enum peer_opcode {
	PEER_WRITE_ONLY = 0x0a,
	PEER_READ = 0x0c,
	PEER_READ_FIRST = 0x0d,
	PEER_READ_MIDDLE = 0x0e,
	PEER_READ_LAST = 0x0f,
	PEER_READ_ONLY = 0x10,
	PEER_ACK = 0x11,
	PEER_FLUSH = 0x1c,
	PEER_ATOMIC_WRITE = 0x1d,
};

#define PEER_NAK_REMOTE_ACCESS 0x62

struct peer_request {
	enum peer_opcode opcode;
	uint32_t psn;
	uint32_t rkey;
	uint64_t addr;
	uint32_t length;
	/* in multiples of four */
	const void *payload;
	uint32_t payload_length;
};

struct peer_answer {
	enum peer_opcode opcode;
	uint32_t psn;
	uint8_t syndrome;
	uint32_t length;
	uint8_t payload[PEER_MTU];
};

/* Both return 0 or an errno value: ENODEV on a kernel without TAP devices. */
int peer_open(void);
/* Connect the responder of a pair on the device, and anew after it failed. */
int peer_connect(struct rc_pair *pair);
/* Nobody uses the device any more. */
void peer_close(void);

/* Each fails the test if there is no answer. */
void peer_send(const struct rc_pair *pair, const struct peer_request *request);
void peer_receive(struct peer_answer *answer);

#endif /* PEER_H */
