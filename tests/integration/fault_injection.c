// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Each allocation and each copy from and to user space that a call makes is made
 * to fail in turn: the first, then the second, until the call comes through
 * without having reached the one that should have failed. Needs a kernel with
 * fault injection; see its Documentation/fault-injection.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "raw_ioctl.h"
#include "rdma_cgroup.h"
#include "test.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define DEBUGFS "/sys/kernel/debug/"

/* No call here makes as many; a call that never comes through is a failure. */
#define MAX_FAULTS 1000

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static void set(const char *facility, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", facility, name);
	if (!write_file(path, value))
		fail_msg("cannot write %s to %s", value, path);
}

/* Where the function @name is in the kernel, as text for debugfs. */
static void find_function(const char *name, char start[32], char end[32])
{
	unsigned long address, first = 0, next = -1UL;
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], symbol[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %*c %255s", &address, symbol) == 2 && !strcmp(symbol, name))
			first = address;
	rewind(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx", &address) == 1 && address > first && address < next)
			next = address;
	fclose(file);
	assert_int_not_equal(first, 0);
	snprintf(start, 32, "%#lx", first);
	snprintf(end, 32, "%#lx", next);
}

/*
 * All allocations of the calling thread, also those that may wait. Only those
 * below dma_buf_vmap() are left alone: 6.12 warns when an exporter's vmap fails.
 */
static int group_setup(void **state)
{
	static const char *const facilities[] = { "failslab", "fail_page_alloc" };
	char start[32], end[32];
	size_t i;

	(void)state;
	if (access(FAIL_NTH, F_OK) || access(DEBUGFS "failslab", F_OK))
		return 0;
	find_function("dma_buf_vmap", start, end);
	for (i = 0; i < ARRAY_SIZE(facilities); i++) {
		set(facilities[i], "verbose", "0");
		set(facilities[i], "ignore-gfp-wait", "N");
		set(facilities[i], "stacktrace-depth", "32");
		set(facilities[i], "reject-start", start);
		set(facilities[i], "reject-end", end);
	}
	set("fail_page_alloc", "min-order", "0");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	return 0;
}

static void need_fault_injection(void)
{
	if (access(FAIL_NTH, F_OK))
		skip_because("this kernel has no fault injection");
}

struct sweep {
	struct fixture *f;
	struct raw_region region;
	uint32_t handle;
	struct raw_mr mr;
	struct ib_uverbs_dmabuf_mr_info info;
	int event_fd;
};

typedef int (*call_fn)(struct sweep *sweep);

/*
 * Takes back a fault that was not reached; returns whether it was. The copy of
 * the answer to user space may be what reaches it: then it fails.
 */
static bool disarm(int fd)
{
	char text[16] = "";
	bool reached;

	reached = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (pwrite(fd, "0", 1, 0) != 1)
		assert_int_equal(errno, EFAULT);
	return reached;
}

/* Returns what the call did; *injected tells whether something failed in it. */
static int call_with_fault(call_fn call, struct sweep *sweep, unsigned int nth, bool *injected)
{
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	char text[16];
	int err;

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%u", nth);
	assert_true(write(fd, text, strlen(text)) > 0);
	err = call(sweep);
	*injected = disarm(fd);
	close(fd);
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
	return raw_watch_dmabuf_mr(sweep->f->context->cmd_fd, sweep->handle, sweep->event_fd, 0);
}

static void start_sweep(struct sweep *sweep, struct fixture *f, struct dmabuf *buf, uint32_t bits)
{
	*sweep = (struct sweep){
		.f = f,
		.region = {
			.pd = f->pd->handle,
			.fd = buf->fd,
			.length = buf->size,
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

	start_sweep(&sweep, f, fixture_buffer(f, exporter, 16 * PAGE), bits);
	sweep_faults(exporter_name(exporter), &sweep, do_register, do_deregister);
}

static void registration_over_udmabuf(void **state)
{
	need_fault_injection();
	registration(*state, UDMABUF, IB_UVERBS_ACCESS_DMABUF_PINNED);
}

static void registration_over_the_system_heap(void **state)
{
	need_fault_injection();
	registration(*state, SYSTEM_HEAP, IB_UVERBS_ACCESS_DMABUF_PINNED);
}

static void plain_registration(void **state)
{
	need_fault_injection();
	registration(*state, UDMABUF, 0);
}

/* The second region of a buffer must not take the first one's pin with it. */
static void registration_beside_another(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct sweep sweep;
	struct dmabuf *buf;
	struct ibv_mr *mr;

	need_fault_injection();
	buf = fixture_buffer(f, UDMABUF, 16 * PAGE);
	mr = register_all(f->pd, buf);
	start_sweep(&sweep, f, buf, IB_UVERBS_ACCESS_DMABUF_PINNED);
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

	need_fault_injection();
	start_sweep(&sweep, f, fixture_buffer(f, UDMABUF, 16 * PAGE),
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

	need_fault_injection();
	mr = register_all(f->pd, fixture_buffer(f, UDMABUF, 16 * PAGE));
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

	need_fault_injection();
	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		start_sweep(&sweep, f, fixture_buffer(f, exporter, 16 * PAGE),
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

	need_fault_injection();
	if (rdma_cgroup_setup() || !rdma_cgroup_counts_dmabufs())
		skip_because("this kernel's rdma cgroup has no resource dmabuf_pinned");
	rdma_cgroup_create();
	assert_errno(rdma_cgroup_join(CGROUP_A), 0, "cgroup");
	start_sweep(&sweep, f, fixture_buffer(f, UDMABUF, 16 * PAGE),
		    IB_UVERBS_ACCESS_DMABUF_PINNED);
	sweep_faults("probe in a cgroup", &sweep, do_probe, NULL);
	sweep_faults("registration in a cgroup", &sweep, do_register, do_deregister);
	assert_int_equal(rdma_cgroup_pages(CGROUP_OUTER, DEVICE), 0);
	/* also fails if a group cannot be freed */
	assert_int_equal(rdma_cgroup_remove(), 0);
}

static void watches(void **state)
{
	struct ibv_ext_dmabuf_event_channel *channel;
	struct fixture *f = *state;
	struct sweep sweep;
	struct ibv_mr *mr;

	need_fault_injection();
	mr = register_all(f->pd, fixture_buffer(f, UDMABUF, 16 * PAGE));
	channel = ibv_ext_create_dmabuf_event_channel(f->context);
	assert_non_null(channel);
	sweep = (struct sweep){ .f = f, .handle = mr->handle, .event_fd = channel->fd };
	sweep_faults("watch", &sweep, do_watch, NULL);
	deregister(mr);
	assert_errno(ibv_ext_destroy_dmabuf_event_channel(channel), 0, "event channel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registration_over_udmabuf),
		TEST(registration_over_the_system_heap),
		TEST(plain_registration),
		TEST(registration_beside_another),
		TEST(deregistration),
		TEST(queries),
		TEST(probes),
		TEST(in_a_cgroup),
		TEST(watches),
	};

	return cmocka_run_group_tests_name("fault injection", tests, group_setup, NULL);
}
