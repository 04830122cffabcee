// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * From the errno value of a failed registration to its reason. Little of it is
 * known here; for the rest the kernel is asked to try again. What it finds is
 * the reason only if the errno value is the same.
 */
#include <errno.h>

#include "ext.h"

static void told(struct ibv_ext_dmabuf_report *report, enum ibv_ext_dmabuf_reason reason)
{
	report->reason = reason;
	report->source = IBV_EXT_DMABUF_REPORT_REGISTRATION;
}

static void found(struct ibv_ext_dmabuf_report *report, enum ibv_ext_dmabuf_reason reason)
{
	report->reason = reason;
	report->source = IBV_EXT_DMABUF_REPORT_PROBE;
	report->probe_err = report->err;
}

static bool exceeds_device(struct ibv_pd *pd, uint64_t length)
{
	struct ibv_device_attr device;

	return !ibv_query_device(pd->context, &device) && length > device.max_mr_size;
}

static void ask(struct ibv_pd *pd, const struct ext_device *device,
		const struct ibv_ext_dmabuf_mr_attr *attr, struct ibv_ext_dmabuf_report *report)
{
	enum ibv_ext_dmabuf_reason reason;
	int err;

	err = ext_ask_for_nothing(pd, &reason);
	if (err && err == report->err) {
		found(report, reason);
		return;
	}

	err = ext_ask_kernel(device, attr, report);
	if (err) {
		/* Exporters may answer these as well, a removed device to everything. */
		if (err == report->err && (err == EIO || err == ENODEV))
			found(report, IBV_EXT_DMABUF_REASON_DEVICE_REMOVED);
		return;
	}
	if (report->probe_err != report->err)
		report->reason = IBV_EXT_DMABUF_REASON_NONE;
	/* Drivers look at it when they make the MR, which a probe does not. */
	if (!report->probe_err && exceeds_device(pd, attr->length))
		report->reason = IBV_EXT_DMABUF_REASON_DEVICE_LIMIT;
}

void ext_classify(struct ibv_pd *pd, const struct ext_device *device,
		  const struct ibv_ext_dmabuf_mr_attr *attr, struct ibv_ext_dmabuf_report *report)
{
	switch (report->err) {
	case EINTR:
		told(report, IBV_EXT_DMABUF_REASON_INTERRUPTED);
		break;
	case ETIMEDOUT:
		/* A second attempt would take as long again. */
		told(report, IBV_EXT_DMABUF_REASON_TIMED_OUT);
		break;
	default:
		ask(pd, device, attr, report);
	}
}
