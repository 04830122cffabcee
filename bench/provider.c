// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What bench/provider runs, once with each provider:
 *
 *   ibv_provider_bench instructions [--thread-domain]
 *   ibv_provider_bench rate [--thread-domain]
 *
 * Instructions are for valgrind's callgrind to count: it collects only in the
 * calls that a row is about, and the dump of each row bears the row's name and
 * for how many requests or completions it stands. The rate is printed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <valgrind/callgrind.h>

#include "provider_queues.h"

#define ROUNDS 8

/* Collecting starts and ends here. */
#define MEASURED(call)                    \
	do {                              \
		CALLGRIND_TOGGLE_COLLECT; \
		call;                     \
		CALLGRIND_TOGGLE_COLLECT; \
	} while (0)

static void expect(int found, int expected, const char *what)
{
	if (found == expected)
		return;
	fprintf(stderr, "%s: %d, expected %d\n", what, found, expected);
	exit(EXIT_FAILURE);
}

static void drain_both(struct queues *q, int num)
{
	drain(q->send_cq, num);
	drain(q->recv_cq, num);
}

static void post_send_list(struct queues *q, int num, int flags)
{
	struct ibv_send_wr *list = send_list(q, num, flags);
	struct ibv_send_wr *bad;
	int ret;

	post_recvs(q, num);
	MEASURED(ret = ibv_post_send(q->qp, list, &bad));
	expect(ret, 0, "post_send");
	drain_both(q, num);
}

static void post_send(struct queues *q, int num)
{
	post_send_list(q, num, 0);
}

static void post_send_inline(struct queues *q, int num)
{
	post_send_list(q, num, IBV_SEND_INLINE);
}

static int build_sends(struct queues *q, int num)
{
	ibv_wr_start(q->qp_ex);
	for (int i = 0; i < num; i++) {
		q->qp_ex->wr_id = i;
		q->qp_ex->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_send(q->qp_ex);
		ibv_wr_set_sge(q->qp_ex, q->domain->mr->lkey, (uintptr_t)q->domain->buffer, 1);
	}
	return ibv_wr_complete(q->qp_ex);
}

static int build_inline_sends(struct queues *q, int num)
{
	ibv_wr_start(q->qp_ex);
	for (int i = 0; i < num; i++) {
		q->qp_ex->wr_id = i;
		q->qp_ex->wr_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE;
		ibv_wr_send(q->qp_ex);
		ibv_wr_set_inline_data(q->qp_ex, q->domain->buffer, 1);
	}
	return ibv_wr_complete(q->qp_ex);
}

static void wr_send(struct queues *q, int num)
{
	int ret;

	post_recvs(q, num);
	MEASURED(ret = build_sends(q, num));
	expect(ret, 0, "wr_complete");
	drain_both(q, num);
}

static void wr_send_inline(struct queues *q, int num)
{
	int ret;

	post_recvs(q, num);
	MEASURED(ret = build_inline_sends(q, num));
	expect(ret, 0, "wr_complete");
	drain_both(q, num);
}

static void post_recv(struct queues *q, int num)
{
	struct ibv_recv_wr *list = recv_list(q, num);
	struct ibv_recv_wr *bad;
	int ret;

	MEASURED(ret = ibv_post_recv(q->qp, list, &bad));
	expect(ret, 0, "post_recv");
	post_sends(q, num);
	drain_both(q, num);
}

static void post_srq_recv(struct queues *q, int num)
{
	struct ibv_recv_wr *list = recv_list(q, num);
	struct ibv_recv_wr *bad;
	int ret;

	MEASURED(ret = ibv_post_srq_recv(q->srq, list, &bad));
	expect(ret, 0, "post_srq_recv");
	post_sends(q, num);
	drain_both(q, num);
}

/* A send completes after the receive that it ended in: that then needs no waiting for. */
static void complete_recvs(struct queues *q, int num)
{
	post_recvs(q, num);
	post_sends(q, num);
	drain(q->send_cq, num);
}

static void poll_cq(struct queues *q, int num)
{
	struct ibv_cq *cq = ibv_cq_ex_to_cq(q->recv_cq);
	struct ibv_wc wc[BATCH];
	int found;

	complete_recvs(q, num);
	MEASURED(found = ibv_poll_cq(cq, num, wc));
	expect(found, num, "poll_cq");
}

static void poll_empty(struct queues *q, int num)
{
	struct ibv_cq *cq = ibv_cq_ex_to_cq(q->recv_cq);
	struct ibv_wc wc;
	int found;

	MEASURED(found = ibv_poll_cq(cq, num, &wc));
	expect(found, 0, "poll_cq");
}

/*
 * Only what is read without a call: the readers are two loads in any provider.
 * Stays within what is there, as an end found by next_poll() is handled wrongly
 * in the stock provider of libibverbs 44.
 */
static uint64_t poll_through(struct ibv_cq_ex *cq, int num)
{
	struct ibv_poll_cq_attr attr = {};
	uint64_t sum = 0;
	int polled = 0;

	if (ibv_start_poll(cq, &attr))
		return 0;
	do
		sum += cq->wr_id + !cq->status;
	while (++polled < num && !ibv_next_poll(cq));
	ibv_end_poll(cq);
	return sum;
}

static void poll_cq_ex(struct queues *q, int num)
{
	uint64_t sum;

	complete_recvs(q, num);
	MEASURED(sum = poll_through(q->recv_cq, num));
	expect(sum, num * (num - 1) / 2 + num, "sum of wr_id and successes");
}

struct row {
	const char *name;
	int num;
	void (*run)(struct queues *q, int num);
	int flags;
};

static const struct row rows[] = {
	{ "post_send", 1, post_send, 0 },
	{ "post_send", BATCH, post_send, 0 },
	{ "post_send, inline", 1, post_send_inline, 0 },
	{ "post_send, inline", BATCH, post_send_inline, 0 },
	{ "wr_send, wr_set_sge", 1, wr_send, WITH_QP_EX },
	{ "wr_send, wr_set_sge", BATCH, wr_send, WITH_QP_EX },
	{ "wr_send, wr_set_inline_data", 1, wr_send_inline, WITH_QP_EX },
	{ "wr_send, wr_set_inline_data", BATCH, wr_send_inline, WITH_QP_EX },
	{ "post_recv", 1, post_recv, 0 },
	{ "post_recv", BATCH, post_recv, 0 },
	{ "post_srq_recv", 1, post_srq_recv, WITH_SRQ },
	{ "post_srq_recv", BATCH, post_srq_recv, WITH_SRQ },
	{ "poll_cq", 1, poll_cq, 0 },
	{ "poll_cq", BATCH, poll_cq, 0 },
	{ "poll_cq, nothing there", 1, poll_empty, 0 },
	{ "start_poll ... end_poll", 1, poll_cq_ex, 0 },
	{ "start_poll ... end_poll", BATCH, poll_cq_ex, 0 },
};

static void count_row(struct domain *d, const struct row *row)
{
	char label[80];
	struct queues q;

	queues_create(&q, d, row->flags);
	row->run(&q, row->num); /* the first call of a function is also resolved */
	CALLGRIND_ZERO_STATS;
	for (int i = 0; i < ROUNDS; i++)
		row->run(&q, row->num);
	snprintf(label, sizeof(label), "%d:%d:%s", ROUNDS, row->num, row->name);
	CALLGRIND_DUMP_STATS_AT(label);
	queues_destroy(&q);
}

static void count_instructions(struct domain *d)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		count_row(d, &rows[i]);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Sends in flight all the time: for each one that completes, the next is posted. */
static void measure_rate(struct domain *d)
{
	enum { MESSAGES = 8192, WARM_UP = 512, IN_FLIGHT = 16 };
	struct queues q;
	double start = 0;

	queues_create(&q, d, 0);
	for (int i = 0; i < IN_FLIGHT; i++) {
		post_recvs(&q, 1);
		post_sends(&q, 1);
	}
	for (int i = 0; i < MESSAGES + WARM_UP; i++) {
		if (i == WARM_UP)
			start = now();
		drain(q.send_cq, 1);
		drain(q.recv_cq, 1);
		post_recvs(&q, 1);
		post_sends(&q, 1);
	}
	printf("%.0f\n", MESSAGES / (now() - start));
	drain_both(&q, IN_FLIGHT);
	queues_destroy(&q);
}

int main(int argc, char **argv)
{
	bool thread_domain = argc == 3 && !strcmp(argv[2], "--thread-domain");
	struct domain d;

	if (argc < 2 || (argc > 2 && !thread_domain)) {
		fprintf(stderr, "usage: ibv_provider_bench instructions|rate [--thread-domain]\n");
		return 2;
	}
	domain_open(&d, thread_domain);
	if (!strcmp(argv[1], "rate"))
		measure_rate(&d);
	else
		count_instructions(&d);
	domain_close(&d);
	return 0;
}
