// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_pingpong: two sides move messages between dma-bufs by RDMA and
 * check every byte with the CPU, through the dma-bufs' own mappings.
 */
#include <stdio.h>
#include <unistd.h>

#include "exchange.h"
#include "options.h"
#include "report.h"
#include "transfer.h"

struct run {
	struct transfer t;
	struct hello local;
	struct results results;
	bool first;   /* this side starts: it is the client */
	int listener; /* of the server, else -1 */
};

static int cpu_failed(void)
{
	fprintf(stderr, "%s\n", dmabuf_error());
	return -1;
}

static int fill(struct run *run, uint64_t seq, unsigned int count)
{
	struct transfer *t = &run->t;

	if (dmabuf_cpu_begin(&t->buf, DMABUF_CPU_WRITE))
		return cpu_failed();
	slots_fill(&t->slots, t->buf.map, run->local.seed, seq, count);
	return dmabuf_cpu_end(&t->buf, DMABUF_CPU_WRITE) ? cpu_failed() : 0;
}

static int check(struct run *run, uint64_t seq, unsigned int count)
{
	struct transfer *t = &run->t;

	if (dmabuf_cpu_begin(&t->buf, DMABUF_CPU_READ))
		return cpu_failed();
	slots_check(&t->slots, t->buf.map, t->remote.seed, seq, count, &run->results.local);
	return dmabuf_cpu_end(&t->buf, DMABUF_CPU_READ) ? cpu_failed() : 0;
}

/* Adds the time between the first message and the last to @usec. */
static int pingpong_batch(struct run *run, uint64_t seq, unsigned int count, double *usec)
{
	double start;

	if (fill(run, seq, count) || transfer_post_recvs(&run->t, TRANSFER_PINGPONG, seq, count) ||
	    exchange_barrier(run->t.sock, 'p'))
		return -1;
	start = now_usec();
	if (transfer_pingpong(&run->t, seq, count, run->first))
		return -1;
	*usec += now_usec() - start;
	return check(run, seq, count);
}

/* First the client sends, or reads, then the server. */
static int stream_batch(struct run *run, uint64_t seq, unsigned int count, unsigned int depth,
			double *usec)
{
	struct transfer *t = &run->t;
	double start;
	int turn;

	if (fill(run, seq, count) || transfer_post_recvs(t, TRANSFER_STREAM, seq, count) ||
	    exchange_barrier(t->sock, 's'))
		return -1;
	for (turn = 0; turn < 2; turn++) {
		if (run->first == !turn) {
			start = now_usec();
			if (transfer_stream(t, seq, count, depth))
				return -1;
			*usec += now_usec() - start;
		} else if (transfer_stream_wait(t, count)) {
			return -1;
		}
		if (exchange_barrier(t->sock, 't'))
			return -1;
	}
	return check(run, seq, count);
}

static int measure_latency(struct run *run)
{
	const struct options *o = run->t.opt;
	unsigned int batch = run->t.slots.batch;
	unsigned int count;
	unsigned int i;
	double usec = 0;
	int ret;

	for (i = 0; i < o->iters; i += count) {
		count = o->iters - i < batch ? o->iters - i : batch;
		if (o->op == OP_READ)
			ret = stream_batch(run, i, count, 1, &usec);
		else
			ret = pingpong_batch(run, i, count, &usec);
		if (ret)
			return ret;
	}
	run->results.latency_usec = usec / o->iters;
	return 0;
}

static int measure_throughput(struct run *run)
{
	const struct options *o = run->t.opt;
	unsigned int batch = run->t.slots.batch;
	unsigned int count;
	unsigned int i;
	double usec = 0;

	for (i = 0; i < o->iters; i += count) {
		count = o->iters - i < batch ? o->iters - i : batch;
		/* numbers that measure_latency() did not use */
		if (stream_batch(run, (uint64_t)o->iters + i, count, run->t.depth, &usec))
			return -1;
	}
	run->results.throughput_mbps = 8.0 * o->size * o->iters / usec;
	return 0;
}

static int work(struct run *run)
{
	struct results *r = &run->results;
	struct transfer *t = &run->t;
	struct hello remote;

	transfer_hello(t, &run->local);
	if (run->first)
		t->sock = exchange_connect(t->opt->server, t->opt->port, t->opt->wait);
	else
		t->sock = exchange_accept(run->listener);
	if (t->sock < 0 || exchange_hello(t->sock, &run->local, &remote) ||
	    transfer_connect(t, &run->local, &remote) || exchange_barrier(t->sock, 'c'))
		return -1;
	report_sides(t, &run->local);
	if (measure_latency(run) || measure_throughput(run) ||
	    exchange_result(t->sock, &r->local, &r->remote) || transfer_dereg(t))
		return -1;
	report_results(t, r);
	return r->local.wrong || r->local.guard_written || r->remote.wrong ||
			       r->remote.guard_written ?
		       -1 :
		       0;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct run run = { .listener = -1 };
	int ret = -1;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_HELP:
		return 0;
	case OPTIONS_BAD:
		fprintf(stderr, "Try %s --help\n", argv[0]);
		return 2;
	case OPTIONS_OK:
		break;
	}
	run.first = options.server;
	if (!run.first) {
		run.listener = exchange_listen(options.port);
		if (run.listener < 0)
			return 1;
	}
	if (!transfer_open(&run.t, &options) && !transfer_register(&run.t))
		ret = work(&run);
	if (run.t.sock >= 0)
		close(run.t.sock);
	if (run.listener >= 0)
		close(run.listener);
	transfer_close(&run.t);
	if (fflush(stdout) || ferror(stdout))
		ret = -1;
	return ret ? 1 : 0;
}
