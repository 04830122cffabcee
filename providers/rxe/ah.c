// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "rxe.h"

struct create_ah_resp {
	struct ib_uverbs_create_ah_resp core;
	struct rxe_create_ah_resp rxe;
};

_Static_assert(offsetof(struct create_ah_resp, rxe) == 4, "no padding in responses");

/*
 * Since 5.16 the kernel numbers its address handles from 1 on, and a UD work
 * request carries that number. A kernel that answers 0 wants the whole address
 * vector in each work request, which this provider does not do.
 */
struct ibv_ah *rxe_create_ah(struct ibv_pd *pd, struct ibv_ah_attr *attr)
{
	struct create_ah_resp resp = {};
	struct rxe_ah *ah;
	int ret;

	ah = calloc(1, sizeof(*ah));
	if (!ah)
		return NULL;

	ret = ibv_cmd_create_ah(pd, &ah->ah, attr, &resp.core, sizeof(resp));
	if (ret)
		goto err_free;

	ah->num = resp.rxe.ah_num;
	if (!ah->num) {
		ret = EOPNOTSUPP;
		goto err_destroy;
	}
	return &ah->ah;

err_destroy:
	ibv_cmd_destroy_ah(&ah->ah);
err_free:
	free(ah);
	errno = ret;
	return NULL;
}

int rxe_destroy_ah(struct ibv_ah *ibah)
{
	int ret = ibv_cmd_destroy_ah(ibah);

	if (!ret)
		free(to_rah(ibah));
	return ret;
}
