// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rc_pair.h"

#define PORT 1
#define QUEUE_SIZE 16
#define TIMEOUT_S 20

/* A kernel with all its checks on is slow: 4.096 us * 2^18, about a second. */
#define ACK_TIMEOUT 18

static bool is_ipv4_mapped(const union ibv_gid *gid)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(gid->raw, prefix, sizeof(prefix));
}

static int find_gid(struct rc_pair *pair, struct ibv_context *context)
{
	struct ibv_port_attr port;
	int i;

	if (ibv_query_port(context, PORT, &port))
		return EIO;
	pair->mtu = port.active_mtu;
	for (i = 0; i < port.gid_tbl_len; i++) {
		if (ibv_query_gid(context, PORT, i, &pair->gid) || !is_ipv4_mapped(&pair->gid))
			continue;
		pair->gid_index = i;
		return 0;
	}
	return ENOENT;
}

static struct ibv_qp *create_qp(struct ibv_pd *pd, struct ibv_cq *cq, enum ibv_qp_type type)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = {
			.max_send_wr = QUEUE_SIZE,
			.max_recv_wr = QUEUE_SIZE,
			.max_send_sge = 1,
			.max_recv_sge = 1,
		},
		.qp_type = type,
	};

	return ibv_create_qp(pd, &init);
}

static int connect_qp(struct rc_pair *pair, struct ibv_qp *qp, uint32_t peer)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
				   IBV_ACCESS_REMOTE_ATOMIC,
		.path_mtu = pair->mtu,
		.dest_qp_num = peer,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.min_rnr_timer = 1,
		.timeout = ACK_TIMEOUT,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.ah_attr = {
			.port_num = PORT,
			.is_global = 1,
			.grh = {
				.dgid = pair->gid,
				.sgid_index = pair->gid_index,
				.hop_limit = 1,
			},
		},
	};
	/* Of a reliable connection also how long it waits and how much it reads. */
	const bool reliable = qp->qp_type == IBV_QPT_RC;
	int err;

	err = ibv_modify_qp(qp, &attr,
			    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	if (err)
		return err;
	attr.qp_state = IBV_QPS_RTR;
	err = ibv_modify_qp(
		qp, &attr,
		IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			(reliable ? IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER : 0));
	if (err)
		return err;
	attr.qp_state = IBV_QPS_RTS;
	return ibv_modify_qp(qp, &attr,
			     IBV_QP_STATE | IBV_QP_SQ_PSN |
				     (reliable ?
					      IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
						      IBV_QP_MAX_QP_RD_ATOMIC :
					      0));
}

static int connect_both(struct rc_pair *pair)
{
	int err = connect_qp(pair, pair->requester, pair->responder->qp_num);

	return err ? err : connect_qp(pair, pair->responder, pair->requester->qp_num);
}

void rc_pair_destroy(struct rc_pair *pair)
{
	if (pair->requester)
		ibv_destroy_qp(pair->requester);
	if (pair->responder)
		ibv_destroy_qp(pair->responder);
	if (pair->requester_cq)
		ibv_destroy_cq(pair->requester_cq);
	if (pair->responder_cq)
		ibv_destroy_cq(pair->responder_cq);
	memset(pair, 0, sizeof(*pair));
}

static int create_pair(struct rc_pair *pair, struct ibv_pd *pd, enum ibv_qp_type type,
		       struct ibv_comp_channel *channel)
{
	int err;

	memset(pair, 0, sizeof(*pair));
	err = find_gid(pair, pd->context);
	if (err)
		return err;

	pair->requester_cq = ibv_create_cq(pd->context, QUEUE_SIZE, NULL, channel, 0);
	pair->responder_cq = ibv_create_cq(pd->context, QUEUE_SIZE, NULL, channel, 0);
	if (!pair->requester_cq || !pair->responder_cq)
		goto err_errno;
	pair->requester = create_qp(pd, pair->requester_cq, type);
	pair->responder = create_qp(pd, pair->responder_cq, type);
	if (!pair->requester || !pair->responder)
		goto err_errno;
	err = connect_both(pair);
	if (err)
		rc_pair_destroy(pair);
	return err;

err_errno:
	err = errno;
	rc_pair_destroy(pair);
	return err;
}

int rc_pair_create(struct rc_pair *pair, struct ibv_pd *pd)
{
	return create_pair(pair, pd, IBV_QPT_RC, NULL);
}

int rc_pair_create_with_channel(struct rc_pair *pair, struct ibv_pd *pd,
				struct ibv_comp_channel *channel)
{
	return create_pair(pair, pd, IBV_QPT_RC, channel);
}

int uc_pair_create(struct rc_pair *pair, struct ibv_pd *pd)
{
	return create_pair(pair, pd, IBV_QPT_UC, NULL);
}

static void drain(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) > 0)
		;
}

static int try_reset(struct rc_pair *pair)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RESET };
	int err;

	err = ibv_modify_qp(pair->requester, &attr, IBV_QP_STATE);
	if (!err)
		err = ibv_modify_qp(pair->responder, &attr, IBV_QP_STATE);
	if (err)
		return err;
	drain(pair->requester_cq);
	drain(pair->responder_cq);
	return connect_both(pair);
}

/*
 * A QP that failed tells its peer before it enters the error state, and may do
 * that when it has been reset already.
 */
int rc_pair_reset(struct rc_pair *pair)
{
	int tries = 100;
	int err;

	while ((err = try_reset(pair)) == EINVAL && --tries)
		usleep(10000);
	return err;
}

unsigned int rc_pair_mtu(const struct rc_pair *pair)
{
	return 128U << pair->mtu;
}

static int wait_for(struct ibv_cq *cq, struct ibv_wc *wc)
{
	time_t end = time(NULL) + TIMEOUT_S;
	int n;

	do {
		n = ibv_poll_cq(cq, 1, wc);
		if (n > 0)
			return wc->status;
		sched_yield();
	} while (!n && time(NULL) < end);
	return RC_TIMED_OUT;
}

int rc_wait(struct rc_pair *pair)
{
	struct ibv_wc wc;

	return wait_for(pair->requester_cq, &wc);
}

int rc_wait_receive(struct rc_pair *pair, struct ibv_wc *wc)
{
	return wait_for(pair->responder_cq, wc);
}

int rc_wait_responder(struct rc_pair *pair)
{
	struct ibv_wc wc;

	return rc_wait_receive(pair, &wc);
}

static int execute(struct rc_pair *pair, struct rc_bytes local, struct ibv_send_wr *wr)
{
	struct ibv_sge sge = {
		.addr = local.addr,
		.length = local.length,
		.lkey = local.key,
	};
	struct ibv_send_wr *bad;
	int err;

	wr->sg_list = &sge;
	wr->num_sge = 1;
	wr->send_flags = IBV_SEND_SIGNALED;
	err = ibv_post_send(pair->requester, wr, &bad);
	if (err) {
		errno = err;
		return RC_NOT_POSTED;
	}
	return rc_wait(pair);
}

int rc_write(struct rc_pair *pair, struct rc_bytes from, uint64_t to, uint32_t rkey)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = { .remote_addr = to, .rkey = rkey },
	};

	return execute(pair, from, &wr);
}

int rc_read(struct rc_pair *pair, struct rc_bytes to, uint64_t from, uint32_t rkey)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.wr.rdma = { .remote_addr = from, .rkey = rkey },
	};

	return execute(pair, to, &wr);
}

int rc_send(struct rc_pair *pair, struct rc_bytes from, struct rc_bytes to, int *received)
{
	struct ibv_sge sge = { .addr = to.addr, .length = to.length, .lkey = to.key };
	struct ibv_recv_wr recv = { .sg_list = &sge, .num_sge = 1 };
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND };
	struct ibv_recv_wr *bad;
	int status, err;

	err = ibv_post_recv(pair->responder, &recv, &bad);
	if (err) {
		errno = err;
		return RC_NOT_POSTED;
	}
	status = execute(pair, from, &wr);
	*received = status < 0 ? status : rc_wait_responder(pair);
	return status;
}

int rc_fetch_add(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey,
		 uint64_t add)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		.wr.atomic = { .remote_addr = at, .rkey = rkey, .compare_add = add },
	};

	return execute(pair, old, &wr);
}

int rc_compare_swap(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey,
		    uint64_t compare, uint64_t swap)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_ATOMIC_CMP_AND_SWP,
		.wr.atomic = {
			.remote_addr = at,
			.rkey = rkey,
			.compare_add = compare,
			.swap = swap,
		},
	};

	return execute(pair, old, &wr);
}

const char *rc_status_str(int status)
{
	switch (status) {
	case RC_TIMED_OUT:
		return "no completion";
	case RC_NOT_POSTED:
		return "not posted";
	default:
		return ibv_wc_status_str(status);
	}
}
