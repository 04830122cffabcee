/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Modules that are built against Debian's headers find this header before that
 * of the same name there. Debian's image has no resource for pinned dma-bufs in
 * its rdma cgroup, so charging it succeeds and does nothing.
 */
#ifndef STOCK_CGROUP_RDMA_H
#define STOCK_CGROUP_RDMA_H

#include_next <linux/cgroup_rdma.h>

/* No enumerator: the checksums of exports that name the enum stay as they are. */
#define RDMACG_RESOURCE_DMABUF_PINNED RDMACG_RESOURCE_MAX

static inline int rdmacg_try_charge_amount(struct rdma_cgroup **rdmacg,
					   struct rdmacg_device *device,
					   enum rdmacg_resource_type index,
					   u64 amount)
{
	*rdmacg = NULL;
	return 0;
}

static inline void rdmacg_uncharge_amount(struct rdma_cgroup *cg,
					  struct rdmacg_device *device,
					  enum rdmacg_resource_type index,
					  u64 amount)
{
}

#endif /* STOCK_CGROUP_RDMA_H */
