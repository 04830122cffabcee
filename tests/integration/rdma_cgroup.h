/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The rdma controller of cgroups, by its files. Groups are named by their path
 * below the mount point.
 */
#ifndef RDMA_CGROUP_H
#define RDMA_CGROUP_H

#include <stdbool.h>

#define CGROUP_ROOT ""
#define CGROUP_OUTER "dmabuf-test"
#define CGROUP_A "dmabuf-test/a"
#define CGROUP_B "dmabuf-test/b"

/* For rdma_cgroup_limit(): none */
#define NO_LIMIT (-1L)

/* 0, or an errno value: the kernel has no such controller */
int rdma_cgroup_setup(void);
/* Does the controller count what is pinned of dma-bufs? */
bool rdma_cgroup_counts_dmabufs(void);

/* CGROUP_OUTER with CGROUP_A and CGROUP_B in it; no process may join the first. */
void rdma_cgroup_create(void);

/*
 * Leaves and removes all of them, with whatever limits they have. Returns how
 * many were charged for something still, or have not gone.
 */
int rdma_cgroup_remove(void);

/* Of one group; 0 or an errno value */
int rdma_cgroup_rmdir(const char *group);

/* The calling process; 0 or an errno value */
int rdma_cgroup_join(const char *group);

/* In pages; for a child, which must not fail the test: 0 or an errno value. */
int rdma_cgroup_limit(const char *group, const char *device, long pages);
/* -1: not to be found out */
long rdma_cgroup_pages(const char *group, const char *device);

/* Waits until the kernel has freed the groups that were removed; false: it does not. */
bool rdma_cgroup_wait_freed(void);

#endif /* RDMA_CGROUP_H */
