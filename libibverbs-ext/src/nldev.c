// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * RDMA netlink: which driver id does the uverbs device with this number have?
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <netlink/netlink.h>
#include <netlink/msg.h>
#include <netlink/attr.h>
#include <rdma/rdma_netlink.h>

#include "ext.h"

/* On a machine with more devices the ids of those beyond are found by trying. */
#define MAX_DEVICES 256

struct device_list {
	unsigned int num;
	uint32_t index[MAX_DEVICES];
};

struct chardev {
	dev_t rdev;
	uint32_t driver_id;
	bool complete;
};

static struct nlattr *find_u32(struct nlmsghdr *hdr, int type)
{
	struct nlattr *attr = nlmsg_find_attr(hdr, 0, type);

	return attr && nla_len(attr) >= (int)sizeof(uint32_t) ? attr : NULL;
}

static int add_device(struct nl_msg *msg, void *arg)
{
	struct nlattr *index = find_u32(nlmsg_hdr(msg), RDMA_NLDEV_ATTR_DEV_INDEX);
	struct device_list *devices = arg;

	if (index && devices->num < MAX_DEVICES)
		devices->index[devices->num++] = nla_get_u32(index);
	return NL_OK;
}

/* The kernel's huge_encode_dev(): 8 bits of minor, 12 of major, 12 of minor. */
static dev_t decode_dev(uint64_t dev)
{
	return makedev(dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
}

static int read_chardev(struct nl_msg *msg, void *arg)
{
	struct nlattr *dev = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_CHARDEV);
	struct nlattr *id = find_u32(nlmsg_hdr(msg), RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID);
	struct chardev *chardev = arg;

	/* Drivers that libibverbs must not match by their id do not tell it. */
	if (!dev || !id)
		return NL_OK;
	chardev->rdev = decode_dev(nla_get_u64(dev));
	chardev->driver_id = nla_get_u32(id);
	chardev->complete = true;
	return NL_OK;
}

/*
 * Send @msg, which may be NULL for want of memory, and pass every answer to @cb.
 * The kernel answers while it takes the request, so nothing is waited for.
 */
static int transact(struct nl_sock *sock, struct nl_msg *msg, nl_recvmsg_msg_cb_t cb, void *arg)
{
	int ret;

	if (!msg)
		return -NLE_NOMEM;
	ret = nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, cb, arg);
	if (ret >= 0)
		ret = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	return ret < 0 ? ret : nl_recvmsgs_default(sock);
}

static int list_devices(struct nl_sock *sock, struct device_list *devices)
{
	devices->num = 0;
	return transact(sock,
			nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET),
					   NLM_F_DUMP),
			add_device, devices);
}

static int get_chardev(struct nl_sock *sock, uint32_t index, struct chardev *chardev)
{
	struct nl_msg *msg =
		nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET_CHARDEV), 0);

	chardev->complete = false;
	if (msg && (nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, index) ||
		    nla_put_string(msg, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs"))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return transact(sock, msg, read_chardev, chardev);
}

static int search(struct nl_sock *sock, dev_t rdev, uint32_t *id)
{
	struct device_list devices;
	struct chardev chardev;
	unsigned int i;

	if (list_devices(sock, &devices))
		return ENODEV;

	for (i = 0; i < devices.num; i++) {
		/* fails for a device that was removed meanwhile */
		if (get_chardev(sock, devices.index[i], &chardev) || !chardev.complete ||
		    chardev.rdev != rdev)
			continue;
		*id = chardev.driver_id;
		return 0;
	}
	return ENODEV;
}

int ext_nldev_driver_id(dev_t rdev, uint32_t *id)
{
	struct nl_sock *sock;
	int err = ENODEV;

	sock = nl_socket_alloc();
	if (!sock)
		return ENOMEM;

	/* Each request is answered by a message or an error; an ACK would stay unread. */
	nl_socket_disable_auto_ack(sock);
	if (!nl_connect(sock, NETLINK_RDMA) && !nl_socket_set_nonblocking(sock))
		err = search(sock, rdev, id);
	nl_socket_free(sock);
	return err;
}
