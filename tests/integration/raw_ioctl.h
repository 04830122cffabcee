/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Calls that no library would make: straight to the kernel, with handles,
 * flags and sizes of the test's choice. All return 0 or an errno value.
 */
#ifndef RAW_IOCTL_H
#define RAW_IOCTL_H

#include <stdint.h>

#include <infiniband/ib_user_dmabuf.h>

struct raw_region {
	uint32_t pd;
	int fd;
	uint64_t offset;
	uint64_t length;
	uint64_t iova;
	uint32_t access;
};

struct raw_mr {
	uint32_t handle;
	uint32_t lkey;
	uint32_t rkey;
};

/* What UVERBS_METHOD_QUERY_MR tells. */
struct raw_mr_info {
	uint32_t lkey;
	uint32_t rkey;
	uint64_t length;
	uint64_t iova;
};

int raw_reg_dmabuf_mr(int cmd_fd, const struct raw_region *region, struct raw_mr *mr);
int raw_dereg_mr(int cmd_fd, uint32_t handle);
int raw_query_mr(int cmd_fd, uint32_t handle, struct raw_mr_info *info);
int raw_get_context(int cmd_fd);

/* @size of the buffer as told to the kernel */
int raw_query_dmabuf_caps(int cmd_fd, void *caps, uint16_t size);
int raw_query_dmabuf_mr(int cmd_fd, uint32_t handle, void *info, uint16_t size);
int raw_watch_dmabuf_mr(int cmd_fd, uint32_t handle, int event_fd, uint64_t cookie);
int raw_unwatch_dmabuf_mr(int cmd_fd, uint32_t handle, int event_fd, uint64_t cookie,
			  uint32_t *events_reported);
int raw_probe_dmabuf(int cmd_fd, const struct raw_region *region, void *probe, uint16_t size);

/* The write() interface. */
int raw_reg_mr(int cmd_fd, uint32_t pd, void *addr, uint64_t length, uint32_t access,
	       struct raw_mr *mr);
int raw_rereg_mr(int cmd_fd, uint32_t handle, uint32_t flags, void *addr, uint64_t length,
		 uint32_t pd, uint32_t access);

#endif /* RAW_IOCTL_H */
