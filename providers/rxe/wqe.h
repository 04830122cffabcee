/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * How work requests are written into the slots of a ring, for both ways to
 * post them: lists (post.c) and the builders of struct ibv_qp_ex (post_ex.c).
 *
 * A slot holds what its last user left, the kernel's own fields included, so
 * everything that the kernel reads before it writes is set here.
 */
#ifndef RXE_WQE_H
#define RXE_WQE_H

#include <string.h>

#include "kernel_numbers.h"

/* The longest message of an rxe port. */
#define RXE_MAX_MSG ((uint64_t)1 << 31)

/* Opcodes, a bit for each */
enum {
	RXE_SENDS = 1 << IBV_WR_SEND | 1 << IBV_WR_SEND_WITH_IMM | 1 << IBV_WR_SEND_WITH_INV,
	/* inline data of others the kernel would take for SGEs */
	RXE_INLINE_OPS = RXE_SENDS | 1 << IBV_WR_RDMA_WRITE | 1 << IBV_WR_RDMA_WRITE_WITH_IMM,
};

static inline bool rxe_one_of(uint32_t ops, uint32_t opcode)
{
	return ops >> opcode & 1;
}

/* Data: a list of SGEs, or the bytes themselves. */

/* How far the kernel has come with the data: at its start. */
static inline void rxe_dma_init(struct rxe_dma_info *dma, uint32_t length, uint32_t num_sge)
{
	dma->length = length;
	dma->resid = length;
	dma->cur_sge = 0;
	dma->num_sge = num_sge;
	dma->sge_offset = 0;
}

_Static_assert(sizeof(struct rxe_sge) == sizeof(struct ibv_sge) &&
		       offsetof(struct rxe_sge, addr) == offsetof(struct ibv_sge, addr) &&
		       offsetof(struct rxe_sge, length) == offsetof(struct ibv_sge, length) &&
		       offsetof(struct rxe_sge, lkey) == offsetof(struct ibv_sge, lkey),
	       "SGE layout");

/* Return: the sum of the lengths; the caller sees to it that RXE_MAX_MSG holds. */
static inline uint64_t rxe_dma_set_sge(struct rxe_dma_info *dma, const struct ibv_sge *sge,
				       uint32_t num_sge)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < num_sge; i++) {
		memcpy(&dma->sge[i], &sge[i], sizeof(*sge));
		length += sge[i].length;
	}
	rxe_dma_init(dma, length, num_sge);
	return length;
}

/* Send requests: what all have, then what the opcode asks for. */

static inline void rxe_wqe_init(struct rxe_send_wqe *wqe, uint64_t wr_id, uint32_t opcode,
				uint32_t send_flags)
{
	wqe->wr.wr_id = wr_id;
	wqe->wr.opcode = opcode;
	wqe->wr.send_flags = send_flags;
	wqe->wr.ex.imm_data = 0;
	wqe->status = 0;
	wqe->state = 0;
	wqe->iova = 0;
	wqe->has_rd_atomic = 0;
}

static inline void rxe_wqe_set_rdma(struct rxe_send_wqe *wqe, uint64_t remote_addr, uint32_t rkey)
{
	wqe->iova = remote_addr;
	wqe->wr.wr.rdma.remote_addr = remote_addr;
	wqe->wr.wr.rdma.rkey = rkey;
}

static inline void rxe_wqe_set_atomic(struct rxe_send_wqe *wqe, uint64_t remote_addr, uint32_t rkey,
				      uint64_t compare_add, uint64_t swap)
{
	wqe->iova = remote_addr;
	wqe->wr.wr.atomic.remote_addr = remote_addr;
	wqe->wr.wr.atomic.compare_add = compare_add;
	wqe->wr.wr.atomic.swap = swap;
	wqe->wr.wr.atomic.rkey = rkey;
}

static inline void rxe_wqe_set_ud(struct rxe_send_wqe *wqe, struct ibv_ah *ah, uint32_t remote_qpn,
				  uint32_t remote_qkey)
{
	wqe->wr.wr.ud.remote_qpn = remote_qpn;
	wqe->wr.wr.ud.remote_qkey = remote_qkey;
	wqe->wr.wr.ud.pkey_index = 0;
	wqe->wr.wr.ud.ah_num = to_rah(ah)->num;
}

static inline void rxe_wqe_set_bind(struct rxe_send_wqe *wqe, const struct ibv_mw *mw,
				    uint32_t rkey, const struct ibv_mw_bind_info *info)
{
	wqe->wr.wr.mw.addr = info->addr;
	wqe->wr.wr.mw.length = info->length;
	wqe->wr.wr.mw.mr_lkey = info->mr ? info->mr->lkey : 0;
	wqe->wr.wr.mw.mw_rkey = mw->rkey;
	wqe->wr.wr.mw.rkey = rkey;
	wqe->wr.wr.mw.access = info->mw_access_flags;
}

#endif /* RXE_WQE_H */
