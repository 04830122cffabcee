// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration: by ibv_reg_dmabuf_mr(), with the request in the access bits.
 */
#include <errno.h>
#include <string.h>

#include "ext.h"

static enum ibv_ext_dmabuf_reason device_reason(int err)
{
	switch (err) {
	case ENOMEM:
		return IBV_EXT_DMABUF_REASON_NO_MEMORY;
	case EINTR:
		return IBV_EXT_DMABUF_REASON_INTERRUPTED;
	case EOPNOTSUPP:
		return IBV_EXT_DMABUF_REASON_NO_KERNEL_SUPPORT;
	default:
		return IBV_EXT_DMABUF_REASON_DEVICE_REMOVED;
	}
}

static int check(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		 struct ext_device *device, enum ibv_ext_dmabuf_reason *reason)
{
	int err;

	err = ext_get_device(pd->context->cmd_fd, device);
	if (err) {
		*reason = device_reason(err);
		return err;
	}
	return ext_check_attr(attr, device->access_flags, reason);
}

static void describe(const struct ext_device *device, const struct ibv_mr *mr,
		     struct ibv_ext_dmabuf_report *report)
{
	struct ib_uverbs_dmabuf_mr_info info;

	/* The MR exists; that the kernel cannot tell about it is no reason to fail. */
	if (ext_query_mr(device, mr, &info))
		return;
	report->placement = info.placement;
	report->flags = info.flags;
	report->dmabuf_size = info.dmabuf_size;
	report->dmabuf_inode = info.dmabuf_inode;
	report->dma_segments = info.dma_segments;
	report->charge = info.charged;
	memcpy(report->exporter, info.exporter, sizeof(report->exporter) - 1);
}

EXPORT struct ibv_mr *_ibv_ext_reg_dmabuf_mr(struct ibv_pd *pd,
					     const struct ibv_ext_dmabuf_mr_attr *attr,
					     struct ibv_ext_dmabuf_report *report,
					     size_t report_size)
{
	struct ibv_ext_dmabuf_report out = {};
	struct ext_device device;
	struct ibv_mr *mr = NULL;

	out.err = check(pd, attr, &device, &out.reason);
	if (out.err) {
		out.source = IBV_EXT_DMABUF_REPORT_REGISTRATION;
	} else {
		mr = ibv_reg_dmabuf_mr(pd, attr->offset, attr->length, attr->iova, attr->fd,
				       ext_request_access(attr));
		if (!mr)
			out.err = errno;
	}

	if (report) {
		if (mr)
			describe(&device, mr, &out);
		else if (!out.reason)
			ext_classify(pd, &device, attr, &out);
		ext_copy_sized(report, report_size, &out, sizeof(out));
	}
	if (!mr)
		errno = out.err;
	return mr;
}

EXPORT struct ibv_mr *ibv_reg_dmabuf_mr_pinned(struct ibv_pd *pd, uint64_t offset, size_t length,
					       uint64_t iova, int fd, int access,
					       uint32_t pin_flags)
{
	const struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = pin_flags,
		.offset = offset,
		.length = length,
		.iova = iova,
		.fd = fd,
		.access = access,
	};

	return _ibv_ext_reg_dmabuf_mr(pd, &attr, NULL, 0);
}
