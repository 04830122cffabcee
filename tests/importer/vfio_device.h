/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A PCI device of a user of VFIO, and dma-bufs of its memory. All functions return 0 or
 * an errno value unless they say otherwise.
 */
#ifndef VFIO_DEVICE_H
#define VFIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfio_device {
	int container, group, fd;
	unsigned int region; /* the BAR with the memory */
	uint64_t bar_offset, bar_size;
	uint64_t config_offset;
};

/*
 * Gives the ivshmem device to vfio-pci, or what the argument names, such as
 * "0000:00:05.0"; once is enough. ENODEV: there is no such device.
 */
int vfio_bind_device(const char **address);
/* @bar: whose memory is exported */
int vfio_open(struct vfio_device *device, const char *address, unsigned int bar);
/* The descriptor of the device first, which ends what it has exported. */
void vfio_close(struct vfio_device *device);

/* A dma-buf of part of the BAR; -1 with errno. */
int vfio_export(const struct vfio_device *device, uint64_t offset, uint64_t length);
/* MAP_FAILED with errno. While it is there, closing the device takes nothing back. */
void *vfio_map(const struct vfio_device *device, uint64_t offset, size_t length);

/* The device's memory is reachable or not: a bit of its command register. */
int vfio_enable_memory(const struct vfio_device *device, bool enable);
int vfio_reset(const struct vfio_device *device);

#endif /* VFIO_DEVICE_H */
