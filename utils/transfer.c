// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "transfer.h"

/* Empty polls between two looks at whether the peer is still there. */
#define POLLS_PER_LOOK 4096

int transfer_fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(err));
	return -1;
}

uint64_t transfer_addr(const struct transfer *t, size_t offset)
{
	return (uintptr_t)t->buf.map + offset;
}

static int post_recv(struct transfer *t, uint64_t seq, unsigned int slot)
{
	struct ibv_sge sge = {
		.addr = transfer_addr(t, slots_rx(&t->slots, slot)),
		.length = t->opt->size,
		.lkey = t->mr->lkey,
	};
	struct ibv_recv_wr wr = {
		.wr_id = seq,
		.sg_list = &sge,
		/* an RDMA write takes the receive, but not its memory */
		.num_sge = t->opt->op == OP_SEND ? 1 : 0,
	};
	struct ibv_recv_wr *bad;
	int ret = ibv_post_recv(t->qp, &wr, &bad);

	return ret ? transfer_fail("Cannot post a receive", ret) : 0;
}

int transfer_post_recvs(struct transfer *t, enum transfer_way way, uint64_t seq, unsigned int count)
{
	unsigned int i = 0;

	if (t->opt->op == OP_READ)
		return 0;
	/* a stream of RDMA writes takes one, for the last */
	if (t->opt->op == OP_WRITE && way == TRANSFER_STREAM)
		i = count - 1;
	for (; i < count; i++)
		if (post_recv(t, seq + i, i))
			return -1;
	return 0;
}

/* Never inline: the device is to fetch the data from the dma-buf. */
static int post_send(struct transfer *t, uint64_t seq, unsigned int slot, bool notify_peer)
{
	struct ibv_sge sge = {
		.addr = transfer_addr(t, slots_tx(&t->slots, slot)),
		.length = t->opt->size,
		.lkey = t->mr->lkey,
	};
	struct ibv_send_wr wr = {
		.wr_id = seq,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;
	int ret;

	switch (t->opt->op) {
	case OP_WRITE:
		/* without, the peer's CPU would not know when the data is there */
		wr.opcode = notify_peer ? IBV_WR_RDMA_WRITE_WITH_IMM : IBV_WR_RDMA_WRITE;
		wr.imm_data = htonl((uint32_t)seq);
		wr.wr.rdma.remote_addr = t->remote.rx_addr + slot * t->remote.stride;
		wr.wr.rdma.rkey = t->remote.rkey;
		break;
	case OP_READ:
		wr.opcode = IBV_WR_RDMA_READ;
		sge.addr = transfer_addr(t, slots_rx(&t->slots, slot));
		wr.wr.rdma.remote_addr = t->remote.tx_addr + slot * t->remote.stride;
		wr.wr.rdma.rkey = t->remote.rkey;
		break;
	default:
		wr.opcode = IBV_WR_SEND;
		break;
	}
	ret = ibv_post_send(t->qp, &wr, &bad);
	return ret ? transfer_fail("Cannot post a send", ret) : 0;
}

static int complete(struct transfer *t, const struct ibv_wc *wc)
{
	if (wc->status != IBV_WC_SUCCESS) {
		fprintf(stderr, "Message %" PRIu64 " failed: %s (vendor error %#x)\n", wc->wr_id,
			ibv_wc_status_str(wc->status), wc->vendor_err);
		return -1;
	}
	if (!(wc->opcode & IBV_WC_RECV)) {
		t->send_done++;
		return 0;
	}
	t->recv_done++;
	if (wc->opcode == IBV_WC_RECV_RDMA_WITH_IMM && ntohl(wc->imm_data) != (uint32_t)wc->wr_id) {
		fprintf(stderr, "Message %" PRIu64 " came as number %" PRIu32 "\n", wc->wr_id,
			ntohl(wc->imm_data));
		return -1;
	}
	if (wc->byte_len != t->opt->size) {
		fprintf(stderr, "Message %" PRIu64 " came with %" PRIu32 " bytes\n", wc->wr_id,
			wc->byte_len);
		return -1;
	}
	return 0;
}

/* The number of completions, or -1. */
static int poll_cq(struct transfer *t)
{
	struct ibv_wc wc[16];
	int n = ibv_poll_cq(t->cq, 16, wc);
	int i;

	if (n < 0)
		return transfer_fail("Cannot poll the completion queue", EIO);
	for (i = 0; i < n; i++)
		if (complete(t, &wc[i]))
			return -1;
	return n;
}

static int peer_gone(void)
{
	fprintf(stderr, "The peer is gone\n");
	return -1;
}

/* Sleep until the completion queue has something; it may be empty nevertheless. */
static int wait_event(struct transfer *t)
{
	struct pollfd pfd[] = {
		{ .fd = t->channel->fd, .events = POLLIN },
		{ .fd = t->sock, .events = POLLRDHUP },
	};
	struct ibv_cq *cq;
	void *context;
	int ret;

	while (poll(pfd, 2, -1) < 0)
		if (errno != EINTR)
			return transfer_fail("poll", errno);
	if (!(pfd[0].revents & POLLIN))
		return peer_gone();
	if (ibv_get_cq_event(t->channel, &cq, &context))
		return transfer_fail("Cannot get a completion event", errno);
	ibv_ack_cq_events(cq, 1);
	ret = ibv_req_notify_cq(t->cq, 0);
	return ret ? transfer_fail("Cannot ask for completion events", ret) : 0;
}

static int wait_for(struct transfer *t, uint64_t send_done, uint64_t recv_done)
{
	unsigned int empty = 0;
	int n;

	while (t->send_done < send_done || t->recv_done < recv_done) {
		n = poll_cq(t);
		if (n < 0)
			return -1;
		if (n) {
			empty = 0;
			continue;
		}
		if (t->channel) {
			if (wait_event(t))
				return -1;
		} else if (++empty % POLLS_PER_LOOK == 0 && exchange_peer_gone(t->sock)) {
			return peer_gone();
		}
	}
	return 0;
}

int transfer_pingpong(struct transfer *t, uint64_t seq, unsigned int count, bool first)
{
	uint64_t sends = t->send_done;
	uint64_t recvs = t->recv_done;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!first && wait_for(t, sends + i, recvs + i + 1))
			return -1;
		if (post_send(t, seq + i, i, true))
			return -1;
		if (first && wait_for(t, sends + i + 1, recvs + i + 1))
			return -1;
	}
	return wait_for(t, sends + count, recvs + count);
}

int transfer_stream(struct transfer *t, uint64_t seq, unsigned int count, unsigned int depth)
{
	uint64_t sends = t->send_done;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (i >= depth && wait_for(t, sends + i + 1 - depth, t->recv_done))
			return -1;
		if (post_send(t, seq + i, i, i == count - 1))
			return -1;
	}
	return wait_for(t, sends + count, t->recv_done);
}

int transfer_stream_wait(struct transfer *t, unsigned int count)
{
	switch (t->opt->op) {
	case OP_WRITE:
		return wait_for(t, t->send_done, t->recv_done + 1);
	case OP_SEND:
		return wait_for(t, t->send_done, t->recv_done + count);
	default:
		/* nothing to be seen on this side */
		return 0;
	}
}
