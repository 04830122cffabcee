// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What a file descriptor tells about the dma-buf behind it, without touching
 * the buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "ext.h"

#define EXP_NAME "exp_name:\t"

static void read_exporter(int fd, char name[IBV_EXT_DMABUF_EXPORTER_NAME_LEN])
{
	char path[sizeof("/proc/self/fdinfo/-2147483648")];
	char line[256];
	const char *value = line + strlen(EXP_NAME);
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return;
	while (fgets(line, sizeof(line), info)) {
		if (strncmp(line, EXP_NAME, strlen(EXP_NAME)))
			continue;
		line[strcspn(line, "\n")] = '\0';
		memcpy(name, value, strnlen(value, IBV_EXT_DMABUF_EXPORTER_NAME_LEN - 1));
		break;
	}
	fclose(info);
}

int ext_look_at_dmabuf(int fd, struct ext_dmabuf_file *file)
{
	struct statfs fs;
	struct stat st;
	off_t size;
	int flags;

	memset(file, 0, sizeof(*file));
	if (fstatfs(fd, &fs) || fs.f_type != DMA_BUF_MAGIC)
		return EINVAL;

	/* The only seek that a dma-buf has tells its size; there is no position. */
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return EINVAL;
	file->size = size;
	if (!fstat(fd, &st))
		file->inode = st.st_ino;
	flags = fcntl(fd, F_GETFL);
	file->writable = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
	read_exporter(fd, file->exporter);
	return 0;
}
