/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Memory to register: dma-bufs from the exporters that every machine has, and
 * ordinary memory for comparison.
 */
#ifndef DMABUF_ALLOC_H
#define DMABUF_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dmabuf {
	int fd;	     /* of the dma-buf, or -1 */
	int memfd;   /* or -1 */
	void *map;   /* the CPU's mapping of all of it */
	size_t size; /* rounded up to what the exporter hands out */
};

/* What the kernel says a dma-buf is; from its fd alone. */
struct dmabuf_id {
	uint64_t size;
	uint64_t inode;
	char exporter[32];
};

enum dmabuf_cpu_access {
	DMABUF_CPU_READ,
	DMABUF_CPU_WRITE,
};

/*
 * All return 0 or an errno value; on failure dmabuf_error() has a sentence and
 * @buf is as after dmabuf_free().
 *
 * @memfd_flags: for memfd_create(), such as MFD_HUGETLB; 0 for ordinary pages.
 * @fd_flags: O_RDWR or O_RDONLY; the latter gives a dma-buf that only reads.
 * @heap: a name in /dev/dma_heap.
 */
int dmabuf_alloc_udmabuf(struct dmabuf *buf, size_t size, unsigned int memfd_flags);
int dmabuf_alloc_heap(struct dmabuf *buf, const char *heap, size_t size, int fd_flags);
/* Without a dma-buf: the memory that a udmabuf is made of, and private memory. */
int dmabuf_alloc_memfd(struct dmabuf *buf, size_t size);
int dmabuf_alloc_anon(struct dmabuf *buf, size_t size);
void dmabuf_free(struct dmabuf *buf);

/* Bracket the CPU's accesses to @buf->map. Nothing to do without a dma-buf. */
int dmabuf_cpu_begin(const struct dmabuf *buf, enum dmabuf_cpu_access access);
int dmabuf_cpu_end(const struct dmabuf *buf, enum dmabuf_cpu_access access);

/* The heap of "heap" or "heap:NAME", as tools call an exporter; NULL if it is another. */
const char *dmabuf_heap_name(const char *exporter);

int dmabuf_identify(int fd, struct dmabuf_id *id);

/* Why the last call of this thread failed. */
const char *dmabuf_error(void);

#endif /* DMABUF_ALLOC_H */
