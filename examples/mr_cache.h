/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A cache of pinned regions. A file descriptor does not name a dma-buf: the number is
 * used again for another one, and one dma-buf has several. Its inode does, for as long
 * as somebody holds the dma-buf; a region does, so no entry can be of another dma-buf.
 *
 * Regions over one dma-buf share its pin, so a cache of whole buffers is seldom needed;
 * what it saves is the registration of the same slice again and again.
 */
#ifndef MR_CACHE_H
#define MR_CACHE_H

#include <infiniband/verbs_ext.h>

struct mr_cache;

/* @unused: how many regions that nobody uses are kept. Returns NULL with errno. */
struct mr_cache *mr_cache_create(struct ibv_pd *pd, unsigned int unused);

/*
 * A region of the cache, or a new one; its iova is @offset. To be given back with
 * mr_cache_put(), not deregistered. Returns NULL with errno.
 */
struct ibv_mr *mr_cache_get(struct mr_cache *cache, int fd, uint64_t offset, uint64_t length,
			    int access);
void mr_cache_put(struct mr_cache *cache, struct ibv_mr *mr);

/* All regions have been given back. */
void mr_cache_destroy(struct mr_cache *cache);

#endif /* MR_CACHE_H */
