// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmabuf_alloc.h"

#define UDMABUF_LIMIT "/sys/module/udmabuf/parameters/size_limit_mb"

static _Thread_local char error_text[256];

const char *dmabuf_error(void)
{
	return error_text;
}

__attribute__((format(printf, 2, 3))) static int fail(int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(error_text, sizeof(error_text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(error_text))
		snprintf(error_text + n, sizeof(error_text) - n, ": %s", strerror(err));
	return err;
}

static void clear(struct dmabuf *buf)
{
	*buf = (struct dmabuf){ .fd = -1, .memfd = -1 };
}

void dmabuf_free(struct dmabuf *buf)
{
	if (buf->map)
		munmap(buf->map, buf->size);
	if (buf->fd >= 0)
		close(buf->fd);
	if (buf->memfd >= 0)
		close(buf->memfd);
	clear(buf);
}

static int map_buffer(struct dmabuf *buf, int fd, const char *what, int prot)
{
	void *map = mmap(NULL, buf->size, prot, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return fail(errno, "%s: mmap of %zu bytes", what, buf->size);
	buf->map = map;
	return 0;
}

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static long udmabuf_limit_mb(void)
{
	FILE *f = fopen(UDMABUF_LIMIT, "re");
	long mb = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &mb) != 1)
		mb = -1;
	fclose(f);
	return mb;
}

static int create_udmabuf(struct dmabuf *buf)
{
	struct udmabuf_create create = {
		.memfd = buf->memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = buf->size,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	long limit_mb;
	int err;

	if (dev < 0)
		return fail(errno, "udmabuf: cannot open /dev/udmabuf");
	buf->fd = ioctl(dev, UDMABUF_CREATE, &create);
	err = errno;
	close(dev);
	if (buf->fd >= 0)
		return 0;
	buf->fd = -1;
	/* The kernel's EINVAL does not say that its size limit was the cause. */
	limit_mb = udmabuf_limit_mb();
	if (err == EINVAL && limit_mb >= 0 && buf->size > (size_t)limit_mb << 20)
		return fail(err,
			    "udmabuf: %zu bytes are over the limit of %ld MiB in " UDMABUF_LIMIT,
			    buf->size, limit_mb);
	return fail(err, "udmabuf: UDMABUF_CREATE of %zu bytes", buf->size);
}

static int create_memfd(struct dmabuf *buf, size_t size, unsigned int memfd_flags)
{
	size_t unit = sysconf(_SC_PAGESIZE);
	struct stat st;
	int ret;

	buf->memfd = memfd_create("dmabuf_alloc", memfd_flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (buf->memfd < 0)
		return fail(errno, "memfd_create");
	if (memfd_flags & MFD_HUGETLB) {
		if (fstat(buf->memfd, &st))
			return fail(errno, "memfd: fstat");
		unit = st.st_blksize;
	}
	buf->size = round_up(size, unit);
	/*
	 * udmabuf does not allocate huge pages by itself. Ordinary pages it must
	 * allocate: Linux 6.12 does not clear those that fallocate() left unwritten.
	 */
	if (memfd_flags & MFD_HUGETLB)
		ret = fallocate(buf->memfd, 0, 0, buf->size);
	else
		ret = ftruncate(buf->memfd, buf->size);
	if (ret)
		return fail(errno, "cannot allocate a memfd of %zu bytes", buf->size);
	/* udmabuf takes only memory that cannot be cut off under it */
	if (fcntl(buf->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fail(errno, "memfd: F_SEAL_SHRINK");
	return 0;
}

int dmabuf_alloc_udmabuf(struct dmabuf *buf, size_t size, unsigned int memfd_flags)
{
	int ret;

	clear(buf);
	ret = create_memfd(buf, size, memfd_flags);
	if (!ret)
		ret = create_udmabuf(buf);
	if (!ret)
		ret = map_buffer(buf, buf->fd, "udmabuf", PROT_READ | PROT_WRITE);
	if (ret)
		dmabuf_free(buf);
	return ret;
}

int dmabuf_alloc_memfd(struct dmabuf *buf, size_t size)
{
	int ret;

	clear(buf);
	ret = create_memfd(buf, size, 0);
	if (!ret)
		ret = map_buffer(buf, buf->memfd, "memfd", PROT_READ | PROT_WRITE);
	if (ret)
		dmabuf_free(buf);
	return ret;
}

const char *dmabuf_heap_name(const char *exporter)
{
	static const char prefix[] = "heap:";

	if (!strcmp(exporter, "heap"))
		return "system";
	if (strncmp(exporter, prefix, strlen(prefix)))
		return NULL;
	exporter += strlen(prefix);
	return *exporter && !strchr(exporter, '/') ? exporter : NULL;
}

int dmabuf_alloc_heap(struct dmabuf *buf, const char *heap, size_t size, int fd_flags)
{
	struct dma_heap_allocation_data data = {
		.fd_flags = fd_flags | O_CLOEXEC,
	};
	int prot = PROT_READ;
	char path[128];
	int dev;
	int ret;

	clear(buf);
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	dev = open(path, O_RDONLY | O_CLOEXEC);
	if (dev < 0)
		return fail(errno, "DMA heap: cannot open %s", path);
	buf->size = round_up(size, sysconf(_SC_PAGESIZE));
	data.len = buf->size;
	ret = ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &data) ? errno : 0;
	close(dev);
	if (ret) {
		ret = fail(ret, "DMA heap %s: cannot allocate %zu bytes", heap, buf->size);
		goto err;
	}
	buf->fd = data.fd;
	if ((fd_flags & O_ACCMODE) == O_RDWR)
		prot |= PROT_WRITE;
	ret = map_buffer(buf, buf->fd, "DMA heap", prot);
	if (ret)
		goto err;
	return 0;
err:
	dmabuf_free(buf);
	return ret;
}

int dmabuf_alloc_anon(struct dmabuf *buf, size_t size)
{
	void *map;

	clear(buf);
	size = round_up(size, sysconf(_SC_PAGESIZE));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return fail(errno, "cannot allocate %zu bytes", size);
	buf->map = map;
	buf->size = size;
	return 0;
}

static int cpu_sync(const struct dmabuf *buf, enum dmabuf_cpu_access access, uint64_t edge)
{
	struct dma_buf_sync sync = {
		.flags = edge | (access == DMABUF_CPU_WRITE ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ),
	};
	int ret;

	if (buf->fd < 0)
		return 0;
	do {
		ret = ioctl(buf->fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? fail(errno, "DMA_BUF_IOCTL_SYNC") : 0;
}

int dmabuf_cpu_begin(const struct dmabuf *buf, enum dmabuf_cpu_access access)
{
	return cpu_sync(buf, access, DMA_BUF_SYNC_START);
}

int dmabuf_cpu_end(const struct dmabuf *buf, enum dmabuf_cpu_access access)
{
	return cpu_sync(buf, access, DMA_BUF_SYNC_END);
}

int dmabuf_identify(int fd, struct dmabuf_id *id)
{
	char line[256];
	char path[64];
	struct stat st;
	off_t size;
	FILE *f;

	memset(id, 0, sizeof(*id));
	if (fstat(fd, &st))
		return fail(errno, "dma-buf: fstat");
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return fail(errno, "dma-buf: lseek");
	lseek(fd, 0, SEEK_SET);
	id->size = size;
	id->inode = st.st_ino;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return fail(errno, "dma-buf: cannot open %s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "exp_name: %31s", id->exporter) == 1)
			break;
	fclose(f);
	if (!id->exporter[0])
		return fail(EINVAL, "fd %d is no dma-buf", fd);
	return 0;
}
