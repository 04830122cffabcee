// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Events of MRs. They come through an asynchronous event file of the context,
 * which is also sent what happens to the device and its ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>

#include "ext.h"

struct channel {
	struct ibv_ext_dmabuf_event_channel base;
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
	return 0;
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
	err = open_events(context, &channel->base.fd);
	if (err) {
		free(channel);
		errno = err;
		return NULL;
	}
	return &channel->base;
}

EXPORT int ibv_ext_watch_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *channel,
				   void *cookie)
{
	struct ib_uverbs_attr attrs[] = {
		ext_attr_handle(UVERBS_ATTR_WATCH_DMABUF_MR_HANDLE, mr->handle),
		ext_attr_fd(UVERBS_ATTR_WATCH_DMABUF_MR_EVENT_FD, channel->fd),
		ext_attr_u64(UVERBS_ATTR_WATCH_DMABUF_MR_COOKIE, (uintptr_t)cookie),
	};
	struct ext_device device;
	int err;

	err = ext_get_device(mr->context->cmd_fd, &device);
	if (err)
		return err;
	err = ext_ioctl(&device, UVERBS_OBJECT_MR, UVERBS_METHOD_WATCH_DMABUF_MR, attrs);
	switch (err) {
	case EPROTONOSUPPORT:
		return EOPNOTSUPP;
	case EBADF:
		/*
		 * The kernel does not have the file in this context. The contexts
		 * are not compared before, as two may stand for one of the kernel's
		 * (ibv_import_device()).
		 */
		return mr->context == channel->context ? EBADF : EINVAL;
	default:
		return err;
	}
}

/*
 * Nobody is to wait for what may never come, but what is queued behind the
 * device's end is still to be read. device_gone is set first: who finds nothing
 * to read, where he would have waited, has to know why.
 */
static int stop_waiting(struct channel *channel)
{
	int flags = fcntl(channel->base.fd, F_GETFL);

	atomic_store(&channel->device_gone, true);
	if (flags < 0 || fcntl(channel->base.fd, F_SETFL, flags | O_NONBLOCK))
		return errno;
	return 0;
}

EXPORT int _ibv_ext_get_dmabuf_event(struct ibv_ext_dmabuf_event_channel *base,
				     struct ibv_ext_dmabuf_event *event, size_t event_size)
{
	struct channel *channel = (struct channel *)base;
	struct ib_uverbs_async_event_desc kernel;
	struct ibv_ext_dmabuf_event out = {};
	ssize_t size;
	int err;

	do {
		size = read(base->fd, &kernel, sizeof(kernel));
		if (size < 0 && errno == EAGAIN && atomic_load(&channel->device_gone))
			return EIO;
		if (size < 0)
			return errno;
		/* One read gives one event, never a part of it. */
		if (size != sizeof(kernel))
			return EIO;
		if (kernel.event_type == IBV_EVENT_DEVICE_FATAL) {
			err = stop_waiting(channel);
			if (err)
				return err;
		}
	} while (kernel.event_type != IB_UVERBS_EVENT_DMABUF_MR_REVOKED);

	out.cookie = (void *)(uintptr_t)kernel.element;
	out.type = kernel.event_type;
	ext_copy_sized(event, event_size, &out, sizeof(out));
	return 0;
}

EXPORT int ibv_ext_destroy_dmabuf_event_channel(struct ibv_ext_dmabuf_event_channel *channel)
{
	int err = close(channel->fd) ? errno : 0;

	free(channel);
	return err;
}
