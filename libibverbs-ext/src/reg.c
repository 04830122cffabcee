// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration: by ibv_reg_dmabuf_mr(), with the request in the access bits.
 */
#include <errno.h>
#include <string.h>

#include "ext.h"

#define PIN_FLAGS (IBV_EXT_DMABUF_PIN_REQUIRE_P2P | IBV_EXT_DMABUF_PIN_ALLOW_REVOKE)

void ext_copy_sized(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t size = to_size < from_size ? to_size : from_size;

	memcpy(to, from, size);
	memset((char *)to + size, 0, to_size - size);
}

static uint32_t pin_access(uint32_t pin_flags)
{
	uint32_t access = IB_UVERBS_ACCESS_DMABUF_PINNED;

	if (pin_flags & IBV_EXT_DMABUF_PIN_REQUIRE_P2P)
		access |= IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P;
	if (pin_flags & IBV_EXT_DMABUF_PIN_ALLOW_REVOKE)
		access |= IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE;
	return access;
}

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

/* What is lost on the way to the kernel and so cannot be checked there. */
static int check_attr(const struct ibv_ext_dmabuf_mr_attr *attr, uint32_t device_access,
		      enum ibv_ext_dmabuf_reason *reason)
{
	if (attr->comp_mask || attr->pin_flags & ~PIN_FLAGS) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_FLAGS;
		return EINVAL;
	}
	if (attr->access & IB_UVERBS_ACCESS_DMABUF_MASK) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_ACCESS;
		return EINVAL;
	}
	if ((size_t)attr->length != attr->length) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_RANGE;
		return EINVAL;
	}
	/* An older kernel knows fewer bits and would answer EINVAL to the others. */
	if (pin_access(attr->pin_flags) & ~device_access) {
		*reason = IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT;
		return EOPNOTSUPP;
	}
	return 0;
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
	return check_attr(attr, caps.access_flags, reason);
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
	report->charged = info.charged;
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
				       attr->access | pin_access(attr->pin_flags));
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
