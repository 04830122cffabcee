/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Children of a test: processes of their own that give up rights. A child does
 * not fail the test itself, it says what went wrong and ends.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>
#include <unistd.h>

#include <infiniband/verbs.h>

#include "dmabuf_alloc.h"
#include "test.h"

struct complaint {
	char text[256];
};

/* Shared with the children of a test, from child_group_setup() on. */
extern struct complaint *complaint;

#define child_check(condition, ...)                                                      \
	do {                                                                             \
		if (!(condition)) {                                                      \
			snprintf(complaint->text, sizeof(complaint->text), __VA_ARGS__); \
			_exit(1);                                                        \
		}                                                                        \
	} while (0)

int child_group_setup(void **state);

/* @body runs in a child, with a device context of its own. */
void in_child(void (*body)(struct ibv_pd *pd, struct dmabuf *buf), struct dmabuf *buf);

/* In a child: without CAP_IPC_LOCK or any other, under RLIMIT_MEMLOCK. */
void become_limited(size_t limit);

#endif /* CHILD_H */
