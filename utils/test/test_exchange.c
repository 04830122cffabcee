// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "unit.h"

static struct hello example(void)
{
	struct hello h = {
		.op = OP_READ,
		.size = UINT64_MAX,
		.iters = UINT32_MAX,
		.batch = UINT32_MAX,
		.mtu = IBV_MTU_4096,
		.lid = 0xffff,
		.qpn = 0xabcdef,
		.psn = 0x00000f,
		.rkey = 0xdeadbeef,
		.tx_addr = 0xffff800012345678ULL,
		.rx_addr = 1,
		.stride = UINT64_MAX,
		.rd_atomic = 16,
		.seed = 0x8000000000000001ULL,
	};
	int i;

	for (i = 0; i < 16; i++)
		h.gid.raw[i] = 0x80 + 7 * i;
	return h;
}

static void assert_hello_equal(const struct hello *a, const struct hello *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->iters, b->iters);
	assert_int_equal(a->batch, b->batch);
	assert_int_equal(a->mtu, b->mtu);
	assert_int_equal(a->lid, b->lid);
	assert_memory_equal(&a->gid, &b->gid, sizeof(a->gid));
	assert_int_equal(a->qpn, b->qpn);
	assert_int_equal(a->psn, b->psn);
	assert_int_equal(a->rkey, b->rkey);
	assert_int_equal(a->tx_addr, b->tx_addr);
	assert_int_equal(a->rx_addr, b->rx_addr);
	assert_int_equal(a->stride, b->stride);
	assert_int_equal(a->rd_atomic, b->rd_atomic);
	assert_int_equal(a->seed, b->seed);
}

static void hello_survives(void **state)
{
	struct hello h = example();
	struct hello back;
	char line[HELLO_LEN];

	(void)state;
	for (h.op = 0; h.op < OP_COUNT; h.op++) {
		hello_format(&h, line);
		assert_int_equal(hello_parse(line, &back), 0);
		assert_hello_equal(&h, &back);
	}
}

static void nonsense_is_no_hello(void **state)
{
	struct hello h = example();
	char line[HELLO_LEN];
	char *p;

	(void)state;
	memset(line, 0, sizeof(line));
	assert_int_equal(hello_parse(line, &h), -1);
	memset(line, 'x', sizeof(line));
	assert_int_equal(hello_parse(line, &h), -1);

	h = example();
	hello_format(&h, line);
	line[HELLO_LEN - 1] = ' ';
	assert_int_equal(hello_parse(line, &h), -1);

	h = example();
	hello_format(&h, line);
	p = strstr(line, "op=read");
	assert_non_null(p);
	memcpy(p, "op=rdma", 7);
	assert_int_equal(hello_parse(line, &h), -1);

	h = example();
	hello_format(&h, line);
	p = strstr(line, "pingpong 1");
	assert_non_null(p);
	p[9] = '2';
	assert_int_equal(hello_parse(line, &h), -1);

	h = example();
	hello_format(&h, line);
	p = strstr(line, " seed=");
	assert_non_null(p);
	memset(p, ' ', 22);
	assert_int_equal(hello_parse(line, &h), -1);
}

/* It is the shift of a number of bytes. */
static void mtu_that_is_none(void **state)
{
	static const unsigned int numbers[] = { 0, 6, 9 };
	struct hello h = example(), parsed;
	char line[HELLO_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		h.mtu = numbers[i];
		hello_format(&h, line);
		assert_int_equal(hello_parse(line, &parsed), -1);
	}
}

static void disagreement_is_refused(void **state)
{
	const struct hello a = example();
	struct hello b;

	(void)state;
	assert_int_equal(hello_compare(&a, &a), 0);
	b = a;
	b.op = OP_SEND;
	assert_int_equal(hello_compare(&a, &b), -1);
	b = a;
	b.size--;
	assert_int_equal(hello_compare(&a, &b), -1);
	b = a;
	b.iters--;
	assert_int_equal(hello_compare(&a, &b), -1);
	b = a;
	b.batch--;
	assert_int_equal(hello_compare(&a, &b), -1);
	b = a;
	b.mtu--;
	assert_int_equal(hello_compare(&a, &b), -1);
	/* what belongs to a side may differ */
	b = a;
	b.lid++;
	b.qpn++;
	b.stride--;
	b.seed++;
	b.rkey++;
	assert_int_equal(hello_compare(&a, &b), 0);
}

struct peer {
	pthread_t thread;
	int sock;
	struct hello hello;
	struct hello got;
	struct slots_result got_result;
	int ret;
};

static void *talk(void *arg)
{
	const struct slots_result result = { .verified = 5, .wrong = 3, .guard_written = 2 };
	struct peer *p = arg;

	p->ret = exchange_hello(p->sock, &p->hello, &p->got);
	if (!p->ret)
		p->ret = exchange_barrier(p->sock, 'a');
	if (!p->ret)
		p->ret = exchange_result(p->sock, &result, &p->got_result);
	return NULL;
}

static void start(struct peer *p, int *sock)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*p = (struct peer){ .sock = pair[0], .hello = example() };
	p->hello.seed = 1;
	*sock = pair[1];
	assert_int_equal(pthread_create(&p->thread, NULL, talk, p), 0);
}

static void finish(struct peer *p, int sock)
{
	pthread_join(p->thread, NULL);
	close(p->sock);
	close(sock);
}

static void both_sides_meet(void **state)
{
	const struct slots_result result = { .verified = UINT64_MAX };
	struct hello h = example();
	struct slots_result other;
	struct hello got;
	struct peer p;
	int sock;

	(void)state;
	start(&p, &sock);
	assert_int_equal(exchange_hello(sock, &h, &got), 0);
	assert_hello_equal(&got, &p.hello);
	assert_false(exchange_peer_gone(sock));
	assert_int_equal(exchange_barrier(sock, 'a'), 0);
	assert_int_equal(exchange_result(sock, &result, &other), 0);
	assert_int_equal(other.verified, 5);
	assert_int_equal(other.wrong, 3);
	assert_int_equal(other.guard_written, 2);
	finish(&p, sock);
	assert_int_equal(p.ret, 0);
	assert_hello_equal(&p.got, &h);
	assert_true(p.got_result.verified == UINT64_MAX);
}

static void both_sides_refuse(void **state)
{
	struct hello h = example();
	struct hello got;
	struct peer p;
	int sock;

	(void)state;
	h.size = 1;
	start(&p, &sock);
	assert_int_equal(exchange_hello(sock, &h, &got), -1);
	finish(&p, sock);
	assert_int_equal(p.ret, -1);
}

static void other_step_is_an_error(void **state)
{
	struct hello h = example();
	struct hello got;
	struct peer p;
	int sock;

	(void)state;
	start(&p, &sock);
	assert_int_equal(exchange_hello(sock, &h, &got), 0);
	assert_int_equal(exchange_barrier(sock, 'b'), -1);
	finish(&p, sock);
	assert_int_equal(p.ret, -1);
}

static void vanished_peer_is_noticed(void **state)
{
	struct slots_result result = {};
	struct hello h = example();
	struct hello got;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_false(exchange_peer_gone(pair[0]));
	/* also behind data that was not read yet */
	assert_int_equal(write(pair[1], "a", 1), 1);
	close(pair[1]);
	assert_true(exchange_peer_gone(pair[0]));
	assert_int_equal(exchange_hello(pair[0], &h, &got), -1);
	assert_int_equal(exchange_barrier(pair[0], 'a'), -1);
	assert_int_equal(exchange_result(pair[0], &result, &result), -1);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_survives),
		cmocka_unit_test(nonsense_is_no_hello),
		cmocka_unit_test(mtu_that_is_none),
		cmocka_unit_test(disagreement_is_refused),
		cmocka_unit_test(both_sides_meet),
		cmocka_unit_test(both_sides_refuse),
		cmocka_unit_test(other_step_is_an_error),
		cmocka_unit_test(vanished_peer_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
