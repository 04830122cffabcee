// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Threads that use an owner's regions, whatever has become of them. What the keys
 * were once they may not reach any more.
 */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "edu.h"
#include "soak.h"
#include "test.h"

/* Leaves the CPU to those who revoke. */
#define PAUSE_US 1000
#define RECONNECT_US 20000
#define MAX_LENGTH 2048U

struct traffic {
	struct soak_thread *thread;
	struct rc_pair pair;
	uint8_t *local;
	struct ibv_mr *local_mr;
};

/* A device that was just added gets its GID a moment later. */
static void connect_pair(struct traffic *t, int (*create)(struct rc_pair *, struct ibv_pd *))
{
	int tries = 2000;
	int err;

	while ((err = create(&t->pair, t->thread->pd)) == ENOENT && --tries)
		usleep(10000);
	soak_check(!err, "QPs: %s", strerrorname(err));
}

static void setup(struct traffic *t, struct soak_thread *thread)
{
	t->thread = thread;
	t->local = calloc(1, SOAK_SIZE);
	soak_check(t->local, "no memory");
	t->local_mr = ibv_reg_mr(thread->pd, t->local, SOAK_SIZE, ACCESS_ALL);
	soak_check(t->local_mr, "MR: %s", strerrorname(errno));
}

static void teardown(struct traffic *t)
{
	rc_pair_destroy(&t->pair);
	ibv_dereg_mr(t->local_mr);
	free(t->local);
}

/* The last one is rxe's word for a local key that is none any more. */
static bool is_refusal(int status)
{
	return status == IBV_WC_REM_ACCESS_ERR || status == IBV_WC_LOC_PROT_ERR ||
	       status == IBV_WC_WR_FLUSH_ERR || status == IBV_WC_LOC_QP_OP_ERR;
}

static void post_write(struct traffic *t)
{
	struct fuzz_random *random = &t->thread->random;
	struct ibv_sge sge = {
		.addr = (uintptr_t)t->local,
		.length = 1 + fuzz_below(random, MAX_LENGTH),
		.lkey = t->local_mr->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = {
			.remote_addr = fuzz_below(random, SOAK_SIZE - MAX_LENGTH),
			.rkey = soak.shared->keys[t->thread->number].rkey,
		},
	};
	struct ibv_send_wr *bad;

	soak_check(!ibv_post_send(t->pair.requester, &wr, &bad), "post: %s", strerrorname(errno));
}

/* An unreliable connection survives that the other side refuses a write. */
void *soak_writer_main(void *arg)
{
	struct traffic t = {};
	int i, status;

	setup(&t, arg);
	connect_pair(&t, uc_pair_create);
	memset(t.local, SOAK_WRITTEN, SOAK_SIZE);
	while (!soak.shared->stop) {
		for (i = 0; i < SOAK_BATCH; i++)
			post_write(&t);
		for (i = 0; i < SOAK_BATCH; i++) {
			status = rc_wait(&t.pair);
			soak_check(!status, "a write: %s", rc_status_str(status));
		}
		soak.shared->counts.transfers += SOAK_BATCH;
		usleep(PAUSE_US);
	}
	teardown(&t);
	return NULL;
}

static int some_transfer(struct traffic *t)
{
	const unsigned int owner = t->thread->number;
	struct rc_bytes local = {
		.addr = (uintptr_t)t->local,
		.length = MAX_LENGTH,
		.key = t->local_mr->lkey,
	};
	struct rc_bytes dmabuf = {
		.length = MAX_LENGTH,
		.key = soak.shared->keys[owner].lkey,
	};
	struct rc_bytes word = { .addr = local.addr, .length = 8, .key = local.key };
	const uint32_t rkey = soak.shared->keys[owner].rkey;
	int status, received;

	switch (fuzz_below(&t->thread->random, 6)) {
	case 0:
		return rc_read(&t->pair, local, 0, rkey);
	case 1:
		return rc_write(&t->pair, local, 0, rkey);
	case 2:
		return rc_fetch_add(&t->pair, word, 8, rkey, 0);
	case 3:
		return rc_compare_swap(&t->pair, word, 16, rkey, 0, 0);
	case 4: /* the dma-buf is the requester's side */
		return rc_write(&t->pair, dmabuf, local.addr, t->local_mr->rkey);
	default:
		status = rc_send(&t->pair, local, dmabuf, &received);
		return received ? received : status;
	}
}

/* Memory that was taken back is full of poison, of which nobody ever reads any. */
void *soak_reader_main(void *arg)
{
	struct traffic t = {};
	int status;

	setup(&t, arg);
	connect_pair(&t, rc_pair_create);
	memset(t.local, SOAK_WRITTEN, SOAK_SIZE);
	while (!soak.shared->stop) {
		status = some_transfer(&t);
		soak.shared->counts.transfers++;
		soak_check(!memchr(t.local, SOAK_POISON, SOAK_SIZE), "read the poison");
		if (!status) {
			usleep(PAUSE_US);
			continue;
		}
		soak_check(is_refusal(status), "a transfer: %s", rc_status_str(status));
		/* New ones: in the old ones rxe may still be about to enter the error state. */
		rc_pair_destroy(&t.pair);
		connect_pair(&t, rc_pair_create);
		usleep(RECONNECT_US);
	}
	teardown(&t);
	return NULL;
}

/* A transfer of the device takes at least 0.2 s. */
void *soak_dma_main(void *arg)
{
	struct soak_thread *thread = arg;
	uint8_t bytes[64];
	int edu, err;

	edu = edu_open();
	soak_check(edu >= 0, "edu: %s", strerrorname(errno));
	while (!soak.shared->stop) {
		uint32_t key = soak.shared->keys[thread->number].lkey;

		memset(bytes, SOAK_WRITTEN, sizeof(bytes));
		if (fuzz_one_in(&thread->random, 2)) {
			err = edu_write(edu, key, 0, bytes, sizeof(bytes));
		} else {
			err = edu_read(edu, key, 0, bytes, sizeof(bytes));
			soak_check(err || !memchr(bytes, SOAK_POISON, sizeof(bytes)),
				   "read the poison");
		}
		/* No such key any more, or it was revoked; and the device may have gone. */
		soak_check(!err || err == EFAULT || err == ENODEV || err == EIO, "DMA: %s",
			   strerrorname(err));
		soak.shared->counts.transfers++;
		usleep(PAUSE_US);
	}
	close(edu);
	return NULL;
}
