// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration: by ibv_reg_dmabuf_mr(), with the request in the access bits.
 */
#include <errno.h>
#include <string.h>

#include "ext.h"

static enum ibv_ext_dmabuf_reason caps_reason(int err)
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
		 enum ibv_ext_dmabuf_reason *reason)
{
	struct ib_uverbs_dmabuf_caps caps;
	int err;

	/*
	 * Asked each time: it is cheap next to a pin, and an answer kept would be
	 * wrong after the kernel's modules were reloaded.
	 */
	err = ext_query_caps(pd->context->cmd_fd, &caps);
	if (err) {
		*reason = caps_reason(err);
		return err;
	}
	return ext_check_attr(attr, caps.access_flags, reason);
}

static void describe(const struct ibv_mr *mr, struct ibv_ext_dmabuf_report *report)
{
	struct ib_uverbs_dmabuf_mr_info info;

	/* The MR exists; that the kernel cannot tell about it is no reason to fail. */
	if (ext_query_mr(mr, &info))
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
	struct ibv_mr *mr = NULL;

	out.err = check(pd, attr, &out.reason);
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
			describe(mr, &out);
		else if (!out.reason)
			ext_classify(pd, attr, &out);
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
