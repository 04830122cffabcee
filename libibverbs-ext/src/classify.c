// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * From an errno value to a reason, by looking at the arguments, the descriptor,
 * the limits and the device. Where that leaves a doubt the reason stays NONE.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ext.h"

/* What the kernel's REG_DMABUF_MR takes. */
#define ACCESS_FLAGS                                                                 \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | \
	 IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_RELAXED_ORDERING)
#define REMOTE_WRITING (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)

struct failure {
	struct ibv_pd *pd;
	const struct ibv_ext_dmabuf_mr_attr *attr;
	bool is_dmabuf;
	struct ext_dmabuf_file file; /* if is_dmabuf */
};

static void told(struct ibv_ext_dmabuf_report *report, enum ibv_ext_dmabuf_reason reason)
{
	report->reason = reason;
	report->source = IBV_EXT_DMABUF_REPORT_REGISTRATION;
}

static void found(struct ibv_ext_dmabuf_report *report, enum ibv_ext_dmabuf_reason reason)
{
	report->reason = reason;
	report->source = IBV_EXT_DMABUF_REPORT_PROBE;
}

/*
 * libibverbs answers EOPNOTSUPP itself where the provider has no such call. If
 * it does not, the kernel gets this request, in which no field is right, and
 * answers otherwise: the device has said that it registers dma-bufs.
 */
static bool provider_registers_dmabufs(struct ibv_pd *pd)
{
	return ibv_reg_dmabuf_mr(pd, 0, 1, 1, -1, 0) || errno != EOPNOTSUPP;
}

static bool is_rxe(struct ibv_pd *pd)
{
	uint32_t id;
	bool cached;

	return !ext_get_driver_id(pd->context->cmd_fd, &id, &cached) && id == RDMA_DRIVER_RXE;
}

static void unsupported(const struct failure *failure, struct ibv_ext_dmabuf_report *report)
{
	if (!provider_registers_dmabufs(failure->pd))
		found(report, IBV_EXT_DMABUF_REASON_NO_PROVIDER_SUPPORT);
	else if (failure->is_dmabuf && is_rxe(failure->pd))
		found(report, IBV_EXT_DMABUF_REASON_NO_CPU_ACCESS);
}

static bool is_access_bad(int access)
{
	return access & ~ACCESS_FLAGS ||
	       (access & REMOTE_WRITING && !(access & IBV_ACCESS_LOCAL_WRITE));
}

/* In the kernel's order, for a call that has more than one mistake. */
static void invalid(const struct failure *failure, struct ibv_ext_dmabuf_report *report)
{
	const struct ibv_ext_dmabuf_mr_attr *attr = failure->attr;
	uint64_t in_page = sysconf(_SC_PAGESIZE) - 1;
	uint64_t end;

	if ((attr->offset ^ attr->iova) & in_page)
		told(report, IBV_EXT_DMABUF_REASON_MISALIGNED);
	else if (is_access_bad(attr->access))
		told(report, IBV_EXT_DMABUF_REASON_BAD_ACCESS);
	else if (!attr->length || __builtin_add_overflow(attr->offset, attr->length, &end))
		told(report, IBV_EXT_DMABUF_REASON_BAD_RANGE);
	else if (!failure->is_dmabuf)
		found(report, IBV_EXT_DMABUF_REASON_BAD_FD);
	else if (end > failure->file.size)
		found(report, IBV_EXT_DMABUF_REASON_BAD_RANGE);
}

static void forbidden(const struct failure *failure, struct ibv_ext_dmabuf_report *report)
{
	bool writing = failure->attr->access & (IBV_ACCESS_LOCAL_WRITE | REMOTE_WRITING);

	if (failure->is_dmabuf && writing && !failure->file.writable)
		found(report, IBV_EXT_DMABUF_REASON_READ_ONLY_FD);
}

static void not_permitted(struct ibv_ext_dmabuf_report *report)
{
	/* EPERM says that nothing at all may be pinned. */
	if (ext_memlock_check(1) == EXT_MEMLOCK_REFUSES)
		found(report, IBV_EXT_DMABUF_REASON_MEMLOCK);
}

static void out_of_memory(const struct failure *failure, struct ibv_ext_dmabuf_report *report)
{
	/* Without a dma-buf nothing is charged and its size is 0. */
	switch (ext_memlock_check(failure->file.size)) {
	case EXT_MEMLOCK_ALLOWS:
		found(report, IBV_EXT_DMABUF_REASON_NO_MEMORY);
		break;
	case EXT_MEMLOCK_REFUSES:
		found(report, IBV_EXT_DMABUF_REASON_MEMLOCK);
		break;
	case EXT_MEMLOCK_UNKNOWN:
		break;
	}
}

static void broken(struct ibv_pd *pd, struct ibv_ext_dmabuf_report *report)
{
	struct ib_uverbs_dmabuf_caps caps;
	int err = ext_query_caps(pd->context->cmd_fd, &caps);

	/* An exporter may answer the same; a removed device answers it to everything. */
	if (err == EIO || err == ENODEV)
		found(report, IBV_EXT_DMABUF_REASON_DEVICE_REMOVED);
}

static void find_reason(const struct failure *failure, struct ibv_ext_dmabuf_report *report)
{
	switch (report->err) {
	case EOPNOTSUPP:
		unsupported(failure, report);
		break;
	case EINVAL:
		invalid(failure, report);
		break;
	case EBADF:
		if (!failure->is_dmabuf)
			found(report, IBV_EXT_DMABUF_REASON_BAD_FD);
		break;
	case EACCES:
		forbidden(failure, report);
		break;
	case EPERM:
		not_permitted(report);
		break;
	case ENOMEM:
		out_of_memory(failure, report);
		break;
	case EIO:
	case ENODEV:
		broken(failure->pd, report);
		break;
	case EINTR:
		told(report, IBV_EXT_DMABUF_REASON_INTERRUPTED);
		break;
	case ETIMEDOUT:
		told(report, IBV_EXT_DMABUF_REASON_TIMED_OUT);
		break;
	}
}

void ext_classify(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		  struct ibv_ext_dmabuf_report *report)
{
	struct failure failure = { .pd = pd, .attr = attr };

	failure.is_dmabuf = !ext_look_at_dmabuf(attr->fd, &failure.file);
	if (failure.is_dmabuf) {
		report->dmabuf_size = failure.file.size;
		report->dmabuf_inode = failure.file.inode;
		memcpy(report->exporter, failure.file.exporter, sizeof(report->exporter));
	}
	find_reason(&failure, report);
}
