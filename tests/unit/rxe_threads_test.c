// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Several threads on one queue, and the kernel as one more thread on its other
 * side, under ThreadSanitizer: every request and every completion gets through
 * once and whole, and no access races with another.
 */
#include <pthread.h>
#include <sched.h>

#include "rxe_test.h"
#include "wqe.h"

enum {
	THREADS = 3,
	EACH = 2000,
	TOTAL = THREADS * EACH,
	DEPTH = 7,
};

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct ibv_cq *cq;
static struct ibv_srq *srq;
static unsigned char seen[TOTAL];

static int setup(void **state)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = DEPTH, .max_sge = 1 } };

	(void)state;
	memset(&mock, 0, sizeof(mock));
	memset(seen, 0, sizeof(seen));
	context = mock_open();
	assert_non_null(context);
	pd = ibv_alloc_pd(context);
	cq = ibv_create_cq(context, DEPTH, NULL, NULL, 0);
	srq = ibv_create_srq(pd, &attr);
	return pd && cq && srq ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ibv_destroy_srq(srq);
	ibv_destroy_cq(cq);
	ibv_dealloc_pd(pd);
	mock_close(context);
	return 0;
}

static void *post(void *argument)
{
	uint64_t next = (uintptr_t)argument * EACH;
	const uint64_t end = next + EACH;

	while (next != end) {
		struct ibv_sge sge = { .addr = next, .length = 1, .lkey = ~next };
		struct ibv_recv_wr wr = { .wr_id = next, .sg_list = &sge, .num_sge = 1 };
		struct ibv_recv_wr *bad;

		if (ibv_post_srq_recv(srq, &wr, &bad))
			sched_yield();
		else
			next++;
	}
	return NULL;
}

/* What rxe's driver does with a receive queue */
static void *consume(void *argument)
{
	struct rxe_queue_buf *q = to_rsrq(srq)->rq.ring.buf;
	uint32_t index = 0;

	(void)argument;
	for (int taken = 0; taken < TOTAL;) {
		const struct rxe_recv_wqe *wqe;

		if (index == __atomic_load_n(&q->producer_index, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		wqe = (const void *)(q->data + ((size_t)index << q->log2_elem_size));
		if (wqe->dma.sge[0].addr == wqe->wr_id &&
		    wqe->dma.sge[0].lkey == (uint32_t)~wqe->wr_id && wqe->wr_id < TOTAL)
			seen[wqe->wr_id]++;
		index = (index + 1) & q->index_mask;
		__atomic_store_n(&q->consumer_index, index, __ATOMIC_RELEASE);
		taken++;
	}
	return NULL;
}

static void *complete(void *argument)
{
	struct rxe_queue_buf *q = to_rcq(cq)->ring.buf;

	(void)argument;
	for (uint64_t wr_id = 0; wr_id < TOTAL;) {
		uint32_t next = (q->producer_index + 1) & q->index_mask;

		if (next == __atomic_load_n(&q->consumer_index, __ATOMIC_ACQUIRE))
			sched_yield();
		else
			mock_complete(cq, wr_id++, 1);
	}
	return NULL;
}

static unsigned int polled;

static void *poll(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&polled, __ATOMIC_RELAXED) < TOTAL) {
		struct ibv_wc wc[4];
		int found = ibv_poll_cq(cq, 4, wc);

		for (int i = 0; i < found; i++)
			__atomic_add_fetch(&seen[wc[i].wr_id], 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&polled, found, __ATOMIC_RELAXED);
		if (!found)
			sched_yield();
	}
	return NULL;
}

static void run(void *(*kernel)(void *), void *(*user)(void *))
{
	pthread_t threads[THREADS + 1];

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, user, (void *)i), 0);
	assert_int_equal(pthread_create(&threads[THREADS], NULL, kernel, NULL), 0);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < TOTAL; i++)
		assert_int_equal(seen[i], 1);
}

static void test_posting(void **state)
{
	(void)state;
	run(consume, post);
}

static void test_polling(void **state)
{
	(void)state;
	polled = 0;
	run(complete, poll);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_posting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_polling, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
