/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The part of libibverbs' private provider interface that this provider uses.
 *
 * No distribution ships the headers of that interface, so what is needed of it
 * is declared here. Two layouts are known, named after the private ABI that
 * the library's symbols carry, each with a header of its own for what differs:
 *
 *   VERBS_PRIVATE_ABI   libibverbs releases
 *   34                  36 to 56               verbs_provider_34.h
 *   65                  65                     verbs_provider_65.h
 *
 * The number alone does not tell: releases before 36 are 34 as well and lay
 * struct verbs_context_ops out differently. Therefore the build chooses by
 * release (VERBS_RELEASE, that of the headers compiled with), and the plugin
 * finds out the layout of the library in the process before it registers
 * (layout.c).
 *
 * The asserts hold the sizes and offsets as measured on every release of each
 * family.
 */
#ifndef VERBS_PROVIDER_H
#define VERBS_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>

#if VERBS_RELEASE >= 36 && VERBS_RELEASE <= 56
#define VERBS_PRIVATE_ABI 34
#define VERBS_RELEASE_FIRST 36
#define VERBS_RELEASE_LAST 56
#elif VERBS_RELEASE == 65
#define VERBS_PRIVATE_ABI 65
#define VERBS_RELEASE_FIRST 65
#define VERBS_RELEASE_LAST 65
#else
#error "VERBS_RELEASE is no release of libibverbs whose layout is known"
#endif

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Objects: the public struct comes first, libibverbs owns what follows it. */

enum verbs_mr_type {
	VERBS_MR_TYPE_MR,
	VERBS_MR_TYPE_NULL_MR,
	VERBS_MR_TYPE_IMPORTED_MR,
	VERBS_MR_TYPE_DMABUF_MR,
};

struct verbs_mr {
	struct ibv_mr mr;
	enum verbs_mr_type type;
	int access;
};

struct verbs_cq {
	union {
		struct ibv_cq cq;
		struct ibv_cq_ex cq_ex;
	};
};

struct verbs_srq {
	struct ibv_srq srq;
	enum ibv_srq_type type;
	void *xrcd;
	struct ibv_cq *cq;
	uint32_t srq_num;
};

/*
 * Behind struct ibv_qp_ex libibverbs keeps a mask and a pointer of its own,
 * and that struct grew inside family 34, with the releases 44 and 45. The space
 * holds the largest version; where the mask is, the running library decides.
 */
#define VERBS_QP_SPACE 376
#define VERBS_QP_EX (1 << 1) /* in the mask: the QP has struct ibv_qp_ex's calls */

struct verbs_qp {
	union {
		struct ibv_qp qp;
		struct ibv_qp_ex qp_ex;
		unsigned char space[VERBS_QP_SPACE];
	};
};

/* @qp_ex_size: of the running library's struct ibv_qp_ex */
static inline uint32_t *verbs_qp_mask(struct verbs_qp *qp, size_t qp_ex_size)
{
	return (uint32_t *)(void *)(qp->space + qp_ex_size);
}

/* How a provider presents itself */

enum verbs_match_kind {
	VERBS_MATCH_END = 0,
	VERBS_MATCH_DRIVER_ID = 3,
};

struct verbs_match_ent {
	void *driver_data;
	uint64_t driver_id;
	uint16_t vendor;
	uint16_t device;
	uint8_t kind;
};

struct verbs_sysfs_dev;
struct verbs_device_ops;

struct verbs_device {
	struct ibv_device device;
	const struct verbs_device_ops *ops;
	int refcount;
	void *list[2];
	struct verbs_sysfs_dev *sysfs;
	uint64_t core_support;
};

struct verbs_device_ops {
	const char *name;
	uint32_t match_min_abi_version;
	uint32_t match_max_abi_version;
	const struct verbs_match_ent *match_table;
	const struct verbs_device_ops **static_providers;
	bool (*match_device)(struct verbs_sysfs_dev *sysfs_dev);
	struct verbs_context *(*alloc_context)(struct ibv_device *device, int cmd_fd,
					       void *private_data);
	struct verbs_context *(*import_context)(struct ibv_device *device, int cmd_fd);
	struct verbs_device *(*alloc_device)(struct verbs_sysfs_dev *sysfs_dev);
	void (*uninit_device)(struct verbs_device *device);
};

/* A verb that this provider does not implement. Those that there are depend on the family. */
typedef void (*verbs_unused_op)(void);
struct verbs_context_ops;

/*
 * Request buffers. libibverbs writes the header and the core part itself, the
 * driver's part, if any, follows; so a buffer begins with room for the former.
 */
struct verbs_cmd_get_context {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_get_context core;
};

struct verbs_cmd_query_port {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_query_port core;
};

struct verbs_cmd_alloc_pd {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_alloc_pd core;
};

struct verbs_cmd_reg_mr {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_reg_mr core;
};

struct verbs_cmd_rereg_mr {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_rereg_mr core;
};

struct verbs_cmd_alloc_mw {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_alloc_mw core;
};

struct verbs_cmd_create_cq_ex {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_ex_cmd_hdr ex_hdr;
	struct ib_uverbs_ex_create_cq core;
};

struct verbs_cmd_resize_cq {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_resize_cq core;
};

struct verbs_cmd_create_srq {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_create_srq core;
};

struct verbs_cmd_create_xsrq {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_create_xsrq core;
};

struct verbs_cmd_modify_srq {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_modify_srq core;
};

struct verbs_cmd_query_srq {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_query_srq core;
};

struct verbs_cmd_create_qp {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_create_qp core;
};

struct verbs_cmd_create_qp_ex {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_ex_cmd_hdr ex_hdr;
	struct ib_uverbs_ex_create_qp core;
};

struct verbs_cmd_modify_qp {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_modify_qp core;
};

struct verbs_cmd_query_qp {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_query_qp core;
};

/*
 * Functions. Those of libibverbs' that take a request take it as a pointer to
 * one of the above, with its size; results are errno values.
 *
 * Left out on purpose: ibv_cmd_reg_dmabuf_mr(), whose prototype changed inside
 * family 34 (mr.c makes that ioctl itself).
 */
/* @context_offset: where the struct verbs_context lies in the new object, as a pointer */
void *_verbs_init_and_alloc_context(struct ibv_device *device, int cmd_fd, size_t size,
				    struct verbs_context *context_offset, uint32_t driver_id);
void verbs_uninit_context(struct verbs_context *context);
void verbs_set_ops(struct verbs_context *context, const struct verbs_context_ops *ops);

/* @attrs: further attributes of the driver's */
int ibv_cmd_query_context(struct ibv_context *context, void *attrs);
int ibv_cmd_query_device_any(struct ibv_context *context,
			     const struct ibv_query_device_ex_input *input,
			     struct ibv_device_attr_ex *attr, size_t attr_size,
			     struct ib_uverbs_ex_query_device_resp *resp, size_t *resp_size);
int ibv_cmd_query_port(struct ibv_context *context, uint8_t port_num, struct ibv_port_attr *attr,
		       struct verbs_cmd_query_port *cmd, size_t cmd_size);

int ibv_cmd_alloc_pd(struct ibv_context *context, struct ibv_pd *pd, struct verbs_cmd_alloc_pd *cmd,
		     size_t cmd_size, struct ib_uverbs_alloc_pd_resp *resp, size_t resp_size);
int ibv_cmd_dealloc_pd(struct ibv_pd *pd);

int ibv_cmd_reg_mr(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova, int access,
		   struct verbs_mr *mr, struct verbs_cmd_reg_mr *cmd, size_t cmd_size,
		   struct ib_uverbs_reg_mr_resp *resp, size_t resp_size);
int ibv_cmd_rereg_mr(struct verbs_mr *mr, uint32_t flags, void *addr, size_t length, uint64_t iova,
		     int access, struct ibv_pd *pd, struct verbs_cmd_rereg_mr *cmd, size_t cmd_size,
		     struct ib_uverbs_rereg_mr_resp *resp, size_t resp_size);
int ibv_cmd_dereg_mr(struct verbs_mr *mr);
int ibv_cmd_query_mr(struct ibv_pd *pd, struct verbs_mr *mr, uint32_t handle);
int ibv_cmd_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t flags,
		      struct ibv_sge *sg_list, uint32_t num_sge);

int ibv_cmd_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type, struct ibv_mw *mw,
		     struct verbs_cmd_alloc_mw *cmd, size_t cmd_size,
		     struct ib_uverbs_alloc_mw_resp *resp, size_t resp_size);
int ibv_cmd_dealloc_mw(struct ibv_mw *mw);

int ibv_cmd_req_notify_cq(struct ibv_cq *cq, int solicited_only);
int ibv_cmd_resize_cq(struct ibv_cq *cq, int cqe, struct verbs_cmd_resize_cq *cmd, size_t cmd_size,
		      struct ib_uverbs_resize_cq_resp *resp, size_t resp_size);
int ibv_cmd_destroy_cq(struct ibv_cq *cq);

int ibv_cmd_create_srq(struct ibv_pd *pd, struct ibv_srq *srq, struct ibv_srq_init_attr *attr,
		       struct verbs_cmd_create_srq *cmd, size_t cmd_size,
		       struct ib_uverbs_create_srq_resp *resp, size_t resp_size);
int ibv_cmd_create_srq_ex(struct ibv_context *context, struct verbs_srq *srq,
			  struct ibv_srq_init_attr_ex *attr, struct verbs_cmd_create_xsrq *cmd,
			  size_t cmd_size, struct ib_uverbs_create_srq_resp *resp,
			  size_t resp_size);
int ibv_cmd_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int attr_mask,
		       struct verbs_cmd_modify_srq *cmd, size_t cmd_size);
int ibv_cmd_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr,
		      struct verbs_cmd_query_srq *cmd, size_t cmd_size);
int ibv_cmd_destroy_srq(struct ibv_srq *srq);

int ibv_cmd_create_qp(struct ibv_pd *pd, struct ibv_qp *qp, struct ibv_qp_init_attr *attr,
		      struct verbs_cmd_create_qp *cmd, size_t cmd_size,
		      struct ib_uverbs_create_qp_resp *resp, size_t resp_size);
int ibv_cmd_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
		      struct verbs_cmd_modify_qp *cmd, size_t cmd_size);
int ibv_cmd_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
		     struct ibv_qp_init_attr *init_attr, struct verbs_cmd_query_qp *cmd,
		     size_t cmd_size);
int ibv_cmd_destroy_qp(struct ibv_qp *qp);
int ibv_cmd_attach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
int ibv_cmd_detach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);

int ibv_cmd_create_ah(struct ibv_pd *pd, struct ibv_ah *ah, struct ibv_ah_attr *attr,
		      struct ib_uverbs_create_ah_resp *resp, size_t resp_size);
int ibv_cmd_destroy_ah(struct ibv_ah *ah);

/* What was measured; 64-bit pointers only, and so is the provider. */

#define VERBS_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define VERBS_ASSERT_OFFSET(type, member, offset) \
	_Static_assert(offsetof(type, member) == (offset), "offset of " #member " in " #type)

VERBS_ASSERT_SIZE(void *, 8);
VERBS_ASSERT_SIZE(struct ibv_device, 664);
VERBS_ASSERT_SIZE(struct verbs_device, 712);
VERBS_ASSERT_OFFSET(struct verbs_device, refcount, 672);
VERBS_ASSERT_OFFSET(struct verbs_device, sysfs, 696);
VERBS_ASSERT_SIZE(struct verbs_device_ops, 72);
VERBS_ASSERT_OFFSET(struct verbs_device_ops, alloc_context, 40);
VERBS_ASSERT_SIZE(struct verbs_match_ent, 24);
VERBS_ASSERT_OFFSET(struct verbs_match_ent, kind, 20);
VERBS_ASSERT_SIZE(struct verbs_mr, 56);
VERBS_ASSERT_OFFSET(struct verbs_mr, type, 48);
VERBS_ASSERT_OFFSET(struct verbs_mr, access, 52);
VERBS_ASSERT_SIZE(struct verbs_cq, 288);
VERBS_ASSERT_SIZE(struct verbs_srq, 160);
VERBS_ASSERT_OFFSET(struct verbs_srq, srq_num, 152);
VERBS_ASSERT_SIZE(struct verbs_qp, VERBS_QP_SPACE);

#if VERBS_PRIVATE_ABI == 34
#include "verbs_provider_34.h"
#else
#include "verbs_provider_65.h"
#endif

#endif /* VERBS_PROVIDER_H */
