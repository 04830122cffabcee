// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>
#include <string.h>

#include "kernel_numbers.h"

struct create_cq_resp {
	struct ib_uverbs_ex_create_cq_resp core;
	struct rxe_create_cq_resp rxe;
};

struct resize_cq_resp {
	struct ib_uverbs_resize_cq_resp core;
	struct rxe_resize_cq_resp rxe;
};

_Static_assert(offsetof(struct create_cq_resp, rxe) == 16, "no padding in responses");
_Static_assert(offsetof(struct resize_cq_resp, rxe) == 8, "no padding in responses");

/*
 * The kernel's completion entry begins with what ibv_poll_cq() returns, field by field. Of these
 * only the flags mean something else.
 */
_Static_assert(sizeof(struct ibv_wc) == sizeof(struct ib_uverbs_wc), "CQE layout");
_Static_assert(
	offsetof(struct ibv_wc, status) == offsetof(struct ib_uverbs_wc, status) &&
		offsetof(struct ibv_wc, opcode) == offsetof(struct ib_uverbs_wc, opcode) &&
		offsetof(struct ibv_wc, byte_len) == offsetof(struct ib_uverbs_wc, byte_len) &&
		offsetof(struct ibv_wc, imm_data) == offsetof(struct ib_uverbs_wc, ex) &&
		offsetof(struct ibv_wc, qp_num) == offsetof(struct ib_uverbs_wc, qp_num) &&
		offsetof(struct ibv_wc, src_qp) == offsetof(struct ib_uverbs_wc, src_qp) &&
		offsetof(struct ibv_wc, wc_flags) == offsetof(struct ib_uverbs_wc, wc_flags) &&
		offsetof(struct ibv_wc, pkey_index) == offsetof(struct ib_uverbs_wc, pkey_index) &&
		offsetof(struct ibv_wc, dlid_path_bits) ==
			offsetof(struct ib_uverbs_wc, dlid_path_bits),
	"CQE layout");

static int map_cq(struct rxe_cq *cq, int fd, const struct mminfo *info)
{
	int ret = rxe_ring_map(&cq->ring, fd, info, sizeof(struct ib_uverbs_wc));

	if (!ret)
		rxe_ring_resume_consumer(&cq->ring);
	return ret;
}

static void free_cq(struct rxe_cq *cq)
{
	rxe_ring_unmap(&cq->ring);
	free(cq);
}

static bool single_threaded(const struct ibv_cq_init_attr_ex *attr)
{
	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS &&
	    attr->flags & IBV_CREATE_CQ_ATTR_SINGLE_THREADED)
		return true;
	return attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD &&
	       rxe_pd_single_threaded(attr->parent_domain);
}

/* What the attributes ask for beyond this is the kernel's to refuse. */
static struct rxe_cq *create_cq(struct ibv_context *context, const struct ibv_cq_init_attr_ex *attr)
{
	struct create_cq_resp resp = {};
	struct rxe_cq *cq;
	int ret;

	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD && !attr->parent_domain) {
		errno = EINVAL;
		return NULL;
	}

	cq = calloc(1, sizeof(*cq));
	if (!cq)
		return NULL;

	cq->lock.single_threaded = single_threaded(attr);
	rxe_ring_init(&cq->ring);
	ret = rxe_init_cq_ex(cq, attr->wc_flags);
	if (ret)
		goto err_free;

	ret = verbs_create_cq_ex(context, attr, &cq->vcq, &resp.core, sizeof(resp));
	if (ret)
		goto err_free;

	ret = map_cq(cq, context->cmd_fd, &resp.rxe.mi);
	if (ret)
		goto err_destroy;

	return cq;

err_destroy:
	ibv_cmd_destroy_cq(&cq->vcq.cq);
err_free:
	free_cq(cq);
	errno = ret;
	return NULL;
}

struct ibv_cq *rxe_create_cq(struct ibv_context *context, int cqe, struct ibv_comp_channel *channel,
			     int comp_vector)
{
	const struct ibv_cq_init_attr_ex attr = {
		.cqe = cqe,
		.channel = channel,
		.comp_vector = comp_vector,
	};
	struct rxe_cq *cq = create_cq(context, &attr);

	return cq ? &cq->vcq.cq : NULL;
}

struct ibv_cq_ex *rxe_create_cq_ex(struct ibv_context *context, struct ibv_cq_init_attr_ex *attr)
{
	struct rxe_cq *cq = create_cq(context, attr);

	return cq ? &cq->vcq.cq_ex : NULL;
}

/*
 * The kernel moves what was not polled into a new ring and drops the old one,
 * so nobody may poll meanwhile. If the new ring cannot be mapped, the CQ is
 * lost: it can only be destroyed.
 */
int rxe_resize_cq(struct ibv_cq *ibcq, int cqe)
{
	struct verbs_cmd_resize_cq cmd = {};
	struct resize_cq_resp resp = {};
	struct rxe_cq *cq = to_rcq(ibcq);
	int ret;

	rxe_lock(&cq->lock);
	ret = ibv_cmd_resize_cq(ibcq, cqe, &cmd, sizeof(cmd), &resp.core, sizeof(resp));
	if (!ret) {
		rxe_ring_unmap(&cq->ring);
		ret = map_cq(cq, ibcq->context->cmd_fd, &resp.rxe.mi);
	}
	rxe_unlock(&cq->lock);
	return ret;
}

static inline void read_cqe(struct ibv_wc *wc, const void *cqe)
{
	memcpy(wc, cqe, sizeof(*wc));
	wc->wc_flags = rxe_wc_flags(wc->wc_flags);
}

/* As many as there are, in one or two runs of neighbours. */
static int poll_run(struct rxe_cq *cq, int num_entries, struct ibv_wc *wc)
{
	struct rxe_ring *ring = &cq->ring;
	const size_t slot_size = ring->slot_size;
	int polled = 0;
	uint32_t last;

	while (polled < num_entries && rxe_ring_run(ring, ring->index, &last)) {
		const uint8_t *cqe = rxe_ring_slot(ring, ring->index);
		int run = last - ring->index + 1;

		if (run > num_entries - polled)
			run = num_entries - polled;
		rxe_ring_skip(ring, run);
		polled += run;

		for (; run; run--) {
			read_cqe(wc, cqe);
			wc++;
			cqe += slot_size;
		}
	}
	return polled;
}

/* Most calls find nothing or one completion: that is the straight way. */
static inline int poll_cq(struct rxe_cq *cq, int num_entries, struct ibv_wc *wc)
{
	const void *cqe = rxe_ring_peek(&cq->ring);
	int polled = 1;

	if (!cqe || num_entries <= 0)
		return rxe_ring_mapped(&cq->ring) ? 0 : -EIO;

	read_cqe(wc, cqe);
	rxe_ring_advance(&cq->ring);
	if (num_entries > 1)
		polled += poll_run(cq, num_entries - 1, wc + 1);
	rxe_ring_release(&cq->ring);
	return polled;
}

/* A function of its own, so that polling without the lock needs no stack frame. */
static __attribute__((noinline)) int poll_locked(struct rxe_cq *cq, int num_entries,
						 struct ibv_wc *wc)
{
	int polled;

	rxe_spin_lock(&cq->lock);
	polled = poll_cq(cq, num_entries, wc);
	rxe_spin_unlock(&cq->lock);
	return polled;
}

int rxe_poll_cq(struct ibv_cq *ibcq, int num_entries, struct ibv_wc *wc)
{
	struct rxe_cq *cq = to_rcq(ibcq);

	if (cq->lock.single_threaded)
		return poll_cq(cq, num_entries, wc);
	return poll_locked(cq, num_entries, wc);
}

static bool cqe_is_of_qp(const void *slot, uint32_t qp_num)
{
	const struct ib_uverbs_wc *cqe = slot;

	return cqe->qp_num == qp_num;
}

/* Drop the completions of a QP that has been reset: they belong to its former life. */
void rxe_cq_drop_qp(struct ibv_cq *ibcq, uint32_t qp_num)
{
	struct rxe_cq *cq = to_rcq(ibcq);

	rxe_lock(&cq->lock);
	rxe_ring_drop(&cq->ring, cqe_is_of_qp, qp_num);
	rxe_unlock(&cq->lock);
}

int rxe_destroy_cq(struct ibv_cq *ibcq)
{
	int ret = ibv_cmd_destroy_cq(ibcq);

	if (!ret)
		free_cq(to_rcq(ibcq));
	return ret;
}
