// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Protection domains, thread domains, and parent domains, which join the two.
 *
 * The kernel knows only protection domains: a parent domain carries its
 * protection domain's handle. What it adds is a promise that QPs, SRQs and CQs
 * created with it are each used by one thread at a time.
 */
#include <stdlib.h>

#include "rxe.h"

struct ibv_pd *rxe_alloc_pd(struct ibv_context *context)
{
	struct verbs_cmd_alloc_pd cmd = {};
	struct ib_uverbs_alloc_pd_resp resp = {};
	struct rxe_pd *pd;
	int ret;

	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;

	ret = ibv_cmd_alloc_pd(context, &pd->pd, &cmd, sizeof(cmd), &resp, sizeof(resp));
	if (ret) {
		free(pd);
		errno = ret;
		return NULL;
	}
	return &pd->pd;
}

/* Another process, or another context, has allocated it; only the handle is needed. */
struct ibv_pd *rxe_import_pd(struct ibv_context *context, uint32_t handle)
{
	struct rxe_pd *pd;

	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;

	pd->pd.context = context;
	pd->pd.handle = handle;
	return &pd->pd;
}

void rxe_unimport_pd(struct ibv_pd *pd)
{
	free(to_rpd(pd));
}

struct ibv_td *rxe_alloc_td(struct ibv_context *context, struct ibv_td_init_attr *attr)
{
	struct rxe_td *td;

	if (attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}

	td = calloc(1, sizeof(*td));
	if (!td)
		return NULL;

	td->td.context = context;
	return &td->td;
}

int rxe_dealloc_td(struct ibv_td *ibtd)
{
	struct rxe_td *td = to_rtd(ibtd);

	if (__atomic_load_n(&td->parent_domains, __ATOMIC_ACQUIRE))
		return EBUSY;
	free(td);
	return 0;
}

/*
 * The allocators are for memory that a provider shares with its device. Here
 * the kernel allocates all of that, so there is nothing to call them for.
 */
struct ibv_pd *rxe_alloc_parent_domain(struct ibv_context *context,
				       struct ibv_parent_domain_init_attr *attr)
{
	const uint32_t supported = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
				   IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;
	struct rxe_pd *parent;

	if (!attr->pd) {
		errno = EINVAL;
		return NULL;
	}
	if (attr->comp_mask & ~supported) {
		errno = EOPNOTSUPP;
		return NULL;
	}

	parent = calloc(1, sizeof(*parent));
	if (!parent)
		return NULL;

	parent->pd.context = context;
	parent->pd.handle = attr->pd->handle;
	parent->protection_domain = to_rpd(attr->pd);
	__atomic_add_fetch(&parent->protection_domain->parent_domains, 1, __ATOMIC_RELAXED);
	if (attr->td) {
		parent->thread_domain = to_rtd(attr->td);
		__atomic_add_fetch(&parent->thread_domain->parent_domains, 1, __ATOMIC_RELAXED);
	}
	return &parent->pd;
}

static void free_parent_domain(struct rxe_pd *parent)
{
	__atomic_sub_fetch(&parent->protection_domain->parent_domains, 1, __ATOMIC_RELEASE);
	if (parent->thread_domain)
		__atomic_sub_fetch(&parent->thread_domain->parent_domains, 1, __ATOMIC_RELEASE);
	free(parent);
}

int rxe_dealloc_pd(struct ibv_pd *ibpd)
{
	struct rxe_pd *pd = to_rpd(ibpd);
	int ret;

	if (__atomic_load_n(&pd->parent_domains, __ATOMIC_ACQUIRE))
		return EBUSY;

	if (pd->protection_domain) {
		free_parent_domain(pd);
		return 0;
	}

	ret = ibv_cmd_dealloc_pd(ibpd);
	if (!ret)
		free(pd);
	return ret;
}
