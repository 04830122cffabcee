// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Why a registration fails: the probe says it before, the report after it, and
 * both agree with the registration's errno. Nothing of a probe stays.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "file.h"
#include "kernel.h"
#include "parameter.h"
#include "test_exporter.h"

#define NOBODY 65534
#define SIZE (16 * PAGE)

static struct ibv_ext_dmabuf_mr_attr all_of(int fd, size_t size)
{
	return (struct ibv_ext_dmabuf_mr_attr){
		.length = size,
		.fd = fd,
		.access = ACCESS_ALL,
	};
}

/* A probe and a registration of the same */
struct outcome {
	int probe; /* what the call returned */
	struct ibv_ext_dmabuf_report probed;
	int err; /* of the registration */
	struct ibv_ext_dmabuf_report registered;
	int dereg;
};

static void try_both(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
		     struct outcome *outcome)
{
	struct ibv_mr *mr;

	memset(outcome, 0xa5, sizeof(*outcome));
	outcome->probe = ibv_ext_probe_dmabuf(pd, attr, &outcome->probed);
	errno = 0;
	mr = ibv_ext_reg_dmabuf_mr(pd, attr, &outcome->registered);
	outcome->err = mr ? 0 : errno;
	outcome->dereg = mr ? ibv_dereg_mr(mr) : 0;
}

static void check_reason(const struct ibv_ext_dmabuf_report *report, int err,
			 enum ibv_ext_dmabuf_reason reason, const char *what)
{
	assert_errno(report->err, err, "%s", what);
	if (report->reason != reason)
		fail_msg("%s: %s, expected: %s", what, ibv_ext_dmabuf_reason_str(report->reason),
			 ibv_ext_dmabuf_reason_str(reason));
}

static void check_outcome(const struct outcome *outcome, int err, enum ibv_ext_dmabuf_reason reason,
			  const char *what)
{
	assert_errno(outcome->probe, 0, "probe of %s", what);
	check_reason(&outcome->probed, err, reason, what);
	assert_int_equal(outcome->probed.source, IBV_EXT_DMABUF_REPORT_PROBE);
	assert_errno(outcome->probed.probe_err, err, "probe_err of %s", what);

	assert_errno(outcome->err, err, "registration of %s", what);
	check_reason(&outcome->registered, err, reason, what);
	assert_errno(outcome->dereg, 0, "deregistration");
	if (outcome->registered.source == IBV_EXT_DMABUF_REPORT_PROBE)
		assert_errno(outcome->registered.probe_err, err, "report of %s", what);
	else if (err)
		assert_int_equal(outcome->registered.source, IBV_EXT_DMABUF_REPORT_REGISTRATION);
}

static void expect(struct fixture *f, const struct ibv_ext_dmabuf_mr_attr *attr, int err,
		   enum ibv_ext_dmabuf_reason reason, const char *what)
{
	struct outcome outcome;
	struct usage before;

	usage_read(&before);
	try_both(f->pd, attr, &outcome);
	check_outcome(&outcome, err, reason, what);
	assert_usage(&before, what);
}

#define EXPECT(f, attr, err, reason, what) \
	expect(f, attr, err, IBV_EXT_DMABUF_REASON_##reason, what)

static void check_facts(const struct ibv_ext_dmabuf_report *report, const struct dmabuf *buf,
			enum exporter exporter, bool revocable, uint64_t charge, uint64_t used)
{
	uint32_t flags = IBV_EXT_DMABUF_MR_REQUESTED_PIN | IBV_EXT_DMABUF_MR_CPU_ACCESS;
	struct dmabuf_id id;

	if (revocable)
		flags |= IBV_EXT_DMABUF_MR_REVOCABLE;

	assert_errno(dmabuf_identify(buf->fd, &id), 0, "dma-buf");
	assert_int_equal(report->placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report->flags, flags);
	assert_int_equal(report->dmabuf_size, buf->size);
	assert_int_equal(report->dmabuf_inode, id.inode);
	assert_int_equal(report->dma_segments, 0);
	assert_int_equal(report->page_size, 0);
	assert_int_equal(report->charge, charge);
	assert_int_equal(report->memlock_used, used);
	assert_string_equal(report->exporter, exporter_name(exporter));
}

static void nothing_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_ext_dmabuf_mr_attr attr;
	struct rlimit limit;
	enum exporter exporter;
	struct dmabuf *buf;
	struct usage usage;
	struct ibv_mr *mr;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		buf = fixture_buffer(f, exporter, SIZE);
		attr = all_of(buf->fd, buf->size);
		EXPECT(f, &attr, 0, NONE, exporter_name(exporter));

		usage_read(&usage);
		assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
		check_facts(&report, buf, exporter, false, buf->size, usage.pinned_kib * 1024);
		assert_int_equal(report.memlock_limit,
				 limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur);

		/* paid for already, and not disturbed */
		mr = register_all(f->pd, buf);
		attr.offset = attr.iova = PAGE;
		attr.length = 1;
		assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
		check_facts(&report, buf, exporter, false, 0, usage.pinned_kib * 1024 + buf->size);
		assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
		assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
		assert_int_equal(info.charged, buf->size);
		deregister(mr);
		assert_usage(&usage, "after probes");

		/* An exporter that never asks makes nothing revocable where that can be told. */
		attr.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
		EXPECT(f, &attr, 0, NONE, "consent to a revocation");
		assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
		check_facts(&report, buf, exporter, kernel_pins_by_consent(), buf->size,
			    usage.pinned_kib * 1024);
	}
}

static void wrong_requests(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	const struct ibv_ext_dmabuf_mr_attr good = all_of(buf->fd, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = good;

	attr.comp_mask = 1;
	EXPECT(f, &attr, EINVAL, BAD_FLAGS, "comp_mask");
	attr = good;
	attr.pin_flags = 1U << 31;
	EXPECT(f, &attr, EINVAL, BAD_FLAGS, "pin_flags");

	attr = good;
	attr.access = IBV_ACCESS_REMOTE_WRITE;
	EXPECT(f, &attr, EINVAL, BAD_ACCESS, "remote write without local write");
	attr.access = ACCESS_ALL | IBV_ACCESS_ON_DEMAND;
	EXPECT(f, &attr, EINVAL, BAD_ACCESS, "on-demand paging");
	attr.access = ACCESS_ALL | IBV_EXT_ACCESS_DMABUF_PINNED;
	EXPECT(f, &attr, EINVAL, BAD_ACCESS, "pinned as an access flag");

	attr = good;
	attr.fd = -1;
	EXPECT(f, &attr, EBADF, BAD_FD, "no descriptor");
	attr.fd = buf->memfd;
	EXPECT(f, &attr, EINVAL, BAD_FD, "a memfd");

	attr = good;
	attr.length = 0;
	EXPECT(f, &attr, EINVAL, BAD_RANGE, "nothing");
	attr.length = SIZE + 1;
	EXPECT(f, &attr, EINVAL, BAD_RANGE, "a byte too many");
	attr.offset = -PAGE;
	attr.length = 2 * PAGE;
	EXPECT(f, &attr, EINVAL, BAD_RANGE, "an overflow");
	attr = good;
	attr.iova = -PAGE;
	EXPECT(f, &attr, EINVAL, BAD_RANGE, "addresses beyond the last");

	attr = good;
	attr.iova = 1;
	EXPECT(f, &attr, EINVAL, MISALIGNED, "offset and iova that disagree");

	attr = good;
	attr.fd = fixture_read_only_buffer(f, SIZE)->fd;
	EXPECT(f, &attr, EACCES, READ_ONLY_FD, "a read-only descriptor");
	attr.access = ACCESS_READ;
	EXPECT(f, &attr, 0, NONE, "reading it");
}

/* A failed probe tells of the dma-buf what it can. */
static void facts_of_a_failure(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = all_of(buf->fd, SIZE + 1);
	struct outcome outcome;

	try_both(f->pd, &attr, &outcome);
	check_outcome(&outcome, EINVAL, IBV_EXT_DMABUF_REASON_BAD_RANGE, "a byte too many");
	assert_memory_equal(&outcome.probed, &outcome.registered, sizeof(outcome.probed));
	assert_int_equal(outcome.probed.dmabuf_size, SIZE);
	assert_int_equal(outcome.probed.charge, SIZE);
	assert_string_equal(outcome.probed.exporter, exporter_name(SYSTEM_HEAP));
	assert_int_equal(outcome.probed.placement, IBV_EXT_DMABUF_PLACEMENT_UNKNOWN);
}

/* Probes and registers in a child with less rights; false if it could not. */
static void try_in_child(const struct ibv_ext_dmabuf_mr_attr *attr, bool (*become)(const void *),
			 const void *arg, struct outcome *outcome)
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct ibv_context *context;
		struct ibv_pd *pd;

		if (!become(arg))
			_exit(1);
		context = open_device();
		pd = context ? ibv_alloc_pd(context) : NULL;
		if (!pd)
			_exit(2);
		try_both(pd, attr, shared);
		_exit(0);
	}
	wait_for_child(pid);
	*outcome = *shared;
	munmap(shared, sizeof(*shared));
}

static bool become_limited(const void *arg)
{
	const rlim_t *limit = arg;
	struct rlimit rlimit = { .rlim_cur = *limit, .rlim_max = *limit };

	return !setrlimit(RLIMIT_MEMLOCK, &rlimit) && !setresuid(NOBODY, NOBODY, NOBODY);
}

static void memory_limit(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = all_of(buf->fd, 1);
	struct outcome outcome;
	rlim_t limit = 0;

	try_in_child(&attr, become_limited, &limit, &outcome);
	check_outcome(&outcome, EPERM, IBV_EXT_DMABUF_REASON_MEMLOCK, "a limit of 0");
	assert_int_equal(outcome.probed.memlock_limit, 0);

	limit = SIZE - 1;
	try_in_child(&attr, become_limited, &limit, &outcome);
	check_outcome(&outcome, ENOMEM, IBV_EXT_DMABUF_REASON_MEMLOCK, "a limit too low");
	assert_int_equal(outcome.probed.memlock_limit, limit);
	assert_int_equal(outcome.probed.memlock_used, 0);
	assert_int_equal(outcome.probed.charge, SIZE);
	assert_int_equal(outcome.registered.memlock_limit, limit);
	assert_int_equal(outcome.registered.charge, SIZE);

	limit = SIZE;
	try_in_child(&attr, become_limited, &limit, &outcome);
	check_outcome(&outcome, 0, IBV_EXT_DMABUF_REASON_NONE, "a limit that fits");
	assert_int_equal(outcome.registered.charge, SIZE);
}

#define CGROUPS "/sys/fs/cgroup"
#define CGROUP CGROUPS "/dmabuf-probe"

static bool join_cgroup(const void *arg)
{
	(void)arg;
	return !file_write(CGROUP "/cgroup.procs", "0");
}

static void cgroup_limit(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = all_of(buf->fd, SIZE);
	struct outcome outcome;

	if (file_write(CGROUPS "/cgroup.subtree_control", "+rdma"))
		skip_because("no rdma cgroup controller");
	assert_int_equal(mkdir(CGROUP, 0755), 0);
	/* the PD is the only object */
	assert_false(file_write(CGROUP "/rdma.max", DEVICE " hca_handle=1 hca_object=1"));
	try_in_child(&attr, join_cgroup, NULL, &outcome);
	/* 6.12 breaks when a device goes after a cgroup that had limits for it */
	assert_false(file_write(CGROUP "/rdma.max", DEVICE " hca_handle=max hca_object=max"));
	assert_int_equal(rmdir(CGROUP), 0);
	check_outcome(&outcome, EAGAIN, IBV_EXT_DMABUF_REASON_CGROUP, "a full cgroup");
}

static void administrators_policy(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = all_of(buf->fd, SIZE);
	struct outcome outcomes[3];

	/* compared when the policy is as it was */
	parameter_set(PIN_POLICY, "revocable");
	try_both(f->pd, &attr, &outcomes[0]);
	attr.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	try_both(f->pd, &attr, &outcomes[1]);
	parameter_set(PIN_POLICY, "off");
	try_both(f->pd, &attr, &outcomes[2]);
	parameters_reset();

	check_outcome(&outcomes[0], EPERM, IBV_EXT_DMABUF_REASON_POLICY, "no consent");
	check_outcome(&outcomes[1], 0, IBV_EXT_DMABUF_REASON_NONE, "consent");
	check_outcome(&outcomes[2], EPERM, IBV_EXT_DMABUF_REASON_POLICY, "a pin");
	assert_int_equal(outcomes[0].registered.dmabuf_size, SIZE);
}

static void system_memory(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_attr attr;
	enum exporter exporter;
	struct dmabuf *buf;
	struct ibv_mr *mr;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		buf = fixture_buffer(f, exporter, SIZE);
		attr = all_of(buf->fd, SIZE);
		attr.pin_flags = IBV_EXT_DMABUF_PIN_REQUIRE_P2P;
		EXPECT(f, &attr, EOPNOTSUPP, IN_SYSTEM_MEMORY, exporter_name(exporter));
		/* also when there is a pin to join */
		mr = register_all(f->pd, buf);
		EXPECT(f, &attr, EOPNOTSUPP, IN_SYSTEM_MEMORY, exporter_name(exporter));
		deregister(mr);
	}
}

/* tests/exporter has all that an exporter can answer; here is what the library makes of it. */
static void exporter_refuses(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_attr attr;
	int dev = open_exporter(), other = open_exporter(), fd;

	fd = make_buffer(dev,
			 (struct dmabuf_test_create){ .mode = DMABUF_TEST_DYNAMIC, .size = SIZE });
	attr = all_of(fd, SIZE);
	EXPECT(f, &attr, 0, NONE, "the test exporter");
	exporter_behave(dev, fd, DMABUF_TEST_OP_ATTACH, DMABUF_TEST_ALWAYS, EXDEV, 0);
	EXPECT(f, &attr, EXDEV, EXPORTER_REFUSED_ATTACH, "a refused attach");
	exporter_behave(dev, fd, DMABUF_TEST_OP_ATTACH, 0, 0, 0);
	exporter_behave(dev, fd, DMABUF_TEST_OP_PIN, DMABUF_TEST_ALWAYS, EINVAL, 0);
	EXPECT(f, &attr, EINVAL, EXPORTER_REFUSED_PIN, "a refused pin");
	exporter_behave(dev, fd, DMABUF_TEST_OP_PIN, 0, 0, 0);
	assert_idle(dev, fd);

	/* Somebody else has attached to it. */
	assert_errno(exporter_attach(other, fd, DMABUF_TEST_ATTACH_DYNAMIC), 0, "attach");
	exporter_behave(dev, fd, DMABUF_TEST_OP_PIN, DMABUF_TEST_ALWAYS, EINVAL, 0);
	EXPECT(f, &attr, EINVAL, EXPORTER_CONFLICT, "a pin with others");
	exporter_behave(dev, fd, DMABUF_TEST_OP_PIN, 0, 0, 0);
	EXPECT(f, &attr, 0, NONE, "a pin that others do not mind");
	close(other);

	/* Once only: when the probe looks, there is nothing to find. */
	exporter_behave(dev, fd, DMABUF_TEST_OP_PIN, 1, EINVAL, 0);
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, EINVAL, "registration");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_PROBE);
	assert_int_equal(report.err, EINVAL);
	assert_int_equal(report.probe_err, 0);
	assert_int_equal(report.dmabuf_size, SIZE);
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

static void memory_taken_back(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_attr attr;
	int dev = open_exporter(), fd;
	uint32_t revocable;

	fd = make_buffer(dev,
			 (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING, .size = SIZE });
	attr = all_of(fd, SIZE);
	for (attr.pin_flags = 0; attr.pin_flags <= IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	     attr.pin_flags += IBV_EXT_DMABUF_PIN_ALLOW_REVOKE) {
		if (attr.pin_flags < kernel_least_consent()) {
			EXPECT(f, &attr, EOPNOTSUPP, EXPORTER_NEEDS_REVOKE, "a revoking exporter");
			continue;
		}
		EXPECT(f, &attr, 0, NONE, "a revoking exporter");
		assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
		revocable = attr.pin_flags ? IBV_EXT_DMABUF_MR_REVOCABLE : 0;
		assert_int_equal(report.flags & IBV_EXT_DMABUF_MR_REVOCABLE, revocable);
	}
	attr.pin_flags = 0;
	revoke_buffer(dev, fd);
	EXPECT(f, &attr, ENODEV, REVOKED, "memory that was taken back");
	close(fd);
	close(dev);
}

/* Who probes makes an exporter move its memory. */
static void side_effects(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_report report;
	struct dmabuf_test_counters counters;
	struct ibv_ext_dmabuf_mr_attr attr;
	int dev = open_exporter(), fd;

	fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_MIGRATING,
							   .size = SIZE });
	attr = all_of(fd, SIZE);
	assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
	check_reason(&report, 0, IBV_EXT_DMABUF_REASON_NONE, "a migrating exporter");
	assert_errno(exporter_counters(dev, fd, &counters), 0, "counters");
	assert_int_equal(counters.count[DMABUF_TEST_MOVES], 1);
	assert_true(exporter_idle(&counters));
	close(fd);
	close(dev);
}

struct stuck_probe {
	struct ibv_pd *pd;
	struct ibv_ext_dmabuf_mr_attr attr;
	struct ibv_ext_dmabuf_report report;
	int err;
};

static void *run_stuck_probe(void *arg)
{
	struct stuck_probe *probe = arg;

	probe->err = ibv_ext_probe_dmabuf(probe->pd, &probe->attr, &probe->report);
	return NULL;
}

/* The wait is bounded, and comes once: the report is not worth a second one. */
static void stuck_exporter(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_attr attr;
	struct stuck_probe probe = { .pd = f->pd };
	int dev = open_exporter(), fds[2], i;
	time_t start = time(NULL);
	pthread_t thread;

	for (i = 0; i < 2; i++) {
		fds[i] = make_buffer(dev, (struct dmabuf_test_create){ .size = SIZE });
		assert_errno(exporter_fence(dev, fds[i], DMABUF_TEST_NEVER), 0, "fence");
	}
	probe.attr = all_of(fds[0], SIZE);
	assert_int_equal(pthread_create(&thread, NULL, run_stuck_probe, &probe), 0);
	attr = all_of(fds[1], SIZE);
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, ETIMEDOUT, "registration");
	check_reason(&report, ETIMEDOUT, IBV_EXT_DMABUF_REASON_TIMED_OUT, "registration");
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_REGISTRATION);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(time(NULL) - start < 50);
	assert_errno(probe.err, 0, "probe");
	check_reason(&probe.report, ETIMEDOUT, IBV_EXT_DMABUF_REASON_TIMED_OUT, "probe");
	for (i = 0; i < 2; i++) {
		assert_idle(dev, fds[i]);
		assert_errno(exporter_signal(dev, fds[i]), 0, "signal");
		close(fds[i]);
	}
	close(dev);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void interrupted(void **state)
{
	struct fixture *f = *state;
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct ibv_ext_dmabuf_report report, before;
	struct ibv_ext_dmabuf_mr_attr attr;
	int dev = open_exporter(), fd;

	fd = make_buffer(dev, (struct dmabuf_test_create){ .size = SIZE });
	attr = all_of(fd, SIZE);
	assert_errno(exporter_fence(dev, fd, DMABUF_TEST_NEVER), 0, "fence");
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);

	alarm(1);
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, EINTR, "registration");
	check_reason(&report, EINTR, IBV_EXT_DMABUF_REASON_INTERRUPTED, "registration");
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_REGISTRATION);

	memset(&report, 0xa5, sizeof(report));
	before = report;
	alarm(1);
	assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), EINTR, "probe");
	assert_memory_equal(&report, &before, sizeof(report));

	sigaction(SIGALRM, &old, NULL);
	assert_idle(dev, fd);
	assert_errno(exporter_signal(dev, fd), 0, "signal");
	EXPECT(f, &attr, 0, NONE, "a fence that has signalled");
	close(fd);
	close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_in_the_way), TEST(wrong_requests),	  TEST(facts_of_a_failure),
		TEST(memory_limit),	  TEST(cgroup_limit),	  TEST(administrators_policy),
		TEST(system_memory),	  TEST(exporter_refuses), TEST(memory_taken_back),
		TEST(side_effects),	  TEST(stuck_exporter),	  TEST(interrupted),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
