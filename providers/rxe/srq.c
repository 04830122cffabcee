// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "rxe.h"

struct create_srq_resp {
	struct ib_uverbs_create_srq_resp core;
	struct rxe_create_srq_resp rxe;
};

struct modify_srq_cmd {
	struct verbs_cmd_modify_srq core;
	struct rxe_modify_srq_cmd rxe;
};

_Static_assert(offsetof(struct create_srq_resp, rxe) == 16, "no padding in responses");
_Static_assert(offsetof(struct modify_srq_cmd, rxe) == 24, "no padding in requests");

static struct rxe_srq *alloc_srq(struct ibv_pd *pd)
{
	struct rxe_srq *srq = calloc(1, sizeof(*srq));

	if (srq)
		rxe_wq_init(&srq->rq, rxe_pd_single_threaded(pd));
	return srq;
}

static void free_srq(struct rxe_srq *srq)
{
	rxe_ring_unmap(&srq->rq.ring);
	free(srq);
}

/* The second half of both ways to create an SRQ: @ret is what the kernel said. */
static struct ibv_srq *finish_srq(struct rxe_srq *srq, int ret, const struct create_srq_resp *resp,
				  const struct ibv_srq_attr *attr)
{
	struct ibv_srq *ibsrq = &srq->vsrq.srq;

	if (ret)
		goto err_free;

	ret = rxe_wq_map_recv(&srq->rq, ibsrq->context->cmd_fd, &resp->rxe.mi, attr->max_sge);
	if (ret)
		goto err_destroy;

	return ibsrq;

err_destroy:
	ibv_cmd_destroy_srq(ibsrq);
err_free:
	free_srq(srq);
	errno = ret;
	return NULL;
}

struct ibv_srq *rxe_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
	struct verbs_cmd_create_srq cmd = {};
	struct create_srq_resp resp = {};
	struct rxe_srq *srq;
	int ret;

	srq = alloc_srq(pd);
	if (!srq)
		return NULL;

	ret = ibv_cmd_create_srq(pd, &srq->vsrq.srq, attr, &cmd, sizeof(cmd), &resp.core,
				 sizeof(resp));
	return finish_srq(srq, ret, &resp, &attr->attr);
}

struct ibv_srq *rxe_create_srq_ex(struct ibv_context *context, struct ibv_srq_init_attr_ex *attr)
{
	struct verbs_cmd_create_xsrq cmd = {};
	struct create_srq_resp resp = {};
	struct rxe_srq *srq;
	int ret;

	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD)) {
		errno = EINVAL;
		return NULL;
	}

	srq = alloc_srq(attr->pd);
	if (!srq)
		return NULL;

	ret = ibv_cmd_create_srq_ex(context, &srq->vsrq, attr, &cmd, sizeof(cmd), &resp.core,
				    sizeof(resp));
	return finish_srq(srq, ret, &resp, &attr->attr);
}

/*
 * Resizing replaces the ring; the kernel writes where the new one lies to the
 * address in the request, and nobody may post meanwhile. If the new ring
 * cannot be mapped, the SRQ is lost: it can only be destroyed.
 */
int rxe_modify_srq(struct ibv_srq *ibsrq, struct ibv_srq_attr *attr, int attr_mask)
{
	struct rxe_srq *srq = to_rsrq(ibsrq);
	struct mminfo info = {};
	struct modify_srq_cmd cmd = {
		.rxe.mmap_info_addr = (uintptr_t)&info,
	};
	int ret;

	if (!(attr_mask & IBV_SRQ_MAX_WR))
		return ibv_cmd_modify_srq(ibsrq, attr, attr_mask, &cmd.core, sizeof(cmd));

	rxe_lock(&srq->rq.lock);
	ret = ibv_cmd_modify_srq(ibsrq, attr, attr_mask, &cmd.core, sizeof(cmd));
	if (!ret)
		ret = rxe_wq_map_recv(&srq->rq, ibsrq->context->cmd_fd, &info, srq->rq.max_sge);
	rxe_unlock(&srq->rq.lock);
	return ret;
}

int rxe_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr)
{
	struct verbs_cmd_query_srq cmd = {};

	return ibv_cmd_query_srq(srq, attr, &cmd, sizeof(cmd));
}

int rxe_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	return rxe_wq_post_recv(&to_rsrq(srq)->rq, wr, bad_wr);
}

int rxe_destroy_srq(struct ibv_srq *srq)
{
	int ret = ibv_cmd_destroy_srq(srq);

	if (!ret)
		free_srq(to_rsrq(srq));
	return ret;
}
