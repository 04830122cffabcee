// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>

#include "rdma_netlink.h"
#include "test.h"

static void copy_string(struct nlattr *value, char *to, size_t size)
{
	assert_int_equal(nla_type(value), RDMA_NLDEV_ATTR_DRIVER_STRING);
	assert_true(strlen(nla_get_string(value)) < size);
	strcpy(to, nla_get_string(value));
}

static bool copy_number(struct nlattr *value, uint64_t *to)
{
	assert_int_equal(nla_type(value), RDMA_NLDEV_ATTR_DRIVER_U64);
	*to = nla_get_u64(value);
	return true;
}

static void parse_detail(const char *name, struct nlattr *value, struct netlink_mr *mr)
{
	if (!strcmp(name, "dmabuf_mode"))
		copy_string(value, mr->mode, sizeof(mr->mode));
	else if (!strcmp(name, "dmabuf_state"))
		copy_string(value, mr->state, sizeof(mr->state));
	else if (!strcmp(name, "dmabuf_placement"))
		copy_string(value, mr->placement, sizeof(mr->placement));
	else if (!strcmp(name, "dmabuf_revocable"))
		copy_string(value, mr->revocable, sizeof(mr->revocable));
	else if (!strcmp(name, "dmabuf_exporter"))
		copy_string(value, mr->exporter, sizeof(mr->exporter));
	else if (!strcmp(name, "dmabuf_charged"))
		mr->has_charged = copy_number(value, &mr->charged);
	else if (!strcmp(name, "dmabuf_inode"))
		mr->has_inode = copy_number(value, &mr->inode);
	else if (!strcmp(name, "dmabuf_size"))
		mr->has_size = copy_number(value, &mr->size);
}

/* Names and values by turns */
static void parse_driver_details(struct nlattr *driver, struct netlink_mr *mr)
{
	struct nlattr *attr;
	const char *name = NULL;
	int left;

	nla_for_each_nested(attr, driver, left)
	{
		if (nla_type(attr) == RDMA_NLDEV_ATTR_PAD ||
		    nla_type(attr) == RDMA_NLDEV_ATTR_DRIVER_PRINT_TYPE)
			continue;
		if (name) {
			parse_detail(name, attr, mr);
			name = NULL;
		} else {
			assert_int_equal(nla_type(attr), RDMA_NLDEV_ATTR_DRIVER_STRING);
			name = nla_get_string(attr);
		}
	}
	assert_null(name);
}

static void parse_mr(struct nlattr *attrs, int length, struct netlink_mr *mr)
{
	struct nlattr *number = nla_find(attrs, length, RDMA_NLDEV_ATTR_RES_MRN);
	struct nlattr *mrlen = nla_find(attrs, length, RDMA_NLDEV_ATTR_RES_MRLEN);
	struct nlattr *driver = nla_find(attrs, length, RDMA_NLDEV_ATTR_DRIVER);

	*mr = (struct netlink_mr){};
	assert_non_null(number);
	assert_non_null(mrlen);
	mr->number = nla_get_u32(number);
	mr->length = nla_get_u64(mrlen);
	if (driver)
		parse_driver_details(driver, mr);
}

struct device_search {
	const char *name;
	int64_t index; /* -1: not found */
};

static int find_device(struct nl_msg *msg, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_NAME);
	struct nlattr *index = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_INDEX);
	struct device_search *search = arg;

	if (name && index && !nla_strcmp(name, search->name))
		search->index = nla_get_u32(index);
	return NL_OK;
}

static struct nl_msg *new_request(int command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), flags);

	assert_non_null(msg);
	return msg;
}

/* 0 or what libnl makes of an errno value */
static int request(struct rdma_netlink *netlink, struct nl_msg *msg, nl_recvmsg_msg_cb_t callback,
		   void *arg)
{
	assert_int_equal(
		nl_socket_modify_cb(netlink->sock, NL_CB_VALID, NL_CB_CUSTOM, callback, arg), 0);
	assert_true(nl_send_auto(netlink->sock, msg) >= 0);
	nlmsg_free(msg);
	return nl_recvmsgs_default(netlink->sock);
}

void rdma_netlink_open(struct rdma_netlink *netlink, const char *device)
{
	struct device_search search = { .name = device, .index = -1 };

	netlink->sock = nl_socket_alloc();
	assert_non_null(netlink->sock);
	nl_socket_disable_auto_ack(netlink->sock);
	assert_int_equal(nl_connect(netlink->sock, NETLINK_RDMA), 0);
	assert_int_equal(request(netlink, new_request(RDMA_NLDEV_CMD_GET, NLM_F_DUMP), find_device,
				 &search),
			 0);
	assert_true(search.index >= 0);
	netlink->device = search.index;
}

void rdma_netlink_close(struct rdma_netlink *netlink)
{
	nl_socket_free(netlink->sock);
}

struct mr_dump {
	void (*each)(const struct netlink_mr *mr, void *arg);
	void *arg;
};

static int read_list(struct nl_msg *msg, void *arg)
{
	struct nlattr *table = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_RES_MR);
	struct mr_dump *dump = arg;
	struct netlink_mr mr;
	struct nlattr *entry;
	int left;

	if (!table)
		return NL_OK;
	nla_for_each_nested(entry, table, left)
	{
		parse_mr(nla_data(entry), nla_len(entry), &mr);
		dump->each(&mr, dump->arg);
	}
	return NL_OK;
}

void rdma_netlink_dump_mrs(struct rdma_netlink *netlink,
			   void (*each)(const struct netlink_mr *mr, void *arg), void *arg)
{
	struct nl_msg *msg = new_request(RDMA_NLDEV_CMD_RES_MR_GET, NLM_F_DUMP);
	struct mr_dump dump = { .each = each, .arg = arg };

	assert_int_equal(nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, netlink->device), 0);
	assert_int_equal(request(netlink, msg, read_list, &dump), 0);
}

struct mr_search {
	uint64_t length;
	unsigned int found;
	struct netlink_mr *mr;
};

static void compare_length(const struct netlink_mr *mr, void *arg)
{
	struct mr_search *search = arg;

	if (mr->length != search->length)
		return;
	search->found++;
	*search->mr = *mr;
}

void rdma_netlink_find_mr(struct rdma_netlink *netlink, uint64_t length, struct netlink_mr *mr)
{
	struct mr_search search = { .length = length, .mr = mr };

	rdma_netlink_dump_mrs(netlink, compare_length, &search);
	assert_int_equal(search.found, 1);
}

static int read_one(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);

	parse_mr(nlmsg_attrdata(hdr, 0), nlmsg_attrlen(hdr, 0), arg);
	return NL_OK;
}

static int keep_error(struct sockaddr_nl *address, struct nlmsgerr *error, void *arg)
{
	int *err = arg;

	(void)address;
	*err = -error->error;
	return NL_STOP;
}

int rdma_netlink_get_mr(struct rdma_netlink *netlink, uint32_t number, struct netlink_mr *mr)
{
	struct nl_msg *msg = new_request(RDMA_NLDEV_CMD_RES_MR_GET, 0);
	int err = 0;

	assert_int_equal(nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, netlink->device), 0);
	assert_int_equal(nla_put_u32(msg, RDMA_NLDEV_ATTR_RES_MRN, number), 0);
	assert_int_equal(nl_socket_modify_err_cb(netlink->sock, NL_CB_CUSTOM, keep_error, &err), 0);
	if (request(netlink, msg, read_one, mr) < 0)
		assert_int_not_equal(err, 0);
	return err;
}
