// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "rxe.h"

struct ibv_mw *rxe_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct verbs_cmd_alloc_mw cmd = {};
	struct ib_uverbs_alloc_mw_resp resp = {};
	struct ibv_mw *mw;
	int ret;

	mw = calloc(1, sizeof(*mw));
	if (!mw)
		return NULL;

	ret = ibv_cmd_alloc_mw(pd, type, mw, &cmd, sizeof(cmd), &resp, sizeof(resp));
	if (ret) {
		free(mw);
		errno = ret;
		return NULL;
	}
	return mw;
}

/* Can a window be bound so? The kernel checks the rest when it carries the request out. */
int rxe_check_bind(const struct ibv_mw *mw, const struct ibv_mw_bind_info *info)
{
	if (!mw)
		return EINVAL;
	if (!info->mr)
		return info->length ? EINVAL : 0;
	/* The exporter may take the memory away, and a window has no way to follow. */
	if (to_vmr(info->mr)->type == VERBS_MR_TYPE_DMABUF_MR)
		return EINVAL;
	return 0;
}

/*
 * rxe knows only the bind work request, so binding a type 1 window means to
 * post one. The new key is valid once that completes; should it complete in
 * error, the application has to restore the old one.
 */
int rxe_bind_mw(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind)
{
	struct ibv_send_wr wr = {
		.wr_id = bind->wr_id,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = bind->send_flags,
		.bind_mw = {
			.mw = mw,
			.rkey = ibv_inc_rkey(mw->rkey),
			.bind_info = bind->bind_info,
		},
	};
	struct ibv_send_wr *bad_wr;
	int ret;

	/* o10-36.2.2 of the InfiniBand specification */
	if (bind->bind_info.mw_access_flags & IBV_ACCESS_ZERO_BASED)
		return EINVAL;

	ret = rxe_post_send(qp, &wr, &bad_wr);
	if (!ret)
		mw->rkey = wr.bind_mw.rkey;
	return ret;
}

int rxe_dealloc_mw(struct ibv_mw *mw)
{
	int ret = ibv_cmd_dealloc_mw(mw);

	if (!ret)
		free(mw);
	return ret;
}
