// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * From ibv_post_send() and ibv_post_recv() to the QP's rings.
 *
 * A work request becomes one slot of the ring. When the list is in, the
 * producer index is published and the kernel told to look; it does the rest.
 */
#include <unistd.h>

#include "wqe.h"

/* What the kernel's driver can do, a bit for each opcode */
enum {
	UD_OPS = 1 << IBV_WR_SEND | 1 << IBV_WR_SEND_WITH_IMM,
	UC_OPS = UD_OPS | 1 << IBV_WR_RDMA_WRITE | 1 << IBV_WR_RDMA_WRITE_WITH_IMM |
		 1 << IBV_WR_SEND_WITH_INV | 1 << IBV_WR_BIND_MW,
	RC_OPS = UC_OPS | 1 << IBV_WR_RDMA_READ | 1 << IBV_WR_ATOMIC_CMP_AND_SWP |
		 1 << IBV_WR_ATOMIC_FETCH_AND_ADD | 1 << IBV_WR_LOCAL_INV,
};

static bool can_send(const struct rxe_qp *qp, enum ibv_wr_opcode opcode)
{
	return (uint32_t)opcode < 32 && rxe_one_of(qp->send_ops, opcode);
}

/* The QP has its number in the kernel already. */
void rxe_init_posting(struct rxe_qp *qp, enum ibv_qp_type type)
{
	struct rxe_doorbell *db = &qp->doorbell;

	qp->send_ops = type == IBV_QPT_RC ? RC_OPS :
		       type == IBV_QPT_UC ? UC_OPS :
		       type == IBV_QPT_UD ? UD_OPS :
					    0;

	db->hdr.command = IB_USER_VERBS_CMD_POST_SEND;
	db->hdr.in_words = sizeof(*db) / 4;
	db->hdr.out_words = sizeof(qp->doorbell_resp) / 4;
	db->core.response = (uintptr_t)&qp->doorbell_resp;
	db->core.qp_handle = qp->vqp.qp.handle;
	db->core.wqe_size = sizeof(struct ib_uverbs_send_wr);
}

/*
 * The requests are in the ring by then, and the kernel may be at work on them: a doorbell that
 * fails takes none back. It fails only where nothing is sent any more: the device has gone (EIO),
 * or the QP is not in RTS and this process does not know (EINVAL).
 */
int rxe_ring_doorbell(struct rxe_qp *qp)
{
	const ssize_t size = sizeof(qp->doorbell);

	return write(qp->vqp.qp.context->cmd_fd, &qp->doorbell, size) == size ? 0 : errno;
}

static int fill_send(const struct rxe_qp *qp, struct rxe_send_wqe *wqe,
		     const struct ibv_send_wr *wr)
{
	if (qp->vqp.qp.qp_type != IBV_QPT_UD)
		return 0;
	if (!wr->wr.ud.ah)
		return EINVAL;
	rxe_wqe_set_ud(wqe, wr->wr.ud.ah, wr->wr.ud.remote_qpn, wr->wr.ud.remote_qkey);
	return 0;
}

/* What else than a send depends on the opcode; @length: of the data */
static int fill_other(struct rxe_send_wqe *wqe, const struct ibv_send_wr *wr, uint64_t length)
{
	const bool in_line = wr->send_flags & IBV_SEND_INLINE;

	switch (wr->opcode) {
	case IBV_WR_RDMA_WRITE:
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		rxe_wqe_set_rdma(wqe, wr->wr.rdma.remote_addr, wr->wr.rdma.rkey);
		return 0;
	case IBV_WR_RDMA_READ:
		rxe_wqe_set_rdma(wqe, wr->wr.rdma.remote_addr, wr->wr.rdma.rkey);
		return in_line ? EINVAL : 0;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		rxe_wqe_set_atomic(wqe, wr->wr.atomic.remote_addr, wr->wr.atomic.rkey,
				   wr->wr.atomic.compare_add, wr->wr.atomic.swap);
		return in_line || length < 8 || wr->wr.atomic.remote_addr & 7 ? EINVAL : 0;
	case IBV_WR_BIND_MW:
		if (in_line || wr->num_sge ||
		    rxe_check_bind(wr->bind_mw.mw, &wr->bind_mw.bind_info))
			return EINVAL;
		rxe_wqe_set_bind(wqe, wr->bind_mw.mw, wr->bind_mw.rkey, &wr->bind_mw.bind_info);
		return 0;
	default:
		return in_line ? EINVAL : 0;
	}
}

/* A function of its own, so that the usual single piece does not share its registers. */
static __attribute__((noinline)) uint64_t copy_pieces(uint8_t *to, const struct ibv_sge *sge,
						      uint32_t num_sge, uint32_t max)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < num_sge; i++) {
		if (length + sge[i].length > max)
			return UINT64_MAX;
		memcpy(to + length, (const void *)(uintptr_t)sge[i].addr, sge[i].length);
		length += sge[i].length;
	}
	return length;
}

/* Return: 0, or EINVAL if it is more than @max. */
static int fill_inline(struct rxe_dma_info *dma, const struct ibv_sge *sge, uint32_t num_sge,
		       uint32_t max)
{
	uint64_t length;

	if (num_sge == 1) {
		length = sge->length;
		if (length <= max)
			memcpy(dma->inline_data, (const void *)(uintptr_t)sge->addr, length);
	} else {
		length = copy_pieces(dma->inline_data, sge, num_sge, max);
	}
	if (length > max)
		return EINVAL;

	rxe_dma_init(dma, length, num_sge);
	return 0;
}

/* A slot that was not advanced over does not exist for the kernel: errors may leave it half full. */
static int post_one_send(struct rxe_qp *qp, const struct ibv_send_wr *wr)
{
	struct rxe_send_wqe *wqe;
	uint64_t length;
	int ret;

	/* a negative number is a very large one here */
	if ((uint32_t)wr->num_sge > qp->sq.max_sge || !can_send(qp, wr->opcode))
		return EINVAL;

	wqe = rxe_ring_reserve(&qp->sq.ring);
	if (!wqe)
		return ENOMEM;

	rxe_wqe_init(wqe, wr->wr_id, wr->opcode, wr->send_flags);
	/* one word on either side: imm_data or invalidate_rkey */
	wqe->wr.ex.imm_data = wr->imm_data;

	if (wr->send_flags & IBV_SEND_INLINE) {
		ret = fill_inline(&wqe->dma, wr->sg_list, wr->num_sge, qp->sq.max_inline);
		if (ret)
			return ret;
		length = wqe->dma.length;
	} else {
		length = rxe_dma_set_sge(&wqe->dma, wr->sg_list, wr->num_sge);
		if (length > RXE_MAX_MSG)
			return EINVAL;
	}

	ret = rxe_one_of(RXE_SENDS, wr->opcode) ? fill_send(qp, wqe, wr) :
						  fill_other(wqe, wr, length);
	if (ret)
		return ret;

	rxe_ring_advance(&qp->sq.ring);
	return 0;
}

int rxe_post_send(struct ibv_qp *ibqp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr)
{
	struct rxe_qp *qp = to_rqp(ibqp);
	struct ibv_send_wr *const first = wr;
	int ret = 0;

	if (ibqp->state < IBV_QPS_RTS) {
		*bad_wr = wr;
		return EINVAL;
	}

	rxe_lock(&qp->sq.lock);
	for (; wr; wr = wr->next) {
		ret = post_one_send(qp, wr);
		if (ret)
			break;
	}
	rxe_ring_publish(&qp->sq.ring);
	rxe_unlock(&qp->sq.lock);

	/* NULL if there is none: pyverbs 65 looks for it after a success as well */
	*bad_wr = wr;
	if (!wr) {
		ret = rxe_ring_doorbell(qp);
		if (ret)
			*bad_wr = first;
	} else if (wr != first) {
		rxe_ring_doorbell(qp);
	}
	return ret;
}

/* A function of its own, so that the usual way needs no stack frame. */
static __attribute__((noinline)) int post_recv_in_error(struct rxe_qp *qp, struct ibv_recv_wr *wr,
							struct ibv_recv_wr **bad_wr)
{
	int ret = rxe_wq_post_recv(&qp->rq, wr, bad_wr);

	if (*bad_wr != wr)
		rxe_qp_flush_again(qp);
	return ret;
}

int rxe_post_recv(struct ibv_qp *ibqp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	struct rxe_qp *qp = to_rqp(ibqp);

	/* C10-97.2.1 of the InfiniBand specification */
	if (ibqp->state == IBV_QPS_RESET) {
		*bad_wr = wr;
		return EINVAL;
	}
	if (ibqp->state == IBV_QPS_ERR)
		return post_recv_in_error(qp, wr, bad_wr);
	return rxe_wq_post_recv(&qp->rq, wr, bad_wr);
}
