// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What an MR is.
 */
#include <errno.h>
#include <string.h>
#include <rdma/ib_user_ioctl_cmds.h>

#include "ext.h"

int ext_query_mr(const struct ext_device *device, const struct ibv_mr *mr,
		 struct ib_uverbs_dmabuf_mr_info *info)
{
	struct ib_uverbs_attr attrs[] = {
		ext_attr_handle(UVERBS_ATTR_QUERY_DMABUF_MR_HANDLE, mr->handle),
		ext_attr_out(UVERBS_ATTR_QUERY_DMABUF_MR_RESP, info, sizeof(*info)),
	};
	int err;

	memset(info, 0, sizeof(*info));
	err = ext_ioctl(device, UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_DMABUF_MR, attrs);
	return err == EPROTONOSUPPORT ? EOPNOTSUPP : err;
}

EXPORT int _ibv_ext_query_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_mr_info *info,
				    size_t info_size)
{
	struct ib_uverbs_dmabuf_mr_info kernel;
	struct ibv_ext_dmabuf_mr_info out = {};
	struct ext_device device;
	int err;

	/* Another kernel may give the method another meaning. */
	err = ext_get_device(mr->context->cmd_fd, &device);
	if (!err)
		err = ext_query_mr(&device, mr, &kernel);
	if (err)
		return err;

	out.mode = kernel.mode;
	out.state = kernel.state;
	out.placement = kernel.placement;
	out.flags = kernel.flags;
	out.offset = kernel.offset;
	out.length = kernel.length;
	out.iova = kernel.iova;
	out.dmabuf_size = kernel.dmabuf_size;
	out.dmabuf_inode = kernel.dmabuf_inode;
	out.charged = kernel.charged;
	out.dma_segments = kernel.dma_segments;
	memcpy(out.exporter, kernel.exporter, sizeof(out.exporter) - 1);
	ext_copy_sized(info, info_size, &out, sizeof(out));
	return 0;
}
