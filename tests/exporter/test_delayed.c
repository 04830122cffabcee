// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Revokes in the middle of rxe's copies: each is delayed between the look whether
 * the memory is still there and the access to it. Whatever comes too late shows:
 * the memory is filled with a poison once the exporter has it back, and its
 * mapping stays, so nothing but the poison may be in it, and no poison may come
 * out of it.
 *
 * Memory windows are no way to the memory: none can be bound over a dma-buf
 * (tests/integration/other_verbs.c).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "kallsyms.h"

/* Between check and access */
#define FUNCTION "rxe_dmabuf_locate"
#define DELAY_US 5000

#define SIZE (16 * PAGE)
#define WORKERS 3
/* no poison in it */
#define CONTENT 0x11

enum operation {
	OP_WRITE, /* to the dma-buf, by the responder */
	OP_READ,  /* from it, by the responder */
	OP_FETCH_ADD,
	OP_SWAP,
	OP_WRITE_FROM, /* the requester's side is the dma-buf */
	OP_READ_TO,
	OP_RECEIVE, /* to the dma-buf, by the responder */
	NUM_OPERATIONS,
};

struct worker {
	pthread_t thread;
	enum operation operation;
	struct rdma rdma;
	struct ibv_mr *mr;
	atomic_uint done;
	int status;
};

static bool have_function;
static struct kernel_symbol function;
/* How many revokes have to come in the middle of a copy, for each operation and memory */
static unsigned int wanted = 5;

static int group_setup(void **state)
{
	(void)state;
	have_function = kernel_symbol_find(FUNCTION, &function);
	if (getenv("TEST_SLOW"))
		wanted = 100;
	return 0;
}

/* As long as the operation can be; without its effects on @r->local beforehand. */
static int operate(struct worker *w)
{
	struct rdma *r = &w->rdma;
	struct rc_bytes local = {
		.addr = (uintptr_t)r->local,
		.length = r->size,
		.key = r->local_mr->lkey,
	};
	struct rc_bytes word = { .addr = local.addr, .length = 8, .key = local.key };
	struct rc_bytes dmabuf = { .length = r->size, .key = w->mr->lkey };
	int status, received;

	switch (w->operation) {
	case OP_WRITE:
		return rc_write(&r->pair, local, 0, w->mr->rkey);
	case OP_READ:
		return rc_read(&r->pair, local, 0, w->mr->rkey);
	case OP_FETCH_ADD:
		return rc_fetch_add(&r->pair, word, 8, w->mr->rkey, 1);
	case OP_SWAP:
		return rc_compare_swap(&r->pair, word, 16, w->mr->rkey, *(uint64_t *)r->local,
				       w->done);
	case OP_WRITE_FROM:
		return rc_write(&r->pair, dmabuf, local.addr, r->local_mr->rkey);
	case OP_READ_TO:
		return rc_read(&r->pair, dmabuf, local.addr, r->local_mr->rkey);
	case OP_RECEIVE:
		status = rc_send(&r->pair, local, dmabuf, &received);
		return received != IBV_WC_SUCCESS ? received : status;
	default:
		return RC_NOT_POSTED;
	}
}

static int failure_of(enum operation operation)
{
	return operation < OP_WRITE_FROM ? IBV_WC_REM_ACCESS_ERR : IBV_WC_LOC_PROT_ERR;
}

/* Until it fails. */
static void *worker_main(void *arg)
{
	struct worker *w = arg;

	do {
		w->status = operate(w);
		w->done++;
	} while (w->status == IBV_WC_SUCCESS);
	return NULL;
}

static void start(struct worker *w, int fd)
{
	memset(w->rdma.local, CONTENT, w->rdma.size);
	w->mr = rdma_register(&w->rdma, fd);
	w->done = 0;
	assert_int_equal(pthread_create(&w->thread, NULL, worker_main, w), 0);
}

/* All had the memory when they began; now it is the exporter's. */
static void finish(struct worker *w)
{
	const uint8_t *poison;

	assert_int_equal(pthread_join(w->thread, NULL), 0);
	if (w->status != failure_of(w->operation))
		fail_msg("operation %d: %s", w->operation, rc_status_str(w->status));
	/* With the QPs go the packets that are still on their way. */
	OK(rdma_reconnect(&w->rdma));
	poison = memchr(w->rdma.local, POISON, w->rdma.size);
	if (poison)
		fail_msg("operation %d got byte %#zx after the revoke", w->operation,
			 (size_t)(poison - (uint8_t *)w->rdma.local));
	OK(ibv_dereg_mr(w->mr));
}

static void one_round(struct state *s, int fd, struct worker *workers, unsigned int round)
{
	struct dmabuf_test_delayed before, now;
	struct dmabuf_test_revoke result;
	double end = seconds() + 20;
	int i;

	OK(exporter_fill(s->dev, fd, 0, 0, SIZE, CONTENT));
	OK(exporter_delayed(s->dev, &before));
	for (i = 0; i < WORKERS; i++)
		start(&workers[i], fd);
	do
		OK(exporter_delayed(s->dev, &now));
	while (now.returns == before.returns && seconds() < end);
	/* In the first copy or in a later one */
	usleep(round * 997 % DELAY_US);
	OK(exporter_revoke(s->dev, fd, 10000, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
	for (i = 0; i < WORKERS; i++)
		finish(&workers[i]);
	assert_all(s, fd, 0, 0, SIZE, POISON);
	assert_idle(s, fd);
	OK(exporter_unrevoke(s->dev, fd));
}

static void revoke_in_copies(struct state *s, enum dmabuf_test_memory memory,
			     const enum operation operations[WORKERS])
{
	struct dmabuf_test_delayed delayed = {};
	struct worker workers[WORKERS] = {};
	unsigned int round;
	int fd, i;

	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_REVOKING,
				    .memory = memory,
				    .flags = DMABUF_TEST_KEEP_VMAP,
				    .size = SIZE,
			    });
	for (i = 0; i < WORKERS; i++) {
		rdma_setup(&workers[i].rdma, SIZE);
		rdma_allow_revoke(&workers[i].rdma);
		workers[i].operation = operations[i];
	}
	OK(exporter_delay(s->dev, function.name, DELAY_US));
	for (round = 0; delayed.interrupted < wanted && round < 50 * wanted; round++) {
		one_round(s, fd, workers, round);
		OK(exporter_delayed(s->dev, &delayed));
	}
	OK(exporter_delay(s->dev, "", 0));
	print_message("%u revokes, %" PRIu64 " copies delayed, %" PRIu64
		      " of them revoked meanwhile\n",
		      round, (uint64_t)delayed.returns, (uint64_t)delayed.interrupted);
	assert_true(delayed.interrupted >= wanted);
	for (i = WORKERS; i--;)
		rdma_teardown(&workers[i].rdma);
	close(fd);
}

static void test_operation(struct state *s, enum operation operation)
{
	enum operation operations[WORKERS];
	int i;

	if (!have_function)
		fail_msg(FUNCTION "() is no function of its own in this kernel");
	for (i = 0; i < WORKERS; i++)
		operations[i] = operation;
	revoke_in_copies(s, DMABUF_TEST_SYSTEM, operations);
	if (have_device_memory(s))
		revoke_in_copies(s, DMABUF_TEST_DEVICE_MEMORY, operations);
	else
		print_message("no device with memory\n");
}

#define OPERATION_TEST(name, operation)            \
	static void test_##name(void **state)      \
	{                                          \
		test_operation(*state, operation); \
	}

OPERATION_TEST(writes, OP_WRITE)
OPERATION_TEST(reads, OP_READ)
OPERATION_TEST(fetch_and_add, OP_FETCH_ADD)
OPERATION_TEST(compare_and_swap, OP_SWAP)
OPERATION_TEST(writes_from, OP_WRITE_FROM)
OPERATION_TEST(reads_to, OP_READ_TO)
OPERATION_TEST(receives, OP_RECEIVE)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		EXPORTER_TEST(test_writes),	   EXPORTER_TEST(test_reads),
		EXPORTER_TEST(test_fetch_and_add), EXPORTER_TEST(test_compare_and_swap),
		EXPORTER_TEST(test_writes_from),   EXPORTER_TEST(test_reads_to),
		EXPORTER_TEST(test_receives),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
