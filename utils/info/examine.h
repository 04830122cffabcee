/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What a device can do, and how the registration of a dma-buf would go there.
 */
#ifndef EXAMINE_H
#define EXAMINE_H

#include <stdbool.h>
#include <stdint.h>
#include <infiniband/verbs_ext.h>

struct device_info {
	char name[IBV_SYSFS_NAME_MAX];
	/* an errno value and what failed; 0: all below is known */
	int err;
	const char *failed;
	uint32_t access_flags; /* enum ibv_ext_dmabuf_access_flags */
	/* what stands against a registration, and its errno value; NONE and 0: nothing */
	enum ibv_ext_dmabuf_reason reason;
	int refusal;
	struct ibv_ext_dmabuf_report report; /* of a probe with the dma-buf, if it got so far */
};

/* @attr: what to register, or NULL. Then only what refuses every registration is found. */
void examine(struct ibv_device *device, const struct ibv_ext_dmabuf_mr_attr *attr,
	     struct device_info *info);

#endif /* EXAMINE_H */
