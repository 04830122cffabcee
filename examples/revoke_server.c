// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * revoke_server ADDRESS [FD SIZE]: lets clients read a dma-buf by RDMA, and goes on with
 * another one when its exporter takes it away. FD is an inherited dma-buf to begin with;
 * else all are from udmabuf, which never revokes.
 *
 * A client whose read is refused has lost its connection. It connects again and is told
 * the new address and key; see revoke_client.c.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <infiniband/verbs_ext.h>
#include <rdma/rdma_cma.h>

#include "revoke.h"
#include "udmabuf.h"

#define SIZE 65536

struct server {
	struct rdma_event_channel *connections;
	struct rdma_cm_id *listener;
	struct ibv_pd *pd;
	struct ibv_ext_dmabuf_event_channel *revocations;
	struct ibv_mr *mr;
	int fd;
	size_t size;
	unsigned int generation; /* of the buffer: what its bytes are */
};

static bool fail(const char *what)
{
	fprintf(stderr, "revoke_server: %s: %s\n", what, strerror(errno));
	return false;
}

/* Registers the buffer; consents to its revocation, and wants to be told. */
static bool offer_buffer(struct server *s)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE,
		.length = s->size,
		.fd = s->fd,
		.access = IBV_ACCESS_REMOTE_READ,
	};
	struct ibv_ext_dmabuf_report report;

	if (dmabuf_fill(s->fd, s->size, ++s->generation))
		return fail("fill the buffer");
	s->mr = ibv_ext_reg_dmabuf_mr(s->pd, &attr, &report);
	if (!s->mr) {
		fprintf(stderr, "revoke_server: %s\n", ibv_ext_dmabuf_reason_str(report.reason));
		return false;
	}
	errno = ibv_ext_watch_dmabuf_mr(s->mr, s->revocations, s->mr);
	if (errno)
		return fail("watch the region");
	printf("offering buffer %u\n", s->generation);
	return !fflush(stdout);
}

static bool new_buffer(struct server *s)
{
	s->fd = udmabuf_create(SIZE);
	s->size = SIZE;
	return s->fd >= 0 ? offer_buffer(s) : fail("udmabuf");
}

/*
 * When this is called the device has stopped using the memory already; clients' reads
 * are refused. All that is left to do with the region is to deregister it.
 */
static bool handle_revocation(struct server *s)
{
	struct ibv_ext_dmabuf_event event;

	errno = ibv_ext_get_dmabuf_event(s->revocations, &event);
	if (errno == EAGAIN)
		return true;
	if (errno)
		return fail("events of regions");
	if (event.cookie != s->mr)
		return true;
	printf("buffer %u was taken away\n", s->generation);
	ibv_dereg_mr(s->mr);
	close(s->fd);
	s->mr = NULL;
	return new_buffer(s);
}

static void accept_client(struct server *s, struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr qp = {
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};
	struct offer offer = {
		.addr = htobe64(0), /* the region's iova */
		.rkey = htonl(s->mr->rkey),
		.length = htonl(s->size),
	};
	struct rdma_conn_param param = {
		.private_data = &offer,
		.private_data_len = sizeof(offer),
		.responder_resources = 1,
	};

	if (!rdma_create_qp(id, s->pd, &qp) && !rdma_accept(id, &param))
		return;
	fail("accept a client");
	rdma_destroy_id(id);
}

static bool handle_connection(struct server *s)
{
	struct rdma_cm_event *event;
	enum rdma_cm_event_type type;
	struct rdma_cm_id *id;

	if (rdma_get_cm_event(s->connections, &event))
		return errno == EAGAIN || fail("events of connections");
	type = event->event;
	id = event->id;
	rdma_ack_cm_event(event);

	switch (type) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		accept_client(s, id);
		return true;
	case RDMA_CM_EVENT_DISCONNECTED:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		rdma_destroy_qp(id);
		rdma_destroy_id(id);
		return true;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		errno = ENODEV;
		return fail("the device");
	default:
		return true;
	}
}

static bool serve(struct server *s)
{
	struct pollfd fds[] = {
		{ .fd = s->revocations->fd, .events = POLLIN },
		{ .fd = s->connections->fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return fail("poll");
		/* First the revocation, so that no client is told a dead key. */
		if (fds[0].revents && !handle_revocation(s))
			return false;
		if (fds[1].revents && !handle_connection(s))
			return false;
	}
}

static bool open_server(struct server *s, const char *address)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE, .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *found;
	bool bound;

	s->connections = rdma_create_event_channel();
	if (!s->connections || rdma_create_id(s->connections, &s->listener, NULL, RDMA_PS_TCP) ||
	    rdma_getaddrinfo(address, PORT, &hints, &found))
		return fail(address);
	bound = !rdma_bind_addr(s->listener, found->ai_src_addr);
	rdma_freeaddrinfo(found);
	/* An address of one device, not of all */
	if (!bound || !s->listener->verbs)
		return fail(address);
	s->pd = ibv_alloc_pd(s->listener->verbs);
	if (!s->pd)
		return fail("protection domain");
	s->revocations = ibv_ext_create_dmabuf_event_channel(s->listener->verbs);
	if (!s->revocations)
		return fail("event channel");
	if (fcntl(s->revocations->fd, F_SETFL, O_NONBLOCK) ||
	    fcntl(s->connections->fd, F_SETFL, O_NONBLOCK))
		return fail("O_NONBLOCK");
	return true;
}

int main(int argc, char **argv)
{
	struct server s = {};
	bool ok;

	if (argc != 2 && argc != 4) {
		fputs("usage: revoke_server ADDRESS [FD SIZE]\n", stderr);
		return 2;
	}
	if (!open_server(&s, argv[1]))
		return 1;
	if (argc == 4) {
		s.fd = atoi(argv[2]);
		s.size = strtoul(argv[3], NULL, 0);
		ok = offer_buffer(&s);
	} else {
		ok = new_buffer(&s);
	}
	/* Ends only when it fails; the kernel releases what it has. */
	if (!ok || rdma_listen(s.listener, 16))
		return 1;
	return serve(&s) ? 0 : 1;
}
