/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The regions over dma-bufs of all processes, as RDMA netlink tells of them.
 */
#ifndef REGIONS_H
#define REGIONS_H

#include <stddef.h>
#include <stdint.h>

struct region {
	char device[64];
	uint32_t number; /* of the MR, on its device */
	uint32_t pid;	 /* 0: of another PID namespace, or gone */
	uint64_t length;
	char state[16];	    /* live, revoked */
	char placement[16]; /* system, device, mixed; unknown until somebody asks for it */
	char revocable[8];  /* yes, no */
	uint64_t charged;
	char exporter[32]; /* of the dma-buf */
	uint64_t inode;	   /* likewise */
	uint64_t size;	   /* likewise */
};

struct region_list {
	struct region *regions;
	size_t num;
};

/*
 * Of one device, or of all if it is NULL. Returns 0 or an errno value: ENODEV, no such device;
 * EPERM, which dma-buf a region is over is only told to CAP_NET_ADMIN.
 */
int regions_read(struct region_list *list, const char *device);
void regions_free(struct region_list *list);

#endif /* REGIONS_H */
