// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>

#include "regions.h"

struct device {
	uint32_t index;
	char name[64];
};

struct device_list {
	struct device *devices;
	size_t num;
	int err;
};

struct reader {
	struct region_list *list;
	const struct device *device;
	int err;
};

/* Makes room for one more entry. */
static void *grow(void *entries, size_t num, size_t size)
{
	return num & (num - 1) ? entries : reallocarray(entries, num ? 2 * num : 1, size);
}

static int add_device(struct nl_msg *msg, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_NAME);
	struct nlattr *index = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_INDEX);
	struct device_list *list = arg;
	struct device *devices;

	if (!name || !index)
		return NL_OK;
	devices = grow(list->devices, list->num, sizeof(*devices));
	if (!devices) {
		list->err = ENOMEM;
		return NL_STOP;
	}
	list->devices = devices;
	devices[list->num].index = nla_get_u32(index);
	nla_strlcpy(devices[list->num].name, name, sizeof(devices->name));
	list->num++;
	return NL_OK;
}

static void read_detail(const char *name, struct nlattr *value, struct region *region)
{
	if (!strcmp(name, "dmabuf_state")) {
		nla_strlcpy(region->state, value, sizeof(region->state));
	} else if (!strcmp(name, "dmabuf_placement")) {
		nla_strlcpy(region->placement, value, sizeof(region->placement));
	} else if (!strcmp(name, "dmabuf_revocable")) {
		nla_strlcpy(region->revocable, value, sizeof(region->revocable));
	} else if (!strcmp(name, "dmabuf_exporter")) {
		nla_strlcpy(region->exporter, value, sizeof(region->exporter));
	} else if (!strcmp(name, "dmabuf_charged")) {
		region->charged = nla_get_u64(value);
	} else if (!strcmp(name, "dmabuf_inode")) {
		region->inode = nla_get_u64(value);
	} else if (!strcmp(name, "dmabuf_size")) {
		region->size = nla_get_u64(value);
	}
}

/* Names and values by turns */
static void read_details(struct nlattr *driver, struct region *region)
{
	const char *name = NULL;
	struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, driver, left)
	{
		if (nla_type(attr) == RDMA_NLDEV_ATTR_PAD ||
		    nla_type(attr) == RDMA_NLDEV_ATTR_DRIVER_PRINT_TYPE)
			continue;
		if (name)
			read_detail(name, attr, region);
		name = name ? NULL : nla_get_string(attr);
	}
}

static int add_region(struct reader *reader, struct nlattr *entry)
{
	struct nlattr *number = nla_find(nla_data(entry), nla_len(entry), RDMA_NLDEV_ATTR_RES_MRN);
	struct nlattr *length =
		nla_find(nla_data(entry), nla_len(entry), RDMA_NLDEV_ATTR_RES_MRLEN);
	struct nlattr *driver = nla_find(nla_data(entry), nla_len(entry), RDMA_NLDEV_ATTR_DRIVER);
	struct nlattr *pid = nla_find(nla_data(entry), nla_len(entry), RDMA_NLDEV_ATTR_RES_PID);
	struct region_list *list = reader->list;
	struct region region = {}, *regions;

	if (!number || !length || !driver)
		return 0;
	read_details(driver, &region);
	/* Other drivers tell other details, and of other MRs. */
	if (!region.state[0])
		return 0;
	if (!region.size)
		return EPERM;
	strcpy(region.device, reader->device->name);
	region.number = nla_get_u32(number);
	region.length = nla_get_u64(length);
	region.pid = pid ? nla_get_u32(pid) : 0;

	regions = grow(list->regions, list->num, sizeof(*regions));
	if (!regions)
		return ENOMEM;
	list->regions = regions;
	regions[list->num++] = region;
	return 0;
}

static int add_regions(struct nl_msg *msg, void *arg)
{
	struct nlattr *table = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_RES_MR);
	struct reader *reader = arg;
	struct nlattr *entry;
	int left;

	if (!table)
		return NL_OK;
	nla_for_each_nested(entry, table, left)
	{
		reader->err = add_region(reader, entry);
		if (reader->err)
			return NL_STOP;
	}
	return NL_OK;
}

/* What libnl answers, as an errno value */
static int dump(struct nl_sock *sock, int command, const struct device *device,
		nl_recvmsg_msg_cb_t callback, void *arg)
{
	struct nl_msg *msg =
		nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), NLM_F_DUMP);
	int ret;

	if (!msg)
		return ENOMEM;
	ret = device ? nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, device->index) : 0;
	if (!ret)
		ret = nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, callback, arg);
	if (!ret)
		ret = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	if (ret >= 0)
		ret = nl_recvmsgs_default(sock);
	if (ret >= 0)
		return 0;
	/* A device that has gone meanwhile has no regions. */
	if (device && (ret == -NLE_NODEV || ret == -NLE_INVAL || ret == -NLE_OBJ_NOTFOUND))
		return 0;
	return ret == -NLE_PERM || ret == -NLE_NOACCESS ? EPERM : ret == -NLE_NOMEM ? ENOMEM : EIO;
}

static int read_devices(struct nl_sock *sock, struct region_list *list, const char *name)
{
	struct device_list devices = {};
	bool found = !name;
	size_t i;
	int err;

	err = dump(sock, RDMA_NLDEV_CMD_GET, NULL, add_device, &devices);
	if (!err)
		err = devices.err;
	for (i = 0; i < devices.num && !err; i++) {
		struct reader reader = { .list = list, .device = &devices.devices[i] };

		if (name && strcmp(devices.devices[i].name, name))
			continue;
		found = true;
		err = dump(sock, RDMA_NLDEV_CMD_RES_MR_GET, reader.device, add_regions, &reader);
		if (!err)
			err = reader.err;
	}
	free(devices.devices);
	return err || found ? err : ENODEV;
}

int regions_read(struct region_list *list, const char *device)
{
	struct nl_sock *sock = nl_socket_alloc();
	int err;

	*list = (struct region_list){};
	if (!sock)
		return ENOMEM;
	nl_socket_disable_auto_ack(sock);
	err = nl_connect(sock, NETLINK_RDMA) ? EPROTONOSUPPORT : 0;
	if (!err)
		err = read_devices(sock, list, device);
	nl_socket_free(sock);
	if (err)
		regions_free(list);
	return err;
}

void regions_free(struct region_list *list)
{
	free(list->regions);
	*list = (struct region_list){};
}
