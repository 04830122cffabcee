// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "rxe.h"

struct create_qp_resp {
	struct ib_uverbs_create_qp_resp core;
	struct rxe_create_qp_resp rxe;
};

struct create_qp_ex_resp {
	struct ib_uverbs_ex_create_qp_resp core;
	struct rxe_create_qp_resp rxe;
};

_Static_assert(offsetof(struct create_qp_resp, rxe) == 32, "no padding in responses");
_Static_assert(offsetof(struct create_qp_ex_resp, rxe) == 40, "no padding in responses");

static struct rxe_qp *alloc_qp(struct ibv_pd *pd)
{
	struct rxe_qp *qp;
	int ret;

	qp = calloc(1, sizeof(*qp));
	if (!qp)
		return NULL;

	ret = pthread_mutex_init(&qp->state_lock, NULL);
	if (ret) {
		free(qp);
		errno = ret;
		return NULL;
	}

	rxe_wq_init(&qp->sq, rxe_pd_single_threaded(pd));
	rxe_wq_init(&qp->rq, rxe_pd_single_threaded(pd));
	return qp;
}

static void free_qp(struct rxe_qp *qp)
{
	pthread_mutex_destroy(&qp->state_lock);
	rxe_ring_unmap(&qp->rq.ring);
	rxe_ring_unmap(&qp->sq.ring);
	free(qp);
}

/*
 * What is left to do when the kernel has its QP.
 * @srq: whether there is one, and so no ring of the QP's own for receives
 */
static int finish_qp(struct rxe_qp *qp, const struct rxe_create_qp_resp *resp,
		     enum ibv_qp_type type, const struct ibv_qp_cap *cap, bool srq)
{
	int fd = qp->vqp.qp.context->cmd_fd;
	int ret;

	rxe_init_posting(qp, type);
	ret = rxe_wq_map_send(&qp->sq, fd, &resp->sq_mi, cap);
	if (!ret && !srq)
		ret = rxe_wq_map_recv(&qp->rq, fd, &resp->rq_mi, cap->max_recv_sge);
	return ret;
}

struct ibv_qp *rxe_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	struct verbs_cmd_create_qp cmd = {};
	struct create_qp_resp resp = {};
	struct rxe_qp *qp;
	int ret;

	qp = alloc_qp(pd);
	if (!qp)
		return NULL;

	ret = ibv_cmd_create_qp(pd, &qp->vqp.qp, attr, &cmd, sizeof(cmd), &resp.core, sizeof(resp));
	if (ret)
		goto err_free;

	ret = finish_qp(qp, &resp.rxe, attr->qp_type, &attr->cap, attr->srq);
	if (ret)
		goto err_destroy;

	return &qp->vqp.qp;

err_destroy:
	ibv_cmd_destroy_qp(&qp->vqp.qp);
err_free:
	free_qp(qp);
	errno = ret;
	return NULL;
}

struct ibv_qp *rxe_create_qp_ex(struct ibv_context *context, struct ibv_qp_init_attr_ex *attr)
{
	const uint32_t supported = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS |
				   IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	struct create_qp_ex_resp resp = {};
	struct rxe_qp *qp;
	int ret;

	if (!(attr->comp_mask & IBV_QP_INIT_ATTR_PD)) {
		errno = EINVAL;
		return NULL;
	}
	if (attr->comp_mask & ~supported ||
	    (attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS && attr->create_flags)) {
		errno = EOPNOTSUPP;
		return NULL;
	}

	qp = alloc_qp(attr->pd);
	if (!qp)
		return NULL;

	if (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) {
		ret = rxe_init_qp_ex(qp, attr->qp_type, attr->send_ops_flags);
		if (ret)
			goto err_free;
	}

	ret = verbs_create_qp_ex(context, &qp->vqp, attr, &resp.core, sizeof(resp));
	if (ret)
		goto err_free;

	ret = finish_qp(qp, &resp.rxe, attr->qp_type, &attr->cap, attr->srq);
	if (ret)
		goto err_destroy;

	if (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS)
		*verbs_qp_mask(&qp->vqp, rxe_qp_ex_size()) |= VERBS_QP_EX;
	return &qp->vqp.qp;

err_destroy:
	ibv_cmd_destroy_qp(&qp->vqp.qp);
err_free:
	free_qp(qp);
	errno = ret;
	return NULL;
}

int rxe_modify_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask)
{
	struct verbs_cmd_modify_qp cmd = {};
	struct rxe_qp *qp = to_rqp(ibqp);
	int ret;

	pthread_mutex_lock(&qp->state_lock);
	ret = ibv_cmd_modify_qp(ibqp, attr, attr_mask, &cmd, sizeof(cmd));
	if (!ret && attr_mask & IBV_QP_STATE)
		qp->in_error = attr->qp_state == IBV_QPS_ERR;
	pthread_mutex_unlock(&qp->state_lock);

	if (!ret && attr_mask & IBV_QP_STATE && attr->qp_state == IBV_QPS_RESET) {
		rxe_cq_drop_qp(ibqp->send_cq, ibqp->qp_num);
		if (ibqp->recv_cq != ibqp->send_cq)
			rxe_cq_drop_qp(ibqp->recv_cq, ibqp->qp_num);
	}
	return ret;
}

int rxe_query_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask,
		 struct ibv_qp_init_attr *init_attr)
{
	struct verbs_cmd_query_qp cmd = {};
	struct rxe_qp *qp = to_rqp(ibqp);
	int ret;

	pthread_mutex_lock(&qp->state_lock);
	ret = ibv_cmd_query_qp(ibqp, attr, attr_mask, init_attr, &cmd, sizeof(cmd));
	if (!ret && attr_mask & IBV_QP_STATE)
		qp->in_error = attr->qp_state == IBV_QPS_ERR;
	pthread_mutex_unlock(&qp->state_lock);
	return ret;
}

/**
 * rxe_qp_flush_again() - have receives flushed that were posted in the error state
 *
 * The kernel flushes a QP's queues on the way into that state. A receive that
 * is posted later owes the application a completion too (whoever drains a QP
 * waits for it), but no message comes that would make the kernel look at the
 * ring, and it accepts no doorbell for receives. Entering the state once more
 * makes it look, and changes nothing else.
 */
void rxe_qp_flush_again(struct rxe_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_ERR,
	};
	struct verbs_cmd_modify_qp cmd = {};

	pthread_mutex_lock(&qp->state_lock);
	if (qp->in_error)
		ibv_cmd_modify_qp(&qp->vqp.qp, &attr, IBV_QP_STATE, &cmd, sizeof(cmd));
	pthread_mutex_unlock(&qp->state_lock);
}

int rxe_destroy_qp(struct ibv_qp *qp)
{
	int ret = ibv_cmd_destroy_qp(qp);

	if (!ret)
		free_qp(to_rqp(qp));
	return ret;
}
