// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider_queues.h"

#define DEVICE "rxe0"
#define PORT 1
#define BUFFER_SIZE 4096

void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void check(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

/* For calls that return an errno value */
static void check_ret(int ret, const char *what)
{
	if (ret)
		errno = ret;
	check(!ret, what);
}

static struct ibv_context *open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	check(list, "list of devices");
	for (int i = 0; list[i] && !context; i++)
		if (!strcmp(ibv_get_device_name(list[i]), DEVICE))
			context = ibv_open_device(list[i]);
	ibv_free_device_list(list);
	check(context, DEVICE);
	return context;
}

void domain_open(struct domain *d, bool thread_domain)
{
	struct ibv_td_init_attr td_attr = {};
	struct ibv_parent_domain_init_attr attr = {};

	memset(d, 0, sizeof(*d));
	d->context = open_device();
	d->protection_domain = ibv_alloc_pd(d->context);
	check(d->protection_domain, "PD");
	d->pd = d->protection_domain;
	if (thread_domain) {
		d->td = ibv_alloc_td(d->context, &td_attr);
		check(d->td, "thread domain");
		attr.pd = d->protection_domain;
		attr.td = d->td;
		d->pd = ibv_alloc_parent_domain(d->context, &attr);
		check(d->pd, "parent domain");
	}
	d->buffer = aligned_alloc(BUFFER_SIZE, BUFFER_SIZE);
	check(d->buffer, "buffer");
	d->mr = ibv_reg_mr(d->pd, d->buffer, BUFFER_SIZE, IBV_ACCESS_LOCAL_WRITE);
	check(d->mr, "MR");
}

void domain_close(struct domain *d)
{
	ibv_dereg_mr(d->mr);
	free(d->buffer);
	if (d->td) {
		ibv_dealloc_pd(d->pd);
		ibv_dealloc_td(d->td);
	}
	ibv_dealloc_pd(d->protection_domain);
	ibv_close_device(d->context);
}

static struct ibv_cq_ex *create_cq(struct domain *d)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = DEPTH,
		.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_QP_NUM,
	};
	struct ibv_cq_ex *cq;

	if (d->td) {
		attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD;
		attr.parent_domain = d->pd;
	}
	cq = ibv_create_cq_ex(d->context, &attr);
	check(cq, "CQ");
	return cq;
}

static struct ibv_srq *create_srq(struct domain *d)
{
	struct ibv_srq_init_attr attr = {
		.attr = { .max_wr = DEPTH, .max_sge = 1 },
	};
	struct ibv_srq *srq = ibv_create_srq(d->pd, &attr);

	check(srq, "SRQ");
	return srq;
}

static struct ibv_qp *create_qp(struct queues *q, bool qp_ex)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = ibv_cq_ex_to_cq(q->send_cq),
		.recv_cq = ibv_cq_ex_to_cq(q->recv_cq),
		.srq = q->srq,
		.cap = {
			.max_send_wr = DEPTH,
			.max_recv_wr = q->srq ? 0 : DEPTH,
			.max_send_sge = 1,
			.max_recv_sge = q->srq ? 0 : 1,
			.max_inline_data = 64,
		},
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = q->domain->pd,
	};
	struct ibv_qp *qp;

	if (qp_ex) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		attr.send_ops_flags = IBV_QP_EX_WITH_SEND;
	}
	qp = ibv_create_qp_ex(q->domain->context, &attr);
	check(qp, "QP");
	return qp;
}

static bool is_ipv4_mapped(const union ibv_gid *gid)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(gid->raw, prefix, sizeof(prefix));
}

static int find_gid(struct ibv_context *context, union ibv_gid *gid)
{
	struct ibv_port_attr port;

	check_ret(ibv_query_port(context, PORT, &port), "port");
	for (int i = 0; i < port.gid_tbl_len; i++)
		if (!ibv_query_gid(context, PORT, i, gid) && is_ipv4_mapped(gid))
			return i;
	errno = ENOENT;
	die("GID");
}

static void connect_to_itself(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = qp->qp_num,
		.max_dest_rd_atomic = 1,
		.max_rd_atomic = 1,
		.min_rnr_timer = 1,
		.timeout = 18,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.ah_attr = {
			.port_num = PORT,
			.is_global = 1,
			.grh.hop_limit = 1,
		},
	};

	attr.ah_attr.grh.sgid_index = find_gid(qp->context, &attr.ah_attr.grh.dgid);
	check_ret(ibv_modify_qp(qp, &attr,
				IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
					IBV_QP_ACCESS_FLAGS),
		  "INIT");
	attr.qp_state = IBV_QPS_RTR;
	check_ret(ibv_modify_qp(qp, &attr,
				IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
					IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
					IBV_QP_MIN_RNR_TIMER),
		  "RTR");
	attr.qp_state = IBV_QPS_RTS;
	check_ret(ibv_modify_qp(qp, &attr,
				IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
					IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC),
		  "RTS");
}

void queues_create(struct queues *q, struct domain *d, int flags)
{
	memset(q, 0, sizeof(*q));
	q->domain = d;
	q->send_cq = create_cq(d);
	q->recv_cq = create_cq(d);
	if (flags & WITH_SRQ)
		q->srq = create_srq(d);
	q->qp = create_qp(q, flags & WITH_QP_EX);
	if (flags & WITH_QP_EX)
		q->qp_ex = ibv_qp_to_qp_ex(q->qp);
	connect_to_itself(q->qp);
}

void queues_destroy(struct queues *q)
{
	ibv_destroy_qp(q->qp);
	if (q->srq)
		ibv_destroy_srq(q->srq);
	ibv_destroy_cq(ibv_cq_ex_to_cq(q->recv_cq));
	ibv_destroy_cq(ibv_cq_ex_to_cq(q->send_cq));
}

struct ibv_send_wr *send_list(struct queues *q, int num, int send_flags)
{
	static struct ibv_send_wr wr[BATCH];
	static struct ibv_sge sge;

	sge = (struct ibv_sge){
		.addr = (uintptr_t)q->domain->buffer,
		.length = 1,
		.lkey = q->domain->mr->lkey,
	};
	for (int i = 0; i < num; i++)
		wr[i] = (struct ibv_send_wr){
			.wr_id = i,
			.next = i + 1 < num ? &wr[i + 1] : NULL,
			.sg_list = &sge,
			.num_sge = 1,
			.opcode = IBV_WR_SEND,
			.send_flags = IBV_SEND_SIGNALED | send_flags,
		};
	return wr;
}

struct ibv_recv_wr *recv_list(struct queues *q, int num)
{
	static struct ibv_recv_wr wr[BATCH];
	static struct ibv_sge sge;

	sge = (struct ibv_sge){
		.addr = (uintptr_t)q->domain->buffer + 64,
		.length = 64,
		.lkey = q->domain->mr->lkey,
	};
	for (int i = 0; i < num; i++)
		wr[i] = (struct ibv_recv_wr){
			.wr_id = i,
			.next = i + 1 < num ? &wr[i + 1] : NULL,
			.sg_list = &sge,
			.num_sge = 1,
		};
	return wr;
}

void post_sends(struct queues *q, int num)
{
	struct ibv_send_wr *bad;

	check_ret(ibv_post_send(q->qp, send_list(q, num, 0), &bad), "send");
}

void post_recvs(struct queues *q, int num)
{
	struct ibv_recv_wr *bad;

	if (q->srq)
		check_ret(ibv_post_srq_recv(q->srq, recv_list(q, num), &bad), "receive");
	else
		check_ret(ibv_post_recv(q->qp, recv_list(q, num), &bad), "receive");
}

void drain(struct ibv_cq_ex *cq, int num)
{
	struct ibv_wc wc[BATCH];

	while (num > 0) {
		int found = ibv_poll_cq(ibv_cq_ex_to_cq(cq), num < BATCH ? num : BATCH, wc);

		check(found >= 0, "poll");
		for (int i = 0; i < found; i++) {
			errno = EIO;
			check(wc[i].status == IBV_WC_SUCCESS, ibv_wc_status_str(wc[i].status));
		}
		num -= found;
		if (!found)
			sched_yield();
	}
}
