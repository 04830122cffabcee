/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The dma-buf to ask about: a new one, one of this process, or one of another.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "dmabuf_alloc.h"

struct buffer {
	struct dmabuf allocated; /* with an exporter only */
	int fd;
	struct dmabuf_id id;
};

/* udmabuf, heap or heap:NAME? */
bool buffer_is_exporter(const char *name);

/* These return false after a message on stderr. */
bool buffer_allocate(struct buffer *buffer, const char *exporter, size_t size);
/* @fd: N, inherited, or PID:N, of another process (needs the right to ptrace(2) it) */
bool buffer_take(struct buffer *buffer, const char *fd);

void buffer_release(struct buffer *buffer);

#endif /* BUFFER_H */
