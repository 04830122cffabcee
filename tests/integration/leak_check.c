// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <dirent.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>

#include "fixture.h"
#include "leak_check.h"
#include "test.h"

#define BUFINFO "/sys/kernel/debug/dma_buf/bufinfo"

static int count_entry(struct nlattr *entry, unsigned int *mrs)
{
	struct nlattr *name = NULL, *value = NULL, *attr;
	int left;

	nla_for_each_nested(attr, entry, left)
	{
		if (nla_type(attr) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME)
			name = attr;
		else if (nla_type(attr) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR)
			value = attr;
	}
	if (!name || !value || nla_strcmp(name, "mr"))
		return 0;
	*mrs = nla_get_u64(value);
	return 1;
}

static int read_summary(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct nlattr *name = nlmsg_find_attr(hdr, 0, RDMA_NLDEV_ATTR_DEV_NAME);
	struct nlattr *summary = nlmsg_find_attr(hdr, 0, RDMA_NLDEV_ATTR_RES_SUMMARY);
	struct nlattr *entry;
	int *mrs = arg;
	int left;

	if (!name || !summary || nla_strcmp(name, DEVICE))
		return NL_OK;
	nla_for_each_nested(entry, summary,
			    left) if (count_entry(entry, (unsigned int *)mrs)) break;
	return NL_OK;
}

static int count_mrs(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_msg *msg;
	int mrs = -1;

	assert_non_null(sock);
	nl_socket_disable_auto_ack(sock);
	assert_int_equal(nl_connect(sock, NETLINK_RDMA), 0);
	assert_int_equal(nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, read_summary, &mrs),
			 0);
	msg = nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_RES_GET),
				 NLM_F_DUMP);
	assert_non_null(msg);
	assert_true(nl_send_auto(sock, msg) >= 0);
	assert_int_equal(nl_recvmsgs_default(sock), 0);
	nlmsg_free(msg);
	nl_socket_free(sock);
	assert_true(mrs >= 0);
	return mrs;
}

static void count_dmabufs(struct usage *usage)
{
	FILE *file = fopen(BUFINFO, "re");
	bool complete = false;
	char line[512];
	unsigned int n;

	if (!file)
		fail_msg("%s: %s", BUFINFO, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char what[16];

		if (sscanf(line, "Total %u %15s", &n, what) != 2)
			continue;
		if (!strcmp(what, "devices")) {
			usage->attachments += n;
		} else {
			usage->dmabufs = n;
			complete = true;
		}
	}
	fclose(file);
	assert_true(complete);
}

static unsigned long read_pinned(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long kib = -1UL;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	fclose(file);
	assert_int_not_equal(kib, -1UL);
	return kib;
}

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

void usage_read(struct usage *usage)
{
	memset(usage, 0, sizeof(*usage));
	usage->mrs = count_mrs();
	count_dmabufs(usage);
	usage->pinned_kib = read_pinned();
	usage->descriptors = count_descriptors();
}

static int differs(const char *when, const char *what, unsigned long now, unsigned long expected)
{
	if (now == expected)
		return 0;
	print_error("%s: %lu %s, expected %lu\n", when, now, what, expected);
	return 1;
}

int usage_compare(const struct usage *expected, const char *when)
{
	struct usage now;
	int n = 0;

	usage_read(&now);
	n += differs(when, "MRs", now.mrs, expected->mrs);
	n += differs(when, "dma-bufs", now.dmabufs, expected->dmabufs);
	n += differs(when, "attachments", now.attachments, expected->attachments);
	n += differs(when, "KiB pinned", now.pinned_kib, expected->pinned_kib);
	n += differs(when, "descriptors", now.descriptors, expected->descriptors);
	return n;
}

void assert_usage(const struct usage *expected, const char *when)
{
	if (usage_compare(expected, when))
		fail();
}

void assert_held(const struct usage *idle, unsigned int mrs, unsigned int attachments,
		 size_t charged, const char *when)
{
	struct usage expected = *idle;

	expected.mrs += mrs;
	expected.attachments += attachments;
	expected.pinned_kib += charged / 1024;
	assert_usage(&expected, when);
}
