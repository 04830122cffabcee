/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The RDMA device itself, taken away and given back.
 */
#ifndef LINK_H
#define LINK_H

#include <stddef.h>
#include <sys/types.h>

/* The network device that rxe is over */
void link_netdev(char *name, size_t size);

/* A process that deletes the device, which waits for its last user. */
pid_t link_start_delete(void);
/* Waits for that process, which has to succeed. */
void link_wait_for_delete(pid_t pid);

void link_add(const char *netdev);

#endif /* LINK_H */
