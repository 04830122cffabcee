// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define ACCESS                                                                       \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | \
	 IBV_ACCESS_REMOTE_ATOMIC)

const char *const kind_names[NUM_KINDS] = {
	[ORDINARY] = "ordinary",
	[PLAIN_UDMABUF] = "plain udmabuf",
	[PINNED_UDMABUF] = "pinned udmabuf",
	[PLAIN_HEAP] = "plain heap",
	[PINNED_HEAP] = "pinned heap",
};

void memory_alloc(struct memory *memory, size_t size, bool with_heap)
{
	*memory = (struct memory){ .heap.fd = -1, .heap.memfd = -1 };
	if (dmabuf_alloc_udmabuf(&memory->udmabuf, size, 0))
		die("%s", dmabuf_error());
	memory->size = size;
	memory->map =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->udmabuf.memfd, 0);
	if (memory->map == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	/* Neither side is to pay for page faults. */
	memset(memory->map, 0x5a, size);
	if (with_heap && dmabuf_alloc_heap(&memory->heap, "system", size, O_RDWR))
		die("%s", dmabuf_error());
}

void memory_free(struct memory *memory)
{
	munmap(memory->map, memory->size);
	dmabuf_free(&memory->udmabuf);
	if (memory->heap.fd >= 0)
		dmabuf_free(&memory->heap);
}

struct ibv_mr *register_region(const struct bench *bench, const struct memory *memory,
			       enum kind kind, size_t offset, size_t length)
{
	uint64_t iova = (uintptr_t)memory->map + offset;
	struct ibv_mr *mr = NULL;

	switch (kind) {
	case ORDINARY:
		mr = ibv_reg_mr(bench->pd, memory->map + offset, length, ACCESS);
		break;
	case PLAIN_UDMABUF:
		mr = ibv_reg_dmabuf_mr(bench->pd, offset, length, iova, memory->udmabuf.fd, ACCESS);
		break;
	case PINNED_UDMABUF:
		mr = ibv_reg_dmabuf_mr_pinned(bench->pd, offset, length, iova, memory->udmabuf.fd,
					      ACCESS, 0);
		break;
	case PLAIN_HEAP:
		mr = ibv_reg_dmabuf_mr(bench->pd, offset, length, iova, memory->heap.fd, ACCESS);
		break;
	case PINNED_HEAP:
		mr = ibv_reg_dmabuf_mr_pinned(bench->pd, offset, length, iova, memory->heap.fd,
					      ACCESS, 0);
		break;
	default:
		break;
	}
	if (!mr)
		die("%s: registration of %zu bytes at %#zx: %s", kind_names[kind], length, offset,
		    strerror(errno));
	return mr;
}

void deregister(struct ibv_mr *mr)
{
	int err = ibv_dereg_mr(mr);

	if (err)
		die("ibv_dereg_mr: %s", strerror(err));
}

size_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t kib = 0;
	char line[128];

	if (!file)
		die("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * KIB;
}
