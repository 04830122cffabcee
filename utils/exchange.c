// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"

#define HELLO_VERSION 1
#define RESULT_LEN 64

static struct addrinfo *resolve(const char *host, unsigned int port, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags,
	};
	struct addrinfo *res;
	char service[8];
	int ret;

	snprintf(service, sizeof(service), "%u", port);
	ret = getaddrinfo(host, service, &hints, &res);
	if (ret) {
		fprintf(stderr, "%s for %s:%u\n", gai_strerror(ret), host ? host : "*", port);
		return NULL;
	}
	return res;
}

/* Short messages that the other side waits for. */
static void set_nodelay(int sock)
{
	int one = 1;

	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int exchange_listen(unsigned int port)
{
	struct addrinfo *res = resolve(NULL, port, AI_PASSIVE);
	struct addrinfo *t;
	int one = 1;
	int err = 0;
	int sock = -1;

	if (!res)
		return -1;
	for (t = res; t; t = t->ai_next) {
		sock = socket(t->ai_family, t->ai_socktype | SOCK_CLOEXEC, t->ai_protocol);
		if (sock < 0) {
			err = errno;
			continue;
		}
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (!bind(sock, t->ai_addr, t->ai_addrlen) && !listen(sock, 1))
			break;
		err = errno;
		close(sock);
		sock = -1;
	}
	freeaddrinfo(res);
	if (sock < 0)
		fprintf(stderr, "Cannot listen on port %u: %s\n", port, strerror(err));
	return sock;
}

int exchange_accept(int listener)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (sock < 0)
		fprintf(stderr, "accept: %s\n", strerror(errno));
	else
		set_nodelay(sock);
	return sock;
}

static int connect_once(const struct addrinfo *res)
{
	int err = EADDRNOTAVAIL;
	int sock;

	for (; res; res = res->ai_next) {
		sock = socket(res->ai_family, res->ai_socktype | SOCK_CLOEXEC, res->ai_protocol);
		if (sock < 0) {
			err = errno;
			continue;
		}
		if (!connect(sock, res->ai_addr, res->ai_addrlen)) {
			set_nodelay(sock);
			return sock;
		}
		err = errno;
		close(sock);
	}
	errno = err;
	return -1;
}

int exchange_connect(const char *host, unsigned int port, unsigned int wait)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct addrinfo *res = resolve(host, port, 0);
	time_t end = time(NULL) + wait;
	int sock;

	if (!res)
		return -1;
	while ((sock = connect_once(res)) < 0 && time(NULL) < end)
		nanosleep(&pause, NULL);
	if (sock < 0)
		fprintf(stderr, "Cannot connect to %s:%u: %s\n", host, port, strerror(errno));
	freeaddrinfo(res);
	return sock;
}

static int write_all(int sock, const char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = send(sock, buf, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0) {
			fprintf(stderr, "Cannot send to the peer: %s\n", strerror(errno));
			return -1;
		}
	}
	return 0;
}

static int read_all(int sock, char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = recv(sock, buf, len, 0);
		if (!n) {
			fprintf(stderr, "The peer closed the connection\n");
			return -1;
		}
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0) {
			fprintf(stderr, "Cannot hear the peer: %s\n", strerror(errno));
			return -1;
		}
	}
	return 0;
}

void hello_format(const struct hello *h, char line[HELLO_LEN])
{
	const uint8_t *g = h->gid.raw;
	int n;

	n = snprintf(line, HELLO_LEN,
		     "ibv_dmabuf_pingpong %d op=%s size=%" PRIu64 " iters=%u batch=%u mtu=%u "
		     "lid=%04x gid=%08x%08x%08x%08x qpn=%06x psn=%06x rkey=%08x "
		     "tx=%016" PRIx64 " rx=%016" PRIx64 " stride=%" PRIu64
		     " rd=%u seed=%016" PRIx64,
		     HELLO_VERSION, operation_str(h->op), h->size, h->iters, h->batch,
		     (unsigned int)h->mtu, h->lid,
		     (uint32_t)g[0] << 24 | g[1] << 16 | g[2] << 8 | g[3],
		     (uint32_t)g[4] << 24 | g[5] << 16 | g[6] << 8 | g[7],
		     (uint32_t)g[8] << 24 | g[9] << 16 | g[10] << 8 | g[11],
		     (uint32_t)g[12] << 24 | g[13] << 16 | g[14] << 8 | g[15], h->qpn, h->psn,
		     h->rkey, h->tx_addr, h->rx_addr, h->stride, h->rd_atomic, h->seed);
	memset(line + n, ' ', HELLO_LEN - 1 - n);
	line[HELLO_LEN - 1] = '\n';
}

int hello_parse(const char line[HELLO_LEN], struct hello *h)
{
	char text[HELLO_LEN];
	uint32_t gid[4];
	char op[8];
	unsigned int mtu;
	unsigned int lid;
	int version;
	int n;
	int i;

	memcpy(text, line, HELLO_LEN);
	if (text[HELLO_LEN - 1] != '\n')
		return -1;
	text[HELLO_LEN - 1] = '\0';
	memset(h, 0, sizeof(*h));
	n = sscanf(text,
		   "ibv_dmabuf_pingpong %d op=%7s size=%" SCNu64 " iters=%u batch=%u mtu=%u "
		   "lid=%4x gid=%8" SCNx32 "%8" SCNx32 "%8" SCNx32 "%8" SCNx32 " qpn=%" SCNx32
		   " psn=%" SCNx32 " rkey=%" SCNx32 " tx=%" SCNx64 " rx=%" SCNx64 " stride=%" SCNu64
		   " rd=%u seed=%" SCNx64,
		   &version, op, &h->size, &h->iters, &h->batch, &mtu, &lid, &gid[0], &gid[1],
		   &gid[2], &gid[3], &h->qpn, &h->psn, &h->rkey, &h->tx_addr, &h->rx_addr,
		   &h->stride, &h->rd_atomic, &h->seed);
	if (n != 19 || version != HELLO_VERSION)
		return -1;
	for (h->op = 0; h->op < OP_COUNT; h->op++)
		if (!strcmp(op, operation_str(h->op)))
			break;
	if (h->op == OP_COUNT)
		return -1;
	if (mtu < IBV_MTU_256 || mtu > IBV_MTU_4096)
		return -1;
	h->mtu = mtu;
	h->lid = lid;
	for (i = 0; i < 16; i++)
		h->gid.raw[i] = gid[i / 4] >> (24 - 8 * (i % 4));
	return 0;
}

static int differ(const char *what, uint64_t local, uint64_t remote)
{
	if (local == remote)
		return 0;
	fprintf(stderr, "The two sides disagree on the %s: %" PRIu64 " here, %" PRIu64 " there\n",
		what, local, remote);
	return -1;
}

int hello_compare(const struct hello *local, const struct hello *remote)
{
	int ret = 0;

	if (local->op != remote->op) {
		fprintf(stderr, "The two sides disagree on the operation: %s here, %s there\n",
			operation_str(local->op), operation_str(remote->op));
		ret = -1;
	}
	ret |= differ("message size", local->size, remote->size);
	ret |= differ("number of exchanges", local->iters, remote->iters);
	ret |= differ("MTU", 128U << local->mtu, 128U << remote->mtu);
	/* follows from the others and from --buffer and --rx-depth */
	if (!ret)
		ret = differ("number of messages in a batch (--buffer, --rx-depth)", local->batch,
			     remote->batch);
	return ret;
}

int exchange_hello(int sock, const struct hello *local, struct hello *remote)
{
	char line[HELLO_LEN];

	hello_format(local, line);
	if (write_all(sock, line, sizeof(line)) || read_all(sock, line, sizeof(line)))
		return -1;
	if (hello_parse(line, remote)) {
		fprintf(stderr, "The peer is not this version of ibv_dmabuf_pingpong\n");
		return -1;
	}
	return hello_compare(local, remote);
}

int exchange_result(int sock, const struct slots_result *local, struct slots_result *remote)
{
	char line[RESULT_LEN] = "";

	snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 " %" PRIu64, local->verified,
		 local->wrong, local->guard_written);
	if (write_all(sock, line, sizeof(line)) || read_all(sock, line, sizeof(line)))
		return -1;
	line[sizeof(line) - 1] = '\0';
	memset(remote, 0, sizeof(*remote));
	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &remote->verified, &remote->wrong,
		   &remote->guard_written) != 3) {
		fprintf(stderr, "The peer's result cannot be read\n");
		return -1;
	}
	return 0;
}

int exchange_barrier(int sock, char step)
{
	char other;

	if (write_all(sock, &step, 1) || read_all(sock, &other, 1))
		return -1;
	if (other != step) {
		fprintf(stderr, "The peer is at step '%c' instead of '%c'\n", other, step);
		return -1;
	}
	return 0;
}

bool exchange_peer_gone(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0;
}
