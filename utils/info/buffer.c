// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"
#include "number.h"

static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "ibv_dmabuf_info: %s: %s\n", what, why);
	return false;
}

bool buffer_is_exporter(const char *name)
{
	return !strcmp(name, "udmabuf") || dmabuf_heap_name(name);
}

static bool identify(struct buffer *buffer, const char *what)
{
	if (!dmabuf_identify(buffer->fd, &buffer->id))
		return true;
	complain(what, dmabuf_error());
	buffer_release(buffer);
	return false;
}

bool buffer_allocate(struct buffer *buffer, const char *exporter, size_t size)
{
	const char *heap = dmabuf_heap_name(exporter);
	int err;

	err = heap ? dmabuf_alloc_heap(&buffer->allocated, heap, size, O_RDWR) :
		     dmabuf_alloc_udmabuf(&buffer->allocated, size, 0);
	if (err)
		return complain(exporter, dmabuf_error());
	buffer->fd = buffer->allocated.fd;
	return identify(buffer, exporter);
}

/* By number, as glibc has had wrappers since 2.36 only */
static int fd_of_process(unsigned int pid, unsigned int number)
{
	int process = syscall(SYS_pidfd_open, pid, 0);
	int fd, err;

	if (process < 0)
		return -1;
	fd = syscall(SYS_pidfd_getfd, process, number, 0);
	err = errno;
	close(process);
	errno = err;
	return fd;
}

bool buffer_take(struct buffer *buffer, const char *fd)
{
	const char *colon = strchr(fd, ':');
	unsigned int pid, number;
	char digits[16] = "";

	buffer->allocated = (struct dmabuf){ .fd = -1, .memfd = -1 };
	if (colon)
		snprintf(digits, sizeof(digits), "%.*s", (int)(colon - fd), fd);
	if (!parse_uint(colon ? colon + 1 : fd, 0, INT_MAX, &number) ||
	    (colon && !parse_uint(digits, 1, INT_MAX, &pid)))
		return complain(fd, "no file descriptor");
	buffer->fd = colon ? fd_of_process(pid, number) : fcntl(number, F_DUPFD_CLOEXEC, 0);
	if (buffer->fd < 0)
		return complain(fd, strerror(errno));
	return identify(buffer, fd);
}

void buffer_release(struct buffer *buffer)
{
	if (buffer->allocated.fd < 0)
		close(buffer->fd);
	dmabuf_free(&buffer->allocated);
}
