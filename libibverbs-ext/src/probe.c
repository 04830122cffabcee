// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * How a registration would go.
 */
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>

#include "ext.h"

int ext_ask_for_nothing(struct ibv_pd *pd, enum ibv_ext_dmabuf_reason *reason)
{
	/*
	 * No field of this request is right. libibverbs answers EOPNOTSUPP itself
	 * where the provider has no such call, and the rdma cgroup EAGAIN before
	 * the kernel looks at the fields and says EINVAL.
	 */
	if (ibv_reg_dmabuf_mr(pd, 0, 1, 1, -1, 0))
		return 0;
	switch (errno) {
	case EOPNOTSUPP:
		*reason = IBV_EXT_DMABUF_REASON_NO_PROVIDER_SUPPORT;
		return EOPNOTSUPP;
	case EAGAIN:
		*reason = IBV_EXT_DMABUF_REASON_CGROUP;
		return EAGAIN;
	default:
		return 0;
	}
}

static void copy_answer(struct ibv_ext_dmabuf_report *report,
			const struct ib_uverbs_dmabuf_probe *kernel)
{
	report->reason = kernel->reason;
	report->source = IBV_EXT_DMABUF_REPORT_PROBE;
	report->probe_err = kernel->err;
	report->placement = kernel->placement;
	report->flags = kernel->flags;
	report->dmabuf_size = kernel->dmabuf_size;
	report->dmabuf_inode = kernel->dmabuf_inode;
	report->dma_segments = kernel->dma_segments;
	report->charge = kernel->charge;
	report->page_size = kernel->page_size;
	report->memlock_limit = kernel->memlock_limit;
	report->memlock_used = kernel->memlock_used;
	memcpy(report->exporter, kernel->exporter, sizeof(report->exporter) - 1);
}

int ext_ask_kernel(const struct ext_device *device, const struct ibv_ext_dmabuf_mr_attr *attr,
		   struct ibv_ext_dmabuf_report *report)
{
	struct ib_uverbs_dmabuf_probe kernel = {};
	struct ib_uverbs_attr attrs[] = {
		ext_attr_u64(UVERBS_ATTR_PROBE_DMABUF_OFFSET, attr->offset),
		ext_attr_u64(UVERBS_ATTR_PROBE_DMABUF_LENGTH, attr->length),
		ext_attr_u64(UVERBS_ATTR_PROBE_DMABUF_IOVA, attr->iova),
		ext_attr_u32(UVERBS_ATTR_PROBE_DMABUF_FD, attr->fd),
		ext_attr_u32(UVERBS_ATTR_PROBE_DMABUF_ACCESS_FLAGS, ext_request_access(attr)),
		ext_attr_out(UVERBS_ATTR_PROBE_DMABUF_RESP, &kernel, sizeof(kernel)),
	};
	int err;

	err = ext_ioctl(device, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_PROBE_DMABUF, attrs);
	if (err)
		return err == EPROTONOSUPPORT ? EOPNOTSUPP : err;
	copy_answer(report, &kernel);
	return 0;
}

/* In the order in which a registration would fail. Without @pd the provider is not asked. */
static int probe(int cmd_fd, struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		 struct ibv_ext_dmabuf_report *report)
{
	struct ext_device device;
	int err;

	err = ext_get_device(cmd_fd, &device);
	if (err)
		return err;

	report->source = IBV_EXT_DMABUF_REPORT_PROBE;
	report->probe_err = ext_check_attr(attr, device.access_flags, &report->reason);
	if (!report->probe_err && pd)
		report->probe_err = ext_ask_for_nothing(pd, &report->reason);
	return report->probe_err ? 0 : ext_ask_kernel(&device, attr, report);
}

static int probe_sized(int cmd_fd, struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		       struct ibv_ext_dmabuf_report *report, size_t report_size)
{
	struct ibv_ext_dmabuf_report out = {};
	int err;

	err = probe(cmd_fd, pd, attr, &out);
	if (err)
		return err;
	out.err = out.probe_err;
	ext_copy_sized(report, report_size, &out, sizeof(out));
	return 0;
}

EXPORT int _ibv_ext_probe_dmabuf(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
				 struct ibv_ext_dmabuf_report *report, size_t report_size)
{
	return probe_sized(pd->context->cmd_fd, pd, attr, report, report_size);
}

EXPORT int _ibv_ext_probe_dmabuf_fd(int cmd_fd, const struct ibv_ext_dmabuf_mr_attr *attr,
				    struct ibv_ext_dmabuf_report *report, size_t report_size)
{
	return probe_sized(cmd_fd, NULL, attr, report, report_size);
}
