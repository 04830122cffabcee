/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What is particular to private ABI 65, of libibverbs release 65; included
 * by verbs_provider.h, which has the rest.
 */
#ifndef VERBS_PROVIDER_65_H
#define VERBS_PROVIDER_65_H

/* The verbs a provider may implement; libibverbs keeps them sorted by name. */
struct verbs_context_ops {
	int (*advise_mr)(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t flags,
			 struct ibv_sge *sg_list, uint32_t num_sge);
	verbs_unused_op alloc_buf;
	verbs_unused_op alloc_dm;
	verbs_unused_op alloc_dmah;
	struct ibv_mw *(*alloc_mw)(struct ibv_pd *pd, enum ibv_mw_type type);
	verbs_unused_op alloc_null_mr;
	struct ibv_pd *(*alloc_parent_domain)(struct ibv_context *context,
					      struct ibv_parent_domain_init_attr *attr);
	struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
	struct ibv_td *(*alloc_td)(struct ibv_context *context, struct ibv_td_init_attr *attr);
	verbs_unused_op async_event;
	verbs_unused_op attach_counters_point_flow;
	int (*attach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
	int (*bind_mw)(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
	verbs_unused_op close_xrcd;
	verbs_unused_op cq_event;
	struct ibv_ah *(*create_ah)(struct ibv_pd *pd, struct ibv_ah_attr *attr);
	verbs_unused_op create_comp_cntr;
	verbs_unused_op create_counters;
	struct ibv_cq *(*create_cq)(struct ibv_context *context, int cqe,
				    struct ibv_comp_channel *channel, int comp_vector);
	struct ibv_cq_ex *(*create_cq_ex)(struct ibv_context *context,
					  struct ibv_cq_init_attr_ex *attr);
	verbs_unused_op create_flow;
	verbs_unused_op create_flow_action_esp;
	struct ibv_qp *(*create_qp)(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
	struct ibv_qp *(*create_qp_ex)(struct ibv_context *context,
				       struct ibv_qp_init_attr_ex *attr);
	verbs_unused_op create_rwq_ind_table;
	struct ibv_srq *(*create_srq)(struct ibv_pd *pd, struct ibv_srq_init_attr *attr);
	struct ibv_srq *(*create_srq_ex)(struct ibv_context *context,
					 struct ibv_srq_init_attr_ex *attr);
	verbs_unused_op create_wq;
	verbs_unused_op dealloc_dmah;
	int (*dealloc_mw)(struct ibv_mw *mw);
	int (*dealloc_pd)(struct ibv_pd *pd);
	int (*dealloc_td)(struct ibv_td *td);
	int (*dereg_mr)(struct verbs_mr *mr);
	int (*destroy_ah)(struct ibv_ah *ah);
	verbs_unused_op destroy_comp_cntr;
	verbs_unused_op destroy_counters;
	int (*destroy_cq)(struct ibv_cq *cq);
	verbs_unused_op destroy_flow;
	verbs_unused_op destroy_flow_action;
	int (*destroy_qp)(struct ibv_qp *qp);
	verbs_unused_op destroy_rwq_ind_table;
	int (*destroy_srq)(struct ibv_srq *srq);
	verbs_unused_op destroy_wq;
	int (*detach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
	verbs_unused_op dm_export_dmabuf_fd;
	verbs_unused_op free_buf;
	void (*free_context)(struct ibv_context *context);
	verbs_unused_op free_dm;
	verbs_unused_op get_srq_num;
	verbs_unused_op import_dm;
	struct ibv_mr *(*import_mr)(struct ibv_pd *pd, uint32_t handle);
	struct ibv_pd *(*import_pd)(struct ibv_context *context, uint32_t handle);
	verbs_unused_op inc_comp_cntr;
	verbs_unused_op inc_err_comp_cntr;
	verbs_unused_op modify_cq;
	verbs_unused_op modify_flow_action_esp;
	int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask);
	verbs_unused_op modify_qp_rate_limit;
	int (*modify_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr, int attr_mask);
	verbs_unused_op modify_wq;
	verbs_unused_op open_qp;
	verbs_unused_op open_xrcd;
	int (*poll_cq)(struct ibv_cq *cq, int num_entries, struct ibv_wc *wc);
	int (*post_recv)(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
	int (*post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr);
	verbs_unused_op post_srq_ops;
	int (*post_srq_recv)(struct ibv_srq *srq, struct ibv_recv_wr *wr,
			     struct ibv_recv_wr **bad_wr);
	verbs_unused_op qp_attach_comp_cntr;
	verbs_unused_op query_comp_cntr_caps;
	int (*query_device_ex)(struct ibv_context *context,
			       const struct ibv_query_device_ex_input *input,
			       struct ibv_device_attr_ex *attr, size_t attr_size);
	verbs_unused_op query_ece;
	int (*query_port)(struct ibv_context *context, uint8_t port_num,
			  struct ibv_port_attr *attr);
	verbs_unused_op query_port_speed;
	int (*query_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
			struct ibv_qp_init_attr *init_attr);
	verbs_unused_op query_qp_data_in_order;
	verbs_unused_op query_rt_values;
	int (*query_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr);
	verbs_unused_op read_comp_cntr;
	verbs_unused_op read_counters;
	verbs_unused_op read_err_comp_cntr;
	verbs_unused_op reg_dm_mr;
	struct ibv_mr *(*reg_dmabuf_mr)(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access);
	struct ibv_mr *(*reg_mr)(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				 int access);
	struct ibv_mr *(*reg_mr_ex)(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);
	int (*req_notify_cq)(struct ibv_cq *cq, int solicited_only);
	int (*rereg_mr)(struct verbs_mr *mr, int flags, struct ibv_pd *pd, void *addr,
			size_t length, int access);
	int (*resize_cq)(struct ibv_cq *cq, int cqe);
	verbs_unused_op set_comp_cntr;
	verbs_unused_op set_ece;
	verbs_unused_op set_err_comp_cntr;
	verbs_unused_op unimport_dm;
	void (*unimport_mr)(struct ibv_mr *mr);
	void (*unimport_pd)(struct ibv_pd *pd);
};

void verbs_register_driver_65(const struct verbs_device_ops *ops);
#define verbs_register_driver verbs_register_driver_65

int ibv_cmd_get_context(struct verbs_context *context, struct verbs_cmd_get_context *cmd,
			size_t cmd_size, struct ibv_fd_arr *fds,
			struct ib_uverbs_get_context_resp *resp, size_t resp_size);
int ibv_cmd_create_cq_ex(struct ibv_context *context, const struct ibv_cq_init_attr_ex *attr,
			 void *provider_attr, struct verbs_cq *cq,
			 struct verbs_cmd_create_cq_ex *cmd, size_t cmd_size,
			 struct ib_uverbs_ex_create_cq_resp *resp, size_t resp_size,
			 uint32_t cmd_flags);
int ibv_cmd_create_qp_ex2(struct ibv_context *context, struct verbs_qp *qp,
			  struct ibv_qp_init_attr_ex *attr, struct verbs_cmd_create_qp_ex *cmd,
			  size_t cmd_size, struct ib_uverbs_ex_create_qp_resp *resp,
			  size_t resp_size, void *provider_attrs);

/*
 * Between the families these gained a parameter, which this provider has nothing
 * to say about: here they look the same.
 */
static inline int verbs_get_context(struct verbs_context *context)
{
	struct verbs_cmd_get_context cmd = {};
	struct ib_uverbs_get_context_resp resp = {};

	return ibv_cmd_get_context(context, &cmd, sizeof(cmd), NULL, &resp, sizeof(resp));
}

static inline int verbs_create_cq_ex(struct ibv_context *context,
				     const struct ibv_cq_init_attr_ex *attr, struct verbs_cq *cq,
				     struct ib_uverbs_ex_create_cq_resp *resp, size_t resp_size)
{
	struct verbs_cmd_create_cq_ex cmd = {};

	return ibv_cmd_create_cq_ex(context, attr, NULL, cq, &cmd, sizeof(cmd), resp, resp_size, 0);
}

static inline int verbs_create_qp_ex(struct ibv_context *context, struct verbs_qp *qp,
				     struct ibv_qp_init_attr_ex *attr,
				     struct ib_uverbs_ex_create_qp_resp *resp, size_t resp_size)
{
	struct verbs_cmd_create_qp_ex cmd = {};

	return ibv_cmd_create_qp_ex2(context, qp, attr, &cmd, sizeof(cmd), resp, resp_size, NULL);
}

VERBS_ASSERT_SIZE(struct verbs_context, 696);
VERBS_ASSERT_SIZE(struct verbs_context_ops, 744);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, alloc_pd, 56);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, create_qp, 176);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, free_context, 368);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, poll_cq, 496);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, query_qp, 584);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, reg_dmabuf_mr, 648);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, reg_mr, 656);
VERBS_ASSERT_OFFSET(struct verbs_context_ops, resize_cq, 688);

#endif /* VERBS_PROVIDER_65_H */
