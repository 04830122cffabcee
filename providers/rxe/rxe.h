/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Objects of the Soft-RoCE provider, each embedding libibverbs' struct as its
 * first member, and the functions that one file offers to another.
 */
#ifndef RXE_H
#define RXE_H

#include <pthread.h>

#include "lock.h"
#include "queue.h"
#include "verbs_provider.h"

/* A work queue: the send or the receive side of a QP, or an SRQ. */
struct rxe_wq {
	struct rxe_lock lock;
	struct rxe_ring ring;
	uint32_t max_sge;
	uint32_t max_inline;
};

struct rxe_context {
	struct verbs_context vctx;
};

struct rxe_td {
	struct ibv_td td;
	unsigned int parent_domains; /* that refer to it */
};

/* A protection domain, or a parent domain, which then names what it joins. */
struct rxe_pd {
	struct ibv_pd pd;
	unsigned int parent_domains; /* that refer to it */
	struct rxe_pd *protection_domain;
	struct rxe_td *thread_domain; /* may be NULL */
};

/*
 * Where polling with struct ibv_cq_ex has come to: the completion at the ring's
 * index, and the last one that lies beside it and is known to have come.
 */
struct rxe_reader {
	const struct ib_uverbs_wc *current;
	const struct ib_uverbs_wc *last;
};

struct rxe_cq {
	struct verbs_cq vcq;
	struct rxe_lock lock;
	struct rxe_ring ring;
	struct rxe_reader reader;
};

/*
 * What struct ibv_qp_ex has under construction; the send queue's lock guards it.
 * There is no wqe to set anything in before the first request, and after an error.
 */
struct rxe_batch {
	struct rxe_send_wqe *wqe;
	uint32_t start;
	int error;
};

/*
 * The kernel's driver is told to look at the send queue by a post of no work
 * requests: it finds what it needs in the ring. So the request is the same each
 * time. It ends in an array of those work requests, which is why it comes last.
 */
struct rxe_doorbell {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_post_send core;
};

struct rxe_qp {
	struct verbs_qp vqp;
	struct rxe_wq sq;
	struct rxe_wq rq; /* without a ring if the QP has an SRQ */
	struct rxe_batch batch;
	uint32_t send_ops;	    /* a bit for each opcode that it can do */
	pthread_mutex_t state_lock; /* serialises changes of the state in the kernel */
	bool in_error;		    /* the state is ERR, as far as we know */
	struct ib_uverbs_post_send_resp doorbell_resp;
	struct rxe_doorbell doorbell;
};

struct rxe_srq {
	struct verbs_srq vsrq;
	struct rxe_wq rq;
};

struct rxe_ah {
	struct ibv_ah ah;
	uint32_t num; /* by which a UD work request names it to the kernel */
};

static inline struct rxe_td *to_rtd(struct ibv_td *td)
{
	return container_of(td, struct rxe_td, td);
}

static inline struct rxe_pd *to_rpd(struct ibv_pd *pd)
{
	return container_of(pd, struct rxe_pd, pd);
}

static inline struct rxe_cq *to_rcq(struct ibv_cq *cq)
{
	return container_of(cq, struct rxe_cq, vcq.cq);
}

static inline struct rxe_qp *to_rqp(struct ibv_qp *qp)
{
	return container_of(qp, struct rxe_qp, vqp.qp);
}

static inline struct rxe_srq *to_rsrq(struct ibv_srq *srq)
{
	return container_of(srq, struct rxe_srq, vsrq.srq);
}

static inline struct rxe_ah *to_rah(struct ibv_ah *ah)
{
	return container_of(ah, struct rxe_ah, ah);
}

static inline struct verbs_mr *to_vmr(struct ibv_mr *mr)
{
	return container_of(mr, struct verbs_mr, mr);
}

/* layout.c */
bool rxe_find_layout(void);
size_t rxe_qp_ex_size(void); /* of struct ibv_qp_ex, in the libibverbs of this process */

/* pd.c */
struct ibv_pd *rxe_alloc_pd(struct ibv_context *context);
struct ibv_pd *rxe_import_pd(struct ibv_context *context, uint32_t handle);
void rxe_unimport_pd(struct ibv_pd *pd);
struct ibv_pd *rxe_alloc_parent_domain(struct ibv_context *context,
				       struct ibv_parent_domain_init_attr *attr);
int rxe_dealloc_pd(struct ibv_pd *pd);
struct ibv_td *rxe_alloc_td(struct ibv_context *context, struct ibv_td_init_attr *attr);
int rxe_dealloc_td(struct ibv_td *td);

/* What is created with this PD has been promised to one thread at a time. */
static inline bool rxe_pd_single_threaded(struct ibv_pd *pd)
{
	return to_rpd(pd)->thread_domain;
}

/* mr.c */
struct ibv_mr *rxe_reg_mr(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova, int access);
struct ibv_mr *rxe_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova,
				 int fd, int access);
#if VERBS_RELEASE >= 65
struct ibv_mr *rxe_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);
#endif
struct ibv_mr *rxe_import_mr(struct ibv_pd *pd, uint32_t handle);
void rxe_unimport_mr(struct ibv_mr *mr);
int rxe_rereg_mr(struct verbs_mr *mr, int flags, struct ibv_pd *pd, void *addr, size_t length,
		 int access);
int rxe_dereg_mr(struct verbs_mr *mr);

/* mw.c */
struct ibv_mw *rxe_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type);
int rxe_check_bind(const struct ibv_mw *mw, const struct ibv_mw_bind_info *info);
int rxe_bind_mw(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
int rxe_dealloc_mw(struct ibv_mw *mw);

/* cq.c */
struct ibv_cq *rxe_create_cq(struct ibv_context *context, int cqe, struct ibv_comp_channel *channel,
			     int comp_vector);
struct ibv_cq_ex *rxe_create_cq_ex(struct ibv_context *context, struct ibv_cq_init_attr_ex *attr);
int rxe_resize_cq(struct ibv_cq *cq, int cqe);
int rxe_poll_cq(struct ibv_cq *cq, int num_entries, struct ibv_wc *wc);
void rxe_cq_drop_qp(struct ibv_cq *cq, uint32_t qp_num);
int rxe_destroy_cq(struct ibv_cq *cq);

/* cq_ex.c */
int rxe_init_cq_ex(struct rxe_cq *cq, uint64_t wc_flags);

/* wq.c */
void rxe_wq_init(struct rxe_wq *wq, bool single_threaded);
int rxe_wq_map_send(struct rxe_wq *wq, int fd, const struct mminfo *info,
		    const struct ibv_qp_cap *cap);
int rxe_wq_map_recv(struct rxe_wq *wq, int fd, const struct mminfo *info, uint32_t max_sge);
int rxe_wq_post_recv(struct rxe_wq *wq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);

/* srq.c */
struct ibv_srq *rxe_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr);
struct ibv_srq *rxe_create_srq_ex(struct ibv_context *context, struct ibv_srq_init_attr_ex *attr);
int rxe_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int attr_mask);
int rxe_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr);
int rxe_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
int rxe_destroy_srq(struct ibv_srq *srq);

/* qp.c */
struct ibv_qp *rxe_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
struct ibv_qp *rxe_create_qp_ex(struct ibv_context *context, struct ibv_qp_init_attr_ex *attr);
int rxe_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask);
int rxe_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
		 struct ibv_qp_init_attr *init_attr);
void rxe_qp_flush_again(struct rxe_qp *qp);
int rxe_destroy_qp(struct ibv_qp *qp);

/* post.c */
void rxe_init_posting(struct rxe_qp *qp, enum ibv_qp_type type);
int rxe_ring_doorbell(struct rxe_qp *qp);
int rxe_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr);
int rxe_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);

/* post_ex.c */
int rxe_init_qp_ex(struct rxe_qp *qp, enum ibv_qp_type type, uint64_t ops);

/* ah.c */
struct ibv_ah *rxe_create_ah(struct ibv_pd *pd, struct ibv_ah_attr *attr);
int rxe_destroy_ah(struct ibv_ah *ah);

#endif /* RXE_H */
