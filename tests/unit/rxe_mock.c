// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "rxe_mock.h"

/* What libibverbs has for a device that it did not find itself */
#define MOCK_FD (-1)
#define MAX_RINGS 64

struct mock mock;

static struct {
	struct rxe_queue_buf *buf;
	size_t size;
} rings[MAX_RINGS];

static unsigned int num_rings;

/* What the provider calls, replaced when linking */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *addr, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
void __wrap_verbs_register_driver_34(const struct verbs_device_ops *ops);
void __wrap_verbs_register_driver_65(const struct verbs_device_ops *ops);

static bool fails(void)
{
	return ++mock.steps == mock.fail_at;
}

static struct mminfo new_ring(uint32_t entries, size_t entry_size)
{
	struct mminfo info = {};
	uint32_t slots = 1;
	uint32_t shift = 0;

	while (slots < entries + 1)
		slots *= 2;
	while (1UL << shift < entry_size)
		shift++;

	info.size = sizeof(struct rxe_queue_buf) + ((size_t)slots << shift);
	info.offset = num_rings;
	rings[num_rings].buf = __real_calloc(1, info.size);
	rings[num_rings].buf->log2_elem_size = shift;
	rings[num_rings].buf->index_mask = mock.ring_mask ? mock.ring_mask : slots - 1;
	rings[num_rings].size = info.size;
	num_rings++;
	return info;
}

static void forget_rings(void)
{
	while (num_rings)
		free(rings[--num_rings].buf);
}

static struct ib_uverbs_attr *find(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id)
{
	for (unsigned int i = 0; i < hdr->num_attrs; i++)
		if (hdr->attrs[i].attr_id == id)
			return &hdr->attrs[i];
	return NULL;
}

static void put(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, const void *data, size_t size)
{
	struct ib_uverbs_attr *attr = find(hdr, id);

	if (attr)
		memcpy((void *)(uintptr_t)attr->data, data, size < attr->len ? size : attr->len);
}

static void put_u32(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, uint32_t value)
{
	put(hdr, id, &value, sizeof(value));
}

/* Input of up to eight bytes travels in the attribute, at its beginning. */
static uint64_t get(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id)
{
	struct ib_uverbs_attr *attr = find(hdr, id);
	uint32_t narrow;

	if (!attr || attr->len != sizeof(narrow))
		return attr ? attr->data : 0;
	memcpy(&narrow, &attr->data, sizeof(narrow));
	return narrow;
}

static uint32_t new_handle(void)
{
	static uint32_t handle;

	mock.objects++;
	return ++handle;
}

static void new_object(struct ib_uverbs_ioctl_hdr *hdr)
{
	find(hdr, 0)->data = new_handle();
}

static void create_cq(struct ib_uverbs_ioctl_hdr *hdr)
{
	uint32_t cqe = get(hdr, UVERBS_ATTR_CREATE_CQ_CQE);
	struct mminfo info = new_ring(cqe, sizeof(struct ib_uverbs_wc));

	new_object(hdr);
	put_u32(hdr, UVERBS_ATTR_CREATE_CQ_RESP_CQE, cqe);
	put(hdr, UVERBS_ATTR_UHW_OUT, &info, sizeof(info));
}

static struct mminfo new_recv_ring(uint32_t wr, uint32_t sge)
{
	return new_ring(wr, sizeof(struct rxe_recv_wqe) + sge * sizeof(struct rxe_sge));
}

static void create_qp(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct ib_uverbs_qp_cap cap;
	struct rxe_create_qp_resp resp = {};
	size_t payload;

	memcpy(&cap, (void *)(uintptr_t)get(hdr, UVERBS_ATTR_CREATE_QP_CAP), sizeof(cap));
	payload = cap.max_send_sge * sizeof(struct rxe_sge);
	if (payload < cap.max_inline_data)
		payload = cap.max_inline_data;

	if (!find(hdr, UVERBS_ATTR_CREATE_QP_SRQ_HANDLE))
		resp.rq_mi = new_recv_ring(cap.max_recv_wr, cap.max_recv_sge);
	resp.sq_mi = new_ring(cap.max_send_wr, sizeof(struct rxe_send_wqe) + payload);

	new_object(hdr);
	put(hdr, UVERBS_ATTR_CREATE_QP_RESP_CAP, &cap, sizeof(cap));
	put_u32(hdr, UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, 17);
	put(hdr, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
}

static void create_srq(struct ib_uverbs_ioctl_hdr *hdr)
{
	uint32_t wr = get(hdr, UVERBS_ATTR_CREATE_SRQ_MAX_WR);
	uint32_t sge = get(hdr, UVERBS_ATTR_CREATE_SRQ_MAX_SGE);
	struct rxe_create_srq_resp resp = { .mi = new_recv_ring(wr, sge) };

	new_object(hdr);
	put_u32(hdr, UVERBS_ATTR_CREATE_SRQ_RESP_MAX_WR, wr);
	put_u32(hdr, UVERBS_ATTR_CREATE_SRQ_RESP_MAX_SGE, sge);
	put(hdr, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
}

/* The older commands, which have a number and two blocks of data */
static int write_command(struct ib_uverbs_ioctl_hdr *hdr)
{
	const void *in = find(hdr, UVERBS_ATTR_CORE_IN) ?
				 (void *)(uintptr_t)get(hdr, UVERBS_ATTR_CORE_IN) :
				 NULL;
	const struct rxe_create_ah_resp ah = { .ah_num = 1 };
	struct mminfo info;

	switch ((uint32_t)get(hdr, UVERBS_ATTR_WRITE_CMD)) {
	case IB_USER_VERBS_CMD_ALLOC_PD:
	case IB_USER_VERBS_CMD_REG_MR:
	case IB_USER_VERBS_CMD_ALLOC_MW:
		put_u32(hdr, UVERBS_ATTR_CORE_OUT, new_handle());
		return 0;
	case IB_USER_VERBS_CMD_CREATE_AH:
		put_u32(hdr, UVERBS_ATTR_CORE_OUT, new_handle());
		put(hdr, UVERBS_ATTR_UHW_OUT, &ah, sizeof(ah));
		return 0;
	case IB_USER_VERBS_CMD_RESIZE_CQ:
		info = new_ring(((const struct ib_uverbs_resize_cq *)in)->cqe,
				sizeof(struct ib_uverbs_wc));
		put(hdr, UVERBS_ATTR_UHW_OUT, &info, sizeof(info));
		return 0;
	case IB_USER_VERBS_CMD_MODIFY_SRQ:
		info = new_recv_ring(((const struct ib_uverbs_modify_srq *)in)->max_wr, 2);
		memcpy((void *)(uintptr_t)get(hdr, UVERBS_ATTR_UHW_IN), &info, sizeof(info));
		return 0;
	case IB_USER_VERBS_CMD_MODIFY_QP:
	case IB_USER_VERBS_CMD_REREG_MR:
		return 0;
	default:
		return EINVAL;
	}
}

static int answer(struct ib_uverbs_ioctl_hdr *hdr)
{
	static const uint64_t no_events;

	switch (hdr->object_id << 16 | hdr->method_id) {
	case UVERBS_OBJECT_DEVICE << 16 | UVERBS_METHOD_INVOKE_WRITE:
		return write_command(hdr);
	case UVERBS_OBJECT_DEVICE << 16 | UVERBS_METHOD_GET_CONTEXT:
		put_u32(hdr, UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS, 2);
		return 0;
	case UVERBS_OBJECT_DEVICE << 16 | UVERBS_METHOD_QUERY_CONTEXT:
		return EOPNOTSUPP;
	case UVERBS_OBJECT_CQ << 16 | UVERBS_METHOD_CQ_CREATE:
		create_cq(hdr);
		return 0;
	case UVERBS_OBJECT_QP << 16 | UVERBS_METHOD_QP_CREATE:
		create_qp(hdr);
		return 0;
	case UVERBS_OBJECT_SRQ << 16 | UVERBS_METHOD_SRQ_CREATE:
		create_srq(hdr);
		return 0;
	case UVERBS_OBJECT_MR << 16 | UVERBS_METHOD_REG_DMABUF_MR:
		new_object(hdr);
		return 0;
	case UVERBS_OBJECT_MR << 16 | UVERBS_METHOD_QUERY_MR:
		put_u32(hdr, UVERBS_ATTR_QUERY_MR_RESP_LKEY, 5);
		put_u32(hdr, UVERBS_ATTR_QUERY_MR_RESP_RKEY, 6);
		return 0;
	case UVERBS_OBJECT_CQ << 16 | UVERBS_METHOD_CQ_DESTROY:
	case UVERBS_OBJECT_QP << 16 | UVERBS_METHOD_QP_DESTROY:
	case UVERBS_OBJECT_SRQ << 16 | UVERBS_METHOD_SRQ_DESTROY:
		put(hdr, UVERBS_ATTR_DESTROY_CQ_RESP, &no_events, sizeof(no_events));
		mock.objects--;
		return 0;
	case UVERBS_OBJECT_PD << 16 | UVERBS_METHOD_PD_DESTROY:
	case UVERBS_OBJECT_MR << 16 | UVERBS_METHOD_MR_DESTROY:
	case UVERBS_OBJECT_MW << 16 | UVERBS_METHOD_MW_DESTROY:
	case UVERBS_OBJECT_AH << 16 | UVERBS_METHOD_AH_DESTROY:
		mock.objects--;
		return 0;
	default:
		return EPROTONOSUPPORT;
	}
}

/* Also what libibverbs calls: the symbol of the program comes first. */
int ioctl(int fd, unsigned long request, ...) __attribute__((visibility("default")));

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	int err;

	va_start(args, request);
	err = fd != MOCK_FD ? EBADF :
	      fails()	    ? MOCK_FAULT :
			      answer(va_arg(args, struct ib_uverbs_ioctl_hdr *));
	va_end(args);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

void *__wrap_calloc(size_t count, size_t size)
{
	if (!fails())
		return __real_calloc(count, size);
	errno = MOCK_FAULT;
	return NULL;
}

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *buf = rings[offset].buf;

	(void)addr;
	(void)prot;
	(void)flags;

	if (fails() || fd != MOCK_FD || (unsigned int)offset >= num_rings || !buf ||
	    rings[offset].size != size) {
		errno = MOCK_FAULT;
		return MAP_FAILED;
	}
	rings[offset].buf = NULL; /* the process' now */
	mock.mappings++;
	return buf;
}

int __wrap_munmap(void *addr, size_t size)
{
	(void)size;
	free(addr);
	mock.mappings--;
	return 0;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	const struct ib_uverbs_cmd_hdr *hdr = data;

	if (fd != MOCK_FD || hdr->command != IB_USER_VERBS_CMD_POST_SEND ||
	    hdr->in_words * 4 != size)
		errno = EBADF;
	else if (mock.doorbell_error)
		errno = mock.doorbell_error;
	else
		return mock.doorbells++, size;
	return -1;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	return fails() ? MOCK_FAULT : __real_pthread_mutex_init(mutex, attr);
}

static const struct verbs_device_ops *provider;

void __wrap_verbs_register_driver_34(const struct verbs_device_ops *ops)
{
	provider = ops;
}

void __wrap_verbs_register_driver_65(const struct verbs_device_ops *ops)
{
	provider = ops;
}

struct ibv_context *mock_open(void)
{
	struct verbs_device *device;
	struct ibv_context *context;

	/* as libibverbs does when it finds a device; not what is tested here */
	device = provider->alloc_device(NULL);
	device->ops = provider;
	device->refcount = 1;
	strcpy(device->device.name, "rxe0");

	mock.steps = 0;
	context = ibv_open_device(&device->device);
	if (!context) {
		int err = errno;

		provider->uninit_device(device);
		errno = err;
	}
	return context;
}

void mock_close(struct ibv_context *context)
{
	struct verbs_device *device = (struct verbs_device *)context->device;

	ibv_close_device(context);
	provider->uninit_device(device);
	forget_rings();
}

void mock_complete_with(struct ibv_cq *cq, const struct ib_uverbs_wc *wc)
{
	struct rxe_queue_buf *q = to_rcq(cq)->ring.buf;
	uint8_t *slot = q->data + ((size_t)q->producer_index << q->log2_elem_size);

	memcpy(slot, wc, sizeof(*wc));
	__atomic_store_n(&q->producer_index, (q->producer_index + 1) & q->index_mask,
			 __ATOMIC_RELEASE);
}

void mock_complete(struct ibv_cq *cq, uint64_t wr_id, uint32_t qp_num)
{
	const struct ib_uverbs_wc wc = {
		.wr_id = wr_id,
		.qp_num = qp_num,
	};

	mock_complete_with(cq, &wc);
}

void mock_consume(struct rxe_wq *wq, uint32_t count)
{
	struct rxe_queue_buf *q = wq->ring.buf;

	__atomic_store_n(&q->consumer_index, (q->consumer_index + count) & q->index_mask,
			 __ATOMIC_RELEASE);
}
