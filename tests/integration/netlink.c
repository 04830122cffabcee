// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * MRs over dma-bufs as RDMA netlink shows them: to the administrator's rdma
 * tool, and while they come and go.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "fixture.h"
#include "lock.h"
#include "rdma_netlink.h"
#include "rdma_tool.h"
#include "test_exporter.h"

#define SIZE (16 * PAGE)

static void assert_number(const char *text, uint64_t number)
{
	char expected[24];

	snprintf(expected, sizeof(expected), "%" PRIu64, number);
	assert_string_equal(text, expected);
}

static void check_shown(struct ibv_mr *mr, uint64_t charged)
{
	struct ibv_ext_dmabuf_mr_info info;
	struct shown_mr shown;
	enum shown_to whom;

	info = query_mr(mr);
	assert_int_equal(info.charged, charged);
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	for (whom = SHOWN_TO_ADMIN; whom <= SHOWN_TO_NOBODY; whom++) {
		rdma_tool_show_mr(info.length, whom, &shown);
		assert_string_equal(shown.mode, "pinned");
		assert_string_equal(shown.state, "live");
		assert_string_equal(shown.placement, "system");
		assert_string_equal(shown.revocable,
				    info.flags & IBV_EXT_DMABUF_MR_REVOCABLE ? "yes" : "no");
		assert_number(shown.charged, charged);
		if (whom == SHOWN_TO_ADMIN) {
			assert_string_equal(shown.exporter, info.exporter);
			assert_number(shown.inode, info.dmabuf_inode);
			assert_number(shown.size, info.dmabuf_size);
		} else {
			assert_string_equal(shown.exporter, "");
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
		check_shown(plain, 0);
		pinned = register_pinned(f->pd, buf, PAGE, 2 * PAGE - 1, PAGE, ACCESS_ALL);
		check_shown(pinned, SIZE);
		check_shown(plain, 0);
		deregister(pinned);
		check_shown(plain, 0);
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
	assert_string_equal(shown.revocable, "");
	assert_string_equal(shown.exporter, "");
	assert_string_equal(shown.charged, "");
	assert_string_equal(shown.inode, "");
	assert_string_equal(shown.size, "");
	deregister(mr);
	free(memory);
}

/* A list tells the administrator which dma-buf it is; the answer for one MR tells nobody. */
static void one_by_its_number(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_mr *mr = register_pinned(f->pd, buf, 0, PAGE + 1, 0, ACCESS_ALL);
	struct ibv_ext_dmabuf_mr_info info = query_mr(mr);
	struct rdma_netlink netlink;
	struct netlink_mr listed, one;

	rdma_netlink_open(&netlink, DEVICE);
	rdma_netlink_find_mr(&netlink, PAGE + 1, &listed);
	assert_true(listed.has_inode && listed.has_size);
	assert_int_equal(listed.inode, info.dmabuf_inode);
	assert_int_equal(listed.size, SIZE);
	assert_string_equal(listed.exporter, "udmabuf");

	assert_errno(rdma_netlink_get_mr(&netlink, listed.number, &one), 0, "one MR");
	assert_int_equal(one.number, listed.number);
	assert_int_equal(one.length, PAGE + 1);
	assert_string_equal(one.mode, "pinned");
	assert_string_equal(one.state, "live");
	assert_string_equal(one.placement, "system");
	assert_true(one.has_charged);
	assert_int_equal(one.charged, SIZE);
	assert_false(one.has_inode || one.has_size);
	assert_string_equal(one.exporter, "");

	deregister(mr);
	assert_errno(rdma_netlink_get_mr(&netlink, listed.number, &one), ENOENT,
		     "an MR that is gone");
	rdma_netlink_close(&netlink);
}

/* A busy exporter makes nobody wait who only looks. */
static void while_an_exporter_is_busy(void **state)
{
	struct fixture *f = *state;
	struct dmabuf buf = { .size = SIZE };
	int dev = open_exporter();
	struct rdma_netlink netlink;
	struct exporter_lock lock;
	struct netlink_mr listed, one;
	struct shown_mr shown;
	struct ibv_mr *mr;
	int err;

	buf.fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_DYNAMIC,
							       .size = SIZE });
	mr = register_pinned(f->pd, &buf, 0, PAGE + 1, 0, ACCESS_ALL);
	rdma_netlink_open(&netlink, DEVICE);
	assert_errno(exporter_lock(&lock, buf.fd), 0, "lock");
	rdma_netlink_find_mr(&netlink, PAGE + 1, &listed);
	err = rdma_netlink_get_mr(&netlink, listed.number, &one);
	rdma_tool_show_mr(PAGE + 1, SHOWN_TO_ADMIN, &shown);
	assert_true(exporter_unlock(&lock));

	assert_errno(err, 0, "one MR");
	assert_string_equal(listed.placement, "system");
	assert_string_equal(one.placement, "system");
	assert_string_equal(shown.placement, "system");
	rdma_netlink_close(&netlink);
	deregister(mr);
	assert_idle(dev, buf.fd);
	close(buf.fd);
	close(dev);
}

/* What one dump found */
struct dump {
	unsigned int mrs;
	unsigned int dmabufs;
};

static void count_mr(const struct netlink_mr *mr, void *arg)
{
	struct dump *dump = arg;

	dump->mrs++;
	dump->dmabufs += !strcmp(mr->mode, "pinned");
}

static void dump_mrs(struct rdma_netlink *netlink, struct dump *dump)
{
	*dump = (struct dump){};
	rdma_netlink_dump_mrs(netlink, count_mr, dump);
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
	struct rdma_netlink netlink;
	struct job jobs[THREADS] = {};
	pthread_t threads[THREADS];
	struct ibv_mr *kept[KEPT];
	atomic_bool stop = false;
	unsigned int i, dumps;
	bool bad = false;
	struct usage before;
	struct dmabuf *buf;
	struct dump dump;
	time_t end;

	buf = fixture_buffer(f, UDMABUF, SIZE);
	usage_read(&before);
	rdma_netlink_open(&netlink, DEVICE);

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
		dump_mrs(&netlink, &dump);
		/* When one goes between two messages, another may be left out. */
		bad = !dump.dmabufs || dump.mrs != dump.dmabufs;
	}
	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (bad)
		fail_msg("%u MRs, %u over dma-bufs", dump.mrs, dump.dmabufs);
	dump_mrs(&netlink, &dump);
	assert_int_equal(dump.mrs, KEPT);
	assert_int_equal(dump.dmabufs, KEPT);
	rdma_netlink_close(&netlink);
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
		TEST(one_by_its_number),
		TEST(while_an_exporter_is_busy),
		TEST(dumped_while_they_come_and_go),
	};

	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
