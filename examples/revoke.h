/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the server of this example tells a client that connects, in network byte order.
 */
#ifndef REVOKE_H
#define REVOKE_H

#include <stdint.h>

#define PORT "18516"

struct offer {
	uint64_t addr;
	uint32_t rkey;
	uint32_t length; /* bytes */
};

#endif /* REVOKE_H */
