/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A dma-buf that every machine can make: a memfd's pages, exported by udmabuf. An
 * accelerator's driver has a call of its own for its memory.
 */
#ifndef UDMABUF_H
#define UDMABUF_H

#include <stddef.h>

/* The dma-buf's fd, to be closed; -1 with errno. @size: whole pages. */
int udmabuf_create(size_t size);

/* Maps a dma-buf and fills it with @byte. Returns 0, or -1 with errno. */
int dmabuf_fill(int fd, size_t size, int byte);

#endif /* UDMABUF_H */
