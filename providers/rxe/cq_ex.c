// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The polling interface of struct ibv_cq_ex.
 *
 * A successful start_poll() takes the CQ's lock, end_poll() drops it; between
 * them the application reads the current completion where it lies in the ring.
 */
#include "rxe.h"

static struct rxe_cq *from_cq_ex(struct ibv_cq_ex *cq_ex)
{
	return container_of(cq_ex, struct rxe_cq, vcq.cq_ex);
}

/* Make the next completion the current one. */
static int take_next(struct rxe_cq *cq)
{
	const struct ib_uverbs_wc *cqe = cq->ring.buf ? rxe_ring_peek(&cq->ring) : NULL;

	cq->current = cqe;
	if (!cqe)
		return ENOENT;

	cq->vcq.cq_ex.wr_id = cqe->wr_id;
	cq->vcq.cq_ex.status = cqe->status;
	return 0;
}

static int start_poll(struct ibv_cq_ex *cq_ex, struct ibv_poll_cq_attr *attr)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);
	int ret;

	if (attr->comp_mask)
		return EINVAL;

	rxe_lock(&cq->lock);
	ret = take_next(cq);
	if (ret)
		rxe_unlock(&cq->lock);
	return ret;
}

static int next_poll(struct ibv_cq_ex *cq_ex)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);

	if (cq->current)
		rxe_ring_advance(&cq->ring);
	return take_next(cq);
}

static void end_poll(struct ibv_cq_ex *cq_ex)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);

	if (cq->current)
		rxe_ring_advance(&cq->ring);
	rxe_ring_release(&cq->ring);
	rxe_unlock(&cq->lock);
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *cq_ex)
{
	return (enum ibv_wc_opcode)from_cq_ex(cq_ex)->current->opcode;
}

static uint32_t read_vendor_err(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->vendor_err;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->wc_flags;
}

static uint32_t read_byte_len(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->byte_len;
}

static __be32 read_imm_data(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->ex.imm_data;
}

static uint32_t read_qp_num(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->qp_num;
}

static uint32_t read_src_qp(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->src_qp;
}

static uint32_t read_slid(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->slid;
}

static uint8_t read_sl(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->sl;
}

static uint8_t read_dlid_path_bits(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->current->dlid_path_bits;
}

/**
 * rxe_init_cq_ex() - give a CQ the readers that were asked for
 *
 * Return: 0, or EOPNOTSUPP if rxe's completions do not carry all that.
 */
int rxe_init_cq_ex(struct rxe_cq *cq, uint64_t wc_flags)
{
	struct ibv_cq_ex *cq_ex = &cq->vcq.cq_ex;

	if (wc_flags & ~(uint64_t)IBV_WC_STANDARD_FLAGS)
		return EOPNOTSUPP;

	cq_ex->start_poll = start_poll;
	cq_ex->next_poll = next_poll;
	cq_ex->end_poll = end_poll;
	cq_ex->read_opcode = read_opcode;
	cq_ex->read_vendor_err = read_vendor_err;
	cq_ex->read_wc_flags = read_wc_flags;

	if (wc_flags & IBV_WC_EX_WITH_BYTE_LEN)
		cq_ex->read_byte_len = read_byte_len;
	if (wc_flags & IBV_WC_EX_WITH_IMM)
		cq_ex->read_imm_data = read_imm_data;
	if (wc_flags & IBV_WC_EX_WITH_QP_NUM)
		cq_ex->read_qp_num = read_qp_num;
	if (wc_flags & IBV_WC_EX_WITH_SRC_QP)
		cq_ex->read_src_qp = read_src_qp;
	if (wc_flags & IBV_WC_EX_WITH_SLID)
		cq_ex->read_slid = read_slid;
	if (wc_flags & IBV_WC_EX_WITH_SL)
		cq_ex->read_sl = read_sl;
	if (wc_flags & IBV_WC_EX_WITH_DLID_PATH_BITS)
		cq_ex->read_dlid_path_bits = read_dlid_path_bits;
	return 0;
}
