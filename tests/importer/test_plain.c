// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Plain registrations, which pin without having asked for it: by the functions
 * that drivers used before there were access bits.
 */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "importer.h"
#include "parameter.h"
#include "raw_ioctl.h"
#include "rdma_cgroup.h"

#define SIZE (8 * PAGE)

static struct ibv_mr *try_register_plain(struct test *t, int fd)
{
	return ibv_reg_dmabuf_mr(t->pd, 0, SIZE, 0, fd, IBV_ACCESS_LOCAL_WRITE);
}

static struct ibv_mr *register_plain(struct test *t, int fd)
{
	struct ibv_mr *mr = try_register_plain(t, fd);

	if (!mr)
		fail_msg("registration: %s", strerrorname(errno));
	return mr;
}

static int create_buffer(struct test *t, enum dmabuf_test_mode mode, enum dmabuf_test_memory memory,
			 unsigned int move_delay_ms)
{
	return create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .memory = memory,
					  .size = SIZE,
					  .segment = PAGE,
					  .move_delay_ms = move_delay_ms,
				  });
}

/* Whether the driver registers so that the exporter can revoke: see below */
static bool revocable;

static int plain_setup(void **state)
{
	revocable = false;
	return importer_setup(state);
}

static int revocable_setup(void **state)
{
	OK(edu_set("plain_revocable", "1"));
	revocable = true;
	return importer_setup(state);
}

static int plain_teardown(void **state)
{
	parameters_reset();
	return importer_teardown(state);
}

/* As ib_umem_dmabuf_get_pinned(), and as ..._revocable_and_lock() */
#define PLAIN(function) cmocka_unit_test_setup_teardown(function, plain_setup, plain_teardown)
#define REVOCABLE(function) \
	cmocka_unit_test_setup_teardown(function, revocable_setup, plain_teardown)

static void check_data(struct test *t, int fd)
{
	struct memory mem;
	struct ibv_mr *mr;

	memory_open(&mem, fd, SIZE);
	mr = register_plain(t, fd);
	check_write(t, &mem, mr, 0, 0, PAGE - 1, PAGE + 2);
	check_read(t, &mem, mr, 0, 0, SIZE - 3, 3);
	OK(ibv_dereg_mr(mr));
	memory_close(&mem);
	assert_idle(&t->s, fd);
}

static void test_data(void **state)
{
	struct test *t = *state;
	enum dmabuf_test_mode mode;
	int fd;

	for (mode = DMABUF_TEST_STATIC; mode <= DMABUF_TEST_REVOKING; mode++) {
		fd = create_buffer(t, mode, DMABUF_TEST_SYSTEM, 0);
		check_data(t, fd);
		close(fd);
	}
}

/* Its pin invalidates all attachments, the one for which it is made included. */
static void test_migration(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_counters c;
	struct ibv_mr *mr;
	uint8_t byte = 0;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	fd = create_buffer(t, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, 200);
	OK(exporter_fill(t->s.dev, fd, 0, 0, SIZE, 0x77));
	mr = register_plain(t, fd);
	c = counters(&t->s, fd);
	assert_int_equal(c.memory, DMABUF_TEST_SYSTEM);
	assert_int_equal(c.count[DMABUF_TEST_NOTIFIES], 1);
	OK(edu_read(t->edu, mr->lkey, SIZE - 1, &byte, 1));
	assert_int_equal(byte, 0x77);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

struct interruption {
	struct test *t;
	pthread_t thread;
	int fd;
};

static void on_signal(int signal)
{
	(void)signal;
}

static void *interrupt_and_signal_fence(void *arg)
{
	struct interruption *i = arg;

	sleep_ms(300);
	pthread_kill(i->thread, SIGUSR1);
	sleep_ms(300);
	exporter_signal(i->t->s.dev, i->fd);
	return NULL;
}

/* A fence is waited for as it always was, whatever signals arrive. */
static void test_wait(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct interruption i = { .t = *state, .thread = pthread_self() };
	struct test *t = *state;
	pthread_t thread;
	struct ibv_mr *mr;

	i.fd = create_buffer(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);
	OK(exporter_fence(t->s.dev, i.fd, DMABUF_TEST_NEVER));
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_and_signal_fence, &i), 0);
	mr = register_plain(t, i.fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
	signal(SIGUSR1, SIG_DFL);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, i.fd);
	close(i.fd);
}

/* Only where the administrator wants it, and then of all that was free so far. */
static void test_charge(void **state)
{
	struct test *t = *state;
	int fd = create_buffer(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);
	struct usage before, now;
	struct ibv_mr *mr, *pinned;

	usage_read(&before);
	mr = register_plain(t, fd);
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib);
	OK(ibv_dereg_mr(mr));

	parameter_set(CHARGE_ALL, "Y");
	mr = register_plain(t, fd);
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib + SIZE / 1024);
	/* Once for all ways to pin it */
	pinned = register_part(t, fd, 0, SIZE, 0, 0);
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib + SIZE / 1024);
	OK(ibv_dereg_mr(mr));
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib + SIZE / 1024);
	OK(ibv_dereg_mr(pinned));
	assert_usage(&before, "after deregistration");
	close(fd);
}

/* The cgroup pays when the process does. */
static void test_cgroup(void **state)
{
	struct dmabuf_test_revoke result;
	struct test *t = *state;
	struct ibv_mr *mr, *pinned;
	/* A driver that pins by itself does not share the pin. */
	int pins = revocable ? 2 : 1;
	int fd;

	if (rdma_cgroup_setup() || !rdma_cgroup_counts_dmabufs())
		skip_because("this kernel's rdma cgroup has no resource dmabuf_pinned");
	rdma_cgroup_create();
	OK(rdma_cgroup_join(CGROUP_A));
	OK(rdma_cgroup_limit(CGROUP_A, EDU_IB_VERBS_DEVICE, SIZE - 1));
	fd = create_buffer(t, DMABUF_TEST_REVOKING, DMABUF_TEST_SYSTEM, 0);
	OK(ibv_dereg_mr(register_plain(t, fd)));

	parameter_set(CHARGE_ALL, "Y");
	assert_null(try_register_plain(t, fd));
	assert_errno(errno, EAGAIN, "registration");
	assert_idle(&t->s, fd);
	assert_int_equal(rdma_cgroup_pinned(CGROUP_A, EDU_IB_VERBS_DEVICE), 0);

	OK(rdma_cgroup_limit(CGROUP_A, EDU_IB_VERBS_DEVICE, pins * SIZE));
	mr = register_plain(t, fd);
	pinned = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	assert_int_equal(rdma_cgroup_pinned(CGROUP_A, EDU_IB_VERBS_DEVICE), pins * SIZE);
	OK(ibv_dereg_mr(pinned));
	assert_int_equal(rdma_cgroup_pinned(CGROUP_A, EDU_IB_VERBS_DEVICE), SIZE);
	if (revocable)
		OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	OK(ibv_dereg_mr(mr));
	assert_int_equal(rdma_cgroup_pinned(CGROUP_A, EDU_IB_VERBS_DEVICE), 0);
	close(fd);
	OK(rdma_cgroup_remove());
}

static struct ib_uverbs_dmabuf_probe probe_plain(struct test *t, int fd, uint64_t length,
						 uint32_t access)
{
	struct raw_region region = {
		.pd = t->pd->handle,
		.fd = fd,
		.length = length,
		.access = access,
	};
	struct ib_uverbs_dmabuf_probe probe;

	OK(raw_probe_dmabuf(t->context->cmd_fd, &region, &probe, sizeof(probe)));
	return probe;
}

/* What a driver does without being asked the core does not know, nor try. */
static void test_probe(void **state)
{
	struct test *t = *state;
	int fd = create_buffer(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);
	struct ib_uverbs_dmabuf_probe probe;
	struct dmabuf_test_counters c;

	probe = probe_plain(t, fd, SIZE, IBV_ACCESS_LOCAL_WRITE);
	assert_int_equal(probe.err, 0);
	assert_int_equal(probe.reason, IB_UVERBS_DMABUF_REASON_NONE);
	assert_int_equal(probe.dmabuf_size, SIZE);
	assert_int_equal(probe.charge, 0);
	assert_int_equal(probe.placement, IB_UVERBS_DMABUF_PLACEMENT_UNKNOWN);
	probe = probe_plain(t, fd, SIZE + 1, IBV_ACCESS_LOCAL_WRITE);
	assert_errno(probe.err, EINVAL, "probe");
	assert_int_equal(probe.reason, IB_UVERBS_DMABUF_REASON_BAD_RANGE);
	c = counters(&t->s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	close(fd);
}

/* What the administrator says holds for it as well. */
static void test_probe_and_policy(void **state)
{
	struct test *t = *state;
	int fd = create_buffer(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);
	struct ib_uverbs_dmabuf_probe probe;
	struct dmabuf_test_counters c;

	parameter_set(PIN_POLICY, "off");
	probe = probe_plain(t, fd, SIZE, IBV_ACCESS_LOCAL_WRITE);
	assert_errno(probe.err, EPERM, "probe");
	assert_int_equal(probe.reason, IB_UVERBS_DMABUF_REASON_POLICY);
	parameter_set(PIN_POLICY, "on");

	/* Then it is a region as if it had been asked for. */
	parameter_set(CHARGE_ALL, "Y");
	probe = probe_plain(t, fd, SIZE, IBV_ACCESS_LOCAL_WRITE);
	assert_errno(probe.err, 0, "probe");
	assert_int_equal(probe.charge, SIZE);
	assert_int_equal(probe.placement, IB_UVERBS_DMABUF_PLACEMENT_SYSTEM);
	c = counters(&t->s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 1);
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_policy(void **state)
{
	struct test *t = *state;
	int fd = create_buffer(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);

	parameter_set(PIN_POLICY, "off");
	assert_null(try_register_plain(t, fd));
	assert_errno(errno, EPERM, "registration");
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_revoke(void **state)
{
	struct test *t = *state;
	int fd = create_buffer(t, DMABUF_TEST_REVOKING, DMABUF_TEST_SYSTEM, 0);
	uint32_t callbacks = hardware_counters(t).callbacks;
	struct dmabuf_test_revoke result;
	struct usage before, now;
	struct ibv_mr *mr;

	parameter_set(CHARGE_ALL, "Y");
	usage_read(&before);
	mr = register_plain(t, fd);
	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
	usage_read(&now);
	assert_int_equal(now.pinned_kib, before.pinned_kib);
	assert_int_equal(hardware_counters(t).callbacks, callbacks + 1);
	check_refused(t, mr, 0, SIZE, EFAULT);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	assert_int_equal(hardware_counters(t).callbacks, callbacks + 1);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest plain[] = {
		PLAIN(test_data),   PLAIN(test_migration),	  PLAIN(test_wait),
		PLAIN(test_charge), PLAIN(test_policy),		  PLAIN(test_cgroup),
		PLAIN(test_probe),  PLAIN(test_probe_and_policy),
	};
	const struct CMUnitTest revocable_tests[] = {
		REVOCABLE(test_data),	REVOCABLE(test_migration), REVOCABLE(test_wait),
		REVOCABLE(test_charge), REVOCABLE(test_cgroup),	   REVOCABLE(test_policy),
		REVOCABLE(test_revoke),
	};

	return cmocka_run_group_tests_name("plain", plain, NULL, NULL) +
	       cmocka_run_group_tests_name("revocable", revocable_tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
