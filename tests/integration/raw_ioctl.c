// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "raw_ioctl.h"

#define MAX_ATTRS 9

struct message {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[MAX_ATTRS];
};

static void start(struct message *msg, uint16_t object, uint16_t method)
{
	memset(msg, 0, sizeof(*msg));
	msg->hdr.object_id = object;
	msg->hdr.method_id = method;
	msg->hdr.driver_id = RDMA_DRIVER_RXE;
}

static struct ib_uverbs_attr *add(struct message *msg, uint16_t id, uint16_t len)
{
	struct ib_uverbs_attr *attr = &msg->attrs[msg->hdr.num_attrs++];

	attr->attr_id = id;
	attr->len = len;
	attr->flags = UVERBS_ATTR_F_MANDATORY;
	return attr;
}

static struct ib_uverbs_attr *add_handle(struct message *msg, uint16_t id, uint32_t handle)
{
	struct ib_uverbs_attr *attr = add(msg, id, 0);

	attr->data = handle;
	return attr;
}

static void add_fd(struct message *msg, uint16_t id, int fd)
{
	add(msg, id, 0)->data_s64 = fd;
}

/* Input of up to eight bytes is in the attribute itself. */
static void add_in(struct message *msg, uint16_t id, const void *value, uint16_t len)
{
	memcpy(&add(msg, id, len)->data, value, len);
}

static void add_out(struct message *msg, uint16_t id, void *value, uint16_t len)
{
	add(msg, id, len)->data = (uintptr_t)value;
}

static int execute(int cmd_fd, struct message *msg)
{
	msg->hdr.length = sizeof(msg->hdr) + msg->hdr.num_attrs * sizeof(msg->attrs[0]);
	return ioctl(cmd_fd, RDMA_VERBS_IOCTL, &msg->hdr) ? errno : 0;
}

int raw_reg_dmabuf_mr(int cmd_fd, const struct raw_region *region, struct raw_mr *mr)
{
	struct ib_uverbs_attr *handle;
	uint32_t fd = region->fd;
	struct message msg;
	int err;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR);
	handle = add_handle(&msg, UVERBS_ATTR_REG_DMABUF_MR_HANDLE, 0);
	add_handle(&msg, UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, region->pd);
	add_in(&msg, UVERBS_ATTR_REG_DMABUF_MR_OFFSET, &region->offset, sizeof(region->offset));
	add_in(&msg, UVERBS_ATTR_REG_DMABUF_MR_LENGTH, &region->length, sizeof(region->length));
	add_in(&msg, UVERBS_ATTR_REG_DMABUF_MR_IOVA, &region->iova, sizeof(region->iova));
	add_in(&msg, UVERBS_ATTR_REG_DMABUF_MR_FD, &fd, sizeof(fd));
	add_in(&msg, UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, &region->access,
	       sizeof(region->access));
	add_out(&msg, UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, &mr->lkey, sizeof(mr->lkey));
	add_out(&msg, UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, &mr->rkey, sizeof(mr->rkey));

	err = execute(cmd_fd, &msg);
	if (!err)
		mr->handle = handle->data;
	return err;
}

int raw_dereg_mr(int cmd_fd, uint32_t handle)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY);
	add_handle(&msg, UVERBS_ATTR_DESTROY_MR_HANDLE, handle);
	return execute(cmd_fd, &msg);
}

int raw_query_mr(int cmd_fd, uint32_t handle, struct raw_mr_info *info)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_MR);
	add_handle(&msg, UVERBS_ATTR_QUERY_MR_HANDLE, handle);
	add_out(&msg, UVERBS_ATTR_QUERY_MR_RESP_LKEY, &info->lkey, sizeof(info->lkey));
	add_out(&msg, UVERBS_ATTR_QUERY_MR_RESP_RKEY, &info->rkey, sizeof(info->rkey));
	add_out(&msg, UVERBS_ATTR_QUERY_MR_RESP_LENGTH, &info->length, sizeof(info->length));
	add_out(&msg, UVERBS_ATTR_QUERY_MR_RESP_IOVA, &info->iova, sizeof(info->iova));
	return execute(cmd_fd, &msg);
}

int raw_get_context(int cmd_fd)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_GET_CONTEXT);
	return execute(cmd_fd, &msg);
}

int raw_query_dmabuf_caps(int cmd_fd, void *caps, uint16_t size)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_DMABUF_CAPS);
	add_out(&msg, UVERBS_ATTR_QUERY_DMABUF_CAPS_RESP, caps, size);
	return execute(cmd_fd, &msg);
}

int raw_query_dmabuf_mr(int cmd_fd, uint32_t handle, void *info, uint16_t size)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_DMABUF_MR);
	add_handle(&msg, UVERBS_ATTR_QUERY_DMABUF_MR_HANDLE, handle);
	add_out(&msg, UVERBS_ATTR_QUERY_DMABUF_MR_RESP, info, size);
	return execute(cmd_fd, &msg);
}

int raw_watch_dmabuf_mr(int cmd_fd, uint32_t handle, int event_fd, uint64_t cookie)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_WATCH_DMABUF_MR);
	/* The kernel looks them up in this order: the file must not hide behind the region. */
	add_fd(&msg, UVERBS_ATTR_WATCH_DMABUF_MR_EVENT_FD, event_fd);
	add_handle(&msg, UVERBS_ATTR_WATCH_DMABUF_MR_HANDLE, handle);
	add_in(&msg, UVERBS_ATTR_WATCH_DMABUF_MR_COOKIE, &cookie, sizeof(cookie));
	return execute(cmd_fd, &msg);
}

int raw_unwatch_dmabuf_mr(int cmd_fd, uint32_t handle, int event_fd, uint64_t cookie,
			  uint32_t *events_reported)
{
	struct message msg;

	start(&msg, UVERBS_OBJECT_MR, UVERBS_METHOD_UNWATCH_DMABUF_MR);
	add_handle(&msg, UVERBS_ATTR_UNWATCH_DMABUF_MR_HANDLE, handle);
	add_fd(&msg, UVERBS_ATTR_UNWATCH_DMABUF_MR_EVENT_FD, event_fd);
	add_in(&msg, UVERBS_ATTR_UNWATCH_DMABUF_MR_COOKIE, &cookie, sizeof(cookie));
	add_out(&msg, UVERBS_ATTR_UNWATCH_DMABUF_MR_RESP_EVENTS_REPORTED, events_reported,
		sizeof(*events_reported));
	return execute(cmd_fd, &msg);
}

int raw_probe_dmabuf(int cmd_fd, const struct raw_region *region, void *probe, uint16_t size)
{
	uint32_t fd = region->fd;
	struct message msg;

	start(&msg, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_PROBE_DMABUF);
	add_in(&msg, UVERBS_ATTR_PROBE_DMABUF_OFFSET, &region->offset, sizeof(region->offset));
	add_in(&msg, UVERBS_ATTR_PROBE_DMABUF_LENGTH, &region->length, sizeof(region->length));
	add_in(&msg, UVERBS_ATTR_PROBE_DMABUF_IOVA, &region->iova, sizeof(region->iova));
	add_in(&msg, UVERBS_ATTR_PROBE_DMABUF_FD, &fd, sizeof(fd));
	add_in(&msg, UVERBS_ATTR_PROBE_DMABUF_ACCESS_FLAGS, &region->access,
	       sizeof(region->access));
	add_out(&msg, UVERBS_ATTR_PROBE_DMABUF_RESP, probe, size);
	return execute(cmd_fd, &msg);
}

/* The sizes of command and response are counted in words, the header included. */
static struct ib_uverbs_cmd_hdr command_header(uint32_t command, size_t in_size, size_t out_size)
{
	return (struct ib_uverbs_cmd_hdr){ .command = command,
					   .in_words = in_size / 4,
					   .out_words = out_size / 4 };
}

static int write_command(int cmd_fd, const void *cmd, size_t size)
{
	return write(cmd_fd, cmd, size) == (ssize_t)size ? 0 : errno;
}

int raw_reg_mr(int cmd_fd, uint32_t pd, void *addr, uint64_t length, uint32_t access,
	       struct raw_mr *mr)
{
	struct ib_uverbs_reg_mr_resp resp = {};
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_reg_mr reg;
	} cmd = {
		.hdr = command_header(IB_USER_VERBS_CMD_REG_MR, sizeof(cmd), sizeof(resp)),
		.reg = {
			.response = (uintptr_t)&resp,
			.start = (uintptr_t)addr,
			.length = length,
			.hca_va = (uintptr_t)addr,
			.pd_handle = pd,
			.access_flags = access,
		},
	};
	int err;

	err = write_command(cmd_fd, &cmd, sizeof(cmd));
	if (err)
		return err;
	mr->handle = resp.mr_handle;
	mr->lkey = resp.lkey;
	mr->rkey = resp.rkey;
	return 0;
}

int raw_rereg_mr(int cmd_fd, uint32_t handle, uint32_t flags, void *addr, uint64_t length,
		 uint32_t pd, uint32_t access)
{
	struct ib_uverbs_rereg_mr_resp resp = {};
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_rereg_mr rereg;
	} cmd = {
		.hdr = command_header(IB_USER_VERBS_CMD_REREG_MR, sizeof(cmd), sizeof(resp)),
		.rereg = {
			.response = (uintptr_t)&resp,
			.mr_handle = handle,
			.flags = flags,
			.start = (uintptr_t)addr,
			.length = length,
			.hca_va = (uintptr_t)addr,
			.pd_handle = pd,
			.access_flags = access,
		},
	};

	return write_command(cmd_fd, &cmd, sizeof(cmd));
}
