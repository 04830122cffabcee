// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "transfer.h"

/* As much as a batch holds of messages in one direction, if they are small enough. */
#define BATCH_BYTES (4UL << 20)
#define SEND_DEPTH 64
#define MAX_RD_ATOMIC 16

static struct ibv_context *open_device(const char *name)
{
	struct ibv_context *context = NULL;
	struct ibv_device **list;
	int i;

	list = ibv_get_device_list(NULL);
	if (!list) {
		transfer_fail("Cannot list RDMA devices", errno);
		return NULL;
	}
	for (i = 0; list[i]; i++)
		if (!name || !strcmp(ibv_get_device_name(list[i]), name))
			break;
	if (!list[i]) {
		fprintf(stderr, name ? "No RDMA device %s\n" : "No RDMA device found\n", name);
	} else {
		context = ibv_open_device(list[i]);
		if (!context)
			fprintf(stderr, "Cannot open RDMA device %s: %s\n",
				ibv_get_device_name(list[i]), strerror(errno));
	}
	ibv_free_device_list(list);
	return context;
}

/* RoCE needs a GID; the one with an IPv4 address works without more set-up. */
static int choose_gid(struct transfer *t)
{
	struct ibv_gid_entry entry;
	bool ipv4;
	int i;

	for (i = 0; i < t->port.gid_tbl_len; i++) {
		if (ibv_query_gid_ex(t->context, t->opt->ib_port, i, &entry, 0) ||
		    entry.gid_type != IBV_GID_TYPE_ROCE_V2)
			continue;
		ipv4 = IN6_IS_ADDR_V4MAPPED((struct in6_addr *)entry.gid.raw);
		if (t->gid_index >= 0 && !ipv4)
			continue;
		t->gid_index = i;
		t->gid = entry.gid;
		if (ipv4)
			break;
	}
	if (t->gid_index < 0) {
		fprintf(stderr, "The port has no RoCE v2 GID; choose one with --gid-idx\n");
		return -1;
	}
	return 0;
}

static int find_gid(struct transfer *t)
{
	t->gid_index = t->opt->gid_index;
	if (t->gid_index >= 0) {
		if (ibv_query_gid(t->context, t->opt->ib_port, t->gid_index, &t->gid))
			return transfer_fail("Cannot read the GID of --gid-idx", errno);
		return 0;
	}
	if (t->port.link_layer == IBV_LINK_LAYER_ETHERNET)
		return choose_gid(t);
	return 0;
}

static int check_limits(struct transfer *t, const struct ibv_device_attr *attr)
{
	const struct options *o = t->opt;

	if (o->size > t->port.max_msg_sz) {
		fprintf(stderr, "%zu bytes are more than the port's largest message, %" PRIu32 "\n",
			o->size, t->port.max_msg_sz);
		return -1;
	}
	if (o->mtu > t->port.active_mtu) {
		fprintf(stderr, "MTU %u is over the port's active MTU, %u\n", 128U << o->mtu,
			128U << t->port.active_mtu);
		return -1;
	}
	if (o->rx_depth > (unsigned int)attr->max_qp_wr) {
		fprintf(stderr, "%u receives are more than the device's queues hold, %d\n",
			o->rx_depth, attr->max_qp_wr);
		return -1;
	}
	return 0;
}

static unsigned int min_uint(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static unsigned int batch_size(const struct options *o)
{
	size_t fit = BATCH_BYTES / o->size;

	return min_uint(min_uint(o->iters, o->rx_depth), fit ? fit : 1);
}

static int create_qp(struct transfer *t)
{
	struct ibv_qp_init_attr init = {
		.send_cq = t->cq,
		.recv_cq = t->cq,
		.cap =
			{
				.max_send_wr = t->depth,
				.max_recv_wr = t->slots.batch,
				.max_send_sge = 1,
				.max_recv_sge = 1,
			},
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = t->opt->ib_port,
		.qp_access_flags = transfer_access(t->opt),
	};
	int ret;

	t->qp = ibv_create_qp(t->pd, &init);
	if (!t->qp)
		return transfer_fail("Cannot create a queue pair", errno);
	ret = ibv_modify_qp(t->qp, &attr,
			    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	return ret ? transfer_fail("Cannot bring the queue pair to INIT", ret) : 0;
}

int transfer_open(struct transfer *t, const struct options *o)
{
	struct ibv_device_attr attr;
	int ret;

	*t = (struct transfer){
		.opt = o,
		.sock = -1,
		.buf = { .fd = -1, .memfd = -1 },
	};
	if (slots_init(&t->slots, o->size, batch_size(o), o->buffer)) {
		fprintf(stderr, "A buffer of %zu bytes holds no messages of %zu bytes both ways\n",
			o->buffer, o->size);
		return -1;
	}
	t->context = open_device(o->device);
	if (!t->context)
		return -1;
	ret = ibv_query_device(t->context, &attr);
	if (ret)
		return transfer_fail("Cannot query the device", ret);
	ret = ibv_query_port(t->context, o->ib_port, &t->port);
	if (ret)
		return transfer_fail("Cannot query the port", ret);
	if (check_limits(t, &attr) || find_gid(t))
		return -1;
	t->rd_atomic = min_uint(attr.max_qp_rd_atom, MAX_RD_ATOMIC);
	t->init_rd_atomic = min_uint(attr.max_qp_init_rd_atom, MAX_RD_ATOMIC);
	t->depth = min_uint(SEND_DEPTH, attr.max_qp_wr);

	if (o->events) {
		t->channel = ibv_create_comp_channel(t->context);
		if (!t->channel)
			return transfer_fail("Cannot create a completion channel", errno);
	}
	t->pd = ibv_alloc_pd(t->context);
	if (!t->pd)
		return transfer_fail("Cannot allocate a protection domain", errno);
	t->cq = ibv_create_cq(t->context, t->depth + t->slots.batch, NULL, t->channel, 0);
	if (!t->cq)
		return transfer_fail("Cannot create a completion queue", errno);
	return create_qp(t);
}

void transfer_hello(const struct transfer *t, struct hello *h)
{
	uint32_t psn = 0;

	*h = (struct hello){
		.op = t->opt->op,
		.size = t->opt->size,
		.iters = t->opt->iters,
		.batch = t->slots.batch,
		.mtu = t->opt->mtu,
		.lid = t->port.lid,
		.gid = t->gid,
		.qpn = t->qp->qp_num,
		.rkey = t->mr->rkey,
		.tx_addr = transfer_addr(t, slots_tx(&t->slots, 0)),
		.rx_addr = transfer_addr(t, slots_rx(&t->slots, 0)),
		.stride = t->slots.stride,
		.rd_atomic = t->rd_atomic,
	};
	/* if it fails the data of two runs may be the same, which matters little */
	if (getrandom(&psn, sizeof(psn), 0) != sizeof(psn) ||
	    getrandom(&h->seed, sizeof(h->seed), 0) != sizeof(h->seed))
		h->seed = getpid();
	h->psn = psn & 0xffffff;
}

int transfer_connect(struct transfer *t, const struct hello *local, const struct hello *remote)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = t->opt->mtu,
		.dest_qp_num = remote->qpn,
		.rq_psn = remote->psn,
		.max_dest_rd_atomic = t->rd_atomic,
		.min_rnr_timer = 12,
		.ah_attr =
			{
				.dlid = remote->lid,
				.sl = t->opt->sl,
				.port_num = t->opt->ib_port,
			},
	};
	int ret;

	if (t->gid_index >= 0) {
		attr.ah_attr.is_global = 1;
		attr.ah_attr.grh.hop_limit = 64;
		attr.ah_attr.grh.dgid = remote->gid;
		attr.ah_attr.grh.sgid_index = t->gid_index;
	}
	ret = ibv_modify_qp(t->qp, &attr,
			    IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				    IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				    IBV_QP_MIN_RNR_TIMER);
	if (ret)
		return transfer_fail("Cannot bring the queue pair to RTR", ret);

	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS,
		/* about a quarter of a second, seven times: software devices can be slow */
		.timeout = 16,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.sq_psn = local->psn,
		.max_rd_atomic = min_uint(t->init_rd_atomic, remote->rd_atomic),
	};
	ret = ibv_modify_qp(t->qp, &attr,
			    IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				    IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
	if (ret)
		return transfer_fail("Cannot bring the queue pair to RTS", ret);
	t->remote = *remote;
	if (t->channel) {
		ret = ibv_req_notify_cq(t->cq, 0);
		if (ret)
			return transfer_fail("Cannot ask for completion events", ret);
	}
	return 0;
}

void transfer_close(struct transfer *t)
{
	if (t->qp)
		ibv_destroy_qp(t->qp);
	if (t->cq)
		ibv_destroy_cq(t->cq);
	if (t->mr)
		ibv_dereg_mr(t->mr);
	if (t->pd)
		ibv_dealloc_pd(t->pd);
	if (t->channel)
		ibv_destroy_comp_channel(t->channel);
	if (t->context)
		ibv_close_device(t->context);
	dmabuf_free(&t->buf);
	free(t->reg_usec);
	free(t->dereg_usec);
}
