// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Events of MRs. They come through an asynchronous event file of the context,
 * which is also sent what happens to the device and its ports.
 *
 * Several threads may wait for an event. None of them may sleep in read(), as the
 * device's end is one event, which only one of them gets. So the event file does
 * not block, and they wait by poll() on an epoll file, which is also readable from
 * the device's end on. It is the one that the caller has.
 *
 * The kernel is not given the caller's cookie but a number of the watch. The event
 * of a watch that was ended may have been read from the kernel before, by a thread
 * that has not returned yet. That thread does not find the number any more and
 * goes on, so nobody needs to wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>

#include "ext.h"

struct watch {
	TAILQ_ENTRY(watch) entry;
	const struct ibv_mr *mr;
	void *cookie;
	uint64_t id;
};

struct channel {
	struct ibv_ext_dmabuf_event_channel base;
	int event_fd;
	int end_fd; /* readable when the device is gone */
	/*
	 * Held until the kernel has answered, so that an event that comes before
	 * the answer does not meet a watch that is not in the list yet.
	 */
	pthread_mutex_t lock;
	uint64_t last_id;
	/* Those whose event was not delivered. An MR may be gone without an unwatch. */
	TAILQ_HEAD(, watch) watches;
	/* the kernel says it only once, and not always after all that led to it */
	atomic_bool device_gone;
};

static int open_events(struct ibv_context *context, int *fd)
{
	struct ib_uverbs_attr attrs[] = {
		ext_attr_fd(UVERBS_ATTR_ASYNC_EVENT_ALLOC_FD_HANDLE, 0),
	};
	struct ext_device device;
	int err;

	/* Other kernels have such files too, but would never send an MR's event. */
	err = ext_get_device(context->cmd_fd, &device);
	if (err)
		return err;
	err = ext_ioctl(&device, UVERBS_OBJECT_ASYNC_EVENT, UVERBS_METHOD_ASYNC_EVENT_ALLOC, attrs);
	if (err)
		return err == EPROTONOSUPPORT ? EOPNOTSUPP : err;
	*fd = attrs[0].data_s64;
	return fcntl(*fd, F_SETFL, O_NONBLOCK) ? errno : 0;
}

static int add_to_epoll(const struct channel *channel, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(channel->base.fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

static int open_files(struct channel *channel)
{
	int err;

	err = open_events(channel->base.context, &channel->event_fd);
	if (err)
		return err;
	channel->end_fd = eventfd(0, EFD_CLOEXEC);
	if (channel->end_fd < 0)
		return errno;
	channel->base.fd = epoll_create1(EPOLL_CLOEXEC);
	if (channel->base.fd < 0)
		return errno;
	err = add_to_epoll(channel, channel->event_fd);
	return err ? err : add_to_epoll(channel, channel->end_fd);
}

static int close_channel(struct channel *channel)
{
	int err = close(channel->base.fd) ? errno : 0;
	struct watch *watch;

	close(channel->end_fd);
	close(channel->event_fd);
	while ((watch = TAILQ_FIRST(&channel->watches))) {
		TAILQ_REMOVE(&channel->watches, watch, entry);
		free(watch);
	}
	pthread_mutex_destroy(&channel->lock);
	free(channel);
	return err;
}

EXPORT struct ibv_ext_dmabuf_event_channel *
ibv_ext_create_dmabuf_event_channel(struct ibv_context *context)
{
	struct channel *channel;
	int err;

	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return NULL;
	channel->base.context = context;
	channel->base.fd = -1;
	channel->event_fd = -1;
	channel->end_fd = -1;
	pthread_mutex_init(&channel->lock, NULL);
	TAILQ_INIT(&channel->watches);
	err = open_files(channel);
	if (err) {
		close_channel(channel);
		errno = err;
		return NULL;
	}
	return &channel->base;
}

static int add_watch(struct channel *channel, const struct ext_device *device,
		     const struct ibv_mr *mr, void *cookie)
{
	uint64_t id = ++channel->last_id;
	struct ib_uverbs_attr attrs[] = {
		ext_attr_handle(UVERBS_ATTR_WATCH_DMABUF_MR_HANDLE, mr->handle),
		ext_attr_fd(UVERBS_ATTR_WATCH_DMABUF_MR_EVENT_FD, channel->event_fd),
		ext_attr_u64(UVERBS_ATTR_WATCH_DMABUF_MR_COOKIE, id),
	};
	struct watch *watch;
	int err;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return ENOMEM;
	err = ext_ioctl(device, UVERBS_OBJECT_MR, UVERBS_METHOD_WATCH_DMABUF_MR, attrs);
	if (err) {
		free(watch);
		return err;
	}
	watch->mr = mr;
	watch->cookie = cookie;
	watch->id = id;
	TAILQ_INSERT_TAIL(&channel->watches, watch, entry);
	return 0;
}

EXPORT int ibv_ext_watch_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *base,
				   void *cookie)
{
	struct channel *channel = (struct channel *)base;
	struct ext_device device;
	int err;

	err = ext_get_device(mr->context->cmd_fd, &device);
	if (err)
		return err;

	pthread_mutex_lock(&channel->lock);
	err = add_watch(channel, &device, mr, cookie);
	pthread_mutex_unlock(&channel->lock);
	switch (err) {
	case EPROTONOSUPPORT:
		return EOPNOTSUPP;
	case EBADF:
		/*
		 * The kernel does not have the file in this context. The contexts
		 * are not compared before, as two may stand for one of the kernel's
		 * (ibv_import_device()).
		 */
		return mr->context == base->context ? EBADF : EINVAL;
	default:
		return err;
	}
}

static int unwatch(const struct channel *channel, const struct ext_device *device,
		   const struct ibv_mr *mr, uint64_t id)
{
	uint32_t events_reported;
	struct ib_uverbs_attr attrs[] = {
		ext_attr_handle(UVERBS_ATTR_UNWATCH_DMABUF_MR_HANDLE, mr->handle),
		ext_attr_fd(UVERBS_ATTR_UNWATCH_DMABUF_MR_EVENT_FD, channel->event_fd),
		ext_attr_u64(UVERBS_ATTR_UNWATCH_DMABUF_MR_COOKIE, id),
		ext_attr_out(UVERBS_ATTR_UNWATCH_DMABUF_MR_RESP_EVENTS_REPORTED, &events_reported,
			     sizeof(events_reported)),
	};

	return ext_ioctl(device, UVERBS_OBJECT_MR, UVERBS_METHOD_UNWATCH_DMABUF_MR, attrs);
}

/*
 * The MR does not have that watch: it was one of an earlier MR, whose struct was
 * at the same address. This one may be an ordinary MR or of another context.
 */
static bool is_of_earlier_mr(int err)
{
	return err == ENOENT || err == EINVAL || err == EBADF;
}

EXPORT int ibv_ext_unwatch_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *base)
{
	struct channel *channel = (struct channel *)base;
	struct watch *watch, *next;
	struct ext_device device;
	int device_err, err, ret = ENOENT;

	device_err = ext_get_device(mr->context->cmd_fd, &device);
	if (device_err == EOPNOTSUPP)
		return EOPNOTSUPP;

	pthread_mutex_lock(&channel->lock);
	for (watch = TAILQ_FIRST(&channel->watches); watch; watch = next) {
		next = TAILQ_NEXT(watch, entry);
		if (watch->mr != mr)
			continue;
		/* A kernel that cannot be asked may keep the watch; its event is dropped. */
		err = device_err ? device_err : unwatch(channel, &device, mr, watch->id);
		if (!is_of_earlier_mr(err))
			ret = 0;
		TAILQ_REMOVE(&channel->watches, watch, entry);
		free(watch);
	}
	pthread_mutex_unlock(&channel->lock);
	return ret;
}

static void end_waiting(struct channel *channel)
{
	/* Set first: who is woken up and finds no event has to know why. */
	channel->device_gone = true;
	eventfd_write(channel->end_fd, 1);
}

/* 0 if there may be an event now */
static int wait_for_event(const struct channel *channel)
{
	struct pollfd pollfd = { .fd = channel->base.fd, .events = POLLIN };
	int flags = fcntl(channel->base.fd, F_GETFL);

	if (flags < 0)
		return errno;
	if (channel->device_gone)
		return EIO;
	if (flags & O_NONBLOCK)
		return EAGAIN;
	return poll(&pollfd, 1, -1) < 0 ? errno : 0;
}

static int read_event(struct channel *channel, struct ib_uverbs_async_event_desc *event)
{
	ssize_t size;
	int err;

	while ((size = read(channel->event_fd, event, sizeof(*event))) < 0) {
		if (errno != EAGAIN)
			return errno;
		err = wait_for_event(channel);
		if (err)
			return err;
	}
	/* One read gives one event, never a part of it. */
	return size == sizeof(*event) ? 0 : EIO;
}

/* False if the watch was ended after the kernel sent its event. */
static bool take_cookie(struct channel *channel, uint64_t id, void **cookie)
{
	struct watch *watch;
	bool found = false;

	pthread_mutex_lock(&channel->lock);
	TAILQ_FOREACH (watch, &channel->watches, entry) {
		if (watch->id != id)
			continue;
		found = true;
		*cookie = watch->cookie;
		TAILQ_REMOVE(&channel->watches, watch, entry);
		free(watch);
		break;
	}
	pthread_mutex_unlock(&channel->lock);
	return found;
}

EXPORT int _ibv_ext_get_dmabuf_event(struct ibv_ext_dmabuf_event_channel *base,
				     struct ibv_ext_dmabuf_event *event, size_t event_size)
{
	struct channel *channel = (struct channel *)base;
	struct ib_uverbs_async_event_desc kernel;
	struct ibv_ext_dmabuf_event out = {};
	int err;

	do {
		err = read_event(channel, &kernel);
		if (err)
			return err;
		/* No event is guaranteed to follow, but those that are queued are delivered. */
		if (kernel.event_type == IBV_EVENT_DEVICE_FATAL)
			end_waiting(channel);
	} while (kernel.event_type != IB_UVERBS_EVENT_DMABUF_MR_REVOKED ||
		 !take_cookie(channel, kernel.element, &out.cookie));

	out.type = kernel.event_type;
	ext_copy_sized(event, event_size, &out, sizeof(out));
	return 0;
}

EXPORT int ibv_ext_destroy_dmabuf_event_channel(struct ibv_ext_dmabuf_event_channel *channel)
{
	return close_channel((struct channel *)channel);
}
