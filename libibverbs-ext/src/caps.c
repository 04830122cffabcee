// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What kernel and device can do.
 */
#include <errno.h>
#include <string.h>
#include <rdma/ib_user_ioctl_cmds.h>

#include "ext.h"

/*
 * Errors that leave open whether the kernel knows the method. Every other one is
 * how a kernel without the method, one that gives it another meaning, or a file
 * that is no uverbs device may answer.
 */
static bool is_transient(int err)
{
	return err == EIO || err == ENODEV || err == ENOMEM || err == EINTR;
}

int ext_query_caps(int cmd_fd, struct ib_uverbs_dmabuf_caps *caps)
{
	struct ib_uverbs_attr attr =
		ext_attr_out(UVERBS_ATTR_QUERY_DMABUF_CAPS_RESP, caps, sizeof(*caps));
	int err;

	memset(caps, 0, sizeof(*caps));
	err = ext_ioctl(cmd_fd, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_DMABUF_CAPS, &attr, 1);
	if (err)
		return is_transient(err) ? err : EOPNOTSUPP;
	if (caps->magic != IB_UVERBS_DMABUF_MAGIC || caps->version != IB_UVERBS_DMABUF_VERSION)
		return EOPNOTSUPP;
	return 0;
}

EXPORT int _ibv_ext_query_dmabuf_caps(struct ibv_context *context, struct ibv_ext_dmabuf_caps *caps,
				      size_t caps_size)
{
	struct ib_uverbs_dmabuf_caps kernel;
	struct ibv_ext_dmabuf_caps out = {};
	int err;

	err = ext_query_caps(context->cmd_fd, &kernel);
	if (err)
		return err;

	out.version = kernel.version;
	out.access_flags = kernel.access_flags;
	ext_copy_sized(caps, caps_size, &out, sizeof(out));
	return 0;
}
