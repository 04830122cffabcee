// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The uverbs device behind a context: its driver id, which every ioctl has to
 * carry, and what kernel and device can do.
 *
 * Both are remembered by device node. The kernel's devtmpfs makes a new node for
 * each device that comes and unlinks it before the device goes, so a node that
 * is linked there stands for one device only. A node elsewhere, such as one that
 * mknod() made for a container, outlives its device. The kernel is then asked
 * each time, with the driver id of the last time, which it refuses if another
 * driver has the device by now.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <rdma/ib_user_ioctl_cmds.h>

#include "ext.h"

struct node {
	struct node *next;
	dev_t dev;
	ino_t ino;
	dev_t rdev;
	nlink_t nlink;
	struct timespec ctim;
	bool is_devices_own;
	_Atomic uint32_t driver_id;
	_Atomic uint32_t access_flags;
	atomic_bool has_access_flags; /* set last */
};

/* Nodes are never freed, so neither threads nor fork() need a lock. */
static struct node *_Atomic nodes;

static bool is_node(const struct node *node, const struct stat *st)
{
	return node->dev == st->st_dev && node->ino == st->st_ino && node->rdev == st->st_rdev &&
	       node->nlink == st->st_nlink && node->ctim.tv_sec == st->st_ctim.tv_sec &&
	       node->ctim.tv_nsec == st->st_ctim.tv_nsec;
}

static struct node *find_node(const struct stat *st)
{
	struct node *node = atomic_load(&nodes);

	while (node && !is_node(node, st))
		node = node->next;
	return node;
}

static bool is_devtmpfs(dev_t dev)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	unsigned int mount_major, mount_minor;
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return false;
	while (!found && getline(&line, &size, mounts) > 0)
		found = sscanf(line, "%*u %*u %u:%u", &mount_major, &mount_minor) == 2 &&
			makedev(mount_major, mount_minor) == dev && strstr(line, " - devtmpfs ");
	free(line);
	fclose(mounts);
	return found;
}

/* What the kernel answered, with @device's access flags if they are part of it. */
static void fill_node(struct node *node, const struct ext_device *device, bool has_access_flags)
{
	node->driver_id = device->driver_id;
	if (has_access_flags && node->is_devices_own) {
		node->access_flags = device->access_flags;
		node->has_access_flags = true;
	}
}

/* Two threads may add the same node, which does no harm. */
static void add_node(const struct stat *st, const struct ext_device *device, bool has_access_flags)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return;
	node->dev = st->st_dev;
	node->ino = st->st_ino;
	node->rdev = st->st_rdev;
	node->nlink = st->st_nlink;
	node->ctim = st->st_ctim;
	node->is_devices_own = st->st_nlink && is_devtmpfs(st->st_dev);
	fill_node(node, device, has_access_flags);
	node->next = atomic_load(&nodes);
	while (!atomic_compare_exchange_weak(&nodes, &node->next, node))
		;
}

static int query_caps(struct ext_device *device)
{
	struct ib_uverbs_dmabuf_caps caps = {};
	struct ib_uverbs_attr attrs[] = {
		ext_attr_out(UVERBS_ATTR_QUERY_DMABUF_CAPS_RESP, &caps, sizeof(caps)),
	};
	int err;

	err = ext_ioctl(device, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_DMABUF_CAPS, attrs);
	if (err)
		return err;
	if (caps.magic != IB_UVERBS_DMABUF_MAGIC || caps.version != IB_UVERBS_DMABUF_VERSION)
		return EOPNOTSUPP;
	device->access_flags = caps.access_flags;
	return 0;
}

/* @node has the driver id of the last time, or is NULL. */
static int ask_kernel(struct ext_device *device, dev_t rdev, const struct node *node)
{
	int err;

	if (node) {
		device->driver_id = node->driver_id;
		err = query_caps(device);
		/* EINVAL is the method's own answer, or says that the id is out of date. */
		if (err != EINVAL || ext_check_driver_id(device) != EINVAL)
			return err;
	}
	err = ext_find_driver_id(device, rdev);
	return err ? err : query_caps(device);
}

/*
 * Errors that leave open whether the kernel knows the method. Every other one is
 * how a kernel without the method, one that gives it another meaning, or a file
 * that is no uverbs device may answer.
 */
static bool is_transient(int err)
{
	return err == EIO || err == ENODEV || err == ENOMEM || err == EINTR;
}

int ext_get_device(int cmd_fd, struct ext_device *device)
{
	struct node *node;
	struct stat st;
	int err;

	if (fstat(cmd_fd, &st) || !S_ISCHR(st.st_mode))
		return EOPNOTSUPP;

	device->cmd_fd = cmd_fd;
	node = find_node(&st);
	if (node && node->has_access_flags) {
		device->driver_id = node->driver_id;
		device->access_flags = node->access_flags;
		return 0;
	}

	err = ask_kernel(device, st.st_rdev, node);
	if (node)
		fill_node(node, device, !err);
	else
		add_node(&st, device, !err);
	return !err || is_transient(err) ? err : EOPNOTSUPP;
}

EXPORT int _ibv_ext_query_dmabuf_caps(struct ibv_context *context, struct ibv_ext_dmabuf_caps *caps,
				      size_t caps_size)
{
	struct ibv_ext_dmabuf_caps out = { .version = IB_UVERBS_DMABUF_VERSION };
	struct ext_device device;
	int err;

	err = ext_get_device(context->cmd_fd, &device);
	if (err)
		return err;

	out.access_flags = device.access_flags;
	ext_copy_sized(caps, caps_size, &out, sizeof(out));
	return 0;
}
