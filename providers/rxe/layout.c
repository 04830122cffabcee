// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rxe.h"

/*
 * The symbol version that binds this plugin to libibverbs is the same over releases with
 * different layouts. So the library in the process is asked how it does things; the name of its
 * file says nothing, as an upgrade may have replaced the file meanwhile.
 */

/*
 * Before it had this function, with release 36, struct verbs_context_ops was another one. All
 * symbols are bound when the plugin is loaded, so it is not loaded then.
 */
__attribute__((used)) static const void *const since_36 = (const void *)ibv_query_qp_data_in_order;

/* The sizes that struct ibv_qp_ex has had: until release 43, of 44, since 45 */
static const size_t qp_ex_sizes[] = { 344, 352, 360 };

/*
 * Behind struct ibv_qp_ex there is a mask, and one of its bits is what ibv_qp_to_qp_ex()
 * looks at.
 */
static bool is_qp_ex_size(size_t size)
{
	struct verbs_qp qp = {};

	*verbs_qp_mask(&qp, size) = VERBS_QP_EX;
	return ibv_qp_to_qp_ex(&qp.qp);
}

static size_t qp_ex_size;

size_t rxe_qp_ex_size(void)
{
	return qp_ex_size;
}

/**
 * rxe_find_layout() - may this plugin work with the libibverbs in the process?
 *
 * If not, its structs are not touched, and libibverbs goes on to the stock provider. Silent, as
 * the plugin may be loaded on speculation, unless warnings were asked for. Called once, before
 * registration.
 */
bool rxe_find_layout(void)
{
	unsigned int i, found = 0;

	for (i = 0; i < sizeof(qp_ex_sizes) / sizeof(qp_ex_sizes[0]); i++) {
		if (!is_qp_ex_size(qp_ex_sizes[i]))
			continue;
		qp_ex_size = qp_ex_sizes[i];
		found++;
	}
	if (found == 1)
		return true;

	if (getenv("IBV_SHOW_WARNINGS"))
		fprintf(stderr,
			"rxe-dmabuf: struct ibv_qp_ex of this libibverbs is unknown; not registered\n");
	return false;
}
