/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What send and receive work queue entries have in common. */
#ifndef RXE_WQE_H
#define RXE_WQE_H

#include <infiniband/verbs.h>
#include <rdma/rdma_user_rxe.h>

/* The longest message of an rxe port. */
#define RXE_MAX_MSG ((uint64_t)1 << 31)

static inline uint64_t rxe_sge_length(const struct ibv_sge *sge, int num_sge)
{
	uint64_t length = 0;

	for (int i = 0; i < num_sge; i++)
		length += sge[i].length;
	return length;
}

static inline void rxe_sge_copy(struct rxe_sge *to, const struct ibv_sge *from, int num_sge)
{
	for (int i = 0; i < num_sge; i++) {
		to[i].addr = from[i].addr;
		to[i].length = from[i].length;
		to[i].lkey = from[i].lkey;
	}
}

/* How far the kernel has come with an entry's data: at its start. */
static inline void rxe_dma_init(struct rxe_dma_info *dma, uint32_t length, uint32_t num_sge)
{
	dma->length = length;
	dma->resid = length;
	dma->cur_sge = 0;
	dma->num_sge = num_sge;
	dma->sge_offset = 0;
}

#endif /* RXE_WQE_H */
