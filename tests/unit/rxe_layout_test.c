// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Does verbs_provider.h say what the installed libibverbs does? The library
 * is given a table with one verb in its place and a trap in all others; then
 * the call has to reach that verb. And what it reads of our objects has to be
 * where we have put it.
 */
#include "rxe_test.h"

static unsigned int reached;
static unsigned int trapped;

static int verb(void)
{
	reached++;
	return 0;
}

static int trap(void)
{
	trapped++;
	return 0;
}

static struct ibv_context *context;
static struct ibv_pd pd;
static struct verbs_mr mr;
static struct verbs_cq cq;
static struct verbs_srq srq;
static struct verbs_qp qp;
static struct ibv_mw mw;
static struct ibv_ah ah;
static struct ibv_td td;
static union ibv_gid multicast = { .raw = { 0xff } };

static struct verbs_context *vctx(void)
{
	return container_of(context, struct verbs_context, context);
}

static void free_context(struct ibv_context *closed)
{
	verbs_uninit_context(container_of(closed, struct verbs_context, context));
	free(container_of(closed, struct rxe_context, vctx.context));
}

/* Libibverbs writes to what a verb returns, so verbs that return objects return none. */

static void advise_mr(void)
{
	ibv_advise_mr(&pd, IBV_ADVISE_MR_ADVICE_PREFETCH, 0, NULL, 0);
}

static void alloc_mw(void)
{
	ibv_alloc_mw(&pd, IBV_MW_TYPE_2);
}

static void alloc_parent_domain(void)
{
	ibv_alloc_parent_domain(context, &(struct ibv_parent_domain_init_attr){ .pd = &pd });
}

static void alloc_pd(void)
{
	ibv_alloc_pd(context);
}

static void alloc_td(void)
{
	ibv_alloc_td(context, &(struct ibv_td_init_attr){});
}

static void attach_mcast(void)
{
	ibv_attach_mcast(&qp.qp, &multicast, 0);
}

static void bind_mw(void)
{
	ibv_bind_mw(&qp.qp, &mw, &(struct ibv_mw_bind){});
}

static void create_ah(void)
{
	ibv_create_ah(&pd, &(struct ibv_ah_attr){});
}

static void create_cq(void)
{
	ibv_create_cq(context, 1, NULL, NULL, 0);
}

static void create_cq_ex(void)
{
	ibv_create_cq_ex(context, &(struct ibv_cq_init_attr_ex){ .cqe = 1 });
}

static void create_qp(void)
{
	ibv_create_qp(&pd, &(struct ibv_qp_init_attr){});
}

static void create_qp_ex(void)
{
	ibv_create_qp_ex(context, &(struct ibv_qp_init_attr_ex){
					  .comp_mask = IBV_QP_INIT_ATTR_SEND_OPS_FLAGS });
}

static void create_srq(void)
{
	ibv_create_srq(&pd, &(struct ibv_srq_init_attr){});
}

static void create_srq_ex(void)
{
	ibv_create_srq_ex(context, &(struct ibv_srq_init_attr_ex){});
}

static void dealloc_mw(void)
{
	ibv_dealloc_mw(&mw);
}

static void dealloc_pd(void)
{
	ibv_dealloc_pd(&pd);
}

static void dealloc_td(void)
{
	ibv_dealloc_td(&td);
}

static void dereg_mr(void)
{
	ibv_dereg_mr(&mr.mr);
}

static void destroy_ah(void)
{
	ibv_destroy_ah(&ah);
}

static void destroy_cq(void)
{
	ibv_destroy_cq(&cq.cq);
}

static void destroy_qp(void)
{
	ibv_destroy_qp(&qp.qp);
}

static void destroy_srq(void)
{
	ibv_destroy_srq(&srq.srq);
}

static void detach_mcast(void)
{
	ibv_detach_mcast(&qp.qp, &multicast, 0);
}

static void import_mr(void)
{
	ibv_import_mr(&pd, 1);
}

static void import_pd(void)
{
	ibv_import_pd(context, 1);
}

static void modify_qp(void)
{
	ibv_modify_qp(&qp.qp, &(struct ibv_qp_attr){}, 0);
}

static void modify_srq(void)
{
	ibv_modify_srq(&srq.srq, &(struct ibv_srq_attr){}, 0);
}

static void poll_cq(void)
{
	ibv_poll_cq(&cq.cq, 1, &(struct ibv_wc){});
}

static void post_recv(void)
{
	ibv_post_recv(&qp.qp, NULL, NULL);
}

static void post_send(void)
{
	ibv_post_send(&qp.qp, NULL, NULL);
}

static void post_srq_recv(void)
{
	ibv_post_srq_recv(&srq.srq, NULL, NULL);
}

static void query_device_ex(void)
{
	ibv_query_device_ex(context, NULL, &(struct ibv_device_attr_ex){});
}

static void query_port(void)
{
	ibv_query_port(context, 1, &(struct ibv_port_attr){});
}

static void query_qp(void)
{
	ibv_query_qp(&qp.qp, &(struct ibv_qp_attr){}, 0, &(struct ibv_qp_init_attr){});
}

static void query_srq(void)
{
	ibv_query_srq(&srq.srq, &(struct ibv_srq_attr){});
}

static void reg_dmabuf_mr(void)
{
	ibv_reg_dmabuf_mr(&pd, 0, 4096, 0, 5, 0);
}

static void reg_mr(void)
{
	(ibv_reg_mr)(&pd, &pd, sizeof(pd), 0);
}

#if VERBS_RELEASE >= 65
static void reg_mr_ex(void)
{
	ibv_reg_mr_ex(&pd, &(struct ibv_mr_init_attr){ .addr = &pd,
						       .length = sizeof(pd),
						       .comp_mask = IBV_REG_MR_MASK_ADDR });
}
#endif

static void req_notify_cq(void)
{
	ibv_req_notify_cq(&cq.cq, 0);
}

static void rereg_mr(void)
{
	ibv_rereg_mr(&mr.mr, IBV_REREG_MR_CHANGE_PD, &pd, NULL, 0, 0);
}

static void resize_cq(void)
{
	ibv_resize_cq(&cq.cq, 2);
}

static void unimport_mr(void)
{
	ibv_unimport_mr(&mr.mr);
}

static void unimport_pd(void)
{
	ibv_unimport_pd(&pd);
}

#define VERB(name) { #name, offsetof(struct verbs_context_ops, name), name }

static const struct {
	const char *name;
	size_t offset;
	void (*call)(void);
} verbs[] = {
	VERB(advise_mr),     VERB(alloc_mw),	    VERB(alloc_parent_domain),
	VERB(alloc_pd),	     VERB(alloc_td),	    VERB(attach_mcast),
	VERB(bind_mw),	     VERB(create_ah),	    VERB(create_cq),
	VERB(create_cq_ex),  VERB(create_qp),	    VERB(create_qp_ex),
	VERB(create_srq),    VERB(create_srq_ex),   VERB(dealloc_mw),
	VERB(dealloc_pd),    VERB(dealloc_td),	    VERB(dereg_mr),
	VERB(destroy_ah),    VERB(destroy_cq),	    VERB(destroy_qp),
	VERB(destroy_srq),   VERB(detach_mcast),    VERB(import_mr),
	VERB(import_pd),     VERB(modify_qp),	    VERB(modify_srq),
	VERB(poll_cq),	     VERB(post_recv),	    VERB(post_send),
	VERB(post_srq_recv), VERB(query_device_ex), VERB(query_port),
	VERB(query_qp),	     VERB(query_srq),	    VERB(reg_dmabuf_mr),
	VERB(reg_mr),	     VERB(req_notify_cq),   VERB(rereg_mr),
	VERB(resize_cq),     VERB(unimport_mr),	    VERB(unimport_pd),
#if VERBS_RELEASE >= 65
	VERB(reg_mr_ex),
#endif
};

static void test_verbs_are_where_the_header_says(void **state)
{
	verbs_unused_op table[sizeof(struct verbs_context_ops) / sizeof(verbs_unused_op)];
	/* what libibverbs has put into the context itself, when it was opened */
	const struct verbs_context opened = *vctx();

	(void)state;
	pd.context = context;
	mr.mr.context = context;
	cq.cq.context = context;
	srq.srq.context = context;
	qp.qp.context = context;
	qp.qp.qp_type = IBV_QPT_UD;
	mw.context = context;
	mw.type = IBV_MW_TYPE_1;
	ah.context = context;
	td.context = context;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		for (size_t op = 0; op < sizeof(table) / sizeof(table[0]); op++)
			table[op] = (verbs_unused_op)trap;
		table[verbs[i].offset / sizeof(table[0])] = (verbs_unused_op)verb;
		verbs_set_ops(vctx(), (const struct verbs_context_ops *)table);
		vctx()->create_cq_ex = opened.create_cq_ex;

		reached = 0;
		trapped = 0;
		verbs[i].call();
		if (reached != 1 || trapped)
			fail_msg("%s: reached %u times, %u other verbs", verbs[i].name, reached,
				 trapped);
	}
}

struct ibv_qp_ex *__real_ibv_qp_to_qp_ex(struct ibv_qp *qp);
struct ibv_qp_ex *__wrap_ibv_qp_to_qp_ex(struct ibv_qp *qp);

/* What the library says of a mask, wherever that is */
static enum { AS_IT_IS, NEVER, ALWAYS } answer;

struct ibv_qp_ex *__wrap_ibv_qp_to_qp_ex(struct ibv_qp *qp)
{
	if (answer == AS_IT_IS)
		return __real_ibv_qp_to_qp_ex(qp);
	return answer == ALWAYS ? (struct ibv_qp_ex *)qp : NULL;
}

static void test_layout_is_that_of_the_headers(void **state)
{
	(void)state;
	assert_true(rxe_find_layout());
	assert_int_equal(rxe_qp_ex_size(), sizeof(struct ibv_qp_ex));
}

static void test_unknown_layouts(void **state)
{
	(void)state;
	answer = NEVER;
	assert_false(rxe_find_layout());
	answer = ALWAYS;
	assert_false(rxe_find_layout());
	answer = AS_IT_IS;
	assert_true(rxe_find_layout());
}

/* By name it would take another driver's device, should that be called rxe0. */
static void test_devices_are_told_by_the_driver(void **state)
{
	const struct verbs_device *device = (struct verbs_device *)context->device;
	const struct verbs_match_ent *entry = device->ops->match_table;

	(void)state;
	assert_int_equal(entry[0].kind, VERBS_MATCH_DRIVER_ID);
	assert_int_equal(entry[0].driver_id, RDMA_DRIVER_RXE);
	assert_int_equal(entry[1].kind, VERBS_MATCH_END);
}

static int setup(void **state)
{
	(void)state;
	context = mock_open();
	return context ? 0 : -1;
}

/* A provider's table only adds to what there was, so the way to close is added again. */
static int teardown(void **state)
{
	const struct verbs_context_ops close = { .free_context = free_context };

	(void)state;
	verbs_set_ops(vctx(), &close);
	mock_close(context);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_verbs_are_where_the_header_says, setup,
						teardown),
		cmocka_unit_test(test_layout_is_that_of_the_headers),
		cmocka_unit_test(test_unknown_layouts),
		cmocka_unit_test_setup_teardown(test_devices_are_told_by_the_driver, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
