// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "examine.h"
#include "settings.h"

static void failed(struct device_info *info, int err, const char *what)
{
	info->err = err;
	info->failed = what;
}

static void refuse(struct device_info *info, enum ibv_ext_dmabuf_reason reason, int err)
{
	info->reason = reason;
	info->refusal = err;
}

/* The kernel looks at the dma-buf first, which is none. */
static bool policy_forbids_all(void)
{
	struct settings settings;

	settings_read(&settings);
	return !strcmp(settings.policy, "off");
}

static void probe(struct ibv_context *context, const struct ibv_ext_dmabuf_mr_attr *attr,
		  struct device_info *info)
{
	static const struct ibv_ext_dmabuf_mr_attr nothing = { .length = 1, .fd = -1 };
	struct ibv_pd *pd = ibv_alloc_pd(context);
	int err;

	if (!pd) {
		failed(info, errno, "allocate a protection domain");
		return;
	}
	err = ibv_ext_probe_dmabuf(pd, attr ? attr : &nothing, &info->report);
	if (err)
		failed(info, err, "probe");
	else if (attr || info->report.reason != IBV_EXT_DMABUF_REASON_BAD_FD)
		refuse(info, info->report.reason, info->report.err);
	else if (policy_forbids_all())
		refuse(info, IBV_EXT_DMABUF_REASON_POLICY, EPERM);
	ibv_dealloc_pd(pd);
}

static void examine_context(struct ibv_context *context, const struct ibv_ext_dmabuf_mr_attr *attr,
			    struct device_info *info)
{
	struct ibv_ext_dmabuf_caps caps;
	int err;

	err = ibv_ext_query_dmabuf_caps(context, &caps);
	if (err == EOPNOTSUPP) {
		refuse(info, IBV_EXT_DMABUF_REASON_NO_KERNEL_SUPPORT, EOPNOTSUPP);
		return;
	}
	if (err) {
		failed(info, err, "query its capabilities");
		return;
	}
	info->access_flags = caps.access_flags;
	if (caps.access_flags & IBV_EXT_ACCESS_DMABUF_PINNED)
		probe(context, attr, info);
	else
		refuse(info, IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT, EOPNOTSUPP);
}

void examine(struct ibv_device *device, const struct ibv_ext_dmabuf_mr_attr *attr,
	     struct device_info *info)
{
	struct ibv_context *context;

	*info = (struct device_info){};
	snprintf(info->name, sizeof(info->name), "%s", ibv_get_device_name(device));
	errno = 0;
	context = ibv_open_device(device);
	if (!context) {
		failed(info, errno ? errno : EIO, "open it");
		return;
	}
	examine_context(context, attr, info);
	ibv_close_device(context);
}
