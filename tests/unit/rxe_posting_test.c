// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Posting and polling: what must be refused and with which errno value, what
 * the kernel finds in the rings, and rings whose indices are garbage.
 */
#include "rxe_test.h"
#include "wqe.h"

enum {
	WR = 3, /* four slots, of which one stays unused */
	SGE = 2,
	INLINE = 16,
};

static struct {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_cq_ex *cq_ex;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_ah *ah;
	struct ibv_qp *rc;
	struct ibv_qp *ud;
	struct ibv_qp *with_srq;
} t;

static char data[64];

static struct ibv_qp *create_qp(enum ibv_qp_type type, struct ibv_srq *srq)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = t.cq,
		.recv_cq = t.cq,
		.srq = srq,
		.cap = {
			.max_send_wr = WR,
			.max_recv_wr = WR,
			.max_send_sge = SGE,
			.max_recv_sge = SGE,
			.max_inline_data = INLINE,
		},
		.qp_type = type,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = t.pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND,
	};
	struct ibv_qp *qp;

	if (type == IBV_QPT_RC)
		attr.send_ops_flags |= IBV_QP_EX_WITH_RDMA_WRITE |
				       IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD | IBV_QP_EX_WITH_BIND_MW;
	qp = ibv_create_qp_ex(t.context, &attr);
	assert_non_null(qp);
	return qp;
}

static void set_state(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };

	assert_int_equal(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
}

static int setup(void **state)
{
	struct ibv_cq_init_attr_ex cq_attr = {
		.cqe = WR,
		.wc_flags = IBV_WC_STANDARD_FLAGS,
	};
	struct ibv_srq_init_attr srq_attr = { .attr = { .max_wr = WR, .max_sge = SGE } };
	struct ibv_ah_attr ah_attr = { .port_num = 1, .is_global = 1 };

	(void)state;
	memset(&mock, 0, sizeof(mock));
	t.context = mock_open();
	assert_non_null(t.context);
	t.pd = ibv_alloc_pd(t.context);
	t.cq_ex = ibv_create_cq_ex(t.context, &cq_attr);
	assert_true(t.pd && t.cq_ex);
	t.cq = ibv_cq_ex_to_cq(t.cq_ex);
	t.srq = ibv_create_srq(t.pd, &srq_attr);
	t.ah = ibv_create_ah(t.pd, &ah_attr);
	assert_true(t.srq && t.ah);
	t.rc = create_qp(IBV_QPT_RC, NULL);
	t.ud = create_qp(IBV_QPT_UD, NULL);
	t.with_srq = create_qp(IBV_QPT_RC, t.srq);
	set_state(t.rc, IBV_QPS_RTS);
	set_state(t.ud, IBV_QPS_RTS);
	set_state(t.with_srq, IBV_QPS_RTS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ibv_destroy_qp(t.rc);
	ibv_destroy_qp(t.ud);
	ibv_destroy_qp(t.with_srq);
	ibv_destroy_ah(t.ah);
	ibv_destroy_srq(t.srq);
	ibv_destroy_cq(t.cq);
	ibv_dealloc_pd(t.pd);
	mock_close(t.context);
	assert_int_equal(mock.objects, 0);
	assert_int_equal(mock.mappings, 0);
	return 0;
}

static struct ibv_sge sges[SGE + 1] = {
	{ .addr = (uintptr_t)data, .length = 8, .lkey = 1 },
	{ .addr = (uintptr_t)data + 8, .length = 4, .lkey = 2 },
	{ .addr = (uintptr_t)data + 12, .length = 4, .lkey = 3 },
};

static struct ibv_send_wr a_send(void)
{
	return (struct ibv_send_wr){
		.wr_id = 7,
		.sg_list = sges,
		.num_sge = 1,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
	};
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr)
{
	struct ibv_send_wr unset, *bad = &unset;
	int ret = ibv_post_send(qp, wr, &bad);

	assert_ptr_equal(bad, ret ? wr : NULL);
	return ret;
}

static int post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr)
{
	struct ibv_recv_wr unset, *bad = &unset;
	int ret = ibv_post_recv(qp, wr, &bad);

	assert_ptr_equal(bad, ret ? wr : NULL);
	return ret;
}

/* The request that was posted last */
static const struct rxe_send_wqe *last_send(struct ibv_qp *qp)
{
	const struct rxe_queue_buf *q = to_rqp(qp)->sq.ring.buf;
	uint32_t last = (q->producer_index - 1) & q->index_mask;

	return (const void *)(q->data + ((size_t)last << q->log2_elem_size));
}

/* Refused, and the kernel neither told nor shown anything. */
static void refused_send(struct ibv_qp *qp, struct ibv_send_wr *wr, int error)
{
	const uint32_t posted = to_rqp(qp)->sq.ring.buf->producer_index;
	const unsigned int rung = mock.doorbells;

	assert_int_equal(post_send(qp, wr), error);
	assert_int_equal(to_rqp(qp)->sq.ring.buf->producer_index, posted);
	assert_int_equal(mock.doorbells, rung);
}

static void test_what_a_send_looks_like(void **state)
{
	struct ibv_send_wr wr = a_send();
	const struct rxe_send_wqe *wqe;

	(void)state;
	memset(to_rqp(t.rc)->sq.ring.buf->data, 0xee, to_rqp(t.rc)->sq.ring.slot_size);
	wr.num_sge = 2;
	wr.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	wr.imm_data = 0x01020304;
	wr.wr.rdma.remote_addr = 0x1000;
	wr.wr.rdma.rkey = 9;
	assert_int_equal(post_send(t.rc, &wr), 0);
	assert_int_equal(mock.doorbells, 1);

	wqe = last_send(t.rc);
	assert_int_equal(wqe->wr.wr_id, 7);
	assert_int_equal(wqe->wr.opcode, IBV_WR_RDMA_WRITE_WITH_IMM);
	assert_int_equal(wqe->wr.send_flags, IBV_SEND_SIGNALED);
	assert_int_equal(wqe->wr.ex.imm_data, 0x01020304);
	assert_int_equal(wqe->wr.wr.rdma.remote_addr, 0x1000);
	assert_int_equal(wqe->wr.wr.rdma.rkey, 9);
	assert_int_equal(wqe->iova, 0x1000);
	assert_int_equal(wqe->status, 0);
	assert_int_equal(wqe->state, 0);
	assert_int_equal(wqe->has_rd_atomic, 0);
	assert_int_equal(wqe->dma.length, 12);
	assert_int_equal(wqe->dma.resid, 12);
	assert_int_equal(wqe->dma.cur_sge, 0);
	assert_int_equal(wqe->dma.num_sge, 2);
	assert_int_equal(wqe->dma.sge_offset, 0);
	assert_memory_equal(wqe->dma.sge, sges, 2 * sizeof(sges[0]));
}

static void test_full_queues(void **state)
{
	struct ibv_send_wr sends[WR + 1];
	struct ibv_recv_wr recvs[WR + 1] = {};
	struct ibv_send_wr *bad_send;
	struct ibv_recv_wr *bad_recv;

	(void)state;
	for (int i = 0; i <= WR; i++) {
		sends[i] = a_send();
		sends[i].next = i < WR ? &sends[i + 1] : NULL;
		recvs[i].next = i < WR ? &recvs[i + 1] : NULL;
	}

	/* as many as fit are posted, and the kernel is told of them */
	assert_int_equal(ibv_post_send(t.rc, sends, &bad_send), ENOMEM);
	assert_ptr_equal(bad_send, &sends[WR]);
	assert_int_equal(to_rqp(t.rc)->sq.ring.buf->producer_index, WR);
	assert_int_equal(mock.doorbells, 1);
	refused_send(t.rc, &sends[WR], ENOMEM);
	mock_consume(&to_rqp(t.rc)->sq, 1);
	assert_int_equal(post_send(t.rc, &sends[WR]), 0);
	refused_send(t.rc, &sends[WR], ENOMEM);

	assert_int_equal(ibv_post_recv(t.rc, recvs, &bad_recv), ENOMEM);
	assert_ptr_equal(bad_recv, &recvs[WR]);
	mock_consume(&to_rqp(t.rc)->rq, 1);
	assert_int_equal(post_recv(t.rc, &recvs[WR]), 0);

	assert_int_equal(ibv_post_srq_recv(t.srq, recvs, &bad_recv), ENOMEM);
	assert_ptr_equal(bad_recv, &recvs[WR]);
	mock_consume(&to_rsrq(t.srq)->rq, WR);
	assert_int_equal(ibv_post_srq_recv(t.srq, &recvs[1], &bad_recv), 0);
}

static void test_states(void **state)
{
	struct ibv_send_wr send = a_send();
	struct ibv_recv_wr recv = {};
	unsigned int steps;

	(void)state;
	set_state(t.rc, IBV_QPS_RTR);
	refused_send(t.rc, &send, EINVAL);
	ibv_wr_start(ibv_qp_to_qp_ex(t.rc));
	ibv_wr_send(ibv_qp_to_qp_ex(t.rc));
	assert_int_equal(ibv_wr_complete(ibv_qp_to_qp_ex(t.rc)), EINVAL);

	set_state(t.rc, IBV_QPS_RESET);
	assert_int_equal(post_recv(t.rc, &recv), EINVAL);

	/* in error both are taken, to be flushed; for receives the kernel is made to look */
	set_state(t.rc, IBV_QPS_ERR);
	assert_int_equal(post_send(t.rc, &send), 0);
	steps = mock.steps;
	assert_int_equal(post_recv(t.rc, &recv), 0);
	assert_int_equal(mock.steps, steps + 1);
}

static void test_too_many_sges(void **state)
{
	struct ibv_qp_ex *qp_ex = ibv_qp_to_qp_ex(t.rc);
	struct ibv_send_wr send = a_send();
	struct ibv_recv_wr recv = { .sg_list = sges, .num_sge = SGE + 1 };
	struct ibv_recv_wr *bad;

	(void)state;
	send.num_sge = SGE + 1;
	refused_send(t.rc, &send, EINVAL);
	send.num_sge = -1;
	refused_send(t.rc, &send, EINVAL);

	assert_int_equal(post_recv(t.rc, &recv), EINVAL);
	assert_int_equal(ibv_post_srq_recv(t.srq, &recv, &bad), EINVAL);
	recv.num_sge = -1;
	assert_int_equal(post_recv(t.rc, &recv), EINVAL);

	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_sge_list(qp_ex, SGE + 1, sges);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	assert_int_equal(to_rqp(t.rc)->sq.ring.buf->producer_index, 0);
}

static void test_too_long(void **state)
{
	struct ibv_sge two[2] = { { .length = 1U << 31 }, { .length = 1 } };
	struct ibv_send_wr send = a_send();
	struct ibv_recv_wr recv = { .sg_list = two, .num_sge = 2 };

	(void)state;
	send.sg_list = two;
	send.num_sge = 2;
	refused_send(t.rc, &send, EINVAL);
	assert_int_equal(post_recv(t.rc, &recv), EINVAL);
	send.num_sge = 1;
	assert_int_equal(post_send(t.rc, &send), 0);
	assert_int_equal(last_send(t.rc)->dma.length, 1U << 31);
}

static void test_inline_data(void **state)
{
	struct ibv_qp_ex *qp_ex = ibv_qp_to_qp_ex(t.rc);
	struct ibv_send_wr send = a_send();
	struct ibv_sge two[2] = { sges[0], sges[1] };
	struct ibv_data_buf bufs[2] = { { data, 8 }, { data, 9 } };
	uint32_t posted;

	(void)state;
	memcpy(data, "0123456789abcdef", 16);
	send.sg_list = two;
	send.send_flags |= IBV_SEND_INLINE;
	assert_int_equal(post_send(t.rc, &send), 0);
	assert_int_equal(last_send(t.rc)->dma.length, 8);
	assert_memory_equal(last_send(t.rc)->dma.inline_data, data, 8);
	send.num_sge = 2;
	assert_int_equal(post_send(t.rc, &send), 0);
	assert_int_equal(last_send(t.rc)->dma.length, 12);
	assert_memory_equal(last_send(t.rc)->dma.inline_data, data, 12);

	two[1].length = INLINE - 8 + 1;
	refused_send(t.rc, &send, EINVAL);
	two[1].length = UINT32_MAX;
	refused_send(t.rc, &send, EINVAL);
	two[0].length = INLINE + 1;
	send.num_sge = 1;
	refused_send(t.rc, &send, EINVAL);

	/* which there cannot be */
	two[0].length = 8;
	send.opcode = IBV_WR_RDMA_READ;
	refused_send(t.rc, &send, EINVAL);
	send.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	refused_send(t.rc, &send, EINVAL);

	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_inline_data(qp_ex, data, INLINE + 1);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_inline_data_list(qp_ex, 2, bufs);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	bufs[1].length = 8;
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_inline_data_list(qp_ex, 2, bufs);
	assert_int_equal(ibv_wr_complete(qp_ex), 0);
	assert_int_equal(last_send(t.rc)->dma.length, 16);
	assert_int_equal(last_send(t.rc)->wr.send_flags, IBV_SEND_INLINE);
	mock_consume(&to_rqp(t.rc)->sq, WR);

	/* nor can there be any here */
	posted = to_rqp(t.rc)->sq.ring.buf->producer_index;
	ibv_wr_start(qp_ex);
	ibv_wr_atomic_fetch_add(qp_ex, 1, 8, 1);
	ibv_wr_set_inline_data(qp_ex, data, 8);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	ibv_wr_start(qp_ex);
	ibv_wr_atomic_fetch_add(qp_ex, 1, 8, 1);
	ibv_wr_set_inline_data_list(qp_ex, 1, bufs);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	assert_int_equal(to_rqp(t.rc)->sq.ring.buf->producer_index, posted);
	ibv_wr_start(qp_ex);
	ibv_wr_rdma_write(qp_ex, 9, 0x2000);
	ibv_wr_set_inline_data(qp_ex, data, 8);
	assert_int_equal(ibv_wr_complete(qp_ex), 0);
	assert_int_equal(last_send(t.rc)->wr.send_flags, IBV_SEND_INLINE);

	/* the setter says whether it is inline, whatever the flags are */
	qp_ex->wr_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE;
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_sge(qp_ex, 1, (uintptr_t)data, 8);
	assert_int_equal(ibv_wr_complete(qp_ex), 0);
	assert_int_equal(last_send(t.rc)->wr.send_flags, IBV_SEND_SIGNALED);
	assert_int_equal(last_send(t.rc)->dma.num_sge, 1);
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_inline_data(qp_ex, data, 8);
	assert_int_equal(ibv_wr_complete(qp_ex), 0);
	assert_int_equal(last_send(t.rc)->wr.send_flags, IBV_SEND_SIGNALED | IBV_SEND_INLINE);
}

static void test_opcodes(void **state)
{
	struct ibv_send_wr send = a_send();

	(void)state;
	send.opcode = IBV_WR_TSO;
	refused_send(t.rc, &send, EINVAL);
	send.opcode = IBV_WR_DRIVER1;
	refused_send(t.rc, &send, EINVAL);
	send.opcode = 0x80000000;
	refused_send(t.rc, &send, EINVAL);

	send.opcode = IBV_WR_ATOMIC_CMP_AND_SWP;
	send.wr.atomic.remote_addr = 4;
	refused_send(t.rc, &send, EINVAL);
	send.wr.atomic.remote_addr = 8;
	send.sg_list = &sges[1];
	refused_send(t.rc, &send, EINVAL);

	send = a_send();
	send.opcode = IBV_WR_RDMA_WRITE;
	send.wr.ud.ah = t.ah;
	refused_send(t.ud, &send, EINVAL);
	send.opcode = IBV_WR_SEND;
	send.wr.ud.ah = NULL;
	refused_send(t.ud, &send, EINVAL);
	send.wr.ud.ah = t.ah;
	send.wr.ud.remote_qpn = 5;
	assert_int_equal(post_send(t.ud, &send), 0);
	assert_int_equal(last_send(t.ud)->wr.wr.ud.ah_num, 1);
	assert_int_equal(last_send(t.ud)->wr.wr.ud.remote_qpn, 5);
}

static void test_memory_windows(void **state)
{
	struct ibv_mw *mw = ibv_alloc_mw(t.pd, IBV_MW_TYPE_2);
	struct ibv_mr *dmabuf = ibv_reg_dmabuf_mr(t.pd, 0, 4096, 0, 5, 0);
	struct ibv_send_wr send = {
		.opcode = IBV_WR_BIND_MW,
		.bind_mw = { .rkey = 3, .bind_info = { .mr = dmabuf, .length = 1 } },
	};

	(void)state;
	assert_true(mw && dmabuf);
	refused_send(t.rc, &send, EINVAL);
	send.bind_mw.mw = mw;
	refused_send(t.rc, &send, EINVAL);
	send.bind_mw.bind_info = (struct ibv_mw_bind_info){};
	assert_int_equal(post_send(t.rc, &send), 0);
	assert_int_equal(last_send(t.rc)->wr.wr.mw.rkey, 3);

	/* libibverbs knows from our struct that this one cannot be changed */
	assert_int_equal(ibv_rereg_mr(dmabuf, IBV_REREG_MR_CHANGE_PD, t.pd, NULL, 0, 0),
			 IBV_REREG_MR_ERR_INPUT);
	assert_int_equal(ibv_dereg_mr(dmabuf), 0);
	assert_int_equal(ibv_dealloc_mw(mw), 0);
}

static void test_doorbell_that_fails(void **state)
{
	struct ibv_send_wr send = a_send();

	(void)state;
	mock.doorbell_error = EIO;
	assert_int_equal(post_send(t.rc, &send), EIO);
	ibv_wr_start(ibv_qp_to_qp_ex(t.rc));
	ibv_wr_send(ibv_qp_to_qp_ex(t.rc));
	assert_int_equal(ibv_wr_complete(ibv_qp_to_qp_ex(t.rc)), EIO);
}

static void test_builders(void **state)
{
	struct ibv_qp_ex *qp_ex = ibv_qp_to_qp_ex(t.rc);
	struct rxe_queue_buf *q = to_rqp(t.rc)->sq.ring.buf;

	(void)state;
	/* nothing of what is given up */
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_abort(qp_ex);
	assert_int_equal(q->producer_index, 0);

	/* one too many: none of them */
	ibv_wr_start(qp_ex);
	for (int i = 0; i <= WR; i++)
		ibv_wr_send(qp_ex);
	assert_int_equal(ibv_wr_complete(qp_ex), ENOMEM);
	assert_int_equal(q->producer_index, 0);

	/* a setter without a request, and one after an error */
	ibv_wr_start(qp_ex);
	ibv_wr_set_sge(qp_ex, 1, 2, 3);
	ibv_wr_send(qp_ex);
	ibv_wr_set_sge(qp_ex, 1, 2, 3);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);

	ibv_wr_start(qp_ex);
	ibv_wr_atomic_fetch_add(qp_ex, 1, 4, 1);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	ibv_wr_start(qp_ex);
	ibv_wr_send(qp_ex);
	ibv_wr_set_ud_addr(qp_ex, t.ah, 1, 1);
	assert_int_equal(ibv_wr_complete(qp_ex), EINVAL);
	assert_int_equal(mock.doorbells, 0);

	qp_ex->wr_id = 11;
	qp_ex->wr_flags = IBV_SEND_FENCE;
	ibv_wr_start(qp_ex);
	ibv_wr_rdma_write(qp_ex, 9, 0x2000);
	ibv_wr_set_sge(qp_ex, 1, (uintptr_t)data, 8);
	assert_int_equal(ibv_wr_complete(qp_ex), 0);
	assert_int_equal(mock.doorbells, 1);
	assert_int_equal(last_send(t.rc)->wr.wr_id, 11);
	assert_int_equal(last_send(t.rc)->wr.send_flags, IBV_SEND_FENCE);
	assert_int_equal(last_send(t.rc)->iova, 0x2000);
	assert_int_equal(last_send(t.rc)->dma.length, 8);
	assert_int_equal(last_send(t.rc)->dma.num_sge, 1);
}

static void test_recv_on_a_qp_with_srq(void **state)
{
	struct ibv_recv_wr recv = {};
	unsigned int steps;

	(void)state;
	assert_int_equal(post_recv(t.with_srq, &recv), EINVAL);
	recv.num_sge = 1;
	recv.sg_list = sges;
	assert_int_equal(post_recv(t.with_srq, &recv), EINVAL);

	/* the kernel is not made to look for what was not posted */
	set_state(t.with_srq, IBV_QPS_ERR);
	steps = mock.steps;
	assert_int_equal(post_recv(t.with_srq, &recv), EINVAL);
	assert_int_equal(mock.steps, steps);
}

static void test_polling(void **state)
{
	struct ibv_wc wc[WR + 1];

	(void)state;
	assert_int_equal(ibv_poll_cq(t.cq, 1, wc), 0);
	/* each round begins at another slot */
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < WR; i++)
			mock_complete(t.cq, 10 * round + i, 1);
		assert_int_equal(ibv_poll_cq(t.cq, 0, wc), 0);
		assert_int_equal(ibv_poll_cq(t.cq, WR + 1, wc), WR);
		for (int i = 0; i < WR; i++)
			assert_int_equal(wc[i].wr_id, 10 * round + i);
		assert_int_equal(ibv_poll_cq(t.cq, 1, wc), 0);
	}
	for (int i = 0; i < WR; i++)
		mock_complete(t.cq, i, 1);
	for (int i = 0; i < WR; i++) {
		assert_int_equal(ibv_poll_cq(t.cq, 1, wc), 1);
		assert_int_equal(wc[0].wr_id, i);
	}
}

static void test_polling_cq_ex(void **state)
{
	struct ibv_poll_cq_attr attr = {};
	struct ibv_poll_cq_attr unknown = { .comp_mask = 1 };
	struct ibv_wc wc;

	(void)state;
	assert_int_equal(ibv_start_poll(t.cq_ex, &unknown), EINVAL);
	assert_int_equal(ibv_start_poll(t.cq_ex, &attr), ENOENT);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < WR; i++)
			mock_complete(t.cq, 10 * round + i, round);
		assert_int_equal(ibv_start_poll(t.cq_ex, &attr), 0);
		for (int i = 0; i < WR; i++) {
			assert_int_equal(t.cq_ex->wr_id, 10 * round + i);
			assert_int_equal(t.cq_ex->status, IBV_WC_SUCCESS);
			assert_int_equal(ibv_wc_read_qp_num(t.cq_ex), round);
			assert_int_equal(ibv_next_poll(t.cq_ex), i + 1 < WR ? 0 : ENOENT);
		}
		/* what comes meanwhile is found, also after that */
		mock_complete(t.cq, 99, round);
		assert_int_equal(ibv_next_poll(t.cq_ex), 0);
		assert_int_equal(t.cq_ex->wr_id, 99);
		ibv_end_poll(t.cq_ex);
		assert_int_equal(ibv_poll_cq(t.cq, 1, &wc), 0);
	}

	/* only what was looked at is taken */
	mock_complete(t.cq, 1, 1);
	mock_complete(t.cq, 2, 1);
	assert_int_equal(ibv_start_poll(t.cq_ex, &attr), 0);
	ibv_end_poll(t.cq_ex);
	assert_int_equal(ibv_poll_cq(t.cq, 1, &wc), 1);
	assert_int_equal(wc.wr_id, 2);
}

/* The kernel numbers its flags in another way than libibverbs. */
static void test_flags_of_a_completion(void **state)
{
	static const struct {
		uint32_t kernel;
		unsigned int flags;
	} cases[] = {
		{ 0, 0 },
		{ 1, IBV_WC_GRH },
		{ 1 | 2, IBV_WC_GRH | IBV_WC_WITH_IMM },
		{ 1 | 4, IBV_WC_GRH | IBV_WC_WITH_INV },
		/* IP_CSUM_OK, WITH_SMAC, WITH_VLAN, WITH_NETWORK_HDR_TYPE */
		{ 2 | 8 | 16 | 32 | 64, IBV_WC_WITH_IMM },
	};
	struct ibv_poll_cq_attr attr = {};
	struct ibv_wc wc[2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ib_uverbs_wc cqe = {
			.wc_flags = cases[i].kernel,
			.ex.invalidate_rkey = 0x1234,
		};

		/* The first one and those behind it are taken in other ways. */
		mock_complete_with(t.cq, &cqe);
		mock_complete_with(t.cq, &cqe);
		assert_int_equal(ibv_poll_cq(t.cq, 2, wc), 2);
		for (int j = 0; j < 2; j++) {
			assert_int_equal(wc[j].wc_flags, cases[i].flags);
			assert_int_equal(wc[j].invalidated_rkey, 0x1234);
		}

		mock_complete_with(t.cq, &cqe);
		assert_int_equal(ibv_start_poll(t.cq_ex, &attr), 0);
		assert_int_equal(ibv_wc_read_wc_flags(t.cq_ex), cases[i].flags);
		assert_int_equal(ibv_wc_read_invalidated_rkey(t.cq_ex), 0x1234);
		ibv_end_poll(t.cq_ex);
	}
}

/* Completions outlive the QP, and are those of a former life after a reset. */
static void test_completions_of_a_qp_that_is_gone(void **state)
{
	struct ibv_qp *qp = create_qp(IBV_QPT_RC, NULL);
	const uint32_t qp_num = qp->qp_num;
	struct ibv_wc wc[WR];

	(void)state;
	mock_complete(t.cq, 1, qp_num);
	mock_complete(t.cq, 2, qp_num + 1);
	set_state(qp, IBV_QPS_RESET);
	assert_int_equal(ibv_poll_cq(t.cq, WR, wc), 1);
	assert_int_equal(wc[0].wr_id, 2);

	mock_complete(t.cq, 3, qp_num);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_poll_cq(t.cq, WR, wc), 1);
	assert_int_equal(wc[0].wr_id, 3);
}

/* The sanitizer watches that nothing outside the rings is touched. */
static void test_indices_that_are_garbage(void **state)
{
	static const uint32_t garbage[] = { 4, 5, 0xff, 0x7fffffff, 0x80000000, UINT32_MAX };
	struct rxe_queue_buf *const queues[] = {
		to_rcq(t.cq)->ring.buf,
		to_rqp(t.rc)->sq.ring.buf,
		to_rqp(t.rc)->rq.ring.buf,
		to_rsrq(t.srq)->rq.ring.buf,
	};
	struct ibv_poll_cq_attr attr = {};
	struct ibv_recv_wr recv = { .sg_list = sges, .num_sge = SGE };
	struct ibv_recv_wr *bad;
	struct ibv_wc wc[16];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		for (size_t q = 0; q < sizeof(queues) / sizeof(queues[0]); q++) {
			queues[q]->log2_elem_size = 31;
			queues[q]->index_mask = UINT32_MAX;
			queues[q]->producer_index = garbage[i];
			queues[q]->consumer_index = garbage[i];
		}
		for (int n = 0; n < 10; n++) {
			struct ibv_send_wr send = a_send();
			int polled = ibv_poll_cq(t.cq, 16, wc);

			assert_true(polled >= 0 && polled <= 16);
			to_rcq(t.cq)->ring.buf->producer_index = garbage[i];
			if (!ibv_start_poll(t.cq_ex, &attr)) {
				for (int next = 0; next < 10 && !ibv_next_poll(t.cq_ex); next++)
					ibv_wc_read_byte_len(t.cq_ex);
				ibv_end_poll(t.cq_ex);
			}
			ibv_post_send(t.rc, &send, &(struct ibv_send_wr *){ NULL });
			ibv_post_recv(t.rc, &recv, &bad);
			ibv_post_srq_recv(t.srq, &recv, &bad);
		}
		set_state(t.rc, IBV_QPS_RESET);
		set_state(t.rc, IBV_QPS_RTS);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_send_looks_like),
		TEST(full_queues),
		TEST(states),
		TEST(too_many_sges),
		TEST(too_long),
		TEST(inline_data),
		TEST(opcodes),
		TEST(memory_windows),
		TEST(doorbell_that_fails),
		TEST(builders),
		TEST(recv_on_a_qp_with_srq),
		TEST(polling),
		TEST(polling_cq_ex),
		TEST(flags_of_a_completion),
		TEST(completions_of_a_qp_that_is_gone),
		TEST(indices_that_are_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
