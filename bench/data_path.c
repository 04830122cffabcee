// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Messages between two QPs of this process, from one half of a region to the
 * other.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "rc_pair.h"
#include "table.h"

static const size_t sizes[] = { 8, 64, 512, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB };

#define NUM_SIZES ARRAY_SIZE(sizes)
#define MOST MIB
/* Messages under way at once; fits into rc_pair's queues */
#define WINDOW 8
/* Of a measurement: so many messages, or fewer large ones */
#define BURST_MESSAGES 16
#define BURST_BYTES (256 * KIB)
#define LEAST_MESSAGES 4

enum op {
	WRITE,
	READ,
	SEND,
	NUM_OPS,
};

static const char *const op_names[NUM_OPS] = { "write", "read", "send" };
static const enum kind kinds[] = { ORDINARY, PLAIN_UDMABUF, PINNED_UDMABUF };

#define NUM_COMPARED ARRAY_SIZE(kinds)

struct result {
	struct samples latency;
	struct samples rate;
};

struct path {
	struct rc_pair pair;
	struct memory memory;
	struct ibv_mr *mrs[NUM_COMPARED];
};

static void post(struct path *path, const struct ibv_mr *mr, enum op op, size_t size)
{
	uint64_t here = (uintptr_t)path->memory.map, there = here + MOST;
	struct ibv_sge sge = { .addr = here, .length = size, .lkey = mr->lkey };
	struct ibv_sge recv_sge = { .addr = there, .length = size, .lkey = mr->lkey };
	struct ibv_recv_wr recv = { .sg_list = &recv_sge, .num_sge = 1 };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_recv_wr *bad_recv;
	struct ibv_send_wr *bad;
	int err = 0;

	if (op == SEND) {
		wr.opcode = IBV_WR_SEND;
		err = ibv_post_recv(path->pair.responder, &recv, &bad_recv);
	} else {
		wr.opcode = op == WRITE ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ;
		wr.wr.rdma.remote_addr = there;
		wr.wr.rdma.rkey = mr->rkey;
	}
	if (!err)
		err = ibv_post_send(path->pair.requester, &wr, &bad);
	if (err)
		die("%s: %s", op_names[op], strerror(err));
}

static unsigned int poll_cq(struct ibv_cq *cq)
{
	struct ibv_wc wc[WINDOW];
	int i, n = ibv_poll_cq(cq, WINDOW, wc);

	if (n < 0)
		die("ibv_poll_cq failed");
	for (i = 0; i < n; i++)
		if (wc[i].status != IBV_WC_SUCCESS)
			die("completion: %s", ibv_wc_status_str(wc[i].status));
	return n;
}

/* Of @count messages, @window at a time, until the last has arrived; in ns. */
static double transfer(struct path *path, const struct ibv_mr *mr, enum op op, size_t size,
		       unsigned int count, unsigned int window)
{
	unsigned int posted = 0, sent = 0, received = op == SEND ? 0 : count;
	double start = now_ns();

	while (sent < count || received < count) {
		while (posted < count && posted - sent < window &&
		       (op != SEND || posted - received < window)) {
			post(path, mr, op, size);
			posted++;
		}
		sent += poll_cq(path->pair.requester_cq);
		if (op == SEND)
			received += poll_cq(path->pair.responder_cq);
	}
	return now_ns() - start;
}

static unsigned int burst(size_t size)
{
	size_t count = BURST_BYTES / size;

	if (count > BURST_MESSAGES)
		return BURST_MESSAGES;
	return count < LEAST_MESSAGES ? LEAST_MESSAGES : count;
}

static void measure(struct path *path, enum op op, size_t size, unsigned int n,
		    struct result *results)
{
	unsigned int round, count = burst(size);
	unsigned int order[NUM_COMPARED];
	size_t i, j;

	for (round = 0; round < n; round++) {
		shuffle(order, NUM_COMPARED);
		for (i = 0; i < NUM_COMPARED; i++) {
			j = order[i];
			samples_add(&results[j].latency,
				    transfer(path, path->mrs[j], op, size, 1, 1));
			samples_add(&results[j].rate,
				    1e9 * count * size /
					    transfer(path, path->mrs[j], op, size, count, WINDOW));
		}
	}
}

static unsigned int data_rounds(const struct bench *bench, size_t size)
{
	unsigned int full = size <= 16 * KIB ? 1001 : size <= 256 * KIB ? 251 : 101;

	return bench->quick ? full / 5 : full;
}

static void set_workqueue_cpus(const char *mask)
{
	FILE *file = fopen("/sys/devices/virtual/workqueue/cpumask", "we");

	if (!file || fputs(mask, file) < 0 || fclose(file))
		die("the workqueues' CPUs: %s", strerror(errno));
}

/*
 * This program polls without pause. On one CPU with rxe's worker, one of them
 * would wait for the other's time slice, now and then.
 */
static void separate_from_worker(cpu_set_t *before)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(1, &mine);
	if (sched_getaffinity(0, sizeof(*before), before))
		die("sched_getaffinity: %s", strerror(errno));
	if (CPU_COUNT(before) < 2)
		return;
	if (sched_setaffinity(0, sizeof(mine), &mine))
		die("sched_setaffinity: %s", strerror(errno));
	set_workqueue_cpus("1");
}

static void rejoin_worker(const cpu_set_t *before)
{
	if (CPU_COUNT(before) < 2)
		return;
	set_workqueue_cpus("3");
	sched_setaffinity(0, sizeof(*before), before);
}

static void add_row(enum op op, size_t size, size_t j, bool rate, const struct result *results)
{
	const struct samples *this = rate ? &results[j].rate : &results[j].latency;
	const struct samples *ordinary = rate ? &results[0].rate : &results[0].latency;
	struct row row = {
		.kind = kind_names[kinds[j]],
		.unit = rate ? UNIT_BYTES_PER_S : UNIT_NS,
		.value = summarise(this),
		.has_ratio = kinds[j] != ORDINARY,
	};

	snprintf(row.what, sizeof(row.what), "%s %s", op_names[op], size_str(size));
	/* As fast as the ordinary one: 1 for both */
	if (row.has_ratio)
		row.ratio = rate ? estimate_ratio(this, ordinary) : estimate_ratio(ordinary, this);
	if (kinds[j] == PINNED_UDMABUF) {
		row.figure = FIGURE_AT_LEAST;
		row.bound = 0.97;
	}
	table_add(&row);
}

static void add_rows(struct result results[NUM_OPS][NUM_SIZES][NUM_COMPARED], bool rate)
{
	enum op op;
	size_t i, j;

	for (op = 0; op < NUM_OPS; op++)
		for (i = 0; i < NUM_SIZES; i++)
			for (j = 0; j < NUM_COMPARED; j++)
				add_row(op, sizes[i], j, rate, results[op][i]);
}

void bench_data_path(const struct bench *bench)
{
	static struct result results[NUM_OPS][NUM_SIZES][NUM_COMPARED];
	struct path path = {};
	cpu_set_t before;
	enum op op;
	size_t i, j;
	int err;

	table_group("latency of a message", "ordinary MR's time to this one's");
	err = rc_pair_create(&path.pair, bench->pd);
	if (err)
		die("RC pair: %s", strerror(err));
	memory_alloc(&path.memory, 2 * MOST, false);
	for (j = 0; j < NUM_COMPARED; j++)
		path.mrs[j] = register_region(bench, &path.memory, kinds[j], 0, 2 * MOST);

	separate_from_worker(&before);
	for (op = 0; op < NUM_OPS; op++)
		for (i = 0; i < NUM_SIZES; i++)
			measure(&path, op, sizes[i], data_rounds(bench, sizes[i]), results[op][i]);
	rejoin_worker(&before);

	for (j = 0; j < NUM_COMPARED; j++)
		deregister(path.mrs[j]);
	rc_pair_destroy(&path.pair);
	memory_free(&path.memory);

	add_rows(results, false);
	table_group("throughput", "to that of the ordinary MR");
	add_rows(results, true);
	for (op = 0; op < NUM_OPS; op++)
		for (i = 0; i < NUM_SIZES; i++)
			for (j = 0; j < NUM_COMPARED; j++) {
				samples_free(&results[op][i][j].latency);
				samples_free(&results[op][i][j].rate);
			}
}
