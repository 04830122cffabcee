// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A CQ armed for solicited events only: an event comes for each completion with
 * an error, for a message that the sender marked, and for nothing else.
 */
#include <poll.h>

#include "fixture.h"
#include "test.h"

#define TIMEOUT_MS 20000
#define NO_KEY 0xffffff00

struct solicited {
	struct fixture *f;
	struct ibv_comp_channel *channel;
	struct rc_pair *pair;
	struct ibv_mr *mr;
	struct ibv_sge sge;
};

static uint8_t buffer[PAGE];

static void solicited_begin(struct solicited *s, void **state)
{
	s->f = *state;
	s->pair = &s->f->pair;
	s->channel = ibv_create_comp_channel(s->f->context);
	assert_non_null(s->channel);
	assert_errno(rc_pair_create_with_channel(s->pair, s->f->pd, s->channel), 0, "RC pair");
	s->mr = ibv_reg_mr(s->f->pd, buffer, sizeof(buffer), IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(s->mr);
	s->sge = (struct ibv_sge){ .addr = (uintptr_t)buffer, .length = 16, .lkey = s->mr->lkey };
}

static void solicited_end(struct solicited *s)
{
	rc_pair_destroy(s->pair);
	deregister(s->mr);
	assert_errno(ibv_destroy_comp_channel(s->channel), 0, "channel");
}

static void arm(struct ibv_cq *cq)
{
	assert_errno(ibv_req_notify_cq(cq, 1), 0, "notify");
}

static bool event_within(struct solicited *s, int milliseconds)
{
	struct pollfd poll_fd = { .fd = s->channel->fd, .events = POLLIN };
	int n = poll(&poll_fd, 1, milliseconds);

	assert_true(n >= 0);
	return n;
}

static void expect_event(struct solicited *s, struct ibv_cq *cq)
{
	struct ibv_cq *of_event;
	void *cq_context;

	if (!event_within(s, TIMEOUT_MS))
		fail_msg("no event");
	assert_int_equal(ibv_get_cq_event(s->channel, &of_event, &cq_context), 0);
	assert_ptr_equal(of_event, cq);
	ibv_ack_cq_events(cq, 1);
}

/*
 * For what was polled already. The kernel delivers an event with the CQ locked,
 * and arms it with the same lock held, so after that there is none on its way.
 */
static void expect_no_event(struct solicited *s, struct ibv_cq *cq)
{
	arm(cq);
	assert_false(event_within(s, 0));
}

static void expect_error(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_not_equal(wc.status, IBV_WC_SUCCESS);
}

static void to_error(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };

	assert_errno(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0, "ERR");
}

static void post_receive(struct solicited *s)
{
	struct ibv_recv_wr wr = { .sg_list = &s->sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	assert_errno(ibv_post_recv(s->pair->responder, &wr, &bad), 0, "receive");
}

static void post(struct solicited *s, enum ibv_wr_opcode opcode, unsigned int flags)
{
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.sg_list = &s->sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED | flags,
		.wr.rdma.rkey = NO_KEY,
	};
	struct ibv_send_wr *bad;

	assert_errno(ibv_post_send(s->pair->requester, &wr, &bad), 0, "send");
}

static void test_flushed_receive(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	arm(s.pair->responder_cq);
	post_receive(&s);
	to_error(s.pair->responder);
	expect_event(&s, s.pair->responder_cq);
	expect_error(s.pair->responder_cq);
	solicited_end(&s);
}

static void test_flushed_send(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	to_error(s.pair->requester);
	arm(s.pair->requester_cq);
	post(&s, IBV_WR_SEND, 0);
	expect_event(&s, s.pair->requester_cq);
	expect_error(s.pair->requester_cq);
	solicited_end(&s);
}

/* An error that the peer found, and the flush of what was posted behind it */
static void test_remote_error(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	arm(s.pair->requester_cq);
	post(&s, IBV_WR_RDMA_WRITE, 0);
	expect_event(&s, s.pair->requester_cq);
	expect_error(s.pair->requester_cq);

	arm(s.pair->requester_cq);
	post(&s, IBV_WR_RDMA_WRITE, 0);
	expect_event(&s, s.pair->requester_cq);
	expect_error(s.pair->requester_cq);
	solicited_end(&s);
}

static void test_local_error(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	s.sge.lkey = NO_KEY;
	arm(s.pair->requester_cq);
	post(&s, IBV_WR_SEND, 0);
	expect_event(&s, s.pair->requester_cq);
	expect_error(s.pair->requester_cq);
	solicited_end(&s);
}

/* The packet of the message that does not fit has no solicited event bit. */
static void test_message_too_long(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	post_receive(&s);
	arm(s.pair->responder_cq);
	s.sge.length = 17;
	post(&s, IBV_WR_SEND, 0);
	expect_event(&s, s.pair->responder_cq);
	expect_error(s.pair->responder_cq);
	solicited_end(&s);
}

static void test_success(void **state)
{
	struct solicited s;

	solicited_begin(&s, state);
	post_receive(&s);
	post_receive(&s);
	arm(s.pair->requester_cq);
	arm(s.pair->responder_cq);

	post(&s, IBV_WR_SEND, 0);
	assert_int_equal(rc_wait(s.pair), IBV_WC_SUCCESS);
	assert_int_equal(rc_wait_responder(s.pair), IBV_WC_SUCCESS);
	expect_no_event(&s, s.pair->requester_cq);
	expect_no_event(&s, s.pair->responder_cq);

	post(&s, IBV_WR_SEND, IBV_SEND_SOLICITED);
	expect_event(&s, s.pair->responder_cq);
	assert_int_equal(rc_wait_responder(s.pair), IBV_WC_SUCCESS);
	assert_int_equal(rc_wait(s.pair), IBV_WC_SUCCESS);
	expect_no_event(&s, s.pair->requester_cq);
	solicited_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flushed_receive), TEST(test_flushed_send),	 TEST(test_remote_error),
		TEST(test_local_error),	    TEST(test_message_too_long), TEST(test_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
