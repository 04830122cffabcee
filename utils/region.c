// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transfer.h"

double now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

int transfer_access(const struct options *o)
{
	switch (o->op) {
	case OP_WRITE:
		return IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	case OP_READ:
		return IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ;
	default:
		return IBV_ACCESS_LOCAL_WRITE;
	}
}

static int alloc_buffer(struct transfer *t)
{
	size_t size = t->opt->buffer ? t->opt->buffer : t->slots.total;
	int ret;

	switch (t->opt->exporter) {
	case EXPORTER_UDMABUF:
		ret = dmabuf_alloc_udmabuf(&t->buf, size, 0);
		break;
	case EXPORTER_HEAP:
		ret = dmabuf_alloc_heap(&t->buf, t->opt->heap, size, O_RDWR);
		break;
	case EXPORTER_MEMFD:
		ret = dmabuf_alloc_memfd(&t->buf, size);
		break;
	default:
		ret = dmabuf_alloc_anon(&t->buf, size);
		break;
	}
	if (!ret && t->buf.fd >= 0)
		ret = dmabuf_identify(t->buf.fd, &t->id);
	if (ret)
		fprintf(stderr, "%s\n", dmabuf_error());
	return ret ? -1 : 0;
}

static int reg_pinned(struct transfer *t)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = t->buf.size,
		.iova = (uintptr_t)t->buf.map,
		.fd = t->buf.fd,
		.access = transfer_access(t->opt),
	};
	struct ibv_ext_dmabuf_report report = {};

	t->mr = ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report);
	if (t->mr)
		return 0;
	fprintf(stderr,
		"Cannot register %zu bytes of exporter %s as a pinned MR: %s (%s, errno %d)\n",
		t->buf.size, t->id.exporter, ibv_ext_dmabuf_reason_str(report.reason),
		strerror(errno), errno);
	return -1;
}

static int reg_mr(struct transfer *t)
{
	int access = transfer_access(t->opt);

	switch (t->opt->mr) {
	case MR_PINNED:
		return reg_pinned(t);
	case MR_PLAIN:
		t->mr = ibv_reg_dmabuf_mr(t->pd, 0, t->buf.size, (uintptr_t)t->buf.map, t->buf.fd,
					  access);
		break;
	case MR_ORDINARY:
		t->mr = ibv_reg_mr(t->pd, t->buf.map, t->buf.size, access);
		break;
	}
	if (t->mr)
		return 0;
	fprintf(stderr, "Cannot register %zu bytes as %s MR: %s (errno %d)\n", t->buf.size,
		t->opt->mr == MR_PLAIN ? "a plain dma-buf" : "an ordinary", strerror(errno), errno);
	return -1;
}

static int dereg_mr(struct transfer *t)
{
	int ret = ibv_dereg_mr(t->mr);

	t->mr = NULL;
	return ret ? transfer_fail("Cannot deregister the MR", ret) : 0;
}

/* Ask the kernel what it registered, and hold that against what was allocated. */
static int query_mr(struct transfer *t)
{
	int ret;

	if (t->opt->mr == MR_ORDINARY)
		return 0;
	ret = ibv_ext_query_dmabuf_mr(t->mr, &t->info);
	if (ret == EOPNOTSUPP && t->opt->mr == MR_PLAIN)
		return 0;
	if (ret)
		return transfer_fail("Cannot query the MR", ret);
	if (t->info.dmabuf_size != t->id.size || t->info.dmabuf_inode != t->id.inode ||
	    strcmp(t->info.exporter, t->id.exporter) || t->info.length != t->buf.size) {
		fprintf(stderr, "The MR is not of the dma-buf that was registered\n");
		return -1;
	}
	return 0;
}

int transfer_register(struct transfer *t)
{
	unsigned int n = t->opt->reg_iters;
	unsigned int i;
	double start;
	int ret;

	if (alloc_buffer(t))
		return -1;
	ret = dmabuf_cpu_begin(&t->buf, DMABUF_CPU_WRITE);
	if (!ret) {
		/* so that page faults of memory not used yet are not counted as registration */
		memset(t->buf.map, 0, t->buf.size);
		slots_fill_guards(&t->slots, t->buf.map);
		ret = dmabuf_cpu_end(&t->buf, DMABUF_CPU_WRITE);
	}
	if (ret) {
		fprintf(stderr, "%s\n", dmabuf_error());
		return -1;
	}

	t->reg_usec = calloc(n, sizeof(*t->reg_usec));
	t->dereg_usec = calloc(n, sizeof(*t->dereg_usec));
	if (!t->reg_usec || !t->dereg_usec)
		return transfer_fail("Times", ENOMEM);
	for (i = 0;; i++) {
		start = now_usec();
		if (reg_mr(t))
			return -1;
		t->reg_usec[i] = now_usec() - start;
		if (i == n - 1)
			return query_mr(t);
		start = now_usec();
		if (dereg_mr(t))
			return -1;
		t->dereg_usec[i] = now_usec() - start;
	}
}

int transfer_dereg(struct transfer *t)
{
	double start = now_usec();

	if (dereg_mr(t))
		return -1;
	t->dereg_usec[t->opt->reg_iters - 1] = now_usec() - start;
	return 0;
}
