/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What "rdma resource show mr -dd" shows: driver details are for the second -d.
 */
#ifndef RDMA_TOOL_H
#define RDMA_TOOL_H

#include <stdbool.h>
#include <stddef.h>

/* As text; empty where nothing is shown */
struct shown_mr {
	char mode[16];
	char state[16];
	char placement[16];
	char revocable[8];
	char charged[24];
	char exporter[32];
	char inode[24];
	char size[24];
};

enum shown_to {
	SHOWN_TO_ADMIN,
	/* root without CAP_NET_ADMIN */
	SHOWN_TO_ROOT,
	SHOWN_TO_NOBODY,
};

/* The one MR of this process that is @length bytes long. */
void rdma_tool_show_mr(size_t length, enum shown_to whom, struct shown_mr *mr);

#endif /* RDMA_TOOL_H */
