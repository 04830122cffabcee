/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Inside libibverbs-ext. Functions return 0 or an errno value and leave errno
 * itself to the public calls.
 */
#ifndef IBVERBS_EXT_H
#define IBVERBS_EXT_H

#include <stdbool.h>
#include <sys/types.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <infiniband/verbs_ext.h>

#define EXPORT __attribute__((visibility("default")))

#define EXT_MAX_ATTRS 2

/* ioctl.c */

/* An input that names an object of the context. */
static inline struct ib_uverbs_attr ext_attr_handle(uint16_t id, uint32_t handle)
{
	return (struct ib_uverbs_attr){ .attr_id = id,
					.flags = UVERBS_ATTR_F_MANDATORY,
					.data = handle };
}

/* An output of @len bytes. The kernel may know a shorter struct, so zero it before. */
static inline struct ib_uverbs_attr ext_attr_out(uint16_t id, void *out, uint16_t len)
{
	return (struct ib_uverbs_attr){
		.attr_id = id, .len = len, .flags = UVERBS_ATTR_F_MANDATORY, .data = (uintptr_t)out
	};
}

/* One ioctl with the driver id given. */
int ext_ioctl_as(uint32_t driver_id, int cmd_fd, uint16_t object, uint16_t method,
		 const struct ib_uverbs_attr *attrs, unsigned int num_attrs);

/* The same, with the device's driver id found out. */
int ext_ioctl(int cmd_fd, uint16_t object, uint16_t method, const struct ib_uverbs_attr *attrs,
	      unsigned int num_attrs);

/* driver_id.c */

/*
 * The driver id of the uverbs device open at @cmd_fd. *cached tells that the
 * device was not asked, so that the answer may be that of a device that had
 * this number before.
 */
int ext_get_driver_id(int cmd_fd, uint32_t *id, bool *cached);

/* As ext_get_driver_id(), asking the device and remembering the answer. */
int ext_find_driver_id(int cmd_fd, uint32_t *id);

/* 0 if the device open at @cmd_fd has driver id @id, EINVAL if another. */
int ext_check_driver_id(int cmd_fd, uint32_t id);

/* nldev.c */

/* The driver id of the uverbs device with number @rdev, as RDMA netlink tells it. */
int ext_nldev_driver_id(dev_t rdev, uint32_t *id);

/* caps.c */

/*
 * EOPNOTSUPP unless the kernel answers with this project's magic and version.
 * Other errors say that the kernel could not answer, not that it does not know.
 */
int ext_query_caps(int cmd_fd, struct ib_uverbs_dmabuf_caps *caps);

/* query.c */
int ext_query_mr(const struct ibv_mr *mr, struct ib_uverbs_dmabuf_mr_info *info);

/* reg.c */

/* Copy what the caller's struct holds; zero what it has beyond this library's. */
void ext_copy_sized(void *to, size_t to_size, const void *from, size_t from_size);

/* dmabuf_file.c */
struct ext_dmabuf_file {
	uint64_t size;
	uint64_t inode;
	bool writable;
	char exporter[IBV_EXT_DMABUF_EXPORTER_NAME_LEN]; /* empty where /proc is not mounted */
};

/* Fails with EINVAL if @fd is no open dma-buf. */
int ext_look_at_dmabuf(int fd, struct ext_dmabuf_file *file);

/* memlock.c */
enum ext_memlock {
	EXT_MEMLOCK_ALLOWS,
	EXT_MEMLOCK_REFUSES,
	EXT_MEMLOCK_UNKNOWN,
};

/* What RLIMIT_MEMLOCK says to this process pinning @bytes. */
enum ext_memlock ext_memlock_check(uint64_t bytes);

/* classify.c */

/* Why the kernel, or libibverbs, answered ibv_reg_dmabuf_mr() with report->err. */
void ext_classify(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		  struct ibv_ext_dmabuf_report *report);

/* load_provider.c */

/* Called when the library is loaded. */
void ext_load_provider(void) __attribute__((constructor));

#endif /* IBVERBS_EXT_H */
