/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Numbers that stand in the rings as the kernel has them. Where libibverbs has the same, that
 * is asserted here, and they are passed on as they are; the others are translated.
 *
 * Not all are in a uAPI header. The rest is from the kernel's include/rdma/ib_verbs.h: rxe puts
 * these numbers into memory that user space maps, so they cannot change either.
 */
#ifndef RXE_KERNEL_NUMBERS_H
#define RXE_KERNEL_NUMBERS_H

#include "rxe.h"

#define SAME_IN_UAPI(name) _Static_assert((int)IBV_##name == (int)IB_UVERBS_##name, #name)
#define SAME(name, number) _Static_assert((int)IBV_##name == (number), #name)

/* Work requests: enum ib_uverbs_wr_opcode, enum ib_send_flags; windows: enum ib_access_flags */
SAME_IN_UAPI(WR_RDMA_WRITE);
SAME_IN_UAPI(WR_RDMA_WRITE_WITH_IMM);
SAME_IN_UAPI(WR_SEND);
SAME_IN_UAPI(WR_SEND_WITH_IMM);
SAME_IN_UAPI(WR_RDMA_READ);
SAME_IN_UAPI(WR_ATOMIC_CMP_AND_SWP);
SAME_IN_UAPI(WR_ATOMIC_FETCH_AND_ADD);
SAME_IN_UAPI(WR_LOCAL_INV);
SAME_IN_UAPI(WR_BIND_MW);
SAME_IN_UAPI(WR_SEND_WITH_INV);
#if VERBS_RELEASE >= 44
SAME(WR_ATOMIC_WRITE, 15);
SAME(WC_ATOMIC_WRITE, 9);
#endif
#if VERBS_RELEASE >= 45
SAME(WR_FLUSH, 14);
SAME(WC_FLUSH, 8);
#endif
SAME(SEND_FENCE, 1);
SAME(SEND_SIGNALED, 2);
SAME(SEND_SOLICITED, 4);
SAME(SEND_INLINE, 8);
SAME_IN_UAPI(ACCESS_REMOTE_WRITE);
SAME_IN_UAPI(ACCESS_REMOTE_READ);
SAME_IN_UAPI(ACCESS_REMOTE_ATOMIC);
SAME_IN_UAPI(ACCESS_ZERO_BASED);

/* Completions: enum ib_wc_opcode, enum ib_wc_status */
SAME_IN_UAPI(WC_SEND);
SAME_IN_UAPI(WC_RDMA_WRITE);
SAME_IN_UAPI(WC_RDMA_READ);
SAME_IN_UAPI(WC_COMP_SWAP);
SAME_IN_UAPI(WC_FETCH_ADD);
SAME_IN_UAPI(WC_BIND_MW);
SAME_IN_UAPI(WC_LOCAL_INV);
SAME(WC_RECV, 1 << 7);
SAME(WC_RECV_RDMA_WITH_IMM, (1 << 7) + 1);
SAME(WC_SUCCESS, 0);
SAME(WC_LOC_LEN_ERR, 1);
SAME(WC_LOC_QP_OP_ERR, 2);
SAME(WC_LOC_EEC_OP_ERR, 3);
SAME(WC_LOC_PROT_ERR, 4);
SAME(WC_WR_FLUSH_ERR, 5);
SAME(WC_MW_BIND_ERR, 6);
SAME(WC_BAD_RESP_ERR, 7);
SAME(WC_LOC_ACCESS_ERR, 8);
SAME(WC_REM_INV_REQ_ERR, 9);
SAME(WC_REM_ACCESS_ERR, 10);
SAME(WC_REM_OP_ERR, 11);
SAME(WC_RETRY_EXC_ERR, 12);
SAME(WC_RNR_RETRY_EXC_ERR, 13);
SAME(WC_LOC_RDD_VIOL_ERR, 14);
SAME(WC_REM_INV_RD_REQ_ERR, 15);
SAME(WC_REM_ABORT_ERR, 16);
SAME(WC_INV_EECN_ERR, 17);
SAME(WC_INV_EEC_STATE_ERR, 18);
SAME(WC_FATAL_ERR, 19);
SAME(WC_RESP_TIMEOUT_ERR, 20);
SAME(WC_GENERAL_ERR, 21);

/* enum ib_wc_flags. Its other flags are for users in the kernel. */
SAME(WC_GRH, 1 << 0);
SAME(WC_WITH_IMM, 1 << 1);
#define KERNEL_WC_WITH_INVALIDATE (1 << 2)

static inline unsigned int rxe_wc_flags(uint32_t kernel_flags)
{
	return (kernel_flags & (IBV_WC_GRH | IBV_WC_WITH_IMM)) |
	       (kernel_flags & KERNEL_WC_WITH_INVALIDATE ? IBV_WC_WITH_INV : 0);
}

#undef SAME
#undef SAME_IN_UAPI

#endif /* RXE_KERNEL_NUMBERS_H */
