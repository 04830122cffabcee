// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * From ibv_post_send() and ibv_post_recv() to the QP's rings.
 *
 * A work request becomes one slot of the ring. When the list is in, the
 * producer index is published and the kernel told to look; it does the rest.
 */
#include <unistd.h>

#include "wqe.h"

enum {
	QP_RC = 1 << 0,
	QP_UC = 1 << 1,
	QP_UD = 1 << 2,
};

/* What the kernel's driver does with an opcode, on which types of QP */
struct send_op {
	uint8_t qp_types;
	bool may_inline;
};

static const struct send_op send_ops[] = {
	[IBV_WR_RDMA_WRITE] = { QP_RC | QP_UC, true },
	[IBV_WR_RDMA_WRITE_WITH_IMM] = { QP_RC | QP_UC, true },
	[IBV_WR_SEND] = { QP_RC | QP_UC | QP_UD, true },
	[IBV_WR_SEND_WITH_IMM] = { QP_RC | QP_UC | QP_UD, true },
	[IBV_WR_RDMA_READ] = { QP_RC, false },
	[IBV_WR_ATOMIC_CMP_AND_SWP] = { QP_RC, false },
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = { QP_RC, false },
	[IBV_WR_LOCAL_INV] = { QP_RC, false },
	[IBV_WR_BIND_MW] = { QP_RC | QP_UC, false },
	[IBV_WR_SEND_WITH_INV] = { QP_RC | QP_UC, true },
};

static uint8_t qp_type_bit(enum ibv_qp_type type)
{
	switch (type) {
	case IBV_QPT_RC:
		return QP_RC;
	case IBV_QPT_UC:
		return QP_UC;
	case IBV_QPT_UD:
		return QP_UD;
	default:
		return 0;
	}
}

/* Is it a request that @qp can carry out and a slot can hold? */
static int check_send(const struct rxe_qp *qp, const struct ibv_send_wr *wr, uint64_t length)
{
	enum ibv_qp_type type = qp->vqp.qp.qp_type;
	const struct send_op *op;

	if ((size_t)wr->opcode >= sizeof(send_ops) / sizeof(send_ops[0]))
		return EINVAL;

	op = &send_ops[wr->opcode];
	if (!(op->qp_types & qp_type_bit(type)))
		return EINVAL;

	if (length > RXE_MAX_MSG)
		return EINVAL;
	if (wr->send_flags & IBV_SEND_INLINE && (!op->may_inline || length > qp->sq.max_inline))
		return EINVAL;

	switch (wr->opcode) {
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		return length < 8 || wr->wr.atomic.remote_addr & 7 ? EINVAL : 0;
	case IBV_WR_BIND_MW:
		if (wr->num_sge)
			return EINVAL;
		return rxe_check_bind(wr->bind_mw.mw, &wr->bind_mw.bind_info);
	default:
		return type == IBV_QPT_UD && !wr->wr.ud.ah ? EINVAL : 0;
	}
}

/* The part of a request that depends on its opcode */
static void fill_op(const struct rxe_qp *qp, struct rxe_send_wqe *wqe, const struct ibv_send_wr *wr)
{
	/* one word on either side: imm_data or invalidate_rkey */
	wqe->wr.ex.imm_data = wr->imm_data;

	switch (wr->opcode) {
	case IBV_WR_RDMA_WRITE:
	case IBV_WR_RDMA_WRITE_WITH_IMM:
	case IBV_WR_RDMA_READ:
		rxe_wqe_set_rdma(wqe, wr->wr.rdma.remote_addr, wr->wr.rdma.rkey);
		break;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		rxe_wqe_set_atomic(wqe, wr->wr.atomic.remote_addr, wr->wr.atomic.rkey,
				   wr->wr.atomic.compare_add, wr->wr.atomic.swap);
		break;
	case IBV_WR_BIND_MW:
		rxe_wqe_set_bind(wqe, wr->bind_mw.mw, wr->bind_mw.rkey, &wr->bind_mw.bind_info);
		break;
	default:
		if (qp->vqp.qp.qp_type == IBV_QPT_UD)
			rxe_wqe_set_ud(wqe, wr->wr.ud.ah, wr->wr.ud.remote_qpn,
				       wr->wr.ud.remote_qkey);
		break;
	}
}

static void fill_inline(struct rxe_send_wqe *wqe, uint32_t length, const struct ibv_sge *sge,
			int num_sge)
{
	uint8_t *to = wqe->dma.inline_data;

	rxe_dma_init(&wqe->dma, length, num_sge);
	for (int i = 0; i < num_sge; i++) {
		memcpy(to, (const void *)(uintptr_t)sge[i].addr, sge[i].length);
		to += sge[i].length;
	}
}

static int post_one_send(struct rxe_qp *qp, const struct ibv_send_wr *wr)
{
	struct rxe_send_wqe *wqe;
	uint64_t length;
	int ret;

	if (wr->num_sge < 0 || (uint32_t)wr->num_sge > qp->sq.max_sge)
		return EINVAL;

	length = rxe_sge_length(wr->sg_list, wr->num_sge);
	ret = check_send(qp, wr, length);
	if (ret)
		return ret;

	wqe = rxe_ring_reserve(&qp->sq.ring);
	if (!wqe)
		return ENOMEM;

	rxe_wqe_init(wqe, wr->wr_id, wr->opcode, wr->send_flags);
	fill_op(qp, wqe, wr);
	if (wr->send_flags & IBV_SEND_INLINE)
		fill_inline(wqe, length, wr->sg_list, wr->num_sge);
	else
		rxe_dma_set_sge(&wqe->dma, length, wr->sg_list, wr->num_sge);

	rxe_ring_advance(&qp->sq.ring);
	return 0;
}

/*
 * The doorbell is a post of no work requests: the kernel finds what it needs
 * in the ring.
 */
struct send_doorbell {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_post_send core;
};

int rxe_ring_send_doorbell(const struct ibv_qp *qp)
{
	struct ib_uverbs_post_send_resp resp;
	struct send_doorbell cmd = {
		.hdr = {
			.command = IB_USER_VERBS_CMD_POST_SEND,
			.in_words = sizeof(cmd) / 4,
			.out_words = sizeof(resp) / 4,
		},
		.core = {
			.response = (uintptr_t)&resp,
			.qp_handle = qp->handle,
			.wqe_size = sizeof(struct ib_uverbs_send_wr),
		},
	};

	return write(qp->context->cmd_fd, &cmd, sizeof(cmd)) == sizeof(cmd) ? 0 : errno;
}

int rxe_post_send(struct ibv_qp *ibqp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr)
{
	struct ibv_send_wr *first = wr;
	struct rxe_qp *qp = to_rqp(ibqp);
	int db_ret = 0;
	int ret = 0;

	if (ibqp->state < IBV_QPS_RTS) {
		*bad_wr = wr;
		return EINVAL;
	}

	rxe_lock(&qp->sq.lock);
	for (; wr; wr = wr->next) {
		ret = post_one_send(qp, wr);
		if (ret) {
			*bad_wr = wr;
			break;
		}
	}
	rxe_ring_publish(&qp->sq.ring);
	rxe_unlock(&qp->sq.lock);

	if (wr != first)
		db_ret = rxe_ring_send_doorbell(ibqp);
	if (db_ret && !ret) {
		*bad_wr = first;
		ret = db_ret;
	}
	return ret;
}

int rxe_post_recv(struct ibv_qp *ibqp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	int ret;

	/* C10-97.2.1 of the InfiniBand specification */
	if (ibqp->state == IBV_QPS_RESET) {
		*bad_wr = wr;
		return EINVAL;
	}

	ret = rxe_wq_post_recv(&to_rqp(ibqp)->rq, wr, bad_wr);
	if (ibqp->state == IBV_QPS_ERR)
		rxe_qp_flush_again(to_rqp(ibqp));
	return ret;
}
