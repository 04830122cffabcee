/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * MRs as RDMA netlink tells of them, with what it says of dma-bufs.
 */
#ifndef RDMA_NETLINK_H
#define RDMA_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

struct rdma_netlink {
	struct nl_sock *sock;
	uint32_t device; /* index */
};

/* Where nothing is told: an empty string, or no number */
struct netlink_mr {
	uint32_t number;
	uint64_t length;
	char mode[16];
	char state[16];
	char placement[16];
	char revocable[8];
	char exporter[32];
	bool has_charged, has_inode, has_size;
	uint64_t charged;
	uint64_t inode;
	uint64_t size;
};

/* These fail the test rather than return an error. */
void rdma_netlink_open(struct rdma_netlink *netlink, const char *device);
void rdma_netlink_close(struct rdma_netlink *netlink);

/* A list of all MRs of the device */
void rdma_netlink_dump_mrs(struct rdma_netlink *netlink,
			   void (*each)(const struct netlink_mr *mr, void *arg), void *arg);
/* The one MR that a list has with this length; fails the test if there are others. */
void rdma_netlink_find_mr(struct rdma_netlink *netlink, uint64_t length, struct netlink_mr *mr);
/* One MR, asked for by its number; 0 or an errno value */
int rdma_netlink_get_mr(struct rdma_netlink *netlink, uint32_t number, struct netlink_mr *mr);

#endif /* RDMA_NETLINK_H */
