// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Several regions over one dma-buf: of one process, where they share one
 * attachment and one charge, and of two.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"
#include "fixture.h"
#include "kernel.h"
#include "rc_pair.h"
#include "test.h"

static void slices_share_attachment_and_charge(void **state)
{
	enum { SLICES = 64 };
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SLICES * PAGE);
	struct ibv_mr *mrs[SLICES];
	struct usage idle;
	int i;

	usage_read(&idle);
	for (i = 0; i < SLICES; i++) {
		mrs[i] = register_pinned(f->pd, buf, i * PAGE, PAGE, i * PAGE, ACCESS_ALL);
		assert_held(&idle, i + 1, 1, buf->size, "with slices");
	}
	for (i = 0; i < SLICES; i++) {
		deregister(mrs[i]);
		assert_held(&idle, SLICES - 1 - i, i < SLICES - 1, i < SLICES - 1 ? buf->size : 0,
			    "with fewer slices");
	}
}

/* The same buffer by another descriptor and by another context is the same. */
static void descriptors_and_contexts_share(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, 4 * PAGE);
	struct dmabuf copy = *buf;
	struct ibv_context *context;
	struct ibv_mr *mrs[3];
	struct usage idle;
	struct ibv_pd *pd;

	context = open_device();
	assert_non_null(context);
	pd = ibv_alloc_pd(context);
	assert_non_null(pd);
	copy.fd = dup(buf->fd);
	assert_true(copy.fd >= 0);
	usage_read(&idle);

	mrs[0] = register_all(f->pd, buf);
	mrs[1] = register_all(f->pd, &copy);
	mrs[2] = register_all(pd, &copy);
	assert_held(&idle, 3, 1, buf->size, "by two descriptors and two contexts");
	deregister(mrs[0]);
	deregister(mrs[1]);
	assert_held(&idle, 1, 1, buf->size, "in the second context");
	deregister(mrs[2]);
	assert_usage(&idle, "after deregistration");

	close(copy.fd);
	assert_int_equal(ibv_dealloc_pd(pd), 0);
	assert_int_equal(ibv_close_device(context), 0);
}

static void different_buffers_do_not_share(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mrs[4];
	struct usage idle;
	size_t size = 0;
	int i;

	for (i = 0; i < 4; i++)
		size += fixture_buffer(f, i % 2 ? UDMABUF : SYSTEM_HEAP, (i + 1) * PAGE)->size;
	usage_read(&idle);
	for (i = 0; i < 4; i++)
		mrs[i] = register_all(f->pd, &f->buffers[i]);
	assert_held(&idle, 4, 4, size, "over four buffers");
	for (i = 0; i < 4; i++)
		deregister(mrs[i]);
	assert_usage(&idle, "after deregistration");
}

/* Who does not ask for the pin is not charged, but shares with who does. */
static void plain_regions_join(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	unsigned int pins = kernel_pins_by_consent() ? 2 : 1;
	struct ibv_mr *plain, *pinned;
	struct usage idle;

	usage_read(&idle);
	plain = ibv_reg_dmabuf_mr(f->pd, 0, PAGE, 0, buf->fd, ACCESS_ALL);
	assert_non_null(plain);
	assert_held(&idle, 1, 1, 0, "a plain region");
	pinned = register_all(f->pd, buf);
	assert_held(&idle, 2, pins, buf->size, "a plain and a pinned region");
	deregister(plain);
	assert_held(&idle, 1, 1, buf->size, "a pinned region");
	deregister(pinned);
	assert_usage(&idle, "after deregistration");
}

#define REGIONS 4

static void release_in_order(struct fixture *f, struct dmabuf *buf, const int order[REGIONS])
{
	/* overlapping in all ways */
	static const struct {
		uint64_t offset, length;
	} regions[REGIONS] = {
		{ 0, 8 * PAGE },
		{ PAGE, 3 * PAGE },
		{ 2 * PAGE + 5, 4 * PAGE },
		{ PAGE, 3 * PAGE },
	};
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mrs[REGIONS];
	struct usage idle;
	int i, j;

	usage_read(&idle);
	for (i = 0; i < REGIONS; i++)
		mrs[i] = register_pinned(f->pd, buf, regions[i].offset, regions[i].length,
					 regions[i].offset, ACCESS_ALL);
	for (i = 0; i < REGIONS; i++) {
		assert_held(&idle, REGIONS - i, 1, buf->size, "before one goes");
		deregister(mrs[order[i]]);
		for (j = i + 1; j < REGIONS; j++) {
			assert_errno(ibv_ext_query_dmabuf_mr(mrs[order[j]], &info), 0, "query");
			assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
			assert_int_equal(info.offset, regions[order[j]].offset);
			assert_int_equal(info.length, regions[order[j]].length);
		}
	}
	assert_usage(&idle, "after the last");
}

static void any_order_of_deregistration(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, 8 * PAGE);
	int order[REGIONS];
	unsigned int n, used;
	int i;

	/* the numbers with REGIONS digits that have every digit once */
	for (n = 0; n < 1U << 2 * REGIONS; n++) {
		used = 0;
		for (i = 0; i < REGIONS; i++) {
			order[i] = n >> 2 * i & 3;
			used |= 1U << order[i];
		}
		if (used == (1U << REGIONS) - 1)
			release_in_order(f, buf, order);
	}
}

/* Data goes where a region's own offset and iova say, whoever else is there. */
static void overlapping_regions_carry_data(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 16 * PAGE);
	struct dmabuf *source = fixture_buffer(f, SYSTEM_HEAP, 16 * PAGE);
	const struct {
		uint64_t offset, length, iova;
	} regions[] = {
		{ 0, 16 * PAGE, 0 },
		{ 0, 8 * PAGE, 100 * PAGE },
		{ 4 * PAGE + 3, 8 * PAGE, 3 },
		{ 4 * PAGE + 3, 1, 77 * PAGE + 3 },
		{ 15 * PAGE, PAGE, 15 * PAGE },
	};
	struct ibv_mr *mrs[ARRAY_SIZE(regions)], *from;
	struct area area, data;
	size_t i, round;

	area_init(&area, buf, 3);
	area_init(&data, source, 4);
	from = register_all(f->pd, source);
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		mrs[i] = register_pinned(f->pd, buf, regions[i].offset, regions[i].length,
					 regions[i].iova, ACCESS_ALL);

	for (round = 0; round < ARRAY_SIZE(regions); round++) {
		for (i = round; i < ARRAY_SIZE(regions); i++) {
			struct rc_bytes bytes = {
				.addr = i * PAGE + 11 * round,
				.length = regions[i].length < 2000 ? regions[i].length : 2000,
				.key = from->lkey,
			};
			uint64_t at = regions[i].length - bytes.length;

			assert_int_equal(rc_write(pair, bytes, regions[i].iova + at, mrs[i]->rkey),
					 IBV_WC_SUCCESS);
			area_expect_copy(&area, regions[i].offset + at, &data, bytes.addr,
					 bytes.length);
			area_check(&area, "write to one of several regions");
		}
		deregister(mrs[round]);
	}
	deregister(from);
	area_free(&area);
	area_free(&data);
}

static void send_descriptor(int sock, int fd)
{
	union {
		struct cmsghdr hdr;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static int receive_descriptor(int sock)
{
	union {
		struct cmsghdr hdr;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd = -1;

	if (recvmsg(sock, &msg, 0) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

struct peer {
	pid_t pid;
	int sock;
};

/* Exit statuses of the other process */
enum {
	PEER_DONE,
	PEER_NO_DESCRIPTOR,
	PEER_NO_DEVICE,
	PEER_NO_REGION,
	PEER_NO_PAIR,
	PEER_TRANSFER_FAILED,
};

#define PEER_FROM (6 * PAGE)
#define PEER_TO (PAGE + 9)
#define PEER_LENGTH (2 * PAGE)

/*
 * The other process: gets the buffer, copies part of it by RDMA to another place
 * in it, says so, and ends when told, leaving the release to the kernel.
 */
static int be_peer(int sock)
{
	struct rc_bytes from = { .addr = PEER_FROM, .length = PEER_LENGTH };
	struct ibv_context *context;
	struct rc_pair pair;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	char byte;
	int fd;

	fd = receive_descriptor(sock);
	if (fd < 0)
		return PEER_NO_DESCRIPTOR;
	context = open_device();
	pd = context ? ibv_alloc_pd(context) : NULL;
	if (!pd)
		return PEER_NO_DEVICE;
	mr = ibv_reg_dmabuf_mr_pinned(pd, 0, 16 * PAGE, 0, fd, ACCESS_ALL, 0);
	close(fd);
	if (!mr)
		return PEER_NO_REGION;
	if (rc_pair_create(&pair, pd))
		return PEER_NO_PAIR;
	from.key = mr->lkey;
	if (rc_write(&pair, from, PEER_TO, mr->rkey) != IBV_WC_SUCCESS)
		return PEER_TRANSFER_FAILED;
	if (write(sock, "y", 1) != 1 || read(sock, &byte, 1) != 1)
		return PEER_TRANSFER_FAILED;
	return PEER_DONE;
}

static struct peer start_peer(void)
{
	struct peer peer;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (!peer.pid) {
		close(sockets[0]);
		_exit(be_peer(sockets[1]));
	}
	close(sockets[1]);
	peer.sock = sockets[0];
	return peer;
}

static void wait_for_transfer(struct peer *peer)
{
	char byte;
	int status;

	if (read(peer->sock, &byte, 1) == 1)
		return;
	waitpid(peer->pid, &status, 0);
	fail_msg("the other process failed, wait status %#x", status);
}

static void end_peer(struct peer *peer, bool kill_it)
{
	if (kill_it) {
		assert_int_equal(kill(peer->pid, SIGKILL), 0);
		assert_int_equal(waitpid(peer->pid, NULL, 0), peer->pid);
	} else {
		assert_int_equal(write(peer->sock, "z", 1), 1);
		wait_for_child(peer->pid);
	}
	close(peer->sock);
}

static void two_processes(struct fixture *f, enum exporter exporter, bool kill_it)
{
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *buf = fixture_buffer(f, exporter, 16 * PAGE);
	struct usage idle;
	struct peer peer;
	struct area area;
	struct ibv_mr *mr;

	area_init(&area, buf, 6);
	peer = start_peer();
	usage_read(&idle);
	mr = register_all(f->pd, buf);
	send_descriptor(peer.sock, buf->fd);
	wait_for_transfer(&peer);
	area_expect_copy(&area, PEER_TO, &area, PEER_FROM, PEER_LENGTH);
	area_check(&area, "write by the other process");
	/* another process has its own, and this one does not pay for it */
	assert_held(&idle, 2, 2, buf->size, "in two processes");

	end_peer(&peer, kill_it);
	idle.descriptors--;
	assert_held(&idle, 1, 1, buf->size, "after the other process ended");

	assert_int_equal(
		rc_write(pair,
			 (struct rc_bytes){ .addr = 9 * PAGE, .length = PAGE, .key = mr->lkey },
			 13 * PAGE, mr->rkey),
		IBV_WC_SUCCESS);
	area_expect_copy(&area, 13 * PAGE, &area, 9 * PAGE, PAGE);
	area_check(&area, "write after the other process ended");
	deregister(mr);
	assert_usage(&idle, "after deregistration");
	area_free(&area);
}

static void another_process_ends(void **state)
{
	two_processes(*state, UDMABUF, false);
}

static void another_process_is_killed(void **state)
{
	two_processes(*state, SYSTEM_HEAP, true);
}

/* The other process's region keeps the buffer when its maker lets go of it. */
static void buffer_outlives_its_maker(void **state)
{
	struct usage idle, expected;
	struct dmabuf buf;
	struct peer peer;

	(void)state;
	usage_read(&idle);
	peer = start_peer();
	assert_int_equal(dmabuf_alloc_heap(&buf, "system", 16 * PAGE, O_RDWR), 0);
	send_descriptor(peer.sock, buf.fd);
	dmabuf_free(&buf);
	wait_for_transfer(&peer);
	expected = idle;
	expected.mrs++;
	expected.dmabufs++;
	expected.attachments++;
	expected.descriptors++; /* the socket */
	assert_usage(&expected, "kept by the other process");
	end_peer(&peer, false);
	assert_usage(&idle, "after the other process ended");
}

/* A forked child inherits neither region nor charge, and its end harms neither. */
static void forked_child(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct usage idle;
	struct ibv_mr *mr;
	pid_t pid;

	usage_read(&idle);
	mr = register_all(f->pd, buf);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct usage usage;

		usage_read(&usage);
		_exit(usage.pinned_kib != 0);
	}
	wait_for_child(pid);
	assert_held(&idle, 1, 1, buf->size, "after the child's end");
	deregister(mr);
	assert_usage(&idle, "after deregistration");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slices_share_attachment_and_charge),
		TEST(descriptors_and_contexts_share),
		TEST(different_buffers_do_not_share),
		TEST(plain_regions_join),
		TEST(any_order_of_deregistration),
		TEST(overlapping_regions_carry_data),
		TEST(another_process_ends),
		TEST(another_process_is_killed),
		TEST(buffer_outlives_its_maker),
		TEST(forked_child),
	};

	return cmocka_run_group_tests_name("sharing", tests, NULL, NULL);
}
