// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * revoke_client ADDRESS READS: reads the buffer of revoke_server so many times, and
 * connects again when a read is refused, as it is when the buffer was taken away.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#include "revoke.h"

#define PAUSE_US 50000

struct client {
	struct rdma_cm_id *id;
	struct ibv_mr *mr;
	uint8_t *data;
	struct offer offer; /* in the order of this machine's bytes */
};

static bool fail(const char *what)
{
	fprintf(stderr, "revoke_client: %s: %s\n", what, strerror(errno));
	return false;
}

static void disconnect(struct client *c)
{
	if (c->mr)
		rdma_dereg_mr(c->mr);
	if (c->id)
		rdma_destroy_ep(c->id);
	free(c->data);
	*c = (struct client){};
}

static bool take_offer(struct client *c)
{
	const struct rdma_conn_param *param = &c->id->event->param.conn;
	struct offer offer;

	if (param->private_data_len < sizeof(offer))
		return false;
	memcpy(&offer, param->private_data, sizeof(offer));
	c->offer.addr = be64toh(offer.addr);
	c->offer.rkey = ntohl(offer.rkey);
	c->offer.length = ntohl(offer.length);
	c->data = malloc(c->offer.length);
	c->mr = c->data ? rdma_reg_msgs(c->id, c->data, c->offer.length) : NULL;
	return c->mr;
}

static bool try_to_connect(struct client *c, struct rdma_addrinfo *server)
{
	struct ibv_qp_init_attr qp = {
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	struct rdma_conn_param param = { .initiator_depth = 1, .retry_count = 7 };

	if (rdma_create_ep(&c->id, server, NULL, &qp)) {
		c->id = NULL;
		return false;
	}
	if (!rdma_connect(c->id, &param) && take_offer(c))
		return true;
	disconnect(c);
	return false;
}

/* Returns the byte that all of the buffer has; -1, and errno, if the read was refused. */
static int read_buffer(struct client *c)
{
	struct ibv_wc wc;
	uint32_t i;

	if (rdma_post_read(c->id, NULL, c->data, c->offer.length, c->mr, 0, c->offer.addr,
			   c->offer.rkey) ||
	    rdma_get_send_comp(c->id, &wc) < 0)
		return -1;
	if (wc.status != IBV_WC_SUCCESS) {
		printf("refused: %s\n", ibv_wc_status_str(wc.status));
		errno = EACCES;
		return -1;
	}
	for (i = 1; i < c->offer.length; i++) {
		if (c->data[i] != c->data[0]) {
			fprintf(stderr, "revoke_client: byte %u is %u, not %u\n", i, c->data[i],
				c->data[0]);
			exit(1);
		}
	}
	return c->data[0];
}

/* The server may be busy with its new buffer, or not there yet. */
static bool connect_again(struct client *c, struct rdma_addrinfo *server)
{
	int tries = 100;

	disconnect(c);
	while (!try_to_connect(c, server)) {
		if (!--tries)
			return fail("connect");
		usleep(PAUSE_US);
	}
	return true;
}

static bool read_repeatedly(struct client *c, struct rdma_addrinfo *server, unsigned int reads)
{
	int before = -1, now;

	while (reads) {
		now = c->id ? read_buffer(c) : -1;
		if (now < 0) {
			if (!connect_again(c, server))
				return false;
			continue;
		}
		if (now != before)
			printf("read buffer %d\n", now);
		fflush(stdout);
		before = now;
		reads--;
		usleep(PAUSE_US);
	}
	return true;
}

int main(int argc, char **argv)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *server;
	struct client c = {};
	bool ok;

	if (argc != 3) {
		fputs("usage: revoke_client ADDRESS READS\n", stderr);
		return 2;
	}
	if (rdma_getaddrinfo(argv[1], PORT, &hints, &server)) {
		fail(argv[1]);
		return 1;
	}
	ok = read_repeatedly(&c, server, strtoul(argv[2], NULL, 0));
	disconnect(&c);
	rdma_freeaddrinfo(server);
	return ok ? 0 : 1;
}
