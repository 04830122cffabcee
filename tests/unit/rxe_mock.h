/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The kernel's side of the rxe provider, played in the test's process. The
 * provider and libibverbs are the real ones: what they ask with ioctl() is
 * answered here, rings are heap blocks of the exact size, so that a sanitizer
 * sees any access beside one, and each step that can fail can be made to.
 */
#ifndef RXE_MOCK_H
#define RXE_MOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "rxe.h"

enum {
	MOCK_FAULT = EUCLEAN, /* an errno value that nothing else gives */
};

struct mock {
	unsigned int objects;	/* that the kernel has */
	unsigned int mappings;	/* that the process has */
	unsigned int doorbells; /* rung so far */
	unsigned int steps;	/* that could have failed so far */
	unsigned int fail_at;	/* the step that does; 0: none */
	uint32_t ring_mask;	/* written over the next ring's if not 0 */
	int doorbell_error;
};

extern struct mock mock;

struct ibv_context *mock_open(void);
void mock_close(struct ibv_context *context);

/* The kernel completes a request, and takes @count requests that were posted. */
void mock_complete(struct ibv_cq *cq, uint64_t wr_id, uint32_t qp_num);
void mock_complete_with(struct ibv_cq *cq, const struct ib_uverbs_wc *wc);
void mock_consume(struct rxe_wq *wq, uint32_t count);

#endif /* RXE_MOCK_H */
