// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Asynchronous events name the objects of the provider, and completion events
 * the CQ, also after it was resized.
 */
#include <poll.h>

#include "fixture.h"
#include "test.h"

#define TIMEOUT_MS 20000

static void wait_for_fd(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, TIMEOUT_MS), 1);
}

static void expect_event(struct fixture *f, enum ibv_event_type type, const void *element)
{
	struct ibv_async_event event;

	wait_for_fd(f->context->async_fd);
	assert_int_equal(ibv_get_async_event(f->context, &event), 0);
	assert_string_equal(ibv_event_type_str(event.event_type), ibv_event_type_str(type));
	assert_ptr_equal(event.element.qp, element);
	ibv_ack_async_event(&event);
}

static void to_error_by_init(struct ibv_qp *qp, struct ibv_recv_wr *recv)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	struct ibv_recv_wr *bad;

	assert_errno(ibv_modify_qp(qp, &attr,
				   IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
					   IBV_QP_ACCESS_FLAGS),
		     0, "INIT");
	if (recv)
		assert_errno(ibv_post_recv(qp, recv, &bad), 0, "receive");
	attr.qp_state = IBV_QPS_ERR;
	assert_errno(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0, "ERR");
}

static void test_last_wqe_reached(void **state)
{
	struct fixture *f = *state;
	struct ibv_srq_init_attr srq_attr = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct ibv_cq *cq = ibv_create_cq(f->context, 4, NULL, NULL, 0);
	struct ibv_srq *srq = ibv_create_srq(f->pd, &srq_attr);
	struct ibv_qp_init_attr attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.srq = srq,
		.cap = { .max_send_wr = 1, .max_send_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp *qp;

	assert_true(cq && srq);
	qp = ibv_create_qp(f->pd, &attr);
	assert_non_null(qp);
	to_error_by_init(qp, NULL);
	expect_event(f, IBV_EVENT_QP_LAST_WQE_REACHED, qp);
	assert_errno(ibv_destroy_qp(qp), 0, "QP");
	assert_errno(ibv_destroy_srq(srq), 0, "SRQ");
	assert_errno(ibv_destroy_cq(cq), 0, "CQ");
}

static void test_completion_event_after_resize(void **state)
{
	static uint8_t buffer[PAGE];
	struct fixture *f = *state;
	struct ibv_comp_channel *channel = ibv_create_comp_channel(f->context);
	struct ibv_cq *cq = ibv_create_cq(f->context, 2, &cq, channel, 0);
	struct ibv_qp_init_attr attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { .max_recv_wr = 1, .max_recv_sge = 1, .max_send_wr = 1, .max_send_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_mr *mr = ibv_reg_mr(f->pd, buffer, sizeof(buffer), IBV_ACCESS_LOCAL_WRITE);
	struct ibv_sge sge = { .addr = (uintptr_t)buffer, .length = sizeof(buffer) };
	struct ibv_recv_wr wr = { .wr_id = 5, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;
	struct ibv_cq *of_event;
	struct ibv_wc wc;
	void *cq_context;
	struct ibv_qp *qp;

	assert_true(channel && cq && mr);
	sge.lkey = mr->lkey;
	qp = ibv_create_qp(f->pd, &attr);
	assert_non_null(qp);
	assert_errno(ibv_resize_cq(cq, 64), 0, "resize");
	assert_true(cq->cqe >= 64);
	assert_errno(ibv_req_notify_cq(cq, 0), 0, "notify");

	/* a receive that is flushed, and one that is posted after that */
	to_error_by_init(qp, &wr);
	wait_for_fd(channel->fd);
	assert_int_equal(ibv_get_cq_event(channel, &of_event, &cq_context), 0);
	assert_ptr_equal(of_event, cq);
	assert_ptr_equal(cq_context, &cq);
	ibv_ack_cq_events(cq, 1);
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_equal(wc.wr_id, 5);
	assert_int_equal(wc.status, IBV_WC_WR_FLUSH_ERR);

	assert_errno(ibv_req_notify_cq(cq, 0), 0, "notify");
	wr.wr_id = 6;
	assert_errno(ibv_post_recv(qp, &wr, &bad), 0, "receive in the error state");
	wait_for_fd(channel->fd);
	assert_int_equal(ibv_get_cq_event(channel, &of_event, &cq_context), 0);
	ibv_ack_cq_events(cq, 1);
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_equal(wc.wr_id, 6);

	assert_errno(ibv_destroy_qp(qp), 0, "QP");
	deregister(mr);
	assert_errno(ibv_destroy_cq(cq), 0, "CQ");
	assert_errno(ibv_destroy_comp_channel(channel), 0, "channel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_last_wqe_reached),
		TEST(test_completion_event_after_resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
