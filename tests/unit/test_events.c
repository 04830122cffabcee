// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Event channels: what goes over the ioctls, byte by byte, and what becomes of
 * what the kernel's event file gives.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>

#include "bytes.h"
#include "mock.h"

/* As wide as a pointer */
#define COOKIE ((uintptr_t)0x0102030405060708)

#define REVOKED 0x10000

static struct ibv_context *context(void)
{
	return &mock.devices[0].context;
}

static struct ibv_ext_dmabuf_event_channel *create(void)
{
	struct ibv_ext_dmabuf_event_channel *channel =
		ibv_ext_create_dmabuf_event_channel(context());

	assert_non_null(channel);
	return channel;
}

static struct ibv_ext_dmabuf_event_channel *create_nonblocking(void)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();

	assert_int_equal(fcntl(channel->fd, F_SETFL, O_NONBLOCK), 0);
	return channel;
}

static void destroy(struct ibv_ext_dmabuf_event_channel *channel)
{
	int fd = channel->fd;

	assert_int_equal(ibv_ext_destroy_dmabuf_event_channel(channel), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static unsigned int open_descriptors(void)
{
	unsigned int num = 0;
	int fd;

	for (fd = 0; fd < 1000; fd++)
		num += fcntl(fd, F_GETFD) >= 0;
	return num;
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
	memcpy(bytes, &value, sizeof(value));
}

static void create_bytes(void **state)
{
	static const uint8_t expected[] = {
		IOCTL(40, 16, 0, 1), ATTR(0, 0), /* a descriptor */
	};
	struct ibv_ext_dmabuf_event_channel *channel;
	struct mock_ioctl *call;

	(void)state;
	assert_int_equal(UVERBS_OBJECT_ASYNC_EVENT, 16);
	mock.devices[0].driver_id = 14;
	channel = create();
	call = &mock.ioctls[mock.num_ioctls - 1];
	assert_int_equal(call->length, 40);
	assert_memory_equal(call->bytes, expected, sizeof(expected));
	assert_ptr_equal(channel->context, context());
	assert_int_equal(fcntl(channel->fd, F_GETFD), FD_CLOEXEC);
	destroy(channel);
}

/* What the kernel knows a watch by: not the caller's cookie, and no two are equal. */
static uint64_t last_id(void)
{
	return mock.watches[mock.num_watches - 1].cookie;
}

static uint64_t watch(struct ibv_ext_dmabuf_event_channel *channel, uintptr_t cookie)
{
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, (void *)cookie), 0);
	return last_id();
}

static void watch_bytes(void **state)
{
	uint8_t expected[] = {
		IOCTL(72, 7, 17, 3), ATTR_OBJECT(0, 0x11223344), /* the MR */
		ATTR_OBJECT(1, 0),				 /* the event file */
		ATTR_U64(2, 1),					 /* the number of the watch */
	};
	struct ibv_ext_dmabuf_event_channel *channel;
	struct mock_ioctl *call;

	(void)state;
	mock.devices[0].driver_id = 14;
	channel = create();
	put_u64(&expected[48], mock.event_file);
	watch(channel, COOKIE);
	call = &mock.ioctls[mock.num_ioctls - 1];
	assert_int_equal(call->fd, context()->cmd_fd);
	assert_int_equal(call->length, 72);
	assert_memory_equal(call->bytes, expected, sizeof(expected));
	put_u64(&expected[64], 2);
	watch(channel, COOKIE);
	assert_memory_equal(mock.ioctls[mock.num_ioctls - 1].bytes, expected, sizeof(expected));
	destroy(channel);
}

static void unwatch_bytes(void **state)
{
	uint8_t expected[] = {
		IOCTL(88, 7, 18, 4), ATTR_OBJECT(0, 0x11223344), /* the MR */
		ATTR_OBJECT(1, 0),				 /* the event file */
		ATTR_U64(2, 1),					 /* the number of the watch */
		ATTR(3, 4),					 /* the answer */
	};
	struct ibv_ext_dmabuf_event_channel *channel;
	struct mock_ioctl *call;

	(void)state;
	mock.devices[0].driver_id = 14;
	channel = create();
	put_u64(&expected[48], mock.event_file);
	watch(channel, COOKIE);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
	call = &mock.ioctls[mock.num_ioctls - 1];
	assert_int_equal(call->fd, context()->cmd_fd);
	assert_int_equal(call->length, 88);
	assert_memory_equal(call->bytes, expected, sizeof(expected));
	assert_int_equal(mock.num_watches, 0);
	destroy(channel);
}

static void create_errors(void **state)
{
	static const struct {
		int kernel, library;
	} errors[] = {
		{ EPROTONOSUPPORT, EOPNOTSUPP },
		{ EMFILE, EMFILE },
		{ ENFILE, ENFILE },
		{ ENOMEM, ENOMEM },
		{ EIO, EIO },
		{ EINVAL, EINVAL },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.event_file_err = errors[i].kernel;
		errno = 0;
		assert_null(ibv_ext_create_dmabuf_event_channel(context()));
		assert_int_equal(errno, errors[i].library);
	}
	mock.caps.err = EPROTONOSUPPORT;
	assert_null(ibv_ext_create_dmabuf_event_channel(context()));
	assert_int_equal(errno, EOPNOTSUPP);
	mock.caps.err = EIO;
	assert_null(ibv_ext_create_dmabuf_event_channel(context()));
	assert_int_equal(errno, EIO);
	mock.caps.err = 0;
	mock.event_file_err = 0;
	mock.fail_alloc = 1;
	mock.num_ioctls = 0;
	assert_null(ibv_ext_create_dmabuf_event_channel(context()));
	assert_int_equal(errno, ENOMEM);
	/* an event file would have been left behind */
	assert_int_equal(mock.num_ioctls, 0);
}

/* Whichever file cannot be had, none is left. */
static void no_more_files(void **state)
{
	unsigned int before;

	(void)state;
	destroy(create());
	before = open_descriptors();
	for (mock.fail_file = 1; mock.fail_file <= 4; mock.fail_file++) {
		mock.num_files = 0;
		errno = 0;
		assert_null(ibv_ext_create_dmabuf_event_channel(context()));
		assert_int_equal(errno, EMFILE);
		assert_int_equal(fcntl(mock.event_file, F_GETFD), -1);
		assert_int_equal(open_descriptors(), before);
	}
	mock.num_files = 0;
	destroy(create());
	assert_int_equal(mock.num_files, 4);
	assert_int_equal(open_descriptors(), before);
}

/* The answer to a driver id that was out of date gives no descriptor. */
static void create_with_stale_driver_id(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel;

	(void)state;
	destroy(create());
	mock.devices[0].driver_id = RDMA_DRIVER_MLX5;
	channel = create();
	assert_true(fcntl(channel->fd, F_GETFD) >= 0);
	destroy(channel);
}

static void watch_errors(void **state)
{
	static const struct {
		int kernel, library;
	} errors[] = {
		{ EPROTONOSUPPORT, EOPNOTSUPP },
		{ EOPNOTSUPP, EOPNOTSUPP },
		{ EINVAL, EINVAL },
		{ ENOENT, ENOENT },
		{ ENOMEM, ENOMEM },
		{ EIO, EIO },
		{ EBUSY, EBUSY },
		{ EBADF, EBADF },
	};
	struct ibv_ext_dmabuf_event_channel *channel = create();
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.watch_err = errors[i].kernel;
		assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, NULL),
				 errors[i].library);
	}
	/* nothing is left of them */
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);

	mock.watch_err = 0;
	mock.fail_alloc = 1;
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, NULL), ENOMEM);
	assert_int_equal(mock.num_watches, 0);
	mock.caps.err = EPROTONOSUPPORT;
	mock.watch_err = EINVAL;
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, NULL), EOPNOTSUPP);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), EOPNOTSUPP);
	destroy(channel);
}

/* The kernel decides: two structs may be one context of its own. */
static void watch_in_another_context(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();

	(void)state;
	mock.mr.context = &mock_add_device(RDMA_DRIVER_RXE)->context;
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, NULL), 0);
	assert_int_equal(mock.ioctls[mock.num_ioctls - 1].fd, mock.mr.context->cmd_fd);
	mock.watch_err = EBADF;
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mock.mr, channel, NULL), EINVAL);
	destroy(channel);
}

static void send_event(uint64_t element, uint32_t type)
{
	struct ib_uverbs_async_event_desc desc = { .element = element, .event_type = type };

	assert_int_equal(send(mock.events, &desc, sizeof(desc), 0), 16);
}

/* The event of a watch with @cookie */
static void send_revoked(struct ibv_ext_dmabuf_event_channel *channel, uintptr_t cookie)
{
	send_event(watch(channel, cookie), REVOKED);
}

static void events(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	struct ibv_ext_dmabuf_event event, before;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	event = before;
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN);
	assert_memory_equal(&event, &before, sizeof(event));

	send_revoked(channel, COOKIE);
	send_revoked(channel, 0);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), 0);
	assert_ptr_equal(event.cookie, COOKIE);
	assert_int_equal(event.type, IBV_EXT_DMABUF_EVENT_REVOKED);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), 0);
	assert_null(event.cookie);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN);
	destroy(channel);
}

/* Ports go up and down, and a newer kernel may have more to say. */
static void other_events(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	struct ibv_ext_dmabuf_event event;
	uint32_t type;

	(void)state;
	for (type = 0; type <= IBV_EVENT_WQ_FATAL; type++)
		if (type != IBV_EVENT_DEVICE_FATAL)
			send_event(1, type);
	send_event(1, REVOKED + 1);
	send_event(1, UINT32_MAX);
	send_revoked(channel, 2);
	send_event(1, IBV_EVENT_PORT_ACTIVE);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), 0);
	assert_ptr_equal(event.cookie, 2);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN);
	destroy(channel);
}

static void expect_event(struct ibv_ext_dmabuf_event_channel *channel, uintptr_t cookie)
{
	struct ibv_ext_dmabuf_event event;

	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), 0);
	assert_ptr_equal(event.cookie, cookie);
}

static bool is_readable(const struct ibv_ext_dmabuf_event_channel *channel)
{
	struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* Nobody waits for ever, also none who comes later or polls the descriptor. */
static void device_removed(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct ibv_ext_dmabuf_event event;

	(void)state;
	send_revoked(channel, 5);
	send_event(0, IBV_EVENT_DEVICE_FATAL);
	expect_event(channel, 5);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	assert_true(is_readable(channel));
	/* the caller's setting is the caller's */
	assert_int_equal(fcntl(channel->fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(channel->fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	destroy(channel);

	/* it is the channel that has ended, not all of them */
	channel = create_nonblocking();
	assert_false(is_readable(channel));
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN);
	destroy(channel);
}

/* What a device did not obey is told after its end, as is what else was revoked. */
static void events_after_the_end(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct ibv_ext_dmabuf_event event;

	(void)state;
	send_event(0, IBV_EVENT_DEVICE_FATAL);
	send_revoked(channel, 5);
	send_event(1, IBV_EVENT_PORT_ERR);
	send_revoked(channel, 6);
	expect_event(channel, 5);
	expect_event(channel, 6);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	send_revoked(channel, 7);
	expect_event(channel, 7);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	destroy(channel);
}

static void bad_reads(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct ibv_ext_dmabuf_event event;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(send(mock.events, "half an event", 8, 0), 8);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	assert_int_equal(dup2(fd, mock.event_file), mock.event_file);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	close(fd);
	destroy(channel);
}

/* The caller's descriptor was closed by somebody. */
static void closed_descriptor(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct ibv_ext_dmabuf_event event;

	(void)state;
	close(channel->fd);
	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EBADF);
	assert_int_equal(ibv_ext_destroy_dmabuf_event_channel(channel), EBADF);
	assert_int_equal(fcntl(mock.event_file, F_GETFD), -1);
}

static void event_of_another_age(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct {
		struct ibv_ext_dmabuf_event known;
		uint8_t more[16];
	} newer;
	unsigned int i;

	(void)state;
	memset(&newer, 0x5a, sizeof(newer));
	send_revoked(channel, 7);
	assert_int_equal(_ibv_ext_get_dmabuf_event(channel, &newer.known, sizeof(void *)), 0);
	assert_ptr_equal(newer.known.cookie, 7);
	assert_int_equal(newer.known.type, 0x5a5a5a5a);
	send_revoked(channel, 8);
	assert_int_equal(_ibv_ext_get_dmabuf_event(channel, &newer.known, sizeof(newer) - 8), 0);
	assert_ptr_equal(newer.known.cookie, 8);
	assert_int_equal(newer.known.type, IBV_EXT_DMABUF_EVENT_REVOKED);
	for (i = 0; i < 8; i++)
		assert_int_equal(newer.more[i], 0);
	assert_int_equal(newer.more[8], 0x5a);
	destroy(channel);
}

struct waiter {
	struct ibv_ext_dmabuf_event_channel *channel;
	pthread_t thread;
	struct ibv_ext_dmabuf_event event;
	int err;
	atomic_bool done;
};

static void *wait_for_event(void *arg)
{
	struct waiter *waiter = arg;

	waiter->err = ibv_ext_get_dmabuf_event(waiter->channel, &waiter->event);
	waiter->done = true;
	return NULL;
}

static void start(struct waiter *waiter, struct ibv_ext_dmabuf_event_channel *channel)
{
	*waiter = (struct waiter){ .channel = channel };
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_event, waiter), 0);
	usleep(50000);
	assert_false(waiter->done);
}

/* Fails if it is not back soon; returns what the call returned. */
static int end_of(struct waiter *waiter)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	if (pthread_timedjoin_np(waiter->thread, NULL, &deadline))
		fail_msg("a thread waits for ever");
	return waiter->err;
}

/* The device's end is one event, which one of them reads. */
static void end_of_the_device_for_all(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct waiter waiters[4];
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++)
		start(&waiters[i], channel);
	send_event(0, IBV_EVENT_DEVICE_FATAL);
	for (i = 0; i < 4; i++)
		assert_int_equal(end_of(&waiters[i]), EIO);
	destroy(channel);
}

static void one_event_for_two(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel;
	struct waiter waiters[2];
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 10; round++) {
		channel = create();
		start(&waiters[0], channel);
		start(&waiters[1], channel);
		/* both wake up and one has to wait on */
		send_revoked(channel, 5);
		while (!waiters[0].done && !waiters[1].done)
			usleep(1000);
		i = waiters[0].done ? 0 : 1;
		assert_int_equal(end_of(&waiters[i]), 0);
		assert_ptr_equal(waiters[i].event.cookie, 5);
		usleep(20000);
		assert_false(waiters[!i].done);
		start(&waiters[i], channel);
		send_event(0, IBV_EVENT_DEVICE_FATAL);
		assert_int_equal(end_of(&waiters[0]), EIO);
		assert_int_equal(end_of(&waiters[1]), EIO);
		destroy(channel);
	}
}

static void expect_none(struct ibv_ext_dmabuf_event_channel *channel)
{
	struct ibv_ext_dmabuf_event event;

	assert_int_equal(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN);
}

static void unwatched(void **state)
{
	struct ibv_ext_dmabuf_event_channel *other = create_nonblocking();
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	struct ibv_mr mr = { .context = context(), .handle = 7 };
	uint64_t ids[3], id;
	unsigned int i;

	(void)state;
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);
	watch(other, 1);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);

	/* all of the MR, whatever their cookies; not those of another or by another */
	ids[0] = watch(channel, 2);
	ids[1] = watch(channel, 2);
	assert_int_equal(ibv_ext_watch_dmabuf_mr(&mr, channel, (void *)4), 0);
	id = last_id();
	ids[2] = watch(channel, 3);
	assert_int_equal(mock.num_watches, 5);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
	assert_int_equal(mock.num_watches, 2);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);

	/* as if they had been read before */
	for (i = 0; i < 3; i++)
		send_event(ids[i], REVOKED);
	send_event(id, REVOKED);
	expect_event(channel, 4);
	expect_none(channel);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, other), 0);
	assert_int_equal(mock.num_watches, 1);

	/* and again */
	send_revoked(channel, 2);
	expect_event(channel, 2);
	expect_none(channel);
	destroy(channel);
	destroy(other);
}

/* Of two watches one has given its event: the other can still be ended. */
static void unwatched_after_the_event(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	uint64_t id;

	(void)state;
	id = watch(channel, 5);
	send_revoked(channel, 6);
	expect_event(channel, 6);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
	send_event(id, REVOKED);
	expect_none(channel);

	send_revoked(channel, 7);
	expect_event(channel, 7);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);
	destroy(channel);
}

static struct ibv_ext_dmabuf_event_channel *read_channel;

static void unwatch_while_reading(void)
{
	mock.after_read = NULL;
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, read_channel), 0);
}

/* The reader has the event but has not returned, and nobody waits for it. */
static void unwatched_while_reading(void **state)
{
	(void)state;
	read_channel = create_nonblocking();
	send_revoked(read_channel, 5);
	mock.after_read = unwatch_while_reading;
	expect_none(read_channel);
	assert_null(mock.after_read);
	send_revoked(read_channel, 6);
	expect_event(read_channel, 6);
	destroy(read_channel);
}

static void send_last(void)
{
	send_event(last_id(), REVOKED);
	/* time to read it */
	usleep(50000);
}

/* The MR was revoked before, so that the event comes at once. */
static void event_before_the_answer(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct waiter waiter;

	(void)state;
	start(&waiter, channel);
	mock.in_watch = send_last;
	watch(channel, 5);
	assert_int_equal(end_of(&waiter), 0);
	assert_ptr_equal(waiter.event.cookie, 5);
	destroy(channel);
}

/* An MR was deregistered while it was watched, and another is at its address. */
static void another_mr_at_the_address(void **state)
{
	static const int errors[] = { ENOENT, EINVAL, EBADF };
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	unsigned int i;
	uint64_t id;

	(void)state;
	for (i = 0; i < 3; i++) {
		id = watch(channel, 5);
		mock.num_watches = 0;
		mock.unwatch_err = errors[i];
		assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);
		mock.unwatch_err = 0;
		send_event(id, REVOKED);
		expect_none(channel);
	}

	id = watch(channel, 5);
	mock.num_watches = 0;
	watch(channel, 6);
	watch(channel, 7);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
	assert_int_equal(mock.num_watches, 0);
	send_event(id, REVOKED);
	expect_none(channel);
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), ENOENT);
	destroy(channel);
}

/* Whether the kernel can be asked or not, nothing comes. */
static void unwatch_errors(void **state)
{
	static const int errors[] = { EIO, ENODEV, ENOMEM, EINTR, EBUSY, EPROTONOSUPPORT };
	struct ibv_ext_dmabuf_event_channel *channel = create_nonblocking();
	unsigned int i;
	uint64_t id;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.num_watches = 0;
		id = watch(channel, 5);
		mock.unwatch_err = errors[i];
		assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
		mock.unwatch_err = 0;
		send_event(id, REVOKED);
		expect_none(channel);
	}

	id = watch(channel, 5);
	mock.ioctl_err = EIO;
	assert_int_equal(ibv_ext_unwatch_dmabuf_mr(&mock.mr, channel), 0);
	send_event(id, REVOKED);
	expect_none(channel);
	destroy(channel);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void interrupt(struct ibv_ext_dmabuf_event_channel *channel, int sa_flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = sa_flags };
	struct waiter waiter;

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	start(&waiter, channel);
	/* one could come before the thread sleeps */
	while (!waiter.done) {
		pthread_kill(waiter.thread, SIGUSR1);
		usleep(1000);
	}
	assert_int_equal(end_of(&waiter), EINTR);
}

static void blocks(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel = create();
	struct waiter waiter;

	(void)state;
	start(&waiter, channel);
	/* still waits after a port's event */
	send_event(1, IBV_EVENT_PORT_ERR);
	usleep(50000);
	assert_false(waiter.done);
	send_revoked(channel, 2);
	assert_int_equal(pthread_join(waiter.thread, NULL), 0);
	assert_int_equal(waiter.err, 0);
	assert_ptr_equal(waiter.event.cookie, 2);

	interrupt(channel, 0);
	interrupt(channel, SA_RESTART);
	destroy(channel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_bytes),
		TEST(watch_bytes),
		TEST(create_errors),
		TEST(create_with_stale_driver_id),
		TEST(watch_errors),
		TEST(watch_in_another_context),
		TEST(events),
		TEST(other_events),
		TEST(device_removed),
		TEST(events_after_the_end),
		TEST(bad_reads),
		TEST(closed_descriptor),
		TEST(no_more_files),
		TEST(event_of_another_age),
		TEST(blocks),
		TEST(end_of_the_device_for_all),
		TEST(one_event_for_two),
		TEST(unwatched),
		TEST(unwatched_after_the_event),
		TEST(unwatched_while_reading),
		TEST(event_before_the_answer),
		TEST(another_mr_at_the_address),
		TEST(unwatch_errors),
		TEST(unwatch_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
