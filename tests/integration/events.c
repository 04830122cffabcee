// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Event channels: what may be watched, what comes when the memory is taken back,
 * and that nothing comes after the watch or the region ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <rdma/ib_user_verbs.h>

#include "raw_ioctl.h"
#include "stopped_page.h"
#include "kernel.h"
#include "test_exporter.h"

#define SIZE (4 * PAGE)

static struct ibv_ext_dmabuf_event_channel *create_channel(struct ibv_context *context)
{
	struct ibv_ext_dmabuf_event_channel *channel = ibv_ext_create_dmabuf_event_channel(context);

	if (!channel)
		fail_msg("event channel: %s", strerrorname(errno));
	assert_int_equal(fcntl(channel->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(channel->fd, F_SETFL, O_NONBLOCK), 0);
	return channel;
}

static void destroy_channel(struct ibv_ext_dmabuf_event_channel *channel)
{
	assert_errno(ibv_ext_destroy_dmabuf_event_channel(channel), 0, "event channel");
}

static void watch(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *channel, void *cookie)
{
	assert_errno(ibv_ext_watch_dmabuf_mr(mr, channel, cookie), 0, "watch");
}

static int raw_watch(const struct ibv_mr *mr, int event_fd)
{
	return raw_watch_dmabuf_mr(mr->context->cmd_fd, mr->handle, event_fd, 0);
}

static void unwatch(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *channel, int err)
{
	assert_errno(ibv_ext_unwatch_dmabuf_mr(mr, channel), err, "unwatch");
}

static int raw_unwatch(const struct ibv_mr *mr, int event_fd, uint64_t cookie,
		       uint32_t *events_reported)
{
	*events_reported = UINT32_MAX;
	return raw_unwatch_dmabuf_mr(mr->context->cmd_fd, mr->handle, event_fd, cookie,
				     events_reported);
}

static bool is_readable(const struct ibv_ext_dmabuf_event_channel *channel, int timeout_ms)
{
	struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) == 1;
}

static void expect_event(struct ibv_ext_dmabuf_event_channel *channel, const void *cookie)
{
	struct ibv_ext_dmabuf_event event;

	assert_true(is_readable(channel, 5000));
	assert_errno(ibv_ext_get_dmabuf_event(channel, &event), 0, "event");
	assert_ptr_equal(event.cookie, cookie);
	assert_int_equal(event.type, IBV_EXT_DMABUF_EVENT_REVOKED);
}

static void expect_no_event(struct ibv_ext_dmabuf_event_channel *channel)
{
	struct ibv_ext_dmabuf_event event;

	assert_errno(ibv_ext_get_dmabuf_event(channel, &event), EAGAIN, "no event");
	assert_false(is_readable(channel, 0));
}

/* A buffer that its exporter may take back */
static int make_revocable(int dev)
{
	return make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							     .size = SIZE });
}

static struct ibv_mr *register_revocable(struct fixture *f, int fd)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr_pinned(f->pd, 0, SIZE, 0, fd, ACCESS_ALL,
						     IBV_EXT_DMABUF_PIN_ALLOW_REVOKE);

	if (!mr)
		fail_msg("registration: %s", strerrorname(errno));
	return mr;
}

static void channels(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_event_channel *all[20];
	struct usage before;
	unsigned int i;

	usage_read(&before);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		all[i] = create_channel(f->context);
		assert_ptr_equal(all[i]->context, f->context);
		expect_no_event(all[i]);
	}
	for (i = 0; i < ARRAY_SIZE(all); i++)
		destroy_channel(all[i]);
	assert_usage(&before, "after channels");
}

/* Nobody takes these back, but that need not be known. */
static void static_buffers(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	enum exporter exporter;
	struct dmabuf *buf;
	struct ibv_mr *mr;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		buf = fixture_buffer(f, exporter, SIZE);
		mr = register_all(f->pd, buf);
		watch(mr, channel, mr);
		watch(mr, channel, mr);
		expect_no_event(channel);
		deregister(mr);
		expect_no_event(channel);

		/* registered in the plain way */
		mr = ibv_reg_dmabuf_mr(f->pd, 0, SIZE, 0, buf->fd, ACCESS_ALL);
		assert_non_null(mr);
		watch(mr, channel, NULL);
		deregister(mr);
	}
	expect_no_event(channel);
	destroy_channel(channel);
}

static void wrong_watches(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_ext_dmabuf_event_channel *foreign;
	struct ibv_context *other = open_device();
	static char memory[64];
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_mr *ordinary = ibv_reg_mr(f->pd, memory, sizeof(memory), ACCESS_ALL);
	struct ibv_mr *mr = register_all(f->pd, buf);
	struct usage before;

	assert_non_null(ordinary);
	assert_non_null(other);
	foreign = create_channel(other);
	usage_read(&before);

	assert_errno(ibv_ext_watch_dmabuf_mr(ordinary, channel, NULL), EINVAL, "an ordinary MR");
	assert_errno(ibv_ext_watch_dmabuf_mr(mr, foreign, NULL), EINVAL, "another context");
	assert_errno(ibv_ext_watch_dmabuf_mr(ordinary, foreign, NULL), EINVAL, "both");
	assert_errno(raw_watch(mr, -1), EBADF, "no descriptor");
	assert_errno(raw_watch(mr, buf->fd), EBADF, "another descriptor");
	/* the file of the context's own events will do */
	assert_errno(raw_watch(mr, f->context->async_fd), 0, "the context's own file");

	assert_usage(&before, "after refused watches");
	deregister(mr);
	deregister(ordinary);
	destroy_channel(foreign);
	assert_int_equal(ibv_close_device(other), 0);
	destroy_channel(channel);
}

/* A file of events is told of the device, too. */
static void events_of_the_device(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	FILE *parent = fopen("/sys/class/infiniband/" DEVICE "/parent", "re");
	char netdev[32], command[128];

	assert_non_null(parent);
	assert_int_equal(fscanf(parent, "%31s", netdev), 1);
	fclose(parent);
	snprintf(command, sizeof(command), "ip address add 10.77.99.1/32 dev %s", netdev);
	assert_int_equal(system(command), 0);
	assert_true(is_readable(channel, 5000));
	expect_no_event(channel);
	snprintf(command, sizeof(command), "ip address del 10.77.99.1/32 dev %s", netdev);
	assert_int_equal(system(command), 0);
	assert_true(is_readable(channel, 5000));
	destroy_channel(channel);
}

static void revoked(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd = make_revocable(dev), other_fd = make_revocable(dev);
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_ext_dmabuf_event_channel *second = create_channel(f->context);
	struct ibv_mr *mr = register_revocable(f, fd), *slice, *other;
	struct ibv_ext_dmabuf_mr_info info;

	slice = ibv_reg_dmabuf_mr_pinned(f->pd, PAGE, 1, 0, fd, ACCESS_READ,
					 IBV_EXT_DMABUF_PIN_ALLOW_REVOKE);
	assert_non_null(slice);
	other = register_revocable(f, other_fd);
	watch(mr, channel, mr);
	watch(mr, channel, &mr);
	watch(mr, second, mr);
	watch(slice, channel, slice);
	watch(other, channel, other);
	expect_no_event(channel);

	revoke_buffer(dev, fd);
	expect_event(channel, mr);
	expect_event(channel, &mr);
	expect_event(channel, slice);
	expect_no_event(channel);
	expect_event(second, mr);
	expect_no_event(second);
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.flags & IBV_EXT_DMABUF_MR_REVOCABLE, IBV_EXT_DMABUF_MR_REVOCABLE);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_UNKNOWN);
	assert_int_equal(info.charged, 0);

	/* once for all, and at once for who comes late */
	revoke_buffer(dev, fd);
	expect_no_event(channel);
	watch(slice, second, NULL);
	expect_event(second, NULL);
	deregister(mr);
	deregister(slice);
	expect_no_event(channel);

	revoke_buffer(dev, other_fd);
	expect_event(channel, other);
	deregister(other);
	destroy_channel(channel);
	destroy_channel(second);
	close(fd);
	close(other_fd);
	close(dev);
}

/* What was not read goes with the MR, and only that. */
static void taken_back(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fds[3], i;
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_mr *mrs[3];

	for (i = 0; i < 3; i++) {
		fds[i] = make_revocable(dev);
		mrs[i] = register_revocable(f, fds[i]);
		watch(mrs[i], channel, mrs[i]);
		watch(mrs[i], channel, mrs[i]);
		revoke_buffer(dev, fds[i]);
	}
	expect_event(channel, mrs[0]);
	deregister(mrs[0]);
	deregister(mrs[1]);
	expect_event(channel, mrs[2]);
	deregister(mrs[2]);
	expect_no_event(channel);
	for (i = 0; i < 3; i++)
		close(fds[i]);
	destroy_channel(channel);
	close(dev);
}

/* Of live regions, and of revoked ones whose events nobody has read. */
static void unwatched(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd = make_revocable(dev);
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_ext_dmabuf_event_channel *second = create_channel(f->context);
	struct ibv_mr *live = register_revocable(f, fd), *mr, *other;

	watch(live, channel, live);
	watch(live, channel, &live);
	unwatch(live, channel, 0);
	unwatch(live, channel, ENOENT);
	mr = register_revocable(f, fd);
	other = register_revocable(f, fd);
	watch(other, channel, other);
	watch(mr, channel, mr);
	watch(mr, second, mr);
	watch(mr, channel, &mr);
	watch(live, channel, live);
	unwatch(live, channel, 0);
	watch(live, channel, &live);

	revoke_buffer(dev, fd);
	assert_true(is_readable(channel, 5000));
	unwatch(mr, channel, 0);
	unwatch(mr, channel, ENOENT);
	expect_event(channel, other);
	expect_event(channel, &live);
	expect_no_event(channel);
	expect_event(second, mr);
	expect_no_event(second);

	/* again, at once, as it is revoked; and taken back at once */
	watch(mr, channel, mr);
	expect_event(channel, mr);
	unwatch(mr, channel, ENOENT);
	watch(mr, channel, mr);
	assert_true(is_readable(channel, 5000));
	unwatch(mr, channel, 0);
	expect_no_event(channel);

	deregister(mr);
	deregister(other);
	deregister(live);
	expect_no_event(channel);
	destroy_channel(channel);
	destroy_channel(second);
	close(fd);
	close(dev);
}

static void wrong_unwatches(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd = make_revocable(dev);
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_ext_dmabuf_event_channel *second = create_channel(f->context), *foreign;
	struct ibv_context *other = open_device();
	static char memory[64];
	struct ibv_mr *ordinary = ibv_reg_mr(f->pd, memory, sizeof(memory), ACCESS_ALL);
	struct ibv_mr *mr = register_revocable(f, fd), gone;
	int async_fd = f->context->async_fd;
	uint32_t reported;

	assert_non_null(ordinary);
	assert_non_null(other);
	foreign = create_channel(other);
	unwatch(mr, channel, ENOENT);
	unwatch(ordinary, channel, ENOENT);
	unwatch(mr, foreign, ENOENT);
	watch(mr, channel, mr);
	unwatch(mr, second, ENOENT);

	/* the kernel's own answers */
	assert_errno(raw_watch(mr, async_fd), 0, "watch");
	assert_errno(raw_unwatch(mr, async_fd, 1, &reported), ENOENT, "another cookie");
	assert_errno(raw_unwatch(mr, other->async_fd, 0, &reported), EBADF, "another context");
	assert_errno(raw_unwatch(mr, -1, 0, &reported), EBADF, "no descriptor");
	assert_errno(raw_unwatch(mr, fd, 0, &reported), EBADF, "another descriptor");
	assert_errno(raw_unwatch(ordinary, async_fd, 0, &reported), EINVAL, "an ordinary MR");
	assert_errno(raw_unwatch_dmabuf_mr(f->context->cmd_fd, 12345, async_fd, 0, &reported),
		     ENOENT, "bogus MR");
	assert_errno(raw_watch(mr, async_fd), 0, "watch");
	assert_errno(raw_unwatch(mr, async_fd, 0, &reported), 0, "all with the cookie");
	assert_int_equal(reported, 0);
	assert_errno(raw_unwatch(mr, async_fd, 0, &reported), ENOENT, "none is left");

	/* the library's watch is still there */
	revoke_buffer(dev, fd);
	expect_event(channel, mr);
	unwatch(mr, channel, ENOENT);

	/* The struct of a region that is gone, used for another one. */
	watch(mr, channel, mr);
	gone = *mr;
	watch(&gone, channel, &gone);
	deregister(mr);
	assert_errno(exporter_unrevoke(dev, fd), 0, "unrevoke");
	mr = register_revocable(f, fd);
	gone = *mr;
	unwatch(&gone, channel, ENOENT);
	watch(&gone, channel, &gone);
	unwatch(&gone, channel, 0);
	deregister(mr);
	gone = *ordinary;
	unwatch(&gone, channel, ENOENT);
	expect_no_event(channel);

	deregister(ordinary);
	destroy_channel(foreign);
	assert_int_equal(ibv_close_device(other), 0);
	destroy_channel(second);
	destroy_channel(channel);
	close(fd);
	close(dev);
}

/* In which order things go does not matter. */
static void destroyed_channel(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd = make_revocable(dev);
	struct ibv_ext_dmabuf_event_channel *channel;
	struct ibv_mr *mr;
	int round;

	for (round = 0; round < 4; round++) {
		channel = create_channel(f->context);
		mr = register_revocable(f, fd);
		watch(mr, channel, mr);
		if (round & 1)
			revoke_buffer(dev, fd); /* not read */
		destroy_channel(channel);
		if (round == 2)
			revoke_buffer(dev, fd); /* nobody listens */
		deregister(mr);
		if (round)
			assert_errno(exporter_unrevoke(dev, fd), 0, "unrevoke");
	}
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

/* A process that ends with all of it open leaves nothing. */
static void ended_process(void **state)
{
	int dev = open_exporter(), fd = make_revocable(dev);
	struct usage before;
	pid_t pid;

	(void)state;
	usage_read(&before);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct fixture child = { .context = open_device() };
		struct ibv_ext_dmabuf_event_channel *channel;
		struct dmabuf_test_revoke result;
		struct ibv_mr *mr;

		child.pd = child.context ? ibv_alloc_pd(child.context) : NULL;
		if (!child.pd)
			_exit(1);
		channel = ibv_ext_create_dmabuf_event_channel(child.context);
		mr = ibv_reg_dmabuf_mr_pinned(child.pd, 0, SIZE, 0, fd, ACCESS_ALL,
					      kernel_least_consent());
		if (!channel || !mr || ibv_ext_watch_dmabuf_mr(mr, channel, mr) ||
		    exporter_revoke(dev, fd, 5000, &result) ||
		    ibv_ext_watch_dmabuf_mr(mr, channel, mr))
			_exit(2);
		_exit(0);
	}
	wait_for_child(pid);
	assert_usage(&before, "after the child's end");
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

struct waiter {
	struct ibv_ext_dmabuf_event_channel *channel;
	struct ibv_ext_dmabuf_event event;
	int err;
};

static void *wait_for_event(void *arg)
{
	struct waiter *waiter = arg;

	waiter->err = ibv_ext_get_dmabuf_event(waiter->channel, &waiter->event);
	return NULL;
}

static void blocked_reader(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd = make_revocable(dev);
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_mr *mr = register_revocable(f, fd);
	struct waiter waiter = { .channel = channel };
	pthread_t thread;

	assert_int_equal(fcntl(channel->fd, F_SETFL, 0), 0);
	watch(mr, channel, mr);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_event, &waiter), 0);
	usleep(100000);
	revoke_buffer(dev, fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_errno(waiter.err, 0, "event");
	assert_ptr_equal(waiter.event.cookie, mr);
	deregister(mr);
	destroy_channel(channel);
	close(fd);
	close(dev);
}

struct revoker {
	int dev, fd;
	unsigned int delay_us;
	int err;
};

static void *revoke_soon(void *arg)
{
	struct revoker *revoker = arg;
	struct dmabuf_test_revoke result;

	usleep(revoker->delay_us);
	revoker->err = exporter_revoke(revoker->dev, revoker->fd, 5000, &result);
	return NULL;
}

#define ROUNDS 200

/* Whichever comes first, a watch gives one event. */
static void watch_against_revoke(void **state)
{
	struct fixture *f = *state;
	struct revoker revoker = { .dev = open_exporter() };
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_mr *mr;
	pthread_t thread;
	int round, i;

	revoker.fd = make_revocable(revoker.dev);
	for (round = 0; round < ROUNDS; round++) {
		mr = register_revocable(f, revoker.fd);
		revoker.delay_us = rand() % 500;
		assert_int_equal(pthread_create(&thread, NULL, revoke_soon, &revoker), 0);
		for (i = 0; i < 4; i++) {
			usleep(rand() % 200);
			watch(mr, channel, mr);
		}
		for (i = 0; i < 4; i++)
			expect_event(channel, mr);
		expect_no_event(channel);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_errno(revoker.err, 0, "revoke");
		deregister(mr);
		assert_errno(exporter_unrevoke(revoker.dev, revoker.fd), 0, "unrevoke");
	}
	destroy_channel(channel);
	close(revoker.fd);
	close(revoker.dev);
}

/* Whichever comes first, nothing comes after the deregistration. */
static void deregistration_against_revoke(void **state)
{
	struct fixture *f = *state;
	struct revoker revoker = { .dev = open_exporter() };
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	struct ibv_mr *mr;
	pthread_t thread;
	int round;

	revoker.fd = make_revocable(revoker.dev);
	for (round = 0; round < ROUNDS; round++) {
		mr = register_revocable(f, revoker.fd);
		watch(mr, channel, mr);
		watch(mr, channel, mr);
		revoker.delay_us = rand() % 300;
		assert_int_equal(pthread_create(&thread, NULL, revoke_soon, &revoker), 0);
		usleep(rand() % 500);
		deregister(mr);
		expect_no_event(channel);
		assert_int_equal(pthread_join(thread, NULL), 0);
		expect_no_event(channel);
		assert_errno(revoker.err, 0, "revoke");
		assert_errno(exporter_unrevoke(revoker.dev, revoker.fd), 0, "unrevoke");
	}
	destroy_channel(channel);
	close(revoker.fd);
	close(revoker.dev);
}

struct reader {
	struct ibv_ext_dmabuf_event_channel *channel;
	_Atomic unsigned int delivered[ROUNDS];
	int err;
};

/* Until the event without a cookie */
static void *read_events(void *arg)
{
	struct reader *reader = arg;
	struct ibv_ext_dmabuf_event event;

	for (;;) {
		reader->err = ibv_ext_get_dmabuf_event(reader->channel, &event);
		if (reader->err || !event.cookie)
			return NULL;
		atomic_fetch_add((_Atomic unsigned int *)event.cookie, 1);
	}
}

/* Either an event is delivered, or the watch ended before; and never after that. */
static void unwatch_against_revoke(void **state)
{
	struct fixture *f = *state;
	struct revoker revoker = { .dev = open_exporter() };
	struct ibv_ext_dmabuf_event_channel *channel = create_channel(f->context);
	unsigned int expected[ROUNDS], num_ended = 0, round, i;
	struct reader reader = { .channel = channel };
	pthread_t thread, reader_thread;
	struct ibv_mr *mr;
	int err;

	assert_int_equal(fcntl(channel->fd, F_SETFL, 0), 0);
	revoker.fd = make_revocable(revoker.dev);
	assert_int_equal(pthread_create(&reader_thread, NULL, read_events, &reader), 0);
	for (round = 0; round < ROUNDS; round++) {
		mr = register_revocable(f, revoker.fd);
		watch(mr, channel, &reader.delivered[round]);
		revoker.delay_us = rand() % 300;
		assert_int_equal(pthread_create(&thread, NULL, revoke_soon, &revoker), 0);
		usleep(rand() % 1000);
		err = ibv_ext_unwatch_dmabuf_mr(mr, channel);
		if (err)
			assert_errno(err, ENOENT, "unwatch");
		expected[round] = err == ENOENT;
		num_ended += !err;
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_errno(revoker.err, 0, "revoke");
		for (i = 0; i < 5000 && reader.delivered[round] < expected[round]; i++)
			usleep(1000);
		deregister(mr);
		assert_errno(exporter_unrevoke(revoker.dev, revoker.fd), 0, "unrevoke");
	}
	mr = register_revocable(f, revoker.fd);
	watch(mr, channel, NULL);
	revoke_buffer(revoker.dev, revoker.fd);
	assert_int_equal(pthread_join(reader_thread, NULL), 0);
	assert_errno(reader.err, 0, "reader");
	for (round = 0; round < ROUNDS; round++)
		assert_int_equal(reader.delivered[round], expected[round]);
	print_message("%u of %u watches ended before their event\n", num_ended, ROUNDS);
	deregister(mr);
	destroy_channel(channel);
	close(revoker.fd);
	close(revoker.dev);
}

/* Where a thread's read() puts what it reads, before its caller gets it */
static _Thread_local void *read_by_way_of;

/* The library finds this one before libc's. */
__attribute__((visibility("default"))) ssize_t read(int fd, void *buf, size_t size)
{
	ssize_t ret = syscall(SYS_read, fd, read_by_way_of ? read_by_way_of : buf, size);

	if (read_by_way_of && ret > 0)
		memcpy(buf, read_by_way_of, ret);
	return ret;
}

struct stopped_reader {
	struct waiter waiter;
	struct stopped_page page;
	pthread_t thread;
	int event_fd;
	struct ib_uverbs_async_event_desc event;
	ssize_t size;
};

static void *read_by_the_library(void *arg)
{
	struct stopped_reader *reader = arg;

	read_by_way_of = reader->page.addr;
	return wait_for_event(&reader->waiter);
}

static void *read_the_file(void *arg)
{
	struct stopped_reader *reader = arg;

	read_by_way_of = reader->page.addr;
	reader->size = read(reader->event_fd, &reader->event, sizeof(reader->event));
	return NULL;
}

/* Returns when the kernel has taken the event from its queue and copies it. */
static void stop_reader(struct stopped_reader *reader, void *(*function)(void *))
{
	assert_int_equal(pthread_create(&reader->thread, NULL, function, reader), 0);
	stopped_page_wait(&reader->page);
}

static void let_go(struct stopped_reader *reader)
{
	stopped_page_let_go(&reader->page);
	assert_int_equal(pthread_join(reader->thread, NULL), 0);
	stopped_page_destroy(&reader->page);
}

/* Nobody waits for the reader, and it delivers nothing. */
static void unwatched_before_a_stopped_reader(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter(), fd;
	struct ibv_ext_dmabuf_event_channel *channel;
	struct stopped_reader reader = {};
	struct ibv_mr *mr, *other;

	stopped_page_create(&reader.page);
	channel = create_channel(f->context);
	reader.waiter.channel = channel;
	fd = make_revocable(dev);
	mr = register_revocable(f, fd);
	other = register_revocable(f, fd);
	watch(mr, channel, mr);
	revoke_buffer(dev, fd);
	stop_reader(&reader, read_by_the_library);
	unwatch(mr, channel, 0);
	unwatch(mr, channel, ENOENT);
	deregister(mr);
	let_go(&reader);
	assert_errno(reader.waiter.err, EAGAIN, "event");

	/* One that waits gets what comes next instead. */
	assert_int_equal(fcntl(channel->fd, F_SETFL, 0), 0);
	watch(other, channel, other);
	stopped_page_create(&reader.page);
	stop_reader(&reader, read_by_the_library);
	unwatch(other, channel, 0);
	watch(other, channel, &other);
	let_go(&reader);
	assert_errno(reader.waiter.err, 0, "event");
	assert_ptr_equal(reader.waiter.event.cookie, &other);
	deregister(other);
	destroy_channel(channel);
	close(fd);
	close(dev);
}

static void end_under_reader_of_the_file(struct fixture *f, bool unwatch_first)
{
	struct stopped_reader reader = { .event_fd = f->context->async_fd };
	int dev = open_exporter(), fd;
	struct ibv_mr *mr;
	uint32_t reported;

	stopped_page_create(&reader.page);
	fd = make_revocable(dev);
	mr = register_revocable(f, fd);
	assert_errno(raw_watch(mr, reader.event_fd), 0, "watch");
	assert_errno(raw_watch(mr, reader.event_fd), 0, "watch");
	revoke_buffer(dev, fd);
	stop_reader(&reader, read_the_file);
	if (unwatch_first) {
		assert_errno(raw_unwatch(mr, reader.event_fd, 0, &reported), 0, "unwatch");
		assert_int_equal(reported, 1);
	}
	deregister(mr);
	let_go(&reader);
	assert_int_equal(reader.size, sizeof(reader.event));
	assert_int_equal(reader.event.event_type, IB_UVERBS_EVENT_DMABUF_MR_REVOKED);

	/* The second event was not read and is gone. */
	assert_int_equal(fcntl(reader.event_fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(reader.event_fd, &reader.event, sizeof(reader.event)), -1);
	assert_errno(errno, EAGAIN, "read");
	assert_int_equal(fcntl(reader.event_fd, F_SETFL, 0), 0);
	close(fd);
	close(dev);
}

/*
 * The kernel cannot take back what a reader has, but counts it. A deregistration
 * waits for the reader as little.
 */
static void stopped_reader_of_the_file(void **state)
{
	end_under_reader_of_the_file(*state, true);
	end_under_reader_of_the_file(*state, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(channels),
		TEST(static_buffers),
		TEST(wrong_watches),
		TEST(events_of_the_device),
		TEST(revoked),
		TEST(taken_back),
		TEST(unwatched),
		TEST(wrong_unwatches),
		TEST(destroyed_channel),
		TEST(ended_process),
		TEST(blocked_reader),
		TEST(watch_against_revoke),
		TEST(deregistration_against_revoke),
		TEST(unwatch_against_revoke),
		TEST(unwatched_before_a_stopped_reader),
		TEST(stopped_reader_of_the_file),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
