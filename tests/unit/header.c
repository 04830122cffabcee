/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Compiled alone as C11 and as C++11, with all warnings: the header needs
 * nothing before it, and each typedef fits its function.
 */
#include <infiniband/verbs_ext.h>

struct calls {
	ibv_reg_dmabuf_mr_pinned_fn reg_pinned;
	_ibv_ext_reg_dmabuf_mr_fn reg;
	_ibv_ext_probe_dmabuf_fn probe;
	_ibv_ext_query_dmabuf_caps_fn query_caps;
	_ibv_ext_query_dmabuf_mr_fn query_mr;
	ibv_ext_create_dmabuf_event_channel_fn create_channel;
	ibv_ext_watch_dmabuf_mr_fn watch;
	ibv_ext_unwatch_dmabuf_mr_fn unwatch;
	_ibv_ext_get_dmabuf_event_fn get_event;
	ibv_ext_destroy_dmabuf_event_channel_fn destroy_channel;
	ibv_ext_dmabuf_reason_str_fn reason_str;
};

void get_calls(struct calls *calls);
int use_wrappers(struct ibv_pd *pd, struct ibv_ext_dmabuf_event_channel *channel);

void get_calls(struct calls *calls)
{
	calls->reg_pinned = ibv_reg_dmabuf_mr_pinned;
	calls->reg = _ibv_ext_reg_dmabuf_mr;
	calls->probe = _ibv_ext_probe_dmabuf;
	calls->query_caps = _ibv_ext_query_dmabuf_caps;
	calls->query_mr = _ibv_ext_query_dmabuf_mr;
	calls->create_channel = ibv_ext_create_dmabuf_event_channel;
	calls->watch = ibv_ext_watch_dmabuf_mr;
	calls->unwatch = ibv_ext_unwatch_dmabuf_mr;
	calls->get_event = _ibv_ext_get_dmabuf_event;
	calls->destroy_channel = ibv_ext_destroy_dmabuf_event_channel;
	calls->reason_str = ibv_ext_dmabuf_reason_str;
}

int use_wrappers(struct ibv_pd *pd, struct ibv_ext_dmabuf_event_channel *channel)
{
	struct ibv_ext_dmabuf_mr_attr attr = { 0, 0, 0, 4096, 0, -1, 0 };
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_ext_dmabuf_event event;
	struct ibv_ext_dmabuf_caps caps;
	struct ibv_mr *mr;

	if (ibv_ext_query_dmabuf_caps(pd->context, &caps) ||
	    ibv_ext_probe_dmabuf(pd, &attr, &report) || ibv_ext_get_dmabuf_event(channel, &event))
		return 1;
	mr = ibv_ext_reg_dmabuf_mr(pd, &attr, &report);
	return mr ? ibv_ext_query_dmabuf_mr(mr, &info) : report.err;
}
