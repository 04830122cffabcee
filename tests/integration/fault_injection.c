// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Each allocation and each copy from and to user space that a call makes is made
 * to fail in turn: the first, then the second, until the call comes through
 * without having reached the one that should have failed.
 */
#include <poll.h>

#include "fault.h"
#include "fixture.h"
#include "raw_ioctl.h"
#include "rdma_cgroup.h"
#include "test_exporter.h"

/* No call here makes as many; a call that never comes through is a failure. */
#define MAX_FAULTS 1000

#define SIZE (16 * PAGE)

struct sweep {
	struct fixture *f;
	struct raw_region region;
	uint32_t handle;
	struct raw_mr mr;
	struct ib_uverbs_dmabuf_mr_info info;
};

typedef int (*call_fn)(struct sweep *sweep);

/* Returns what the call did; *injected tells whether something failed in it. */
static int call_with_fault(call_fn call, struct sweep *sweep, unsigned int nth, bool *injected)
{
	int fault = fault_arm(nth);
	int err = call(sweep);

	*injected = fault_disarm(fault);
	return err;
}

/*
 * A call may also succeed in spite of the fault. @undo takes back what a
 * successful one did, so that the counts can be compared after each.
 */
static void sweep_faults(const char *what, struct sweep *sweep, call_fn call, call_fn undo)
{
	unsigned int nth, failures = 0;
	struct usage before;
	bool injected = true;
	int err;

	usage_read(&before);
	for (nth = 1; injected; nth++) {
		if (nth > MAX_FAULTS)
			fail_msg("%s: no end after %u faults", what, MAX_FAULTS);
		err = call_with_fault(call, sweep, nth, &injected);
		if (err) {
			failures++;
			if (!injected || (err != ENOMEM && err != EFAULT))
				fail_msg("%s, fault %u%s: %s", what, nth,
					 injected ? "" : " not reached", strerrorname(err));
		} else if (undo) {
			assert_errno(undo(sweep), 0, "%s, undone after fault %u", what, nth);
		}
		assert_usage(&before, what);
	}
	print_message("%s: %u faults, %u failures\n", what, nth - 2, failures);
	assert_true(failures > 0);
}

static int do_register(struct sweep *sweep)
{
	return raw_reg_dmabuf_mr(sweep->f->context->cmd_fd, &sweep->region, &sweep->mr);
}

static int do_deregister(struct sweep *sweep)
{
	return raw_dereg_mr(sweep->f->context->cmd_fd, sweep->mr.handle);
}

static int do_query(struct sweep *sweep)
{
	return raw_query_dmabuf_mr(sweep->f->context->cmd_fd, sweep->handle, &sweep->info,
				   sizeof(sweep->info));
}

static int do_query_caps(struct sweep *sweep)
{
	struct ib_uverbs_dmabuf_caps caps;

	return raw_query_dmabuf_caps(sweep->f->context->cmd_fd, &caps, sizeof(caps));
}

/* A probe that runs tells of a failure within. */
static int do_probe(struct sweep *sweep)
{
	struct ib_uverbs_dmabuf_probe probe;
	int err;

	err = raw_probe_dmabuf(sweep->f->context->cmd_fd, &sweep->region, &probe, sizeof(probe));
	if (err)
		return err;
	assert_int_equal(probe.reason, probe.err ? IB_UVERBS_DMABUF_REASON_NO_MEMORY :
						   IB_UVERBS_DMABUF_REASON_NONE);
	return probe.err;
}

static int do_watch(struct sweep *sweep)
{
	return raw_watch_dmabuf_mr(sweep->f->context->cmd_fd, sweep->handle,
				   sweep->f->context->async_fd, 0);
}

static void start_sweep(struct sweep *sweep, struct fixture *f, int fd, size_t size, uint32_t bits)
{
	*sweep = (struct sweep){
		.f = f,
		.region = {
			.pd = f->pd->handle,
			.fd = fd,
			.length = size,
			.access = ACCESS_ALL | bits,
		},
	};
	/* what a first call allocates once and for all is not looked at */
	assert_errno(do_register(sweep), 0, "registration");
	assert_errno(do_deregister(sweep), 0, "deregistration");
}

static void registration(struct fixture *f, enum exporter exporter, uint32_t bits)
{
	struct sweep sweep;

	start_sweep(&sweep, f, fixture_buffer(f, exporter, SIZE)->fd, SIZE, bits);
	sweep_faults(exporter_name(exporter), &sweep, do_register, do_deregister);
}

static void registration_over_udmabuf(void **state)
{
	faults_setup();
	registration(*state, UDMABUF, IB_UVERBS_ACCESS_DMABUF_PINNED);
}

static void registration_over_the_system_heap(void **state)
{
	faults_setup();
	registration(*state, SYSTEM_HEAP, IB_UVERBS_ACCESS_DMABUF_PINNED);
}

static void plain_registration(void **state)
{
	faults_setup();
	registration(*state, UDMABUF, 0);
}

/* By exporters that pin, move, revoke, or have memory of their own */
static void registration_over_the_test_exporter(void **state)
{
	static const struct {
		const char *what;
		enum dmabuf_test_mode mode;
		enum dmabuf_test_memory memory;
		uint32_t bits;
	} cases[] = {
		{ "dynamic", DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0 },
		{ "migrating", DMABUF_TEST_MIGRATING, DMABUF_TEST_SYSTEM,
		  IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE },
		{ "revoking", DMABUF_TEST_REVOKING, DMABUF_TEST_SYSTEM,
		  IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE },
		{ "device memory", DMABUF_TEST_REVOKING, DMABUF_TEST_DEVICE_MEMORY,
		  IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE | IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P },
	};
	int dev, fd;
	size_t i;

	faults_setup();
	dev = open_exporter();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dmabuf_test_create args = {
			.mode = cases[i].mode,
			.memory = cases[i].memory,
			.size = SIZE,
			.move_delay_ms = 1,
		};
		struct sweep sweep;

		fd = exporter_create(dev, &args);
		if (fd < 0 && errno == ENODEV) {
			assert_null(getenv("TEST_NO_SKIP"));
			print_message("%s: the machine has none\n", cases[i].what);
			continue;
		}
		assert_true(fd >= 0);
		start_sweep(&sweep, *state, fd, SIZE,
			    IB_UVERBS_ACCESS_DMABUF_PINNED | cases[i].bits);
		sweep_faults(cases[i].what, &sweep, do_register, do_deregister);
		assert_idle(dev, fd);
		close(fd);
	}
	close(dev);
}

/* The second region of a buffer must not take the first one's pin with it. */
static void registration_beside_another(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct sweep sweep;
	struct dmabuf *buf;
	struct ibv_mr *mr;

	faults_setup();
	buf = fixture_buffer(f, UDMABUF, SIZE);
	mr = register_all(f->pd, buf);
	start_sweep(&sweep, f, buf->fd, SIZE, IB_UVERBS_ACCESS_DMABUF_PINNED);
	sweep_faults("second region", &sweep, do_register, do_deregister);
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info.charged, buf->size);
	deregister(mr);
}

/* One that fails leaves the region as it was, to be deregistered later. */
static void deregistration(void **state)
{
	struct fixture *f = *state;
	struct sweep sweep;

	faults_setup();
	start_sweep(&sweep, f, fixture_buffer(f, UDMABUF, SIZE)->fd, SIZE,
		    IB_UVERBS_ACCESS_DMABUF_PINNED);
	assert_errno(do_register(&sweep), 0, "registration");
	sweep_faults("deregistration", &sweep, do_deregister, do_register);
	assert_errno(do_deregister(&sweep), 0, "deregistration");
}

static void queries(void **state)
{
	struct fixture *f = *state;
	struct sweep sweep;
	struct ibv_mr *mr;

	faults_setup();
	mr = register_all(f->pd, fixture_buffer(f, UDMABUF, SIZE));
	sweep = (struct sweep){ .f = f, .handle = mr->handle };
	sweep_faults("query of an MR", &sweep, do_query, NULL);
	sweep_faults("query of the caps", &sweep, do_query_caps, NULL);
	deregister(mr);
}

static void probes(void **state)
{
	struct fixture *f = *state;
	enum exporter exporter;
	struct sweep sweep;

	faults_setup();
	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		start_sweep(&sweep, f, fixture_buffer(f, exporter, SIZE)->fd, SIZE,
			    IB_UVERBS_ACCESS_DMABUF_PINNED);
		sweep_faults("probe", &sweep, do_probe, NULL);
	}
}

/*
 * In a cgroup that has nothing so far: the controller allocates what it counts
 * in. A probe makes no object, so that the pin is the first that it counts.
 */
static void in_a_cgroup(void **state)
{
	struct fixture *f = *state;
	struct sweep sweep;

	faults_setup();
	if (rdma_cgroup_setup() || !rdma_cgroup_counts_dmabufs())
		skip_because("this kernel's rdma cgroup has no resource dmabuf_pinned");
	rdma_cgroup_create();
	assert_errno(rdma_cgroup_join(CGROUP_A), 0, "cgroup");
	start_sweep(&sweep, f, fixture_buffer(f, UDMABUF, SIZE)->fd, SIZE,
		    IB_UVERBS_ACCESS_DMABUF_PINNED);
	sweep_faults("probe in a cgroup", &sweep, do_probe, NULL);
	sweep_faults("registration in a cgroup", &sweep, do_register, do_deregister);
	assert_int_equal(rdma_cgroup_pinned(CGROUP_OUTER, DEVICE), 0);
	/* also fails if a group cannot be freed */
	assert_int_equal(rdma_cgroup_remove(), 0);
}

static void watches(void **state)
{
	struct fixture *f = *state;
	struct sweep sweep;
	struct ibv_mr *mr;

	faults_setup();
	mr = register_all(f->pd, fixture_buffer(f, UDMABUF, SIZE));
	sweep = (struct sweep){ .f = f, .handle = mr->handle };
	sweep_faults("watch", &sweep, do_watch, NULL);
	deregister(mr);
}

static int try_revoke(int dev, int fd)
{
	struct dmabuf_test_revoke result;
	int err = exporter_revoke(dev, fd, 5000, &result);

	if (!err)
		assert_int_equal(result.result,
				 DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	return err;
}

/* Whatever an importer lacks then, it lets go of the memory and tells who watches. */
static void revokes(void **state)
{
	struct dmabuf_test_create args = { .mode = DMABUF_TEST_REVOKING, .size = SIZE };
	struct ibv_ext_dmabuf_event_channel *channel;
	struct fixture *f = *state;
	struct ibv_mr mr = { .context = f->context };
	struct ibv_ext_dmabuf_event event;
	struct dmabuf_test_counters counters;
	bool injected = true;
	struct usage before;
	struct sweep sweep;
	int dev, fault, err;
	unsigned int nth;

	faults_setup();
	dev = open_exporter();
	channel = ibv_ext_create_dmabuf_event_channel(f->context);
	assert_non_null(channel);
	start_sweep(&sweep, f, make_buffer(dev, args), SIZE,
		    IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE);
	usage_read(&before);
	for (nth = 1; injected; nth++) {
		struct pollfd poll_fd = { .fd = channel->fd, .events = POLLIN };

		assert_errno(do_register(&sweep), 0, "registration");
		sweep.handle = sweep.mr.handle;
		mr.handle = sweep.handle;
		assert_errno(ibv_ext_watch_dmabuf_mr(&mr, channel, NULL), 0, "watch");

		fault = fault_arm(nth);
		err = try_revoke(dev, sweep.region.fd);
		injected = fault_disarm(fault);
		/* The exporter's own ioctl may have failed, before or after. */
		if (err)
			assert_errno(err, EFAULT, "revoke, fault %u", nth);
		assert_errno(exporter_counters(dev, sweep.region.fd, &counters), 0, "counters");
		if (!counters.revoked)
			assert_errno(try_revoke(dev, sweep.region.fd), 0, "revoke");

		assert_int_equal(poll(&poll_fd, 1, 5000), 1);
		assert_errno(ibv_ext_get_dmabuf_event(channel, &event), 0, "event");
		assert_errno(do_query(&sweep), 0, "query");
		assert_int_equal(sweep.info.state, IB_UVERBS_DMABUF_STATE_REVOKED);
		assert_int_equal(sweep.info.charged, 0);
		assert_errno(do_deregister(&sweep), 0, "deregistration");
		assert_idle(dev, sweep.region.fd);
		assert_errno(exporter_unrevoke(dev, sweep.region.fd), 0, "unrevoke");
		assert_usage(&before, "after a revoke");
	}
	print_message("revoke: %u faults\n", nth - 2);
	assert_errno(ibv_ext_destroy_dmabuf_event_channel(channel), 0, "event channel");
	close(sweep.region.fd);
	close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registration_over_udmabuf),
		TEST(registration_over_the_system_heap),
		TEST(plain_registration),
		TEST(registration_over_the_test_exporter),
		TEST(registration_beside_another),
		TEST(deregistration),
		TEST(queries),
		TEST(probes),
		TEST(in_a_cgroup),
		TEST(watches),
		TEST(revokes),
	};

	return cmocka_run_group_tests_name("fault injection", tests, NULL, NULL);
}
