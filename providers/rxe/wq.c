// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include "wqe.h"

void rxe_wq_init(struct rxe_wq *wq, bool single_threaded)
{
	wq->lock.single_threaded = single_threaded;
	rxe_ring_init(&wq->ring);
}

static int map_wq(struct rxe_wq *wq, int fd, const struct mminfo *info, size_t slot_size)
{
	int ret = rxe_ring_map(&wq->ring, fd, info, slot_size);

	if (!ret)
		rxe_ring_resume_producer(&wq->ring);
	return ret;
}

/* @cap: as the kernel granted them; a slot takes either the SGEs or the inline data */
int rxe_wq_map_send(struct rxe_wq *wq, int fd, const struct mminfo *info,
		    const struct ibv_qp_cap *cap)
{
	size_t payload = cap->max_send_sge * sizeof(struct ibv_sge);

	if (payload < cap->max_inline_data)
		payload = cap->max_inline_data;

	wq->max_sge = cap->max_send_sge;
	wq->max_inline = cap->max_inline_data;
	return map_wq(wq, fd, info, sizeof(struct rxe_send_wqe) + payload);
}

/* Also takes the place of a ring that the kernel has replaced, as resizing an SRQ does. */
int rxe_wq_map_recv(struct rxe_wq *wq, int fd, const struct mminfo *info, uint32_t max_sge)
{
	rxe_ring_unmap(&wq->ring);
	wq->max_sge = max_sge;
	return map_wq(wq, fd, info, sizeof(struct rxe_recv_wqe) + max_sge * sizeof(struct ibv_sge));
}

static int post_one_recv(struct rxe_wq *wq, const struct ibv_recv_wr *wr)
{
	struct rxe_recv_wqe *wqe;
	uint64_t length;

	/* a negative number is a very large one here */
	if ((uint32_t)wr->num_sge > wq->max_sge)
		return EINVAL;

	wqe = rxe_ring_reserve(&wq->ring);
	if (!wqe)
		return rxe_ring_mapped(&wq->ring) ? ENOMEM : EINVAL;

	wqe->wr_id = wr->wr_id;
	length = rxe_dma_set_sge(&wqe->dma, wr->sg_list, wr->num_sge);
	if (length > RXE_MAX_MSG)
		return EINVAL;

	rxe_ring_advance(&wq->ring);
	return 0;
}

static inline int post_recvs(struct rxe_wq *wq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	int ret = 0;

	for (; wr; wr = wr->next) {
		ret = post_one_recv(wq, wr);
		if (ret)
			break;
	}
	rxe_ring_publish(&wq->ring);
	/* NULL if there is none, as programs have come to expect */
	*bad_wr = wr;
	return ret;
}

/* A function of its own, so that posting without the lock needs no stack frame. */
static __attribute__((noinline)) int post_recvs_locked(struct rxe_wq *wq, struct ibv_recv_wr *wr,
						       struct ibv_recv_wr **bad_wr)
{
	int ret;

	rxe_spin_lock(&wq->lock);
	ret = post_recvs(wq, wr, bad_wr);
	rxe_spin_unlock(&wq->lock);
	return ret;
}

/*
 * Post a list of receives. The kernel looks for them when a message arrives,
 * so there is no doorbell.
 */
int rxe_wq_post_recv(struct rxe_wq *wq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	if (wq->lock.single_threaded)
		return post_recvs(wq, wr, bad_wr);
	return post_recvs_locked(wq, wr, bad_wr);
}
