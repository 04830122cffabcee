// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "udmabuf.h"

static int export_memfd(int memfd, size_t size)
{
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = size,
	};
	int dev, fd;

	/* udmabuf takes only memory that cannot be cut off under it. */
	if (ftruncate(memfd, size) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return -1;
	fd = ioctl(dev, UDMABUF_CREATE, &create);
	close(dev);
	return fd;
}

int udmabuf_create(size_t size)
{
	int memfd = memfd_create("example", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fd, err;

	if (memfd < 0)
		return -1;
	fd = export_memfd(memfd, size);
	err = errno;
	/* The dma-buf keeps the pages. */
	close(memfd);
	errno = err;
	return fd;
}

/* The CPU's accesses are bracketed, which keeps caches and device in step. */
static int sync_cpu(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret;
}

int dmabuf_fill(int fd, size_t size, int byte)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int ret;

	if (map == MAP_FAILED)
		return -1;
	ret = sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	if (!ret) {
		memset(map, byte, size);
		ret = sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	}
	munmap(map, size);
	return ret;
}
