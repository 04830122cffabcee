// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Why a registration fails, as the kernel has it: every reason that this kernel
 * can be brought to give over rxe. A probe tells the reason, and the errno value
 * with which the registration then fails; neither leaves anything behind.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "child.h"
#include "common.h"
#include "kernel.h"
#include "parameter.h"
#include "raw_ioctl.h"

#define SIZE RDMA_TEST_SIZE

#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REQUIRE_P2P IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P
#define ALLOW_REVOKE IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE

static struct raw_region all_of(const struct rdma *r, int fd)
{
	return (struct raw_region){
		.pd = r->pd->handle,
		.fd = fd,
		.length = SIZE,
		.access = ACCESS_ALL | PINNED,
	};
}

static int probe(const struct rdma *r, const struct raw_region *region,
		 struct ib_uverbs_dmabuf_probe *probe)
{
	memset(probe, 0xa5, sizeof(*probe));
	return raw_probe_dmabuf(r->context->cmd_fd, region, probe, sizeof(*probe));
}

static int register_region(const struct rdma *r, const struct raw_region *region)
{
	struct raw_mr mr;
	int err;

	err = raw_reg_dmabuf_mr(r->context->cmd_fd, region, &mr);
	if (!err)
		OK(raw_dereg_mr(r->context->cmd_fd, mr.handle));
	return err;
}

static void expect(struct state *s, const struct raw_region *region, int err,
		   enum ib_uverbs_dmabuf_reason reason, const char *what)
{
	struct ib_uverbs_dmabuf_probe result;
	struct usage before;

	usage_read(&before);
	assert_errno(probe(&s->rdma, region, &result), 0, "probe of %s", what);
	assert_errno(result.err, err, "probe of %s", what);
	if (result.reason != reason)
		fail_msg("probe of %s: reason %u, expected %u", what, result.reason, reason);
	assert_usage(&before, "after the probe");
	assert_errno(register_region(&s->rdma, region), err, "registration of %s", what);
	assert_usage(&before, "after the registration");
}

#define EXPECT(s, region, err, reason, what) \
	expect(s, region, err, IB_UVERBS_DMABUF_REASON_##reason, what)

/* What is wrong without looking at the dma-buf, in the order of the checks. */
static void test_wrong_requests(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct raw_region good, region;
	int fd;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	good = all_of(&s->rdma, fd);

	region = good;
	region.iova = 1;
	EXPECT(s, &region, EINVAL, MISALIGNED, "another place in the page");
	region.access = ~0U;
	EXPECT(s, &region, EINVAL, MISALIGNED, "that and all flags");

	region = good;
	region.access = PINNED | IBV_ACCESS_REMOTE_WRITE;
	EXPECT(s, &region, EINVAL, BAD_ACCESS, "remote write without local write");
	region.access = PINNED | IBV_ACCESS_REMOTE_ATOMIC;
	EXPECT(s, &region, EINVAL, BAD_ACCESS, "atomics without local write");
	region.access = PINNED | ACCESS_ALL | IBV_ACCESS_MW_BIND;
	EXPECT(s, &region, EINVAL, BAD_ACCESS, "memory windows");
	region.access = PINNED | ACCESS_ALL | IBV_ACCESS_ON_DEMAND;
	EXPECT(s, &region, EINVAL, BAD_ACCESS, "on-demand paging");
	region.access = PINNED | ACCESS_ALL | 1U << 19;
	EXPECT(s, &region, EINVAL, BAD_ACCESS, "the bit after the last");

	region.access = ACCESS_ALL | REQUIRE_P2P;
	EXPECT(s, &region, EINVAL, BAD_FLAGS, "REQUIRE_P2P alone");
	region.access = ACCESS_ALL | ALLOW_REVOKE;
	EXPECT(s, &region, EINVAL, BAD_FLAGS, "ALLOW_REVOKE alone");
	region.access = ACCESS_ALL | REQUIRE_P2P | ALLOW_REVOKE;
	region.fd = -1;
	EXPECT(s, &region, EINVAL, BAD_FLAGS, "both and no descriptor");

	region = good;
	region.offset = region.iova = -PAGE;
	region.length = PAGE + 1;
	EXPECT(s, &region, EINVAL, BAD_RANGE, "an iova that wraps");

	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	close(fd);
}

/* This device honours whatever access a dma-buf can be registered with. */
static void test_access(void **state)
{
	static const uint32_t accesses[] = {
		0,
		IBV_ACCESS_LOCAL_WRITE,
		IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC,
		IBV_ACCESS_RELAXED_ORDERING,
		ACCESS_ALL | IBV_ACCESS_RELAXED_ORDERING,
	};
	static const uint32_t bits[] = { 0, PINNED, PINNED | ALLOW_REVOKE };
	struct state *s = *state;
	struct raw_region region;
	size_t i, j;
	int fd;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	region = all_of(&s->rdma, fd);
	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		for (j = 0; j < ARRAY_SIZE(bits); j++) {
			region.access = accesses[i] | bits[j];
			EXPECT(s, &region, 0, NONE, "an access that is honoured");
		}
	}
	assert_idle(s, fd);
	close(fd);
}

/* Then the dma-buf is looked at, before its exporter is asked. */
static void test_wrong_buffers(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct raw_region region;
	int fd, null;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(null >= 0);
	region = all_of(&s->rdma, -1);
	EXPECT(s, &region, EBADF, BAD_FD, "no descriptor");
	region.fd = null;
	EXPECT(s, &region, EINVAL, BAD_FD, "/dev/null");
	close(null);

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	region = all_of(&s->rdma, fd);
	region.length = 0;
	EXPECT(s, &region, EINVAL, BAD_RANGE, "nothing");
	region.length = SIZE + 1;
	EXPECT(s, &region, EINVAL, BAD_RANGE, "a byte too many");
	region.offset = region.iova = SIZE;
	region.length = 1;
	EXPECT(s, &region, EINVAL, BAD_RANGE, "a byte behind the end");
	region.offset = -PAGE;
	region.iova = 0;
	region.length = PAGE;
	EXPECT(s, &region, EINVAL, BAD_RANGE, "an offset that wraps");
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){ .mode = DMABUF_TEST_DYNAMIC,
							 .flags = DMABUF_TEST_READ_ONLY,
							 .size = SIZE });
	region = all_of(&s->rdma, fd);
	EXPECT(s, &region, EACCES, READ_ONLY_FD, "writing to a read-only descriptor");
	region.access = PINNED | IBV_ACCESS_LOCAL_WRITE;
	EXPECT(s, &region, EACCES, READ_ONLY_FD, "local writes to it");
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	region.access = PINNED | IBV_ACCESS_REMOTE_READ;
	EXPECT(s, &region, 0, NONE, "reading it");
	assert_idle(s, fd);
	close(fd);
}

/* With a policy in the way the exporter is not asked for anything. */
static void test_policy(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct raw_region region;
	int fd;

	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	region = all_of(&s->rdma, fd);
	parameter_set(PIN_POLICY, "revocable");
	EXPECT(s, &region, EPERM, POLICY, "a region that cannot be revoked");
	parameter_set(PIN_POLICY, "off");
	region.access |= ALLOW_REVOKE;
	EXPECT(s, &region, EPERM, POLICY, "any pin");
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	parameter_set(PIN_POLICY, "revocable");
	EXPECT(s, &region, 0, NONE, "a revocable region");
	assert_idle(s, fd);
	parameters_reset();
	close(fd);
}

static int policy_teardown(void **state)
{
	parameters_reset();
	return teardown_rdma(state);
}

static void over_the_limit(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct raw_region region = {
		.pd = pd->handle,
		.fd = buf->fd,
		.length = 1,
		.access = ACCESS_ALL | PINNED,
	};
	struct ib_uverbs_dmabuf_probe probe;
	struct raw_mr mr;
	int err;

	become_limited(SIZE - 1);
	err = raw_probe_dmabuf(pd->context->cmd_fd, &region, &probe, sizeof(probe));
	child_check(!err, "probe: %s", strerrorname(err));
	child_check(probe.err == ENOMEM && probe.reason == IB_UVERBS_DMABUF_REASON_MEMLOCK,
		    "probe: %s, reason %u", strerrorname(probe.err), probe.reason);
	child_check(probe.charge == SIZE && probe.memlock_limit == SIZE - 1 && !probe.memlock_used,
		    "wrong numbers");
	err = raw_reg_dmabuf_mr(pd->context->cmd_fd, &region, &mr);
	child_check(err == ENOMEM, "registration: %s", strerrorname(err));
}

static void test_memory_limit(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct dmabuf buf = {};

	buf.fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	in_child(over_the_limit, &buf);
	c = counters(s, buf.fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 0);
	close(buf.fd);
}

/* The same answers for all that want the same of the exporter. */
static void expect_each(struct state *s, int fd, int err, enum ib_uverbs_dmabuf_reason reason,
			const char *what)
{
	static const uint32_t bits[] = { 0, PINNED, PINNED | ALLOW_REVOKE };
	struct dmabuf_test_counters before = counters(s, fd);
	struct raw_region region = all_of(&s->rdma, fd);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		region.access = ACCESS_ALL | bits[i];
		expect(s, &region, err, reason, what);
		assert_held_as(s, fd, &before);
	}
}

#define EXPECT_EACH(s, fd, err, reason, what) \
	expect_each(s, fd, err, IB_UVERBS_DMABUF_REASON_##reason, what)

/* Of an exporter that revokes: without consent only where it cannot ask for that */
static void expect_each_of_revoking(struct state *s, int fd)
{
	struct raw_region region = all_of(&s->rdma, fd);

	if (!kernel_pins_by_consent()) {
		EXPECT_EACH(s, fd, 0, NONE, "an exporter that revokes");
		return;
	}
	region.access = ACCESS_ALL;
	EXPECT(s, &region, 0, NONE, "a plain region");
	region.access |= PINNED;
	EXPECT(s, &region, EOPNOTSUPP, EXPORTER_NEEDS_REVOKE, "no consent");
	region.access |= ALLOW_REVOKE;
	EXPECT(s, &region, 0, NONE, "consent");
}

/* Whatever call of the exporter it is that fails so */
static void expect_if_failing(struct state *s, int fd, enum dmabuf_test_op op, int err,
			      enum ib_uverbs_dmabuf_reason reason)
{
	OK(exporter_behave(s->dev, fd, op, DMABUF_TEST_ALWAYS, err, 0));
	expect_each(s, fd, err, reason,
		    op == DMABUF_TEST_OP_ATTACH ? "an attach that fails" : "a pin that fails");
	OK(exporter_behave(s->dev, fd, op, 0, 0, 0));
}

static void test_refused(void **state)
{
	/* as drivers have them; the kernel must not take the last three for its own */
	static const int errors[] = { EINVAL, EPERM,  EBUSY,  EOPNOTSUPP, EXDEV,
				      EIO,    EAGAIN, EACCES, EBADF,	  ENOSPC };
	/* These mean the same wherever they come from. */
	static const struct {
		int err;
		enum ib_uverbs_dmabuf_reason reason;
	} others[] = {
		{ ENOMEM, IB_UVERBS_DMABUF_REASON_NO_MEMORY },
		{ ENODEV, IB_UVERBS_DMABUF_REASON_REVOKED },
		{ ETIMEDOUT, IB_UVERBS_DMABUF_REASON_TIMED_OUT },
	};
	struct state *s = *state;
	size_t i;
	int fd;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_if_failing(s, fd, DMABUF_TEST_OP_ATTACH, errors[i],
				  IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH);
		expect_if_failing(s, fd, DMABUF_TEST_OP_PIN, errors[i],
				  IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_PIN);
	}
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		expect_if_failing(s, fd, DMABUF_TEST_OP_ATTACH, others[i].err, others[i].reason);
		expect_if_failing(s, fd, DMABUF_TEST_OP_PIN, others[i].err, others[i].reason);
	}
	EXPECT_EACH(s, fd, 0, NONE, "nothing");
	assert_idle(s, fd);
	close(fd);
}

/*
 * One without a pin operation. Before Linux 7.0 it has no way to take memory back from
 * those who have it, so what it says is not that.
 */
static void test_static_refused(void **state)
{
	static const struct {
		int err;
		enum ib_uverbs_dmabuf_reason reason;
	} errors[] = {
		{ ENODEV, IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH },
		{ EPERM, IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH },
		{ EXDEV, IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH },
		{ EIO, IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH },
		{ ENOMEM, IB_UVERBS_DMABUF_REASON_NO_MEMORY },
		{ ETIMEDOUT, IB_UVERBS_DMABUF_REASON_TIMED_OUT },
	};
	enum ib_uverbs_dmabuf_reason gone = kernel_pins_by_consent() ?
						    IB_UVERBS_DMABUF_REASON_REVOKED :
						    IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH;
	struct dmabuf_test_revoke result;
	struct state *s = *state;
	size_t i;
	int fd;

	fd = create(s, DMABUF_TEST_STATIC, SIZE);
	for (i = 0; i < ARRAY_SIZE(errors); i++)
		expect_if_failing(s, fd, DMABUF_TEST_OP_ATTACH, errors[i].err,
				  errors[i].err == ENODEV ? gone : errors[i].reason);
	EXPECT_EACH(s, fd, 0, NONE, "nothing");
	assert_idle(s, fd);
	close(fd);

	/* As vfio-pci on 6.12 would be, if its memory could be reached by the CPU. */
	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_REVOKING,
				    .flags = DMABUF_TEST_NO_PIN,
				    .size = SIZE,
			    });
	expect_each_of_revoking(s, fd);
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	expect_each(s, fd, ENODEV, gone, "memory that is gone");
	assert_idle(s, fd);
	close(fd);
}

/* An exporter without a pin operation, which wants to be able to call back. */
static void test_static_attach_refused(void **state)
{
	struct state *s = *state;
	int fd;

	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_REVOKING,
				    .flags = DMABUF_TEST_NO_PIN | DMABUF_TEST_REQUIRE_DYNAMIC,
				    .size = SIZE,
			    });
	if (kernel_maps_at_attach())
		EXPECT_EACH(s, fd, EOPNOTSUPP, EXPORTER_REFUSED_ATTACH, "a static attachment");
	else
		expect_each_of_revoking(s, fd);
	close(fd);
}

/* The pin of another importer is in the way, and is not of this one's kind. */
static void test_conflict(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_MIGRATING,
				    .memory = DMABUF_TEST_DEVICE_MEMORY,
				    .flags = DMABUF_TEST_KEEP_P2P,
				    .size = SIZE,
			    });
	OK(exporter_attach(s->importer, fd, DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	EXPECT_EACH(s, fd, 0, NONE, "a pin beside one of its kind");
	OK(exporter_attach(s->other, fd, DMABUF_TEST_ATTACH_DYNAMIC));
	EXPECT_EACH(s, fd, EINVAL, EXPORTER_CONFLICT, "a pin that cannot be had");
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 0);

	/* Without the pin the memory can go where all reach it. */
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNPIN));
	EXPECT_EACH(s, fd, 0, NONE, "a pin that migrates");
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	OK(exporter_step(s->other, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_map_failed(void **state)
{
	static const enum dmabuf_test_mode modes[] = { DMABUF_TEST_STATIC, DMABUF_TEST_DYNAMIC };
	/* The second means something else where a device does DMA. */
	static const int errors[] = { ENOSPC, EPERM };
	struct state *s = *state;
	size_t i, j;
	int fd;

	if (!vmap_may_fail())
		skip_because(
			"this kernel's image warns in dma_buf_vmap() when an exporter's fails; see tests/importer");

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = create(s, modes[i], SIZE);
		for (j = 0; j < ARRAY_SIZE(errors); j++) {
			OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_VMAP, DMABUF_TEST_ALWAYS,
					   errors[j], 0));
			EXPECT_EACH(s, fd, errors[j], MAP_FAILED, "a vmap that fails");
		}
		OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_VMAP, 0, 0, 0));
		EXPECT_EACH(s, fd, 0, NONE, "a vmap that fails no more");
		assert_idle(s, fd);
		close(fd);
	}
}

static void test_no_cpu_access(void **state)
{
	static const enum dmabuf_test_mode modes[] = { DMABUF_TEST_STATIC, DMABUF_TEST_DYNAMIC,
						       DMABUF_TEST_REVOKING };
	struct state *s = *state;
	struct raw_region region;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = create_args(s, (struct dmabuf_test_create){
					    .mode = modes[i],
					    .flags = DMABUF_TEST_NO_VMAP,
					    .size = SIZE,
				    });
		region = all_of(&s->rdma, fd);
		region.access |= ALLOW_REVOKE;
		if (needs_consent(modes[i]))
			EXPECT(s, &region, EOPNOTSUPP, NO_CPU_ACCESS, "no vmap");
		else
			EXPECT_EACH(s, fd, EOPNOTSUPP, NO_CPU_ACCESS, "no vmap");
		close(fd);
	}
	if (have_device_memory(s)) {
		fd = create_args(s, (struct dmabuf_test_create){
					    .mode = DMABUF_TEST_DYNAMIC,
					    .memory = DMABUF_TEST_DEVICE_MEMORY,
					    .segment = PAGE,
					    .size = SIZE,
				    });
		EXPECT_EACH(s, fd, EOPNOTSUPP, NO_CPU_ACCESS, "scattered device memory");
		close(fd);
	}
}

static void test_revoked(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_revoke result;
	struct ibv_mr *mr;
	int fd;

	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	mr = rdma_register(&s->rdma, fd);
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	/* Beside the MR that died and alone: a dead pin is not joined. */
	EXPECT_EACH(s, fd, ENODEV, REVOKED, "a revoked buffer");
	OK(ibv_dereg_mr(mr));
	EXPECT_EACH(s, fd, ENODEV, REVOKED, "a revoked buffer");
	assert_idle(s, fd);
	OK(exporter_unrevoke(s->dev, fd));
	expect_each_of_revoking(s, fd);
	close(fd);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* Interrupts a thread some time later. */
struct interrupter {
	pthread_t thread;
	pthread_t victim;
	unsigned int after_ms;
};

static void *interrupter_main(void *arg)
{
	struct interrupter *i = arg;

	sleep_ms(i->after_ms);
	pthread_kill(i->victim, SIGINT);
	return NULL;
}

static void interrupt_soon(struct interrupter *i, bool restart)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0 };

	assert_int_equal(sigaction(SIGINT, &action, NULL), 0);
	i->victim = pthread_self();
	i->after_ms = 300;
	assert_int_equal(pthread_create(&i->thread, NULL, interrupter_main, i), 0);
}

static void interrupt_done(struct interrupter *i)
{
	assert_int_equal(pthread_join(i->thread, NULL), 0);
	signal(SIGINT, SIG_DFL);
}

/*
 * The program sees EINTR, of the probe as of the registration, or nothing if it
 * asked for the call to be restarted.
 */
static void test_interrupted_in_the_pin(void **state)
{
	struct state *s = *state;
	struct ib_uverbs_dmabuf_probe result;
	struct dmabuf_test_counters c;
	struct interrupter interrupter;
	struct raw_region region;
	struct usage before;
	int fd, i;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	region = all_of(&s->rdma, fd);
	usage_read(&before);
	for (i = 0; i < 4; i++) {
		bool is_probe = i % 2, restart = i >= 2;
		int err;

		OK(exporter_behave_interruptible(s->dev, fd, DMABUF_TEST_OP_PIN, 1, 0, 10000));
		interrupt_soon(&interrupter, restart);
		err = is_probe ? probe(&s->rdma, &region, &result) :
				 register_region(&s->rdma, &region);
		interrupt_done(&interrupter);
		assert_errno(err, restart ? 0 : EINTR, is_probe ? "probe" : "registration");
		if (is_probe && restart) {
			assert_errno(result.err, 0, "probe");
			assert_int_equal(result.reason, IB_UVERBS_DMABUF_REASON_NONE);
		}
		c = counters(s, fd);
		assert_int_equal(c.count[DMABUF_TEST_DELAYS], i + 1);
		assert_idle(s, fd);
		assert_usage(&before, "after the interruption");
	}
	close(fd);
}

struct pinner {
	pthread_t thread;
	struct rdma *rdma;
	struct raw_region region;
	int err;
};

static void *pinner_main(void *arg)
{
	struct pinner *p = arg;
	struct raw_mr mr;

	p->err = raw_reg_dmabuf_mr(p->rdma->context->cmd_fd, &p->region, &mr);
	if (!p->err)
		p->err = raw_dereg_mr(p->rdma->context->cmd_fd, mr.handle);
	return NULL;
}

/* While another thread makes the pin, which no signal shortens. */
static void test_interrupted_behind_another(void **state)
{
	struct state *s = *state;
	struct ib_uverbs_dmabuf_probe result;
	struct interrupter interrupter;
	struct dmabuf_test_counters c;
	struct pinner pinner;
	int fd, err, i;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	for (i = 0; i < 2; i++) {
		OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_PIN, 1, 0, 2000));
		pinner = (struct pinner){ .rdma = &s->rdma, .region = all_of(&s->rdma, fd) };
		assert_int_equal(pthread_create(&pinner.thread, NULL, pinner_main, &pinner), 0);
		do {
			c = counters(s, fd);
		} while (c.count[DMABUF_TEST_DELAYS] == (unsigned int)i);
		interrupt_soon(&interrupter, false);
		err = i ? probe(&s->rdma, &pinner.region, &result) :
			  register_region(&s->rdma, &pinner.region);
		interrupt_done(&interrupter);
		assert_errno(err, EINTR, i ? "probe" : "registration");
		assert_int_equal(pthread_join(pinner.thread, NULL), 0);
		assert_errno(pinner.err, 0, "the other registration");
		assert_idle(s, fd);
	}
	close(fd);
}

/* What the kernel has for "start the call again", which no program may see */
#define ERESTARTSYS 512

/* No signal came, so nothing starts the call again. */
static void test_exporter_says_interrupted(void **state)
{
	static const int errors[] = { EINTR, ERESTARTSYS };
	static const enum dmabuf_test_op ops[] = { DMABUF_TEST_OP_ATTACH, DMABUF_TEST_OP_PIN };
	struct state *s = *state;
	size_t i, j;
	int fd;

	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		for (j = 0; j < ARRAY_SIZE(ops); j++) {
			OK(exporter_behave(s->dev, fd, ops[j], DMABUF_TEST_ALWAYS, errors[i], 0));
			EXPECT_EACH(s, fd, EINTR, INTERRUPTED, "an exporter that gave up");
			OK(exporter_behave(s->dev, fd, ops[j], 0, 0, 0));
		}
	}
	assert_idle(s, fd);
	close(fd);
}

/* A wait of 30 s, once by a probe and once by a registration. */
static void test_timed_out(void **state)
{
	struct state *s = *state;
	struct raw_region region;
	int fd;

	if (!getenv("TEST_SLOW"))
		skip_because("takes a minute; TEST_SLOW=1 in the environment");
	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	region = all_of(&s->rdma, fd);
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	EXPECT(s, &region, ETIMEDOUT, TIMED_OUT, "a fence that never signals");
	assert_idle(s, fd);
	OK(exporter_signal(s->dev, fd));
	EXPECT(s, &region, 0, NONE, "a fence that has signalled");
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		RDMA_TEST(test_wrong_requests),
		RDMA_TEST(test_access),
		RDMA_TEST(test_wrong_buffers),
		cmocka_unit_test_setup_teardown(test_policy, setup_rdma, policy_teardown),
		EXPORTER_TEST(test_memory_limit),
		RDMA_TEST(test_refused),
		RDMA_TEST(test_static_refused),
		RDMA_TEST(test_static_attach_refused),
		RDMA_TEST(test_conflict),
		RDMA_TEST(test_map_failed),
		RDMA_TEST(test_no_cpu_access),
		RDMA_TEST(test_revoked),
		RDMA_TEST(test_interrupted_in_the_pin),
		RDMA_TEST(test_interrupted_behind_another),
		RDMA_TEST(test_exporter_says_interrupted),
		RDMA_TEST(test_timed_out),
	};

	return cmocka_run_group_tests(tests, child_group_setup, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
