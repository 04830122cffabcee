// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Every way to create an object fails at each of its steps once: the errno is
 * that step's, and neither the kernel nor the process keeps anything.
 */
#include "rxe_test.h"

/* What the objects under test are created from */
static struct {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_td *td;
	struct ibv_pd *parent;
} base;

static int setup(void **state)
{
	struct ibv_srq_init_attr srq_attr = { .attr = { .max_wr = 4, .max_sge = 2 } };
	struct ibv_td_init_attr td_attr = {};
	struct ibv_parent_domain_init_attr parent_attr = {};

	(void)state;
	memset(&mock, 0, sizeof(mock));
	base.context = mock_open();
	if (!base.context)
		fail_msg("open: %s", strerror(errno));
	base.pd = ibv_alloc_pd(base.context);
	base.cq = ibv_create_cq(base.context, 4, NULL, NULL, 0);
	base.srq = ibv_create_srq(base.pd, &srq_attr);
	base.td = ibv_alloc_td(base.context, &td_attr);
	parent_attr.pd = base.pd;
	parent_attr.td = base.td;
	base.parent = ibv_alloc_parent_domain(base.context, &parent_attr);
	assert_true(base.pd && base.cq && base.srq && base.td && base.parent);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ibv_dealloc_pd(base.parent), 0);
	assert_int_equal(ibv_dealloc_td(base.td), 0);
	assert_int_equal(ibv_destroy_srq(base.srq), 0);
	assert_int_equal(ibv_destroy_cq(base.cq), 0);
	assert_int_equal(ibv_dealloc_pd(base.pd), 0);
	mock_close(base.context);
	assert_int_equal(mock.objects, 0);
	assert_int_equal(mock.mappings, 0);
	return 0;
}

struct kind {
	void *(*create)(void);
	int (*destroy)(void *object);
	unsigned int steps; /* that can fail */
};

static void fails_at_each_step(const struct kind *kind)
{
	const struct mock before = mock;
	void *object;

	for (unsigned int step = 1; step <= kind->steps; step++) {
		mock.steps = 0;
		mock.fail_at = step;
		errno = 0;
		object = kind->create();
		assert_null(object);
		assert_int_equal(errno, MOCK_FAULT);
		assert_int_equal(mock.objects, before.objects);
		assert_int_equal(mock.mappings, before.mappings);
	}

	mock.steps = 0;
	mock.fail_at = 0;
	object = kind->create();
	assert_non_null(object);
	assert_int_equal(mock.steps, kind->steps);
	assert_int_equal(kind->destroy(object), 0);
	assert_int_equal(mock.objects, before.objects);
	assert_int_equal(mock.mappings, before.mappings);
}

static void *alloc_pd(void)
{
	return ibv_alloc_pd(base.context);
}

static void *alloc_parent_domain(void)
{
	struct ibv_parent_domain_init_attr attr = { .pd = base.pd, .td = base.td };

	return ibv_alloc_parent_domain(base.context, &attr);
}

static int dealloc_pd(void *pd)
{
	return ibv_dealloc_pd(pd);
}

static void *alloc_td(void)
{
	struct ibv_td_init_attr attr = {};

	return ibv_alloc_td(base.context, &attr);
}

static int dealloc_td(void *td)
{
	return ibv_dealloc_td(td);
}

static void *import_pd(void)
{
	return ibv_import_pd(base.context, base.pd->handle);
}

static int unimport_pd(void *pd)
{
	ibv_unimport_pd(pd);
	return 0;
}

static void *reg_mr(void)
{
	static char buffer[4096];

	return ibv_reg_mr(base.pd, buffer, sizeof(buffer), 0);
}

static void *reg_dmabuf_mr(void)
{
	return ibv_reg_dmabuf_mr(base.pd, 0, 4096, 0, 5, 0);
}

static int dereg_mr(void *mr)
{
	return ibv_dereg_mr(mr);
}

static void *import_mr(void)
{
	return ibv_import_mr(base.pd, 1);
}

static int unimport_mr(void *mr)
{
	ibv_unimport_mr(mr);
	return 0;
}

static void *alloc_mw(void)
{
	return ibv_alloc_mw(base.pd, IBV_MW_TYPE_2);
}

static int dealloc_mw(void *mw)
{
	return ibv_dealloc_mw(mw);
}

static void *create_ah(void)
{
	struct ibv_ah_attr attr = { .port_num = 1, .is_global = 1 };

	return ibv_create_ah(base.pd, &attr);
}

static int destroy_ah(void *ah)
{
	return ibv_destroy_ah(ah);
}

static void *create_cq(void)
{
	return ibv_create_cq(base.context, 4, NULL, NULL, 0);
}

static void *create_cq_ex(void)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = 4,
		.wc_flags = IBV_WC_STANDARD_FLAGS,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD,
		.parent_domain = base.parent,
	};

	return ibv_create_cq_ex(base.context, &attr);
}

static int destroy_cq(void *cq)
{
	return ibv_destroy_cq(cq);
}

static void *create_srq(void)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 4, .max_sge = 2 } };

	return ibv_create_srq(base.pd, &attr);
}

static void *create_srq_ex(void)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = 4, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD,
		.srq_type = IBV_SRQT_BASIC,
		.pd = base.parent,
	};

	/* libibverbs takes the older way for such a simple one */
	return rxe_create_srq_ex(base.context, &attr);
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static struct ibv_qp_init_attr_ex qp_attr(struct ibv_srq *srq)
{
	return (struct ibv_qp_init_attr_ex){
		.send_cq = base.cq,
		.recv_cq = base.cq,
		.srq = srq,
		.cap = {
			.max_send_wr = 4,
			.max_recv_wr = 4,
			.max_send_sge = 2,
			.max_recv_sge = 2,
			.max_inline_data = 16,
		},
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = base.pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND,
	};
}

static void *create_qp(void)
{
	struct ibv_qp_init_attr_ex attr = qp_attr(NULL);

	return ibv_create_qp(base.pd, (struct ibv_qp_init_attr *)&attr);
}

static void *create_qp_with_srq(void)
{
	struct ibv_qp_init_attr_ex attr = qp_attr(base.srq);

	return ibv_create_qp(base.pd, (struct ibv_qp_init_attr *)&attr);
}

static void *create_qp_ex(void)
{
	struct ibv_qp_init_attr_ex attr = qp_attr(NULL);
	struct ibv_qp *qp = ibv_create_qp_ex(base.context, &attr);

	/* libibverbs finds its mark where the provider has put it */
	if (qp)
		assert_ptr_equal(ibv_qp_to_qp_ex(qp), qp);
	return qp;
}

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

#define CREATE_TEST(name, ...)                                     \
	static void test_##name(void **state)                      \
	{                                                          \
		(void)state;                                       \
		fails_at_each_step(&(struct kind){ __VA_ARGS__ }); \
	}

CREATE_TEST(pd, alloc_pd, dealloc_pd, 2)
CREATE_TEST(imported_pd, import_pd, unimport_pd, 1)
CREATE_TEST(td, alloc_td, dealloc_td, 1)
CREATE_TEST(parent_domain, alloc_parent_domain, dealloc_pd, 1)
CREATE_TEST(mr, reg_mr, dereg_mr, 2)
CREATE_TEST(dmabuf_mr, reg_dmabuf_mr, dereg_mr, 2)
CREATE_TEST(imported_mr, import_mr, unimport_mr, 2)
CREATE_TEST(mw, alloc_mw, dealloc_mw, 2)
CREATE_TEST(ah, create_ah, destroy_ah, 2)
CREATE_TEST(cq, create_cq, destroy_cq, 3)
CREATE_TEST(cq_ex, create_cq_ex, destroy_cq, 3)
CREATE_TEST(srq, create_srq, destroy_srq, 3)
CREATE_TEST(srq_ex, create_srq_ex, destroy_srq, 3)
CREATE_TEST(qp, create_qp, destroy_qp, 5)
CREATE_TEST(qp_with_srq, create_qp_with_srq, destroy_qp, 4)
CREATE_TEST(qp_ex, create_qp_ex, destroy_qp, 5)

/* The first step is a question of libibverbs' own, which any answer will do for. */
static void test_context(void **state)
{
	const struct mock before = mock;

	(void)state;
	mock.fail_at = 2;
	assert_null(mock_open());
	assert_int_equal(errno, MOCK_FAULT);
	assert_int_equal(mock.objects, before.objects);
	mock.fail_at = 0;
}

/* A ring whose header does not fit its mapping is not taken. */
static void test_rings_that_lie(void **state)
{
	const struct mock before = mock;
	void *(*const create[])(void) = { create_cq, create_cq_ex, create_srq, create_qp };

	(void)state;
	mock.ring_mask = 0xffff;
	for (size_t i = 0; i < sizeof(create) / sizeof(create[0]); i++) {
		assert_null(create[i]());
		assert_int_equal(errno, EPROTO);
		assert_int_equal(mock.objects, before.objects);
		assert_int_equal(mock.mappings, before.mappings);
	}
	mock.ring_mask = 0;
}

static void test_arguments_that_are_missing(void **state)
{
	struct ibv_qp_init_attr_ex qp = qp_attr(NULL);
	struct ibv_srq_init_attr_ex srq = { .srq_type = IBV_SRQT_BASIC };
	struct ibv_parent_domain_init_attr parent = {};
	struct ibv_cq_init_attr_ex cq = { .cqe = 4, .comp_mask = IBV_CQ_INIT_ATTR_MASK_PD };

	(void)state;
	qp.comp_mask = IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	assert_null(rxe_create_qp_ex(base.context, &qp));
	assert_int_equal(errno, EINVAL);
	assert_null(rxe_create_srq_ex(base.context, &srq));
	assert_int_equal(errno, EINVAL);
	assert_null(ibv_alloc_parent_domain(base.context, &parent));
	assert_int_equal(errno, EINVAL);
	assert_null(ibv_create_cq_ex(base.context, &cq));
	assert_int_equal(errno, EINVAL);
}

static void test_what_rxe_does_not_have(void **state)
{
	struct ibv_qp_init_attr_ex qp = qp_attr(NULL);
	struct ibv_td_init_attr td = { .comp_mask = 1 };
	struct ibv_parent_domain_init_attr parent = { .pd = base.pd, .comp_mask = 1U << 31 };
	struct ibv_cq_init_attr_ex cq = {
		.cqe = 4,
		.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP,
	};

	(void)state;
	qp.send_ops_flags |= IBV_QP_EX_WITH_TSO;
	assert_null(ibv_create_qp_ex(base.context, &qp));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(ibv_alloc_td(base.context, &td));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(ibv_alloc_parent_domain(base.context, &parent));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(ibv_create_cq_ex(base.context, &cq));
	assert_int_equal(errno, EOPNOTSUPP);
}

static void test_what_is_in_use_stays(void **state)
{
	(void)state;
	assert_int_equal(ibv_dealloc_pd(base.pd), EBUSY);
	assert_int_equal(ibv_dealloc_td(base.td), EBUSY);
}

static void test_thread_domain_needs_no_lock(void **state)
{
	struct ibv_qp_init_attr_ex attr = qp_attr(NULL);
	struct ibv_cq_init_attr_ex flagged = {
		.cqe = 4,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED,
	};
	struct ibv_srq *srq = create_srq_ex();
	struct ibv_cq *in_domain = create_cq_ex();
	struct ibv_cq_ex *by_flag = ibv_create_cq_ex(base.context, &flagged);
	struct ibv_qp *qp;

	(void)state;
	attr.pd = base.parent;
	qp = ibv_create_qp_ex(base.context, &attr);
	assert_true(qp && srq && in_domain && by_flag);

	assert_true(to_rqp(qp)->sq.lock.single_threaded);
	assert_true(to_rqp(qp)->rq.lock.single_threaded);
	assert_true(to_rsrq(srq)->rq.lock.single_threaded);
	assert_true(to_rcq(in_domain)->lock.single_threaded);
	assert_true(to_rcq(ibv_cq_ex_to_cq(by_flag))->lock.single_threaded);
	assert_false(to_rcq(base.cq)->lock.single_threaded);
	assert_false(to_rsrq(base.srq)->rq.lock.single_threaded);

	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_srq(srq), 0);
	assert_int_equal(ibv_destroy_cq(in_domain), 0);
	assert_int_equal(ibv_destroy_cq(ibv_cq_ex_to_cq(by_flag)), 0);
}

/* The old ring is gone in the kernel: what is left can be destroyed, and says so till then. */
static void test_resize_that_cannot_map(void **state)
{
	struct ibv_srq_attr attr = { .max_wr = 8 };
	struct ibv_recv_wr wr = {};
	struct ibv_recv_wr *bad;
	struct ibv_wc wc;

	(void)state;
	mock.steps = 0;
	mock.fail_at = 2;
	assert_int_equal(ibv_resize_cq(base.cq, 8), MOCK_FAULT);
	assert_true(ibv_poll_cq(base.cq, 1, &wc) < 0);

	mock.steps = 0;
	assert_int_equal(ibv_modify_srq(base.srq, &attr, IBV_SRQ_MAX_WR), MOCK_FAULT);
	assert_int_equal(ibv_post_srq_recv(base.srq, &wr, &bad), EINVAL);
	mock.fail_at = 0;
}

static void test_resize(void **state)
{
	struct ibv_srq_attr attr = { .max_wr = 8 };
	struct ibv_wc wc;

	(void)state;
	assert_int_equal(ibv_resize_cq(base.cq, 15), 0);
	for (int i = 0; i < 15; i++)
		mock_complete(base.cq, i, 1);
	for (int i = 0; i < 15; i++) {
		assert_int_equal(ibv_poll_cq(base.cq, 1, &wc), 1);
		assert_int_equal(wc.wr_id, i);
	}
	assert_int_equal(ibv_modify_srq(base.srq, &attr, IBV_SRQ_MAX_WR), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(context),
		TEST(pd),
		TEST(imported_pd),
		TEST(td),
		TEST(parent_domain),
		TEST(mr),
		TEST(dmabuf_mr),
		TEST(imported_mr),
		TEST(mw),
		TEST(ah),
		TEST(cq),
		TEST(cq_ex),
		TEST(srq),
		TEST(srq_ex),
		TEST(qp),
		TEST(qp_with_srq),
		TEST(qp_ex),
		TEST(rings_that_lie),
		TEST(arguments_that_are_missing),
		TEST(what_rxe_does_not_have),
		TEST(what_is_in_use_stays),
		TEST(thread_domain_needs_no_lock),
		TEST(resize_that_cannot_map),
		TEST(resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
