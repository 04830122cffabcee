// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include "test.h"
#include "window.h"

const char *const window_kinds[] = { "type 1", "type 2", "zero-based" };

static struct ibv_mw_bind_info bind_info(const struct window *w, struct ibv_mr *mr, uint64_t addr,
					 uint64_t length, unsigned int access)
{
	return (struct ibv_mw_bind_info){
		.mr = mr,
		.addr = addr,
		.length = length,
		.mw_access_flags = access | (w->kind == ZERO_BASED ? IBV_ACCESS_ZERO_BASED : 0),
	};
}

static int execute(struct rc_pair *pair, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad;

	wr->send_flags = IBV_SEND_SIGNALED;
	assert_errno(ibv_post_send(pair->responder, wr, &bad), 0, "post");
	return rc_wait_responder(pair);
}

static int bind_type_1(struct window *w, struct rc_pair *pair, struct ibv_mw_bind_info info)
{
	struct ibv_mw_bind bind = { .send_flags = IBV_SEND_SIGNALED, .bind_info = info };

	assert_errno(ibv_bind_mw(pair->responder, w->mw, &bind), 0, "bind");
	w->rkey = w->mw->rkey;
	return rc_wait_responder(pair);
}

static int bind_type_2(struct window *w, struct rc_pair *pair, struct ibv_mw_bind_info info,
		       uint32_t rkey)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_BIND_MW,
		.bind_mw = { .mw = w->mw, .rkey = rkey, .bind_info = info },
	};
	int status = execute(pair, &wr);

	/* The application's task, with this type */
	w->mw->rkey = w->rkey = rkey;
	return status;
}

int window_bind(struct window *w, enum window_kind kind, struct rc_pair *pair, struct ibv_mr *mr,
		uint64_t addr, uint64_t length, unsigned int access)
{
	struct ibv_mw_bind_info info;
	int status;

	w->kind = kind;
	w->mw = ibv_alloc_mw(mr->pd, kind == TYPE_1 ? IBV_MW_TYPE_1 : IBV_MW_TYPE_2);
	assert_non_null(w->mw);
	info = bind_info(w, mr, addr, length, access);
	if (kind == TYPE_1)
		status = bind_type_1(w, pair, info);
	else
		status = bind_type_2(w, pair, info, ibv_inc_rkey(w->mw->rkey));
	if (status != IBV_WC_SUCCESS)
		assert_errno(rc_pair_reset(pair), 0, "reset");
	return status;
}

int window_invalidate(struct window *w, struct rc_pair *pair)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_LOCAL_INV, .invalidate_rkey = w->rkey };

	return execute(pair, &wr);
}

void window_move(struct window *w, struct rc_pair *pair, struct ibv_mr *mr, uint64_t addr,
		 uint64_t length, unsigned int access)
{
	struct ibv_mw_bind_info info = bind_info(w, mr, addr, length, access);

	assert_int_equal(window_invalidate(w, pair), IBV_WC_SUCCESS);
	assert_int_equal(bind_type_2(w, pair, info, w->rkey), IBV_WC_SUCCESS);
}

void window_free(struct window *w)
{
	assert_errno(ibv_dealloc_mw(w->mw), 0, "window");
}
