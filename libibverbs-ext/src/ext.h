/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Inside libibverbs-ext. Functions return 0 or an errno value and leave errno
 * itself to the public calls.
 */
#ifndef IBVERBS_EXT_H
#define IBVERBS_EXT_H

#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <infiniband/verbs_ext.h>

#define EXPORT __attribute__((visibility("default")))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What one ioctl has room for. */
#define EXT_MAX_ATTRS 6

/* device.c */

/* The uverbs device of a context. */
struct ext_device {
	int cmd_fd;
	uint32_t driver_id;
	uint32_t access_flags; /* enum ib_uverbs_dmabuf_access_flags that it takes */
};

/*
 * The device open at @cmd_fd. EOPNOTSUPP unless its kernel answered with this
 * project's magic and version, which comes before all else that is asked of the
 * kernel. Other errors say that the kernel could not answer, not that it does
 * not know.
 */
int ext_get_device(int cmd_fd, struct ext_device *device);

/* ioctl.c */

/* An input that names an object of the context. */
static inline struct ib_uverbs_attr ext_attr_handle(uint16_t id, uint32_t handle)
{
	return (struct ib_uverbs_attr){ .attr_id = id,
					.flags = UVERBS_ATTR_F_MANDATORY,
					.data = handle };
}

static inline struct ib_uverbs_attr ext_attr_fd(uint16_t id, int fd)
{
	return (struct ib_uverbs_attr){ .attr_id = id,
					.flags = UVERBS_ATTR_F_MANDATORY,
					.data_s64 = fd };
}

/* Inputs of up to eight bytes are in the attribute itself, at its beginning. */
static inline struct ib_uverbs_attr ext_attr_u32(uint16_t id, uint32_t value)
{
	struct ib_uverbs_attr attr = { .attr_id = id,
				       .len = sizeof(value),
				       .flags = UVERBS_ATTR_F_MANDATORY };

	memcpy(&attr.data, &value, sizeof(value));
	return attr;
}

static inline struct ib_uverbs_attr ext_attr_u64(uint16_t id, uint64_t value)
{
	return (struct ib_uverbs_attr){
		.attr_id = id, .len = sizeof(value), .flags = UVERBS_ATTR_F_MANDATORY, .data = value
	};
}

/* An output of @len bytes. The kernel may know a shorter struct, so zero it before. */
static inline struct ib_uverbs_attr ext_attr_out(uint16_t id, void *out, uint16_t len)
{
	return (struct ib_uverbs_attr){
		.attr_id = id, .len = len, .flags = UVERBS_ATTR_F_MANDATORY, .data = (uintptr_t)out
	};
}

/* For ext_ioctl(), and for ioctls without attributes. */
int ext_ioctl_with(const struct ext_device *device, uint16_t object, uint16_t method,
		   struct ib_uverbs_attr *attrs, unsigned int num_attrs);

/* One ioctl with the array @attrs. If it succeeds, they are as the kernel left them. */
#define ext_ioctl(device, object, method, attrs)                                  \
	({                                                                        \
		_Static_assert(ARRAY_SIZE(attrs) <= EXT_MAX_ATTRS,                \
			       "more than EXT_MAX_ATTRS attributes");             \
		ext_ioctl_with(device, object, method, attrs, ARRAY_SIZE(attrs)); \
	})

/* driver_id.c */

/* Sets device->driver_id; @rdev is the device's number. */
int ext_find_driver_id(struct ext_device *device, dev_t rdev);

/* 0 if device->driver_id is right, EINVAL if the device has another. */
int ext_check_driver_id(const struct ext_device *device);

/* nldev.c */

/* The driver id of the uverbs device with number @rdev, as RDMA netlink tells it. */
int ext_nldev_driver_id(dev_t rdev, uint32_t *id);

/* query.c */
int ext_query_mr(const struct ext_device *device, const struct ibv_mr *mr,
		 struct ib_uverbs_dmabuf_mr_info *info);

/* request.c */

/* What is lost on the way to the kernel and so cannot be checked there. */
int ext_check_attr(const struct ibv_ext_dmabuf_mr_attr *attr, uint32_t device_access,
		   enum ibv_ext_dmabuf_reason *reason);

/* The access flags of @attr as the kernel takes them. */
uint32_t ext_request_access(const struct ibv_ext_dmabuf_mr_attr *attr);

/* Copy what the caller's struct holds; zero what it has beyond this library's. */
void ext_copy_sized(void *to, size_t to_size, const void *from, size_t from_size);

/* probe.c */

/*
 * What refuses every registration, before the kernel looks at its arguments: 0
 * if nothing does, or its errno value and *reason.
 */
int ext_ask_for_nothing(struct ibv_pd *pd, enum ibv_ext_dmabuf_reason *reason);

/*
 * Asks the kernel how a registration would go; fails if the kernel could not
 * find out. Fills all of @report but err, with reason and probe_err for what the
 * kernel found.
 */
int ext_ask_kernel(const struct ext_device *device, const struct ibv_ext_dmabuf_mr_attr *attr,
		   struct ibv_ext_dmabuf_report *report);

/* classify.c */

/* Why the kernel, or libibverbs, answered ibv_reg_dmabuf_mr() with report->err. */
void ext_classify(struct ibv_pd *pd, const struct ext_device *device,
		  const struct ibv_ext_dmabuf_mr_attr *attr, struct ibv_ext_dmabuf_report *report);

/* load_provider.c */

/* Called when the library is loaded. */
void ext_load_provider(void) __attribute__((constructor));

#endif /* IBVERBS_EXT_H */
