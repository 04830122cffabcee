// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "rxe.h"

struct ibv_mr *rxe_reg_mr(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova, int access)
{
	struct verbs_cmd_reg_mr cmd = {};
	struct ib_uverbs_reg_mr_resp resp = {};
	struct verbs_mr *mr;
	int ret;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;

	ret = ibv_cmd_reg_mr(pd, addr, length, iova, access, mr, &cmd, sizeof(cmd), &resp,
			     sizeof(resp));
	if (ret) {
		free(mr);
		errno = ret;
		return NULL;
	}
	return &mr->mr;
}

enum reg_dmabuf_attr {
	REG_DMABUF_HANDLE,
	REG_DMABUF_PD,
	REG_DMABUF_OFFSET,
	REG_DMABUF_LENGTH,
	REG_DMABUF_IOVA,
	REG_DMABUF_FD,
	REG_DMABUF_ACCESS,
	REG_DMABUF_LKEY,
	REG_DMABUF_RKEY,
	REG_DMABUF_ATTRS,
};

struct reg_dmabuf_cmd {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[REG_DMABUF_ATTRS];
};

_Static_assert(offsetof(struct reg_dmabuf_cmd, attrs) == sizeof(struct ib_uverbs_ioctl_hdr),
	       "attributes follow the header");

/* Objects and input of up to eight bytes travel in the attribute itself, output by pointer. */

static struct ib_uverbs_attr attr_object(uint16_t id, uint32_t handle)
{
	return (struct ib_uverbs_attr){
		.attr_id = id,
		.flags = UVERBS_ATTR_F_MANDATORY,
		.data = handle,
	};
}

static struct ib_uverbs_attr attr_in_u64(uint16_t id, uint64_t value)
{
	return (struct ib_uverbs_attr){
		.attr_id = id,
		.len = sizeof(value),
		.flags = UVERBS_ATTR_F_MANDATORY,
		.data = value,
	};
}

static struct ib_uverbs_attr attr_in_u32(uint16_t id, uint32_t value)
{
	struct ib_uverbs_attr attr = {
		.attr_id = id,
		.len = sizeof(value),
		.flags = UVERBS_ATTR_F_MANDATORY,
	};

	/* the first four bytes of the field, whatever the byte order */
	memcpy(&attr.data, &value, sizeof(value));
	return attr;
}

static struct ib_uverbs_attr attr_out_u32(uint16_t id, uint32_t *value)
{
	return (struct ib_uverbs_attr){
		.attr_id = id,
		.len = sizeof(*value),
		.flags = UVERBS_ATTR_F_MANDATORY,
		.data = (uintptr_t)value,
	};
}

/*
 * The access bits go to the kernel as they came, this project's included
 * (rdma/ib_user_dmabuf.h): it alone knows which of them it supports.
 */
struct ibv_mr *rxe_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova,
				 int fd, int access)
{
	struct reg_dmabuf_cmd cmd = {
		.hdr = {
			.length = sizeof(cmd),
			.object_id = UVERBS_OBJECT_MR,
			.method_id = UVERBS_METHOD_REG_DMABUF_MR,
			.num_attrs = REG_DMABUF_ATTRS,
			.driver_id = RDMA_DRIVER_RXE,
		},
	};
	uint32_t lkey = 0;
	uint32_t rkey = 0;
	struct verbs_mr *mr;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;

	cmd.attrs[REG_DMABUF_HANDLE] = attr_object(UVERBS_ATTR_REG_DMABUF_MR_HANDLE, 0);
	cmd.attrs[REG_DMABUF_PD] = attr_object(UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, pd->handle);
	cmd.attrs[REG_DMABUF_OFFSET] = attr_in_u64(UVERBS_ATTR_REG_DMABUF_MR_OFFSET, offset);
	cmd.attrs[REG_DMABUF_LENGTH] = attr_in_u64(UVERBS_ATTR_REG_DMABUF_MR_LENGTH, length);
	cmd.attrs[REG_DMABUF_IOVA] = attr_in_u64(UVERBS_ATTR_REG_DMABUF_MR_IOVA, iova);
	cmd.attrs[REG_DMABUF_FD] = attr_in_u32(UVERBS_ATTR_REG_DMABUF_MR_FD, fd);
	cmd.attrs[REG_DMABUF_ACCESS] = attr_in_u32(UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, access);
	cmd.attrs[REG_DMABUF_LKEY] = attr_out_u32(UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, &lkey);
	cmd.attrs[REG_DMABUF_RKEY] = attr_out_u32(UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, &rkey);

	if (ioctl(pd->context->cmd_fd, RDMA_VERBS_IOCTL, &cmd)) {
		int err = errno;

		free(mr);
		errno = err;
		return NULL;
	}

	mr->type = VERBS_MR_TYPE_DMABUF_MR;
	mr->access = access;
	mr->mr.context = pd->context;
	mr->mr.pd = pd;
	mr->mr.addr = (void *)(uintptr_t)offset;
	mr->mr.length = length;
	mr->mr.handle = cmd.attrs[REG_DMABUF_HANDLE].data;
	mr->mr.lkey = lkey;
	mr->mr.rkey = rkey;
	return &mr->mr;
}

#if VERBS_RELEASE >= 65
struct ibv_mr *rxe_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr)
{
	const uint64_t supported = IBV_REG_MR_MASK_IOVA | IBV_REG_MR_MASK_ADDR |
				   IBV_REG_MR_MASK_FD | IBV_REG_MR_MASK_FD_OFFSET;
	const uint64_t dmabuf = IBV_REG_MR_MASK_IOVA | IBV_REG_MR_MASK_FD |
				IBV_REG_MR_MASK_FD_OFFSET;
	const uint64_t from = attr->comp_mask & ~(uint64_t)IBV_REG_MR_MASK_IOVA;

	if (attr->comp_mask & ~supported) {
		errno = EOPNOTSUPP;
		return NULL;
	}

	if (attr->comp_mask == dmabuf)
		return rxe_reg_dmabuf_mr(pd, attr->fd_offset, attr->length, attr->iova, attr->fd,
					 attr->access);
	if (from == IBV_REG_MR_MASK_ADDR)
		return rxe_reg_mr(pd, attr->addr, attr->length,
				  attr->comp_mask & IBV_REG_MR_MASK_IOVA ? attr->iova :
									   (uintptr_t)attr->addr,
				  attr->access);

	errno = EINVAL;
	return NULL;
}
#endif

/* The memory is another process' or another context's; its address is not known here. */
struct ibv_mr *rxe_import_mr(struct ibv_pd *pd, uint32_t handle)
{
	struct verbs_mr *mr;
	int ret;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;

	ret = ibv_cmd_query_mr(pd, mr, handle);
	if (ret) {
		free(mr);
		errno = ret;
		return NULL;
	}
	return &mr->mr;
}

void rxe_unimport_mr(struct ibv_mr *mr)
{
	free(to_vmr(mr));
}

int rxe_rereg_mr(struct verbs_mr *mr, int flags, struct ibv_pd *pd, void *addr, size_t length,
		 int access)
{
	struct verbs_cmd_rereg_mr cmd = {};
	struct ib_uverbs_rereg_mr_resp resp = {};
	int ret;

	ret = ibv_cmd_rereg_mr(mr, flags, addr, length, (uintptr_t)addr, access,
			       (flags & IBV_REREG_MR_CHANGE_PD) ? pd : NULL, &cmd, sizeof(cmd),
			       &resp, sizeof(resp));
	if (!ret && flags & IBV_REREG_MR_CHANGE_ACCESS)
		mr->access = access;
	return ret;
}

int rxe_dereg_mr(struct verbs_mr *mr)
{
	int ret = ibv_cmd_dereg_mr(mr);

	if (!ret)
		free(mr);
	return ret;
}
