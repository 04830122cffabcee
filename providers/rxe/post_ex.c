// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The work request builders of struct ibv_qp_ex.
 *
 * Between wr_start() and wr_complete() the caller holds the send queue's lock,
 * and requests are built in place, in slots that the kernel does not know of
 * yet. The first error spoils the batch: later calls do nothing, wr_complete()
 * gives the slots up and returns the error.
 */
#include "wqe.h"

static struct rxe_qp *from_qp_ex(struct ibv_qp_ex *qp_ex)
{
	return container_of(qp_ex, struct rxe_qp, vqp.qp_ex);
}

static void wr_start(struct ibv_qp_ex *qp_ex)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);

	rxe_lock(&qp->sq.lock);
	qp->batch.start = qp->sq.ring.index;
	qp->batch.wqe = NULL;
	qp->batch.error = qp->vqp.qp.state < IBV_QPS_RTS ? EINVAL : 0;
}

static void wr_abort(struct ibv_qp_ex *qp_ex)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);

	rxe_ring_rewind(&qp->sq.ring, qp->batch.start);
	rxe_unlock(&qp->sq.lock);
}

static int wr_complete(struct ibv_qp_ex *qp_ex)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	int ret = qp->batch.error;

	if (ret) {
		wr_abort(qp_ex);
		return ret;
	}

	rxe_ring_publish(&qp->sq.ring);
	rxe_unlock(&qp->sq.lock);
	return rxe_ring_doorbell(qp);
}

static void spoil(struct rxe_qp *qp, int error)
{
	if (!qp->batch.error)
		qp->batch.error = error;
	qp->batch.wqe = NULL;
}

/* The request that setters work on, or NULL if the batch is spoilt */
static struct rxe_send_wqe *current_wqe(struct rxe_qp *qp)
{
	struct rxe_send_wqe *wqe = qp->batch.wqe;

	if (!wqe)
		spoil(qp, EINVAL);
	return wqe;
}

/* The same for those who set inline data, which not every request can have */
static struct rxe_send_wqe *current_inline_wqe(struct rxe_qp *qp)
{
	struct rxe_send_wqe *wqe = current_wqe(qp);

	if (!wqe || rxe_one_of(RXE_INLINE_OPS, wqe->wr.opcode))
		return wqe;
	spoil(qp, EINVAL);
	return NULL;
}

static struct rxe_send_wqe *new_wqe(struct ibv_qp_ex *qp_ex, enum ibv_wr_opcode opcode)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe;

	if (qp->batch.error)
		return NULL;

	wqe = rxe_ring_reserve(&qp->sq.ring);
	if (!wqe) {
		spoil(qp, ENOMEM);
		return NULL;
	}

	/* Which way the data goes is said by the setter: the kernel would take SGEs for data. */
	rxe_wqe_init(wqe, qp_ex->wr_id, opcode, qp_ex->wr_flags & ~IBV_SEND_INLINE);
	rxe_dma_init(&wqe->dma, 0, 0);
	/* not an earlier request's address, should wr_set_ud_addr() never be called */
	wqe->wr.wr.ud.ah_num = 0;
	rxe_ring_advance(&qp->sq.ring);
	qp->batch.wqe = wqe;
	return wqe;
}

static void wr_send(struct ibv_qp_ex *qp_ex)
{
	new_wqe(qp_ex, IBV_WR_SEND);
}

static void wr_send_imm(struct ibv_qp_ex *qp_ex, __be32 imm_data)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_SEND_WITH_IMM);

	if (wqe)
		wqe->wr.ex.imm_data = imm_data;
}

static void wr_send_inv(struct ibv_qp_ex *qp_ex, uint32_t invalidate_rkey)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_SEND_WITH_INV);

	if (wqe)
		wqe->wr.ex.invalidate_rkey = invalidate_rkey;
}

static void wr_rdma_read(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_RDMA_READ);

	if (wqe)
		rxe_wqe_set_rdma(wqe, remote_addr, rkey);
}

static void wr_rdma_write(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_RDMA_WRITE);

	if (wqe)
		rxe_wqe_set_rdma(wqe, remote_addr, rkey);
}

static void wr_rdma_write_imm(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr,
			      __be32 imm_data)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_RDMA_WRITE_WITH_IMM);

	if (!wqe)
		return;
	rxe_wqe_set_rdma(wqe, remote_addr, rkey);
	wqe->wr.ex.imm_data = imm_data;
}

static void build_atomic(struct ibv_qp_ex *qp_ex, enum ibv_wr_opcode opcode, uint32_t rkey,
			 uint64_t remote_addr, uint64_t compare_add, uint64_t swap)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, opcode);

	if (!wqe)
		return;
	if (remote_addr & 7)
		spoil(from_qp_ex(qp_ex), EINVAL);
	rxe_wqe_set_atomic(wqe, remote_addr, rkey, compare_add, swap);
}

static void wr_atomic_cmp_swp(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr,
			      uint64_t compare, uint64_t swap)
{
	build_atomic(qp_ex, IBV_WR_ATOMIC_CMP_AND_SWP, rkey, remote_addr, compare, swap);
}

static void wr_atomic_fetch_add(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr,
				uint64_t add)
{
	build_atomic(qp_ex, IBV_WR_ATOMIC_FETCH_AND_ADD, rkey, remote_addr, add, 0);
}

#if VERBS_RELEASE >= 44
static void wr_atomic_write(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr,
			    const void *value)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_ATOMIC_WRITE);

	if (!wqe)
		return;
	if (remote_addr & 7)
		spoil(from_qp_ex(qp_ex), EINVAL);
	rxe_wqe_set_rdma(wqe, remote_addr, rkey);
	/* where inline data goes, though it is not flagged as such */
	rxe_dma_init(&wqe->dma, 8, 0);
	memcpy(wqe->dma.inline_data, value, 8);
}
#endif

#if VERBS_RELEASE >= 45
static void wr_flush(struct ibv_qp_ex *qp_ex, uint32_t rkey, uint64_t remote_addr, size_t length,
		     uint8_t type, uint8_t level)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_FLUSH);

	if (!wqe)
		return;
	if (length > RXE_MAX_MSG)
		spoil(from_qp_ex(qp_ex), EINVAL);
	wqe->iova = remote_addr;
	wqe->wr.wr.flush.remote_addr = remote_addr;
	wqe->wr.wr.flush.rkey = rkey;
	wqe->wr.wr.flush.type = type;
	wqe->wr.wr.flush.level = level;
	/* how much to flush; no data goes with it */
	rxe_dma_init(&wqe->dma, length, 0);
}
#endif

static void wr_bind_mw(struct ibv_qp_ex *qp_ex, struct ibv_mw *mw, uint32_t rkey,
		       const struct ibv_mw_bind_info *info)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_BIND_MW);
	struct rxe_qp *qp = from_qp_ex(qp_ex);

	if (!wqe)
		return;
	if (rxe_check_bind(mw, info))
		spoil(qp, EINVAL);
	else
		rxe_wqe_set_bind(wqe, mw, rkey, info);
}

static void wr_local_inv(struct ibv_qp_ex *qp_ex, uint32_t invalidate_rkey)
{
	struct rxe_send_wqe *wqe = new_wqe(qp_ex, IBV_WR_LOCAL_INV);

	if (wqe)
		wqe->wr.ex.invalidate_rkey = invalidate_rkey;
}

static void wr_set_ud_addr(struct ibv_qp_ex *qp_ex, struct ibv_ah *ah, uint32_t remote_qpn,
			   uint32_t remote_qkey)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe = current_wqe(qp);

	if (!wqe)
		return;
	if (!ah || qp->vqp.qp.qp_type != IBV_QPT_UD)
		spoil(qp, EINVAL);
	else
		rxe_wqe_set_ud(wqe, ah, remote_qpn, remote_qkey);
}

static void wr_set_sge(struct ibv_qp_ex *qp_ex, uint32_t lkey, uint64_t addr, uint32_t length)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe = current_wqe(qp);

	if (!wqe)
		return;
	if (length > RXE_MAX_MSG || !qp->sq.max_sge) {
		spoil(qp, EINVAL);
		return;
	}

	wqe->dma.sge[0].addr = addr;
	wqe->dma.sge[0].length = length;
	wqe->dma.sge[0].lkey = lkey;
	rxe_dma_init(&wqe->dma, length, 1);
}

static void wr_set_sge_list(struct ibv_qp_ex *qp_ex, size_t num_sge, const struct ibv_sge *sg_list)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe = current_wqe(qp);

	if (!wqe)
		return;
	if (num_sge > qp->sq.max_sge || rxe_dma_set_sge(&wqe->dma, sg_list, num_sge) > RXE_MAX_MSG)
		spoil(qp, EINVAL);
}

static void wr_set_inline_data(struct ibv_qp_ex *qp_ex, void *addr, size_t length)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe = current_inline_wqe(qp);

	if (!wqe)
		return;
	if (length > qp->sq.max_inline) {
		spoil(qp, EINVAL);
		return;
	}

	wqe->wr.send_flags |= IBV_SEND_INLINE;
	rxe_dma_init(&wqe->dma, length, 0);
	memcpy(wqe->dma.inline_data, addr, length);
}

static void wr_set_inline_data_list(struct ibv_qp_ex *qp_ex, size_t num_buf,
				    const struct ibv_data_buf *buf_list)
{
	struct rxe_qp *qp = from_qp_ex(qp_ex);
	struct rxe_send_wqe *wqe = current_inline_wqe(qp);
	size_t length = 0;

	if (!wqe)
		return;

	for (size_t i = 0; i < num_buf; i++) {
		if (buf_list[i].length > qp->sq.max_inline - length) {
			spoil(qp, EINVAL);
			return;
		}
		memcpy(wqe->dma.inline_data + length, buf_list[i].addr, buf_list[i].length);
		length += buf_list[i].length;
	}

	wqe->wr.send_flags |= IBV_SEND_INLINE;
	rxe_dma_init(&wqe->dma, length, 0);
}

enum {
	UD_OPS = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM,
	UC_OPS = UD_OPS | IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM |
		 IBV_QP_EX_WITH_BIND_MW | IBV_QP_EX_WITH_SEND_WITH_INV,
	RC_OPS = UC_OPS | IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |
		 IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD | IBV_QP_EX_WITH_LOCAL_INV
};

/*
 * Builders that struct ibv_qp_ex got later. An older library has other things
 * in their place, whatever this file was compiled with.
 */
static uint64_t later_rc_ops(void)
{
	uint64_t ops = 0;

#if VERBS_RELEASE >= 44
	if (rxe_qp_ex_size() > offsetof(struct ibv_qp_ex, wr_atomic_write))
		ops |= IBV_QP_EX_WITH_ATOMIC_WRITE;
#endif
#if VERBS_RELEASE >= 45
	if (rxe_qp_ex_size() > offsetof(struct ibv_qp_ex, wr_flush))
		ops |= IBV_QP_EX_WITH_FLUSH;
#endif
	return ops;
}

/**
 * rxe_init_qp_ex() - give a QP the builders that were asked for
 *
 * Return: 0, or EOPNOTSUPP if the type of QP does not have them all.
 */
int rxe_init_qp_ex(struct rxe_qp *qp, enum ibv_qp_type type, uint64_t ops)
{
	struct ibv_qp_ex *qp_ex = &qp->vqp.qp_ex;
	uint64_t supported;

	switch (type) {
	case IBV_QPT_RC:
		supported = RC_OPS | later_rc_ops();
		break;
	case IBV_QPT_UC:
		supported = UC_OPS;
		break;
	case IBV_QPT_UD:
		supported = UD_OPS;
		break;
	default:
		return EOPNOTSUPP;
	}
	if (ops & ~supported)
		return EOPNOTSUPP;

	qp_ex->wr_start = wr_start;
	qp_ex->wr_complete = wr_complete;
	qp_ex->wr_abort = wr_abort;
	qp_ex->wr_set_ud_addr = wr_set_ud_addr;
	qp_ex->wr_set_sge = wr_set_sge;
	qp_ex->wr_set_sge_list = wr_set_sge_list;
	qp_ex->wr_set_inline_data = wr_set_inline_data;
	qp_ex->wr_set_inline_data_list = wr_set_inline_data_list;

	if (ops & IBV_QP_EX_WITH_SEND)
		qp_ex->wr_send = wr_send;
	if (ops & IBV_QP_EX_WITH_SEND_WITH_IMM)
		qp_ex->wr_send_imm = wr_send_imm;
	if (ops & IBV_QP_EX_WITH_SEND_WITH_INV)
		qp_ex->wr_send_inv = wr_send_inv;
	if (ops & IBV_QP_EX_WITH_RDMA_READ)
		qp_ex->wr_rdma_read = wr_rdma_read;
	if (ops & IBV_QP_EX_WITH_RDMA_WRITE)
		qp_ex->wr_rdma_write = wr_rdma_write;
	if (ops & IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM)
		qp_ex->wr_rdma_write_imm = wr_rdma_write_imm;
	if (ops & IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP)
		qp_ex->wr_atomic_cmp_swp = wr_atomic_cmp_swp;
	if (ops & IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD)
		qp_ex->wr_atomic_fetch_add = wr_atomic_fetch_add;
#if VERBS_RELEASE >= 44
	if (ops & IBV_QP_EX_WITH_ATOMIC_WRITE)
		qp_ex->wr_atomic_write = wr_atomic_write;
#endif
#if VERBS_RELEASE >= 45
	if (ops & IBV_QP_EX_WITH_FLUSH)
		qp_ex->wr_flush = wr_flush;
#endif
	if (ops & IBV_QP_EX_WITH_BIND_MW)
		qp_ex->wr_bind_mw = wr_bind_mw;
	if (ops & IBV_QP_EX_WITH_LOCAL_INV)
		qp_ex->wr_local_inv = wr_local_inv;
	return 0;
}
