// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * cache [DEVICE]: shows when a cache of regions registers, and when it does not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "mr_cache.h"
#include "udmabuf.h"

#define SIZE (1 << 20)
#define SLICE 65536
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* Uses a region for a moment. Returns its key, or 0. */
static uint32_t use(struct mr_cache *cache, int fd, uint64_t offset, uint32_t before,
		    const char *what)
{
	struct ibv_mr *mr = mr_cache_get(cache, fd, offset, SLICE, ACCESS);
	uint32_t key;

	if (!mr) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		return 0;
	}
	key = mr->lkey;
	printf("%s: %s\n", what, key == before ? "from the cache" : "registered");
	mr_cache_put(cache, mr);
	return key;
}

static int use_buffers(struct mr_cache *cache, int fd)
{
	uint32_t first = use(cache, fd, 0, 0, "first slice");
	uint32_t again = use(cache, fd, 0, first, "first slice again");
	uint32_t second = use(cache, fd, SLICE, first, "second slice");
	int copy = dup(fd);
	uint32_t by_copy = use(cache, copy, 0, first, "first slice, by another descriptor");
	int other = udmabuf_create(SIZE);
	uint32_t same_number;

	/* The program closes the buffer, and another one gets its number. */
	close(copy);
	dup2(other, fd);
	close(other);
	same_number = use(cache, fd, 0, first, "first slice of the next buffer");
	return first && again && second && by_copy && same_number ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct ibv_context *context = open_device(argc > 1 ? argv[1] : NULL);
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	struct mr_cache *cache = pd ? mr_cache_create(pd, 16) : NULL;
	int fd = udmabuf_create(SIZE);
	int status = 1;

	if (!pd)
		fprintf(stderr, "no RDMA device\n");
	else if (!cache)
		fprintf(stderr, "cache: %s\n", strerror(errno));
	else if (fd < 0)
		fprintf(stderr, "udmabuf: %s\n", strerror(errno));
	else
		status = use_buffers(cache, fd);

	if (fd >= 0)
		close(fd);
	if (cache)
		mr_cache_destroy(cache);
	if (pd)
		ibv_dealloc_pd(pd);
	if (context)
		ibv_close_device(context);
	return status;
}
