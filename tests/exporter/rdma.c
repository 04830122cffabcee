// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "common.h"
#include "kernel.h"
#include "rdma.h"

void rdma_setup(struct rdma *r, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->size = size;
	r->pin_flags = kernel_least_consent();
	usage_read(&r->before);
	r->context = open_device();
	if (!r->context)
		fail_msg("cannot open " DEVICE ": %s", strerror(errno));
	r->pd = ibv_alloc_pd(r->context);
	assert_non_null(r->pd);
	OK(rc_pair_create(&r->pair, r->pd));
	r->local = calloc(1, size);
	assert_non_null(r->local);
	r->local_mr = ibv_reg_mr(r->pd, r->local, size, ACCESS_ALL);
	assert_non_null(r->local_mr);
}

void rdma_teardown(struct rdma *r)
{
	OK(ibv_dereg_mr(r->local_mr));
	free(r->local);
	rc_pair_destroy(&r->pair);
	OK(ibv_dealloc_pd(r->pd));
	OK(ibv_close_device(r->context));
	assert_usage(&r->before, "after the test");
}

void rdma_allow_revoke(struct rdma *r)
{
	struct ibv_ext_dmabuf_caps caps;

	OK(ibv_ext_query_dmabuf_caps(r->context, &caps));
	if (caps.access_flags & IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE)
		r->pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
}

struct ibv_mr *rdma_try_register(struct rdma *r, int fd)
{
	return ibv_reg_dmabuf_mr_pinned(r->pd, 0, r->size, 0, fd, ACCESS_ALL, r->pin_flags);
}

struct ibv_mr *rdma_register(struct rdma *r, int fd)
{
	struct ibv_mr *mr = rdma_try_register(r, fd);

	if (!mr)
		fail_msg("registration: %s", strerrorname(errno));
	return mr;
}

int rdma_write(struct rdma *r, struct ibv_mr *mr, uint8_t value)
{
	struct rc_bytes from = {
		.addr = (uintptr_t)r->local,
		.length = r->size,
		.key = r->local_mr->lkey,
	};

	memset(r->local, value, r->size);
	return rc_write(&r->pair, from, 0, mr->rkey);
}

int rdma_reconnect(struct rdma *r)
{
	rc_pair_destroy(&r->pair);
	return rc_pair_create(&r->pair, r->pd);
}
