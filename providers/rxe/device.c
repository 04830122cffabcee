// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdio.h>
#include <stdlib.h>

#include <rdma/ib_user_ioctl_verbs.h>

#include "rxe.h"

static int rxe_query_device_ex(struct ibv_context *context,
			       const struct ibv_query_device_ex_input *input,
			       struct ibv_device_attr_ex *attr, size_t attr_size)
{
	struct ib_uverbs_ex_query_device_resp resp = {};
	size_t resp_size = sizeof(resp);
	uint64_t version;
	int ret;

	ret = ibv_cmd_query_device_any(context, input, attr, attr_size, &resp, &resp_size);
	if (ret)
		return ret;

	version = resp.base.fw_ver;
	snprintf(attr->orig_attr.fw_ver, sizeof(attr->orig_attr.fw_ver), "%u.%u.%u",
		 (unsigned int)(version >> 32) & 0xffff, (unsigned int)(version >> 16) & 0xffff,
		 (unsigned int)version & 0xffff);
	return 0;
}

static int rxe_query_port(struct ibv_context *context, uint8_t port_num, struct ibv_port_attr *attr)
{
	struct verbs_cmd_query_port cmd = {};

	return ibv_cmd_query_port(context, port_num, attr, &cmd, sizeof(cmd));
}

static void rxe_free_context(struct ibv_context *context)
{
	struct rxe_context *rctx = container_of(context, struct rxe_context, vctx.context);

	verbs_uninit_context(&rctx->vctx);
	free(rctx);
}

static const struct verbs_context_ops rxe_context_ops = {
	.advise_mr = ibv_cmd_advise_mr,
	.alloc_mw = rxe_alloc_mw,
	.alloc_parent_domain = rxe_alloc_parent_domain,
	.alloc_pd = rxe_alloc_pd,
	.alloc_td = rxe_alloc_td,
	.attach_mcast = ibv_cmd_attach_mcast,
	.bind_mw = rxe_bind_mw,
	.create_ah = rxe_create_ah,
	.create_cq = rxe_create_cq,
	.create_cq_ex = rxe_create_cq_ex,
	.create_qp = rxe_create_qp,
	.create_qp_ex = rxe_create_qp_ex,
	.create_srq = rxe_create_srq,
	.create_srq_ex = rxe_create_srq_ex,
	.dealloc_mw = rxe_dealloc_mw,
	.dealloc_pd = rxe_dealloc_pd,
	.dealloc_td = rxe_dealloc_td,
	.dereg_mr = rxe_dereg_mr,
	.destroy_ah = rxe_destroy_ah,
	.destroy_cq = rxe_destroy_cq,
	.destroy_qp = rxe_destroy_qp,
	.destroy_srq = rxe_destroy_srq,
	.detach_mcast = ibv_cmd_detach_mcast,
	.free_context = rxe_free_context,
	.import_mr = rxe_import_mr,
	.import_pd = rxe_import_pd,
	.modify_qp = rxe_modify_qp,
	.modify_srq = rxe_modify_srq,
	.poll_cq = rxe_poll_cq,
	.post_recv = rxe_post_recv,
	.post_send = rxe_post_send,
	.post_srq_recv = rxe_post_srq_recv,
	.query_device_ex = rxe_query_device_ex,
	.query_port = rxe_query_port,
	.query_qp = rxe_query_qp,
	.query_srq = rxe_query_srq,
	.reg_dmabuf_mr = rxe_reg_dmabuf_mr,
	.reg_mr = rxe_reg_mr,
#if VERBS_RELEASE >= 65
	.reg_mr_ex = rxe_reg_mr_ex,
#endif
	.req_notify_cq = ibv_cmd_req_notify_cq,
	.rereg_mr = rxe_rereg_mr,
	.resize_cq = rxe_resize_cq,
	.unimport_mr = rxe_unimport_mr,
	.unimport_pd = rxe_unimport_pd,
};

/* @open: makes the kernel's side, or finds out about it */
static struct verbs_context *init_context(struct ibv_device *device, int cmd_fd,
					  int (*open)(struct verbs_context *vctx))
{
	struct verbs_context *where = (void *)offsetof(struct rxe_context, vctx);
	struct rxe_context *rctx;
	int ret;

	rctx = _verbs_init_and_alloc_context(device, cmd_fd, sizeof(*rctx), where, RDMA_DRIVER_RXE);
	if (!rctx)
		return NULL;

	ret = open(&rctx->vctx);
	if (ret) {
		rxe_free_context(&rctx->vctx.context);
		errno = ret;
		return NULL;
	}

	verbs_set_ops(&rctx->vctx, &rxe_context_ops);
	return &rctx->vctx;
}

static struct verbs_context *rxe_alloc_context(struct ibv_device *device, int cmd_fd,
					       void *private_data)
{
	(void)private_data;

	return init_context(device, cmd_fd, verbs_get_context);
}

/*
 * rxe's driver does not answer this query, but it gets to refuse it only if
 * there is a context behind the file. What the answer would have told: how many
 * completion vectors there are, and one there always is.
 */
static int query_context(struct verbs_context *vctx)
{
	int ret = ibv_cmd_query_context(&vctx->context, NULL);

	if (ret != EOPNOTSUPP)
		return ret;
	vctx->context.num_comp_vectors = 1;
	return 0;
}

static struct verbs_context *rxe_import_context(struct ibv_device *device, int cmd_fd)
{
	return init_context(device, cmd_fd, query_context);
}

static struct verbs_device *rxe_alloc_device(struct verbs_sysfs_dev *sysfs_dev)
{
	(void)sysfs_dev;

	return calloc(1, sizeof(struct verbs_device));
}

static void rxe_uninit_device(struct verbs_device *device)
{
	free(device);
}

static const struct verbs_match_ent rxe_match_table[] = {
	{ .driver_id = RDMA_DRIVER_RXE, .kind = VERBS_MATCH_DRIVER_ID },
	{ .kind = VERBS_MATCH_END },
};

static const struct verbs_device_ops rxe_device_ops = {
	.name = "rxe-dmabuf",
	.match_min_abi_version = 1,
	.match_max_abi_version = 2,
	.match_table = rxe_match_table,
	.alloc_device = rxe_alloc_device,
	.uninit_device = rxe_uninit_device,
	.alloc_context = rxe_alloc_context,
	.import_context = rxe_import_context,
};

__attribute__((constructor)) static void rxe_register(void)
{
	if (rxe_find_layout())
		verbs_register_driver(&rxe_device_ops);
}
