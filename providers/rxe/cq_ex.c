// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The polling interface of struct ibv_cq_ex.
 *
 * A successful start_poll() takes the CQ's lock, end_poll() drops it; between
 * them the application reads the current completion where it lies in the ring.
 */
#include "kernel_numbers.h"

static struct rxe_cq *from_cq_ex(struct ibv_cq_ex *cq_ex)
{
	return container_of(cq_ex, struct rxe_cq, vcq.cq_ex);
}

static void set_current(struct rxe_cq *cq, const struct ib_uverbs_wc *cqe)
{
	cq->reader.current = cqe;
	cq->vcq.cq_ex.wr_id = cqe->wr_id;
	cq->vcq.cq_ex.status = cqe->status;
}

static inline int take_first(struct rxe_cq *cq)
{
	const struct ib_uverbs_wc *cqe = rxe_ring_peek(&cq->ring);

	if (!cqe)
		return rxe_ring_mapped(&cq->ring) ? ENOENT : EIO;

	set_current(cq, cqe);
	cq->reader.last = cqe;
	return 0;
}

static int start_poll(struct ibv_cq_ex *cq_ex, struct ibv_poll_cq_attr *attr)
{
	return attr->comp_mask ? EINVAL : take_first(from_cq_ex(cq_ex));
}

/* Past what was known to have come, or past the ring's end. */
static __attribute__((noinline)) int next_run(struct rxe_cq *cq)
{
	struct rxe_ring *ring = &cq->ring;
	const uint32_t first = (ring->index + 1) & ring->mask;
	uint32_t last;

	if (!rxe_ring_run(ring, first, &last))
		return ENOENT;

	ring->index = first;
	cq->reader.last = rxe_ring_slot(ring, last);
	set_current(cq, rxe_ring_slot(ring, first));
	return 0;
}

static int next_poll(struct ibv_cq_ex *cq_ex)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);
	const void *current = cq->reader.current;

	if (current == cq->reader.last)
		return next_run(cq);

	cq->ring.index++;
	set_current(cq, (const void *)((const uint8_t *)current + cq->ring.slot_size));
	return 0;
}

static inline void end_poll(struct ibv_cq_ex *cq_ex)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);

	rxe_ring_skip(&cq->ring, 1);
	rxe_ring_release(&cq->ring);
}

static int start_poll_locked(struct ibv_cq_ex *cq_ex, struct ibv_poll_cq_attr *attr)
{
	struct rxe_cq *cq = from_cq_ex(cq_ex);
	int ret;

	if (attr->comp_mask)
		return EINVAL;

	rxe_spin_lock(&cq->lock);
	ret = take_first(cq);
	if (ret)
		rxe_spin_unlock(&cq->lock);
	return ret;
}

static void end_poll_locked(struct ibv_cq_ex *cq_ex)
{
	end_poll(cq_ex);
	rxe_spin_unlock(&from_cq_ex(cq_ex)->lock);
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *cq_ex)
{
	return (enum ibv_wc_opcode)from_cq_ex(cq_ex)->reader.current->opcode;
}

static uint32_t read_vendor_err(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->vendor_err;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *cq_ex)
{
	return rxe_wc_flags(from_cq_ex(cq_ex)->reader.current->wc_flags);
}

static uint32_t read_byte_len(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->byte_len;
}

static __be32 read_imm_data(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->ex.imm_data;
}

static uint32_t read_qp_num(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->qp_num;
}

static uint32_t read_src_qp(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->src_qp;
}

static uint32_t read_slid(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->slid;
}

static uint8_t read_sl(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->sl;
}

static uint8_t read_dlid_path_bits(struct ibv_cq_ex *cq_ex)
{
	return from_cq_ex(cq_ex)->reader.current->dlid_path_bits;
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

	cq_ex->start_poll = cq->lock.single_threaded ? start_poll : start_poll_locked;
	cq_ex->next_poll = next_poll;
	cq_ex->end_poll = cq->lock.single_threaded ? end_poll : end_poll_locked;
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
