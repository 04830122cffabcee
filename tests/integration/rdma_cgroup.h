/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The rdma controller of cgroups, by its files. Groups are named by their path
 * below the mount point.
 */
#ifndef RDMA_CGROUP_H
#define RDMA_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_ROOT ""
#define CGROUP_OUTER "dmabuf-test"
#define CGROUP_A "dmabuf-test/a"
#define CGROUP_B "dmabuf-test/b"

/* For rdma_cgroup_limit(): none */
#define NO_LIMIT INT64_MAX

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

/* Of dmabuf_pinned, in bytes; for a child, which must not fail the test: 0 or an errno value. */
int rdma_cgroup_limit(const char *group, const char *device, int64_t bytes);
/* What is charged of it; -1: not to be found out */
int64_t rdma_cgroup_pinned(const char *group, const char *device);

/* Of any resource, as text: "hca_object=3". 0 or an errno value. */
int rdma_cgroup_set(const char *group, const char *device, const char *limits);
/* What "rdma.max" or "rdma.current" says of a resource; empty: nothing */
void rdma_cgroup_get(const char *group, const char *file, const char *device, const char *resource,
		     char value[32]);

/* Waits until the kernel has freed the groups that were removed; false: it does not. */
bool rdma_cgroup_wait_freed(void);

#endif /* RDMA_CGROUP_H */
