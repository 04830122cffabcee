// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What the rdma controller of cgroups counts of pinned dma-bufs, and refuses.
 * Needs a kernel that was built with the series: the resource is not in modules.
 * What the controller counts on each kernel is tested on each.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "charging.h"
#include "child.h"
#include "kernel.h"
#include "parameter.h"
#include "raw_ioctl.h"
#include "rdma_cgroup.h"
#include "test_exporter.h"

#define SIZE (16 * PAGE)

#define PLAIN 0
#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REVOCABLE (IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)

#define SECOND_DEVICE "rxe1"
#define SECOND_NETDEV "cgroup-test"

static int cgroup_setup(void **state)
{
	rdma_cgroup_create();
	return fixture_setup(state);
}

static int cgroup_teardown(void **state)
{
	int left = fixture_teardown(state);

	parameters_reset();
	return rdma_cgroup_remove() + left;
}

#define CGROUP_TEST(function) \
	cmocka_unit_test_setup_teardown(function, cgroup_setup, cgroup_teardown)

static void join(const char *group)
{
	assert_errno(rdma_cgroup_join(group), 0, "joining %s", group);
}

static void limit(const char *group, const char *device, int64_t bytes)
{
	assert_errno(rdma_cgroup_limit(group, device, bytes), 0, "limit of %s for %s", group,
		     device);
}

static void assert_pinned_by(const char *device, const char *group, int64_t expected,
			     const char *when)
{
	int64_t bytes = rdma_cgroup_pinned(group, device);

	if (bytes != expected)
		fail_msg("%s: %" PRId64 " bytes of %s in %s, expected %" PRId64, when, bytes,
			 device, group, expected);
}

/* Of the first device; the outer group has what the two have together. */
static void assert_pinned(int64_t in_a, int64_t in_b, const char *when)
{
	assert_pinned_by(DEVICE, CGROUP_A, in_a, when);
	assert_pinned_by(DEVICE, CGROUP_B, in_b, when);
	assert_pinned_by(DEVICE, CGROUP_OUTER, in_a + in_b, when);
}

static struct ibv_mr *register_slice(struct ibv_pd *pd, int fd, uint64_t offset, size_t length,
				     uint32_t bits)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(pd, offset, length, offset, fd, ACCESS_ALL | bits);

	if (!mr)
		fail_msg("registration with %#x: %s", bits, strerrorname(errno));
	return mr;
}

static struct ibv_mr *register_bits(struct ibv_pd *pd, int fd, uint32_t bits)
{
	return register_slice(pd, fd, 0, SIZE, bits);
}

static void assert_refused_with(struct ibv_pd *pd, int fd, uint32_t pin_flags,
				struct ibv_ext_dmabuf_report *report)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = pin_flags,
		.length = SIZE,
		.fd = fd,
		.access = ACCESS_ALL,
	};

	if (ibv_ext_reg_dmabuf_mr(pd, &attr, report))
		fail_msg("registered in spite of the limit");
	assert_errno(errno, EAGAIN, "registration");
	assert_errno(report->err, EAGAIN, "report");
	assert_string_equal(ibv_ext_dmabuf_reason_str(report->reason),
			    ibv_ext_dmabuf_reason_str(IBV_EXT_DMABUF_REASON_CGROUP));
}

static void assert_refused(struct ibv_pd *pd, int fd)
{
	struct ibv_ext_dmabuf_report report;

	assert_refused_with(pd, fd, 0, &report);
}

/* However many regions: all of the buffer, once, until the last of them goes. */
static void counted_once(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 } };
	struct fixture *f = *state;
	enum exporter exporter;
	struct ibv_mr *mrs[3];
	size_t i, j;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		int fd = fixture_buffer(f, exporter, SIZE)->fd;

		for (i = 0; i < ARRAY_SIZE(orders); i++) {
			join(CGROUP_A);
			mrs[0] = register_slice(f->pd, fd, PAGE, 1, PINNED);
			assert_pinned(SIZE, 0, "one region");
			mrs[1] = register_bits(f->pd, fd, PINNED);
			mrs[2] = register_bits(f->pd, fd, REVOCABLE);
			assert_pinned(SIZE, 0, "three regions");
			for (j = 0; j < 3; j++) {
				assert_pinned(SIZE, 0, "some regions left");
				deregister(mrs[orders[i][j]]);
			}
			assert_pinned(0, 0, "no region left");
			join(CGROUP_ROOT);
		}
	}
}

/* Whether the owner agrees to a revocation or not, the pin is the same. */
static void counted_once_with_consent(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_DYNAMIC,
							       .size = SIZE });
	struct dmabuf_test_counters counters;
	struct ibv_mr *mrs[2];

	join(CGROUP_A);
	mrs[0] = register_bits(f->pd, fd, PINNED);
	mrs[1] = register_bits(f->pd, fd, REVOCABLE);
	assert_errno(exporter_counters(dev, fd, &counters), 0, "counters");
	assert_int_equal(exporter_now(&counters, DMABUF_TEST_ATTACHES), 1);
	assert_pinned(SIZE, 0, "two regions");
	deregister(mrs[0]);
	assert_pinned(SIZE, 0, "one region left");
	deregister(mrs[1]);
	assert_pinned(0, 0, "none left");
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

static void counted_in_bytes(void **state)
{
	static const size_t sizes[] = { PAGE, 3 * PAGE, 4 * MIB };
	struct fixture *f = *state;
	struct ibv_mr *mrs[ARRAY_SIZE(sizes)];
	int64_t bytes = 0;
	size_t i;

	join(CGROUP_B);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		mrs[i] = register_all(f->pd, fixture_buffer(f, UDMABUF, sizes[i]));
		bytes += sizes[i];
		assert_pinned(0, bytes, "registered");
	}
	while (i--)
		deregister(mrs[i]);
	assert_pinned(0, 0, "none left");
}

/* As with RLIMIT_MEMLOCK: who asked for the pin, or all if the administrator says so. */
static void who_is_counted(void **state)
{
	struct fixture *f = *state;
	int fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	struct ibv_mr *plain, *pinned;

	join(CGROUP_A);
	plain = register_bits(f->pd, fd, PLAIN);
	assert_pinned(0, 0, "plain");
	limit(CGROUP_A, DEVICE, SIZE - 1);
	assert_refused(f->pd, fd);
	assert_pinned(0, 0, "plain, another refused");
	limit(CGROUP_A, DEVICE, SIZE);
	pinned = register_bits(f->pd, fd, PINNED);
	assert_pinned(SIZE, 0, "pinned beside plain");
	deregister(pinned);
	assert_pinned(0, 0, "the region that pays has gone");
	deregister(plain);
	assert_pinned(0, 0, "none left");

	parameter_set(CHARGE_ALL, "Y");
	plain = register_bits(f->pd, fd, PLAIN);
	assert_pinned(SIZE, 0, "plain, all are charged");
	deregister(plain);
	limit(CGROUP_A, DEVICE, SIZE - 1);
	assert_null(ibv_reg_dmabuf_mr(f->pd, 0, SIZE, 0, fd, ACCESS_ALL));
	assert_errno(errno, EAGAIN, "plain registration");
	assert_pinned(0, 0, "plain refused");
}

/* Refused before the exporter is asked for anything, and nothing stays. */
static void refused_above_the_limit(struct fixture *f, const char *limited)
{
	struct dmabuf *first = fixture_buffer(f, UDMABUF, SIZE);
	struct dmabuf *second = fixture_buffer(f, SYSTEM_HEAP, SIZE);
	struct usage idle, one;
	struct ibv_mr *mrs[2];
	int round;

	join(CGROUP_A);
	usage_read(&idle);
	for (round = 0; round < 3; round++) {
		limit(limited, DEVICE, SIZE - 1);
		assert_refused(f->pd, first->fd);
		assert_usage(&idle, "refused");
		assert_pinned(0, 0, "refused");

		limit(limited, DEVICE, 2 * SIZE - 1);
		mrs[0] = register_all(f->pd, first);
		usage_read(&one);
		assert_refused(f->pd, second->fd);
		assert_usage(&one, "the second one refused");
		assert_pinned(SIZE, 0, "the second one refused");
		/* what is pinned already costs nothing */
		deregister(register_all(f->pd, first));

		limit(limited, DEVICE, 2 * SIZE);
		mrs[1] = register_all(f->pd, second);
		assert_pinned(2 * SIZE, 0, "both");
		deregister(mrs[0]);
		deregister(mrs[1]);
		assert_usage(&idle, "after deregistration");
		assert_pinned(0, 0, "after deregistration");
	}
	limit(limited, DEVICE, NO_LIMIT);
	deregister(register_all(f->pd, first));
	limit(limited, DEVICE, 0);
	assert_refused(f->pd, first->fd);
}

static void limit_of_the_cgroup(void **state)
{
	refused_above_the_limit(*state, CGROUP_A);
}

static void limit_of_a_cgroup_above(void **state)
{
	refused_above_the_limit(*state, CGROUP_OUTER);
}

/* Two groups share what the one above them has. */
static void limit_shared_by_two(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *first = fixture_buffer(f, UDMABUF, SIZE);
	struct dmabuf *second = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_mr *mr;

	limit(CGROUP_OUTER, DEVICE, SIZE);
	join(CGROUP_A);
	mr = register_all(f->pd, first);
	join(CGROUP_B);
	assert_refused(f->pd, second->fd);
	assert_pinned(SIZE, 0, "refused to the other group");
	deregister(mr);
	mr = register_all(f->pd, second);
	assert_pinned(0, SIZE, "taken by the other group");
	deregister(mr);
}

/* Lowered below what is in use: nothing is taken away, nothing is given. */
static void limit_lowered(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *first = fixture_buffer(f, UDMABUF, SIZE);
	struct dmabuf *second = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;

	join(CGROUP_A);
	mr = register_all(f->pd, first);
	limit(CGROUP_A, DEVICE, PAGE);
	assert_pinned(SIZE, 0, "limit lowered");
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	deregister(register_all(f->pd, first));
	assert_null(ibv_reg_dmabuf_mr_pinned(f->pd, 0, PAGE, 0, second->fd, ACCESS_ALL, 0));
	assert_errno(errno, EAGAIN, "registration");
	deregister(mr);
	deregister(register_all(f->pd, second));
}

/* The report is the same whoever's limit it is, and says nothing of the limit. */
static void reports(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = SIZE,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report own, above, probe;

	join(CGROUP_A);
	memset(&own, 0, sizeof(own));
	memset(&above, 0, sizeof(above));
	memset(&probe, 0, sizeof(probe));
	limit(CGROUP_A, DEVICE, SIZE - 1);
	assert_refused_with(f->pd, buf->fd, 0, &own);
	limit(CGROUP_A, DEVICE, NO_LIMIT);
	limit(CGROUP_OUTER, DEVICE, 3);
	assert_refused_with(f->pd, buf->fd, 0, &above);
	assert_memory_equal(&own, &above, sizeof(own));

	assert_int_equal(own.source, IBV_EXT_DMABUF_REPORT_PROBE);
	assert_int_equal(own.probe_err, EAGAIN);
	assert_int_equal(own.dmabuf_size, SIZE);
	assert_int_equal(own.charge, SIZE);
	assert_string_equal(own.exporter, "udmabuf");

	assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &probe), 0, "probe");
	assert_errno(probe.err, EAGAIN, "probe");
	assert_int_equal(probe.reason, IBV_EXT_DMABUF_REASON_CGROUP);
	assert_pinned(0, 0, "after a probe that was refused");
	limit(CGROUP_OUTER, DEVICE, SIZE);
	assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &probe), 0, "probe");
	assert_errno(probe.err, 0, "probe");
	assert_pinned(0, 0, "after a probe");
}

/* RLIMIT_MEMLOCK comes first, and what it refuses is not charged. */
static void below_the_limit_of_the_process(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = SIZE,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;
	struct ibv_mr *mr;

	child_check(!rdma_cgroup_join(CGROUP_A), "cannot join the cgroup");
	child_check(!rdma_cgroup_limit(CGROUP_A, DEVICE, SIZE), "limit");
	become_limited(SIZE);
	mr = ibv_ext_reg_dmabuf_mr(pd, &attr, &report);
	child_check(mr, "registration: %s", strerrorname(errno));
	child_check(!ibv_dereg_mr(mr), "deregistration");
	become_limited(SIZE - PAGE);
	child_check(!ibv_ext_reg_dmabuf_mr(pd, &attr, &report), "registered");
	child_check(errno == ENOMEM && report.reason == IBV_EXT_DMABUF_REASON_MEMLOCK, "%s, %s",
		    strerrorname(errno), ibv_ext_dmabuf_reason_str(report.reason));
	child_check(rdma_cgroup_pinned(CGROUP_A, DEVICE) == 0, "charged");
}

static void limit_of_the_process(void **state)
{
	in_child(below_the_limit_of_the_process, fixture_buffer(*state, UDMABUF, SIZE));
	assert_pinned(0, 0, "after the child's end");
}

/* A charge does not move. */
static void moved_to_another_cgroup(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *first = fixture_buffer(f, UDMABUF, SIZE);
	struct dmabuf *second = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_mr *mrs[3];

	join(CGROUP_A);
	mrs[0] = register_all(f->pd, first);
	join(CGROUP_B);
	limit(CGROUP_B, DEVICE, 0);
	assert_pinned(SIZE, 0, "moved");
	mrs[1] = register_all(f->pd, first);
	assert_pinned(SIZE, 0, "registered once more");
	assert_refused(f->pd, second->fd);
	limit(CGROUP_B, DEVICE, SIZE);
	mrs[2] = register_all(f->pd, second);
	assert_pinned(SIZE, SIZE, "another one registered");
	deregister(mrs[0]);
	assert_pinned(SIZE, SIZE, "the first region gone");
	deregister(mrs[1]);
	assert_pinned(0, SIZE, "the first buffer gone");
	join(CGROUP_A);
	deregister(mrs[2]);
	assert_pinned(0, 0, "all gone");
}

/* The group goes, the charge stays with those above it. */
static void removed_while_charged(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_mr *mr;

	join(CGROUP_A);
	limit(CGROUP_A, DEVICE, SIZE);
	mr = register_all(f->pd, buf);
	join(CGROUP_B);
	assert_int_equal(rdma_cgroup_rmdir(CGROUP_A), 0);
	assert_pinned_by(DEVICE, CGROUP_OUTER, SIZE, "removed");
	deregister(register_all(f->pd, buf));
	assert_pinned_by(DEVICE, CGROUP_B, 0, "removed");
	deregister(mr);
	assert_pinned_by(DEVICE, CGROUP_OUTER, 0, "deregistered");
	assert_true(rdma_cgroup_wait_freed());
}

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void add_second_device(void)
{
	run("ip link add " SECOND_NETDEV " type dummy");
	run("ip link set " SECOND_NETDEV " up");
	run("rdma link add " SECOND_DEVICE " type rxe netdev " SECOND_NETDEV);
}

static void delete_second_device(void)
{
	run("rdma link delete " SECOND_DEVICE);
	run("ip link delete " SECOND_NETDEV);
}

static struct ibv_pd *open_second_device(void)
{
	struct ibv_context *context = open_device_named(SECOND_DEVICE);
	struct ibv_pd *pd;

	assert_non_null(context);
	pd = ibv_alloc_pd(context);
	assert_non_null(pd);
	return pd;
}

static void close_second_device(struct ibv_pd *pd)
{
	struct ibv_context *context = pd->context;

	assert_errno(ibv_dealloc_pd(pd), 0, "PD");
	assert_int_equal(ibv_close_device(context), 0);
}

/* Each has its own count and limit, while RLIMIT_MEMLOCK is charged once. */
static void two_devices(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct usage before, now;
	struct ibv_mr *mrs[2];
	struct ibv_pd *pd;

	add_second_device();
	pd = open_second_device();
	usage_read(&before);
	join(CGROUP_A);
	mrs[0] = register_all(f->pd, buf);
	assert_pinned_by(SECOND_DEVICE, CGROUP_A, 0, "registered on the first");
	limit(CGROUP_A, SECOND_DEVICE, SIZE - 1);
	assert_refused(pd, buf->fd);
	limit(CGROUP_A, SECOND_DEVICE, SIZE);
	mrs[1] = register_all(pd, buf);
	assert_pinned(SIZE, 0, "registered on both");
	assert_pinned_by(SECOND_DEVICE, CGROUP_A, SIZE, "registered on both");
	assert_pinned_by(SECOND_DEVICE, CGROUP_OUTER, SIZE, "registered on both");
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib + SIZE / 1024);
	deregister(mrs[0]);
	assert_pinned(0, 0, "the second is left");
	assert_pinned_by(SECOND_DEVICE, CGROUP_A, SIZE, "the second is left");
	deregister(mrs[1]);
	assert_pinned_by(SECOND_DEVICE, CGROUP_A, 0, "none is left");
	close_second_device(pd);
	delete_second_device();
}

/* In either order; a group that is gone must not be found by the device. */
static void limits_outlived(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		add_second_device();
		limit(CGROUP_A, SECOND_DEVICE, SIZE);
		assert_errno(rdma_cgroup_set(CGROUP_OUTER, SECOND_DEVICE, "hca_object=3"), 0,
			     "limit");
		if (round)
			close_second_device(open_second_device());
		assert_int_equal(rdma_cgroup_remove(), 0);
		delete_second_device();

		rdma_cgroup_create();
		add_second_device();
		limit(CGROUP_A, SECOND_DEVICE, SIZE);
		delete_second_device();
	}
}

/* What the exporter takes back is free again for whoever knows of it. */
static void revoked(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter();
	struct ibv_mr *mrs[2];
	int fds[2], round, i;

	for (i = 0; i < 2; i++)
		fds[i] = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
								       .size = SIZE });
	join(CGROUP_A);
	limit(CGROUP_A, DEVICE, SIZE);
	for (round = 0; round < 20; round++) {
		mrs[0] = register_bits(f->pd, fds[0], REVOCABLE);
		revoke_buffer(dev, fds[0]);
		mrs[1] = register_bits(f->pd, fds[1], REVOCABLE);
		assert_pinned(SIZE, 0, "one revoked, the other registered");
		deregister(mrs[0]);
		assert_pinned(SIZE, 0, "the revoked one gone");
		deregister(mrs[1]);
		assert_pinned(0, 0, "both gone");
		assert_errno(exporter_unrevoke(dev, fds[0]), 0, "unrevoke");

		/* the same buffer, whose dead region is still there */
		mrs[0] = register_bits(f->pd, fds[0], REVOCABLE);
		revoke_buffer(dev, fds[0]);
		assert_errno(exporter_unrevoke(dev, fds[0]), 0, "unrevoke");
		mrs[1] = register_bits(f->pd, fds[0], REVOCABLE);
		assert_pinned(SIZE, 0, "registered again");
		deregister(mrs[1]);
		assert_pinned(0, 0, "a revoked one left");
		deregister(mrs[0]);
	}
	for (i = 0; i < 2; i++) {
		assert_idle(dev, fds[i]);
		close(fds[i]);
	}
	close(dev);
}

/* By a process in another group, which gets none of it. */
static void revoked_by_another(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							       .size = SIZE });
	struct ibv_mr *mr;
	pid_t pid;

	join(CGROUP_A);
	mr = register_bits(f->pd, fd, REVOCABLE);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct dmabuf_test_revoke result;

		child_check(!rdma_cgroup_join(CGROUP_B), "cannot join the cgroup");
		child_check(!exporter_revoke(dev, fd, 5000, &result), "revoke");
		_exit(0);
	}
	wait_for_child(pid);
	deregister(mr);
	assert_pinned(0, 0, "revoked and deregistered");
	assert_errno(exporter_unrevoke(dev, fd), 0, "unrevoke");
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

/* The charge is given back before the device can go. */
static void revoked_and_device_deleted(void **state)
{
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							       .size = SIZE });
	int round;

	(void)state;
	join(CGROUP_A);
	for (round = 0; round < 3; round++) {
		struct ibv_pd *pd;
		struct ibv_mr *mr;

		add_second_device();
		pd = open_second_device();
		mr = register_bits(pd, fd, REVOCABLE);
		revoke_buffer(dev, fd);
		deregister(mr);
		assert_pinned_by(SECOND_DEVICE, CGROUP_A, 0, "revoked and deregistered");
		close_second_device(pd);
		delete_second_device();
		assert_errno(exporter_unrevoke(dev, fd), 0, "unrevoke");
	}
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

/* A child in CGROUP_A that has registered the buffer; it waits to be killed. */
static pid_t start_holder(int fd)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct ibv_context *context = open_device();
		struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;

		child_check(pd, "no device");
		child_check(!rdma_cgroup_join(CGROUP_A), "cannot join the cgroup");
		child_check(ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, fd, ACCESS_ALL | REVOCABLE),
			    "registration: %s", strerrorname(errno));
		child_check(write(ends[1], "r", 1) == 1, "pipe");
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		fail_msg("in the child: %s", complaint->text);
	close(ends[0]);
	return pid;
}

static void end_holder(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void killed(void **state)
{
	struct fixture *f = *state;
	int fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	struct ibv_mr *mr;
	pid_t pids[3];
	int i;

	join(CGROUP_B);
	mr = register_bits(f->pd, fd, PINNED);
	for (i = 0; i < 3; i++) {
		pids[i] = start_holder(fd);
		/* each process pays for itself */
		assert_pinned((i + 1) * SIZE, SIZE, "a child more");
	}
	for (i = 2; i >= 0; i--) {
		end_holder(pids[i]);
		assert_pinned(i * SIZE, SIZE, "a child less");
	}
	deregister(mr);
	assert_pinned(0, 0, "all gone");
}

static void revoked_and_killed(void **state)
{
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							       .size = SIZE });
	int round;

	(void)state;
	for (round = 0; round < 10; round++) {
		pid_t pids[2] = { start_holder(fd), start_holder(fd) };

		assert_pinned(2 * SIZE, 0, "two children");
		if (round % 2)
			end_holder(pids[0]);
		revoke_buffer(dev, fd);
		if (!(round % 2))
			end_holder(pids[0]);
		end_holder(pids[1]);
		assert_pinned(0, 0, "revoked and killed");
		assert_errno(exporter_unrevoke(dev, fd), 0, "unrevoke");
	}
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

/* A process more, of those that have the buffer, than fits into 32 bits. */
static void more_than_4_gib(void **state)
{
	static const size_t size = 256 * MIB;
	pid_t pids[(1ULL << 32) / size + 1];
	struct fixture *f = *state;
	int fd = fixture_buffer(f, SYSTEM_HEAP, size)->fd;
	unsigned int i;

	limit(CGROUP_A, DEVICE, ARRAY_SIZE(pids) * size);
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_holder(fd);
	assert_pinned(ARRAY_SIZE(pids) * size, 0, "at the limit");
	join(CGROUP_A);
	assert_refused(f->pd, fd);
	limit(CGROUP_A, DEVICE, (ARRAY_SIZE(pids) + 1) * size);
	deregister(register_bits(f->pd, fd, PINNED));
	assert_pinned(ARRAY_SIZE(pids) * size, 0, "one more refused, allowed and gone");
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		end_holder(pids[i]);
	assert_pinned(0, 0, "all gone");
}

/* A forked child has the parent's regions, but pays for none. */
static void forked(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr;
	pid_t pid;

	join(CGROUP_A);
	mr = register_all(f->pd, fixture_buffer(f, UDMABUF, SIZE));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		child_check(rdma_cgroup_pinned(CGROUP_A, DEVICE) == SIZE, "charged twice");
		/* the parent's region, by the file that both have */
		child_check(!raw_dereg_mr(f->context->cmd_fd, mr->handle), "deregistration");
		child_check(rdma_cgroup_pinned(CGROUP_A, DEVICE) == 0, "still charged");
		_exit(0);
	}
	wait_for_child(pid);
	assert_pinned(0, 0, "deregistered by the child");
	assert_int_not_equal(ibv_dereg_mr(mr), 0);
}

/* The limit fits the buffer, so no thread may be refused for the other's sake. */
static void threads_share_a_charge(void **state)
{
	struct fixture *f = *state;
	const struct raw_region region = {
		.pd = f->pd->handle,
		.fd = fixture_buffer(f, UDMABUF, SIZE)->fd,
		.length = SIZE,
		.access = ACCESS_ALL | PINNED,
	};

	join(CGROUP_A);
	limit(CGROUP_A, DEVICE, SIZE);
	assert_errno(charge_in_two_threads(f->context->cmd_fd, &region, 4), 0, "registration");
	assert_pinned(0, 0, "threads ended");
}

/* A limit as it is written, and as it is shown then; the one before, if it is refused. */
struct setting {
	const char *written;
	const char *shown; /* NULL: EINVAL */
};

static void check_settings(const char *resource, const struct setting *settings, size_t num)
{
	char expected[32] = "", shown[32], text[96];
	size_t i;

	for (i = 0; i < num; i++) {
		snprintf(text, sizeof(text), "%s=%s", resource, settings[i].written);
		assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, text),
			     settings[i].shown ? 0 : EINVAL, "\"%s\"", text);
		if (settings[i].shown)
			snprintf(expected, sizeof(expected), "%s", settings[i].shown);
		rdma_cgroup_get(CGROUP_A, "rdma.max", DEVICE, resource, shown);
		if (strcmp(shown, expected))
			fail_msg("after \"%s\": %s, expected %s", text, shown, expected);
	}
}

static void limits_in_bytes(void **state)
{
	static const struct setting settings[] = {
		{ "0", "0" },
		{ "1", "1" },
		{ "2147483647", "2147483647" },
		{ "2147483648", "2147483648" },
		{ "4294967295", "4294967295" },
		{ "4294967296", "4294967296" },
		{ "0x200000000", "8589934592" },
		{ "9223372036854775807", "max" },
		{ "9223372036854775806", "9223372036854775806" },
		{ "max", "max" },
		{ "5000000000", "5000000000" },
		{ "9223372036854775808", NULL },
		{ "18446744073709551615", NULL },
		{ "18446744073709551616", NULL },
		{ "-1", NULL },
		{ "-9223372036854775808", NULL },
		{ "-9223372036854775809", NULL },
		{ "", NULL },
		{ " 4096", NULL },
		{ "4096 4096", NULL },
		{ "4096=4096", NULL },
		{ "4096k", NULL },
		{ "4096.0", NULL },
		{ "0x", NULL },
		{ "pages", NULL },
		{ "m", NULL },
		{ "maxx", NULL },
		{ "MAX", NULL },
		{ "-max", NULL },
	};
	struct fixture *f = *state;
	int fd = fixture_buffer(f, UDMABUF, SIZE)->fd;

	check_settings("dmabuf_pinned", settings, ARRAY_SIZE(settings));

	/* those that are above what 32 bits have are not cut off */
	join(CGROUP_A);
	limit(CGROUP_A, DEVICE, 1LL << 32);
	deregister(register_bits(f->pd, fd, PINNED));
	limit(CGROUP_A, DEVICE, NO_LIMIT - 1);
	deregister(register_bits(f->pd, fd, PINNED));
}

static void assert_limits(const char *handle, const char *object, const char *pinned)
{
	char shown[32];

	rdma_cgroup_get(CGROUP_A, "rdma.max", DEVICE, "hca_handle", shown);
	assert_string_equal(shown, handle);
	rdma_cgroup_get(CGROUP_A, "rdma.max", DEVICE, "hca_object", shown);
	assert_string_equal(shown, object);
	rdma_cgroup_get(CGROUP_A, "rdma.max", DEVICE, "dmabuf_pinned", shown);
	assert_string_equal(shown, pinned);
}

/* Written in one line, all or none of them are taken. */
static void limits_together(void **state)
{
	static const char *const refused[] = {
		"hca_object=4 dmabuf_pinned=-1",
		"dmabuf_pinned=4096 hca_object=-1",
		"dmabuf_pinned=4096 hca_object",
		"dmabuf_pinned=4096 dmabuf=1",
		"dmabuf_pinned",
	};
	size_t i;

	(void)state;
	assert_limits("max", "max", "max");
	assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE,
				     "hca_object=3 dmabuf_pinned=5000000000 hca_handle=2"),
		     0, "all three");
	assert_limits("2", "3", "5000000000");
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, refused[i]), EINVAL, "%s",
			     refused[i]);
		assert_limits("2", "3", "5000000000");
	}
	assert_errno(rdma_cgroup_set(CGROUP_A, "no-such-device", "dmabuf_pinned=1"), ENODEV,
		     "device");
	assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, "dmabuf_pinned=max"), 0, "max");
	assert_limits("2", "3", "max");
	assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, "hca_handle=max hca_object=max"), 0, "max");
	assert_limits("max", "max", "max");
}

/* Those of the resources that each kernel has: an int, with all that it takes for one. */
static void limits_of_objects(void **state)
{
	bool strict = kernel_reads_limits_strictly();
	const struct setting settings[] = {
		{ "0", "0" },
		{ "1", "1" },
		{ "2147483647", "max" },
		{ "2147483646", "2147483646" },
		{ "2147483648", NULL },
		{ "4294967297", NULL },
		{ "9223372036854775807", NULL },
		{ "-1", NULL },
		{ "-2147483649", NULL },
		{ "objects", NULL },
		{ "maxx", NULL },
		{ "0x10", "16" },
		{ "12objects", strict ? NULL : "12" },
		{ "max", "max" },
		{ "7", "7" },
		{ "m", strict ? NULL : "max" },
		{ "8", "8" },
		{ "", strict ? NULL : "max" },
	};

	(void)state;
	check_settings("hca_handle", settings, ARRAY_SIZE(settings));
	check_settings("hca_object", settings, ARRAY_SIZE(settings));
}

static long current_count(const char *resource)
{
	char text[32];
	long count;

	rdma_cgroup_get(CGROUP_A, "rdma.current", DEVICE, resource, text);
	assert_int_equal(sscanf(text, "%ld", &count), 1);
	return count;
}

static void limit_count(const char *resource, long count)
{
	char text[64];

	snprintf(text, sizeof(text), "%s=%ld", resource, count);
	assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, text), 0, "%s", text);
}

static void objects_counted(void **state)
{
	struct ibv_context *context;
	struct ibv_pd *pds[2];
	long idle;

	(void)state;
	join(CGROUP_A);
	limit_count("hca_handle", 0);
	assert_null(open_device());
	limit_count("hca_handle", 1);
	context = open_device();
	assert_non_null(context);
	assert_int_equal(current_count("hca_handle"), 1);
	assert_null(open_device());

	idle = current_count("hca_object");
	pds[0] = ibv_alloc_pd(context);
	assert_non_null(pds[0]);
	assert_int_equal(current_count("hca_object"), idle + 1);
	limit_count("hca_object", idle + 1);
	assert_null(ibv_alloc_pd(context));
	assert_errno(errno, EAGAIN, "PD");
	assert_int_equal(current_count("hca_object"), idle + 1);
	limit_count("hca_object", INT32_MAX);
	pds[1] = ibv_alloc_pd(context);
	assert_non_null(pds[1]);
	assert_int_equal(current_count("hca_object"), idle + 2);
	assert_errno(ibv_dealloc_pd(pds[0]), 0, "PD");
	assert_errno(ibv_dealloc_pd(pds[1]), 0, "PD");
	assert_int_equal(current_count("hca_object"), idle);
	assert_int_equal(ibv_close_device(context), 0);
	assert_int_equal(current_count("hca_handle"), 0);
	/* Debian's image corrupts a list when a group goes that has limits. */
	assert_errno(rdma_cgroup_set(CGROUP_A, DEVICE, "hca_handle=max hca_object=max"), 0, "max");
}

int main(void)
{
	const struct CMUnitTest tests_of_objects[] = {
		CGROUP_TEST(limits_of_objects),
		CGROUP_TEST(objects_counted),
	};
	const struct CMUnitTest tests[] = {
		CGROUP_TEST(limits_in_bytes),
		CGROUP_TEST(limits_together),
		CGROUP_TEST(counted_once),
		CGROUP_TEST(counted_once_with_consent),
		CGROUP_TEST(counted_in_bytes),
		CGROUP_TEST(who_is_counted),
		CGROUP_TEST(limit_of_the_cgroup),
		CGROUP_TEST(limit_of_a_cgroup_above),
		CGROUP_TEST(limit_shared_by_two),
		CGROUP_TEST(limit_lowered),
		CGROUP_TEST(reports),
		CGROUP_TEST(limit_of_the_process),
		CGROUP_TEST(moved_to_another_cgroup),
		CGROUP_TEST(removed_while_charged),
		CGROUP_TEST(two_devices),
		CGROUP_TEST(limits_outlived),
		CGROUP_TEST(revoked),
		CGROUP_TEST(revoked_by_another),
		CGROUP_TEST(revoked_and_device_deleted),
		CGROUP_TEST(killed),
		CGROUP_TEST(more_than_4_gib),
		CGROUP_TEST(revoked_and_killed),
		CGROUP_TEST(forked),
		CGROUP_TEST(threads_share_a_charge),
	};

	int failed;

	if (rdma_cgroup_setup()) {
		print_message("[ SKIPPING ] this kernel has no rdma cgroup\n");
		return getenv("TEST_NO_SKIP") ? 1 : 0;
	}
	failed = cmocka_run_group_tests_name("cgroup, objects", tests_of_objects, NULL, NULL);
	if (!rdma_cgroup_counts_dmabufs()) {
		print_message(
			"[ SKIPPING ] this kernel's rdma cgroup has no resource dmabuf_pinned\n");
		return failed || getenv("TEST_NO_SKIP");
	}
	return failed + cmocka_run_group_tests_name("cgroup", tests, child_group_setup, NULL);
}
