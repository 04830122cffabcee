// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * register [DEVICE]: registers a dma-buf as a pinned region; says what it is, or why it
 * is none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <infiniband/verbs_ext.h>

#include "device.h"
#include "udmabuf.h"

#define SIZE (1 << 20)

static void show(struct ibv_mr *mr)
{
	struct ibv_ext_dmabuf_mr_info info;

	printf("registered: lkey 0x%x, rkey 0x%x\n", mr->lkey, mr->rkey);
	if (!ibv_ext_query_dmabuf_mr(mr, &info))
		printf("%s, %" PRIu64 " bytes, inode %" PRIu64 "; %" PRIu64 " bytes charged\n",
		       info.exporter, info.dmabuf_size, info.dmabuf_inode, info.charged);
}

static int register_buffer(struct ibv_pd *pd, int fd)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = SIZE,
		.fd = fd,
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	};
	struct ibv_ext_dmabuf_report report;
	struct ibv_mr *mr;

	mr = ibv_ext_reg_dmabuf_mr(pd, &attr, &report);
	if (!mr) {
		fprintf(stderr, "not registered: %s: %s\n", strerror(report.err),
			ibv_ext_dmabuf_reason_str(report.reason));
		return 1;
	}
	show(mr);
	return ibv_dereg_mr(mr) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct ibv_context *context = open_device(argc > 1 ? argv[1] : NULL);
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	int fd = udmabuf_create(SIZE);
	int status = 1;

	if (!pd)
		fprintf(stderr, "no RDMA device\n");
	else if (fd < 0)
		fprintf(stderr, "udmabuf: %s\n", strerror(errno));
	else
		status = register_buffer(pd, fd);

	if (fd >= 0)
		close(fd);
	if (pd)
		ibv_dealloc_pd(pd);
	if (context)
		ibv_close_device(context);
	return status;
}
