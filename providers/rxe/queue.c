// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <sys/mman.h>

#include "queue.h"

struct rxe_queue_buf rxe_no_ring;

/**
 * rxe_ring_map() - map a ring that the kernel has just created
 * @ring:	initialised, nothing mapped; filled on success
 * @fd:		the context's command fd
 * @info:	where the ring lies, as the kernel's answer said
 * @slot_size:	what a slot must at least hold
 *
 * The caller resumes its side's index. Return: 0 or an errno value.
 */
int rxe_ring_map(struct rxe_ring *ring, int fd, const struct mminfo *info, size_t slot_size)
{
	void *buf;
	int ret;

	buf = mmap(NULL, info->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, info->offset);
	if (buf == MAP_FAILED)
		return errno;

	ret = rxe_ring_attach(ring, buf, info->size, slot_size);
	if (ret)
		munmap(buf, info->size);
	return ret;
}

void rxe_ring_unmap(struct rxe_ring *ring)
{
	if (rxe_ring_mapped(ring))
		munmap(ring->buf, ring->map_size);
	rxe_ring_init(ring);
}
