/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Memory windows for the requests that the responder of a pair gets.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "rc_pair.h"

enum window_kind {
	TYPE_1,
	TYPE_2,
	ZERO_BASED, /* and of type 2 */
	NUM_WINDOW_KINDS,
};

extern const char *const window_kinds[];

struct window {
	enum window_kind kind;
	struct ibv_mw *mw;
	uint32_t rkey;
};

/*
 * Allocate a window and bind it. Returns the status of the bind; after an error
 * the pair is connected anew.
 */
int window_bind(struct window *w, enum window_kind kind, struct rc_pair *pair, struct ibv_mr *mr,
		uint64_t addr, uint64_t length, unsigned int access);

/* The owner's work request, which only a window of type 2 can have; returns its status. */
int window_invalidate(struct window *w, struct rc_pair *pair);

/* Invalidate a window of type 2 and bind it to another range under the key that it had. */
void window_move(struct window *w, struct rc_pair *pair, struct ibv_mr *mr, uint64_t addr,
		 uint64_t length, unsigned int access);

void window_free(struct window *w);

#endif /* WINDOW_H */
