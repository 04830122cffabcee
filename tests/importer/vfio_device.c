// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* linux/vfio.h of the kernel: the ioctls are described there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "vfio_device.h"

/* Of Linux 6.19, which the distribution's headers are older than */
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF 11
struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

struct vfio_device_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};
#endif

#define DEVICES "/sys/bus/pci/devices"
#define IVSHMEM_ID "0x1af4\n0x1110\n"

static int read_text(char *text, size_t size, const char *device, const char *file)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", device, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	n = read(fd, text, size - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return 0;
}

/* "0000:00:05.0"; stays valid. NULL: none */
static const char *find_ivshmem(void)
{
	static char found[NAME_MAX + 1];
	char vendor[16], id[32];
	struct dirent *entry;
	DIR *dir = opendir(DEVICES);

	found[0] = '\0';
	while (dir && (entry = readdir(dir))) {
		if (read_text(vendor, sizeof(vendor), entry->d_name, "vendor") ||
		    read_text(id, sizeof(id), entry->d_name, "device"))
			continue;
		strncat(vendor, id, sizeof(vendor) - strlen(vendor) - 1);
		if (!strcmp(vendor, IVSHMEM_ID))
			snprintf(found, sizeof(found), "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found[0] ? found : NULL;
}

int vfio_bind_device(const char **address)
{
	char path[PATH_MAX];
	int err;

	*address = find_ivshmem();
	if (!*address)
		return ENODEV;
	snprintf(path, sizeof(path), DEVICES "/%s/driver_override", *address);
	err = file_write(path, "vfio-pci");
	if (err)
		return err;
	snprintf(path, sizeof(path), DEVICES "/%s/driver/unbind", *address);
	err = file_write(path, *address);
	if (err && err != ENOENT)
		return err;
	return file_write("/sys/bus/pci/drivers_probe", *address);
}

/* The number of the IOMMU group is the name that a link ends in. */
static int open_group(const char *address)
{
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group", address);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int region_info(int fd, unsigned int index, uint64_t *offset, uint64_t *size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return errno;
	*offset = info.offset;
	*size = info.size;
	return 0;
}

static int open_parts(struct vfio_device *device, const char *address)
{
	uint64_t size;
	int err;

	device->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (device->container < 0)
		return errno;
	device->group = open_group(address);
	if (device->group < 0)
		return errno;
	if (ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container))
		return errno;
	if (ioctl(device->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return errno;
	device->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (device->fd < 0)
		return errno;
	err = region_info(device->fd, device->region, &device->bar_offset, &device->bar_size);
	if (!err)
		err = region_info(device->fd, VFIO_PCI_CONFIG_REGION_INDEX, &device->config_offset,
				  &size);
	if (!err)
		err = vfio_enable_memory(device, true);
	return err;
}

int vfio_open(struct vfio_device *device, const char *address, unsigned int bar)
{
	int err;

	*device = (struct vfio_device){ .container = -1, .group = -1, .fd = -1, .region = bar };
	err = open_parts(device, address);
	if (err)
		vfio_close(device);
	return err;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vfio_close(struct vfio_device *device)
{
	close_one(&device->fd);
	close_one(&device->group);
	close_one(&device->container);
}

int vfio_export(const struct vfio_device *device, uint64_t offset, uint64_t length)
{
	size_t size = sizeof(struct vfio_device_feature) +
		      sizeof(struct vfio_device_feature_dma_buf) +
		      sizeof(struct vfio_region_dma_range);
	struct vfio_device_feature_dma_buf *request;
	struct vfio_device_feature *feature;
	int fd, err;

	feature = calloc(1, size);
	if (!feature)
		return -1;
	feature->argsz = size;
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	request = (struct vfio_device_feature_dma_buf *)feature->data;
	request->region_index = device->region;
	request->open_flags = O_RDWR | O_CLOEXEC;
	request->nr_ranges = 1;
	request->dma_ranges[0] =
		(struct vfio_region_dma_range){ .offset = offset, .length = length };
	fd = ioctl(device->fd, VFIO_DEVICE_FEATURE, feature);
	err = errno;
	free(feature);
	errno = err;
	return fd;
}

void *vfio_map(const struct vfio_device *device, uint64_t offset, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd,
		    (off_t)(device->bar_offset + offset));
}

int vfio_enable_memory(const struct vfio_device *device, bool enable)
{
	off_t at = (off_t)(device->config_offset + PCI_COMMAND);
	uint16_t command;

	if (pread(device->fd, &command, sizeof(command), at) != sizeof(command))
		return errno;
	if (enable)
		command |= PCI_COMMAND_MEMORY;
	else
		command &= (uint16_t)~PCI_COMMAND_MEMORY;
	if (pwrite(device->fd, &command, sizeof(command), at) != sizeof(command))
		return errno;
	return 0;
}

int vfio_reset(const struct vfio_device *device)
{
	return ioctl(device->fd, VFIO_DEVICE_RESET) ? errno : 0;
}
