// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * MRs over dma-bufs as RDMA netlink shows them: to the administrator's rdma
 * tool, and while they come and go.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>

#include "fixture.h"
#include "rdma_tool.h"
#include "test.h"

#define SIZE (16 * PAGE)

static void assert_number(const char *text, uint64_t number)
{
	char expected[24];

	snprintf(expected, sizeof(expected), "%" PRIu64, number);
	assert_string_equal(text, expected);
}

static void check_shown(struct ibv_mr *mr)
{
	struct ibv_ext_dmabuf_mr_info info;
	struct shown_mr shown;
	enum shown_to whom;

	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	for (whom = SHOWN_TO_ADMIN; whom <= SHOWN_TO_NOBODY; whom++) {
		rdma_tool_show_mr(info.length, whom, &shown);
		assert_string_equal(shown.mode, "pinned");
		assert_string_equal(shown.state, "live");
		assert_string_equal(shown.placement, "system");
		assert_number(shown.charged, info.charged);
		if (whom == SHOWN_TO_ADMIN) {
			assert_number(shown.inode, info.dmabuf_inode);
			assert_number(shown.size, info.dmabuf_size);
		} else {
			assert_string_equal(shown.inode, "");
			assert_string_equal(shown.size, "");
		}
	}
}

/* The lengths differ, to tell the MRs apart. */
static void shown_as_queried(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *pinned, *plain;
	enum exporter exporter;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		struct dmabuf *buf = fixture_buffer(f, exporter, SIZE);

		plain = ibv_reg_dmabuf_mr(f->pd, 0, PAGE + 1, 0, buf->fd, ACCESS_ALL);
		assert_non_null(plain);
		check_shown(plain);
		pinned = register_pinned(f->pd, buf, PAGE, 2 * PAGE - 1, PAGE, ACCESS_ALL);
		check_shown(pinned);
		/* they share the charge now */
		check_shown(plain);
		deregister(pinned);
		check_shown(plain);
		deregister(plain);
	}
}

static void ordinary_mr(void **state)
{
	struct fixture *f = *state;
	struct shown_mr shown;
	struct ibv_mr *mr;
	void *memory;

	memory = aligned_alloc(PAGE, PAGE);
	assert_non_null(memory);
	mr = ibv_reg_mr(f->pd, memory, PAGE, ACCESS_ALL);
	assert_non_null(mr);
	rdma_tool_show_mr(PAGE, SHOWN_TO_ADMIN, &shown);
	assert_string_equal(shown.mode, "");
	assert_string_equal(shown.state, "");
	assert_string_equal(shown.placement, "");
	assert_string_equal(shown.charged, "");
	assert_string_equal(shown.inode, "");
	assert_string_equal(shown.size, "");
	deregister(mr);
	free(memory);
}

/* What one dump found */
struct dump {
	unsigned int mrs;
	unsigned int dmabufs;
	int device; /* index, or -1 */
};

static bool is_driver_string(struct nlattr *attr, const char *text)
{
	return attr && nla_type(attr) == RDMA_NLDEV_ATTR_DRIVER_STRING && !nla_strcmp(attr, text);
}

static bool has_mode(struct nlattr *entry)
{
	struct nlattr *driver = nla_find(nla_data(entry), nla_len(entry), RDMA_NLDEV_ATTR_DRIVER);
	int left = driver ? nla_len(driver) : 0;
	struct nlattr *key, *value;

	if (!driver)
		return false;
	key = nla_data(driver);
	if (!nla_ok(key, left))
		return false;
	value = nla_next(key, &left);
	return nla_ok(value, left) && is_driver_string(key, "dmabuf_mode") &&
	       is_driver_string(value, "pinned");
}

static int count_mrs(struct nl_msg *msg, void *arg)
{
	struct nlattr *table = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_RES_MR);
	struct dump *dump = arg;
	struct nlattr *entry;
	int left;

	if (!table)
		return NL_OK;
	for (entry = nla_data(table), left = nla_len(table); nla_ok(entry, left);
	     entry = nla_next(entry, &left)) {
		dump->mrs++;
		dump->dmabufs += has_mode(entry);
	}
	return NL_OK;
}

static int find_device(struct nl_msg *msg, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_NAME);
	struct nlattr *index = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_INDEX);
	struct dump *dump = arg;

	if (name && index && !nla_strcmp(name, DEVICE))
		dump->device = nla_get_u32(index);
	return NL_OK;
}

static void request_dump(struct nl_sock *sock, int command, nl_recvmsg_msg_cb_t callback,
			 struct dump *dump)
{
	struct nl_msg *msg;

	msg = nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), NLM_F_DUMP);
	assert_non_null(msg);
	if (dump->device >= 0)
		assert_int_equal(nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, dump->device), 0);
	assert_int_equal(nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, callback, dump), 0);
	assert_true(nl_send_auto(sock, msg) >= 0);
	nlmsg_free(msg);
	assert_int_equal(nl_recvmsgs_default(sock), 0);
}

static void dump_mrs(struct nl_sock *sock, struct dump *dump)
{
	dump->mrs = dump->dmabufs = 0;
	request_dump(sock, RDMA_NLDEV_CMD_RES_MR_GET, count_mrs, dump);
}

struct job {
	struct ibv_pd *pd;
	const struct dmabuf *buf;
	atomic_bool *stop;
	unsigned int rounds;
	int err;
};

/* Some live longer than others, all end. */
static void *come_and_go(void *arg)
{
	struct job *job = arg;
	struct ibv_mr *mrs[4] = {};
	unsigned int i;

	for (job->rounds = 0; !*job->stop && !job->err; job->rounds++) {
		struct ibv_mr **mr = &mrs[job->rounds * 7 % 4];

		if (*mr)
			job->err = ibv_dereg_mr(*mr);
		*mr = ibv_reg_dmabuf_mr_pinned(job->pd, 0, PAGE, 0, job->buf->fd, ACCESS_ALL, 0);
		if (!*mr)
			job->err = errno;
	}
	for (i = 0; i < 4; i++)
		if (mrs[i])
			ibv_dereg_mr(mrs[i]);
	return NULL;
}

#define THREADS 2
#define KEPT 64
#define DUMP_SECONDS 5

static void dumped_while_they_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct dump dump = { .device = -1 };
	struct job jobs[THREADS] = {};
	pthread_t threads[THREADS];
	struct ibv_mr *kept[KEPT];
	atomic_bool stop = false;
	unsigned int i, dumps;
	bool bad = false;
	struct nl_sock *sock;
	struct usage before;
	struct dmabuf *buf;
	time_t end;

	buf = fixture_buffer(f, UDMABUF, SIZE);
	usage_read(&before);
	sock = nl_socket_alloc();
	assert_non_null(sock);
	nl_socket_disable_auto_ack(sock);
	assert_int_equal(nl_connect(sock, NETLINK_RDMA), 0);
	request_dump(sock, RDMA_NLDEV_CMD_GET, find_device, &dump);
	assert_true(dump.device >= 0);

	/* so many that a dump takes several messages */
	for (i = 0; i < KEPT; i++)
		kept[i] = register_all(f->pd, buf);
	for (i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){
			.pd = f->pd,
			.buf = i ? buf : fixture_buffer(f, SYSTEM_HEAP, SIZE),
			.stop = &stop,
		};
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &jobs[i]), 0);
	}

	end = time(NULL) + DUMP_SECONDS;
	for (dumps = 0; !bad && time(NULL) < end; dumps++) {
		dump_mrs(sock, &dump);
		/* When one goes between two messages, another may be left out. */
		bad = !dump.dmabufs || dump.mrs != dump.dmabufs;
	}
	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (bad)
		fail_msg("%u MRs, %u over dma-bufs", dump.mrs, dump.dmabufs);
	dump_mrs(sock, &dump);
	assert_int_equal(dump.mrs, KEPT);
	assert_int_equal(dump.dmabufs, KEPT);
	nl_socket_free(sock);
	for (i = 0; i < THREADS; i++)
		assert_errno(jobs[i].err, 0, "thread %u", i);
	print_message("%u dumps, %u and %u registrations\n", dumps, jobs[0].rounds, jobs[1].rounds);
	for (i = 0; i < KEPT; i++)
		deregister(kept[i]);
	before.dmabufs++;
	before.descriptors++;
	assert_usage(&before, "after the dumps");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shown_as_queried),
		TEST(ordinary_mr),
		TEST(dumped_while_they_come_and_go),
	};

	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
