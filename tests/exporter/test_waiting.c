// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registrations of one process that want the same pin. One makes it, the others
 * wait. What the exporter answers is the answer to all; what fails the maker only
 * leaves the pin to the next one; a signal ends only the wait of its thread.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "common.h"
#include "link.h"
#include "raw_ioctl.h"

#define SIZE RDMA_TEST_SIZE
#define WAITERS 20

#define PLAIN 0
#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REVOCABLE (IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)
#define REVOCABLE_P2P (REVOCABLE | IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P)

/* A thread that registers, or probes */
struct waiter {
	pthread_t thread;
	int cmd_fd;
	struct raw_region region;
	bool probes;
	atomic_int tid;
	atomic_bool ended;
	int err; /* what the call returned */
	struct ib_uverbs_dmabuf_probe probe;
	struct raw_mr mr;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	w->tid = syscall(SYS_gettid);
	w->err = w->probes ? raw_probe_dmabuf(w->cmd_fd, &w->region, &w->probe, sizeof(w->probe)) :
			     raw_reg_dmabuf_mr(w->cmd_fd, &w->region, &w->mr);
	w->ended = true;
	return NULL;
}

static int waiter_start(struct waiter *w, const struct ibv_pd *pd, int fd, uint32_t bits,
			bool probes)
{
	memset(w, 0, sizeof(*w));
	w->cmd_fd = pd->context->cmd_fd;
	w->probes = probes;
	w->region = (struct raw_region){
		.pd = pd->handle,
		.fd = fd,
		.length = SIZE,
		.access = ACCESS_ALL | bits,
	};
	return pthread_create(&w->thread, NULL, waiter_main, w);
}

static void start(struct state *s, struct waiter *w, int fd, uint32_t bits, bool probes)
{
	OK(waiter_start(w, s->rdma.pd, fd, bits, probes));
}

/* Waits for its end; what came of the registration, by whichever way it was tried. */
static int waiter_end(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->err || !w->probes ? w->err : (int)w->probe.err;
}

static void deregister_all(struct waiter *waiters, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++)
		if (!waiters[i].probes && !waiters[i].err)
			OK(raw_dereg_mr(waiters[i].cmd_fd, waiters[i].mr.handle));
}

/* In the call, and not running */
static bool sleeps(const struct waiter *w)
{
	char path[64];
	long number = -1;
	FILE *file;

	if (!w->tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", w->tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number == SYS_ioctl;
}

static bool all_sleep(const struct waiter *waiters, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++)
		if (!waiters[i].ended && !sleeps(&waiters[i]))
			return false;
	return true;
}

/* Until nothing changes any more: whoever has not ended waits. */
static void settle(const struct waiter *waiters, unsigned int num)
{
	unsigned int calm;

	for (calm = 0; calm < 5; calm++) {
		sleep_ms(10);
		if (!all_sleep(waiters, num))
			calm = 0;
	}
}

/* The thread is the one that makes the pin, and the exporter is at it. */
static void wait_for(struct state *s, int fd, enum dmabuf_test_counter counter, unsigned int value)
{
	while (counters(s, fd).count[counter] != value)
		sleep_ms(1);
}

static bool is_probe(unsigned int i)
{
	return i % 4 == 3;
}

/* The exporter is asked once, while all wait for its answer. */
static void refuse_all(struct state *s, enum dmabuf_test_op op, int err,
		       enum ib_uverbs_dmabuf_reason reason)
{
	struct waiter waiters[WAITERS];
	struct dmabuf_test_counters c;
	unsigned int i, delay_ms;
	struct usage before;
	bool in_time = false;
	int fd;

	usage_read(&before);
	/* On a machine that is slow some may come when the answer was given. */
	for (delay_ms = 1000; !in_time && delay_ms <= 32000; delay_ms *= 2) {
		fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
		OK(exporter_behave(s->dev, fd, op, DMABUF_TEST_ALWAYS, err, delay_ms));
		for (i = 0; i < WAITERS; i++)
			start(s, &waiters[i], fd, REVOCABLE, is_probe(i));
		settle(waiters, WAITERS);
		in_time = !counters(s, fd).count[DMABUF_TEST_INJECTED];
		for (i = 0; i < WAITERS; i++) {
			assert_errno(waiter_end(&waiters[i]), err, "thread %u", i);
			if (waiters[i].probes)
				assert_int_equal(waiters[i].probe.reason, reason);
		}
		c = counters(s, fd);
		assert_idle(s, fd);

		/* The answer is not kept for those who come later. */
		OK(exporter_behave(s->dev, fd, op, 0, 0, 0));
		start(s, &waiters[0], fd, REVOCABLE, false);
		assert_errno(waiter_end(&waiters[0]), 0, "a registration later");
		deregister_all(waiters, 1);
		assert_idle(s, fd);
		close(fd);
	}
	assert_true(in_time);
	assert_int_equal(c.count[DMABUF_TEST_INJECTED], 1);
	assert_usage(&before, "after the refusals");
}

static void test_refused(void **state)
{
	refuse_all(*state, DMABUF_TEST_OP_PIN, EINVAL,
		   IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_PIN);
	refuse_all(*state, DMABUF_TEST_OP_PIN, ENOMEM, IB_UVERBS_DMABUF_REASON_NO_MEMORY);
	refuse_all(*state, DMABUF_TEST_OP_PIN, ETIMEDOUT, IB_UVERBS_DMABUF_REASON_TIMED_OUT);
	refuse_all(*state, DMABUF_TEST_OP_ATTACH, EXDEV,
		   IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH);
}

/* One that needs more makes the pin, and fails; it is only the others that matter. */
static void fail_the_maker_only(struct state *s, uint32_t flags, enum dmabuf_test_op slow,
				enum ib_uverbs_dmabuf_reason reason)
{
	static const uint32_t bits[] = { REVOCABLE_P2P, PLAIN, REVOCABLE, PINNED };
	struct waiter waiters[WAITERS];
	struct usage before;
	unsigned int i;
	int fd;

	usage_read(&before);
	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_DYNAMIC, .flags = flags, .size = SIZE });
	OK(exporter_behave(s->dev, fd, slow, 1, 0, 2000));
	start(s, &waiters[0], fd, REVOCABLE_P2P, false);
	wait_for(s, fd, DMABUF_TEST_DELAYS, 1);
	for (i = 1; i < WAITERS; i++)
		start(s, &waiters[i], fd, bits[i % ARRAY_SIZE(bits)], i / ARRAY_SIZE(bits) % 2);
	for (i = 0; i < WAITERS; i++) {
		bool p2p = i % ARRAY_SIZE(bits) == 0;

		assert_errno(waiter_end(&waiters[i]), p2p ? EOPNOTSUPP : 0, "thread %u", i);
		if (waiters[i].probes)
			assert_int_equal(waiters[i].probe.reason,
					 p2p ? reason : IB_UVERBS_DMABUF_REASON_NONE);
	}
	deregister_all(waiters, WAITERS);
	assert_idle(s, fd);
	close(fd);
	assert_usage(&before, "after the failures");
}

static void test_makers_requirement(void **state)
{
	fail_the_maker_only(*state, 0, DMABUF_TEST_OP_PIN,
			    IB_UVERBS_DMABUF_REASON_IN_SYSTEM_MEMORY);
	fail_the_maker_only(*state, DMABUF_TEST_CLEAR_P2P, DMABUF_TEST_OP_ATTACH,
			    IB_UVERBS_DMABUF_REASON_NO_P2P_PATH);
}

#define LIMIT_SECONDS 3

struct limited {
	pthread_t thread;
	struct ibv_pd *pd;
	int fd;
	uint32_t bits;
	int err; /* what has to come of it */
	double end;
};

static void *register_often(void *arg)
{
	struct limited *l = arg;
	struct ibv_mr *mr;
	int err;

	while (seconds() < l->end) {
		mr = ibv_reg_dmabuf_mr(l->pd, 0, SIZE, 0, l->fd, ACCESS_ALL | l->bits);
		err = mr ? 0 : errno;
		child_check(err == l->err, "registration with %#x: %s, expected %s", l->bits,
			    strerrorname(err), strerrorname(l->err));
		if (mr)
			child_check(!ibv_dereg_mr(mr), "deregistration");
	}
	return NULL;
}

/* Who may not pay fails, whoever is first; who need not does not. */
static void over_the_limit(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct limited threads[] = {
		{ .bits = PLAIN },
		{ .bits = REVOCABLE, .err = ENOMEM },
		{ .bits = PLAIN },
		{ .bits = PINNED, .err = ENOMEM },
	};
	unsigned int i;

	become_limited(SIZE - PAGE);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i].pd = pd;
		threads[i].fd = buf->fd;
		threads[i].end = seconds() + LIMIT_SECONDS;
		child_check(!pthread_create(&threads[i].thread, NULL, register_often, &threads[i]),
			    "thread");
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i].thread, NULL);
}

static void test_makers_limit(void **state)
{
	struct state *s = *state;
	struct dmabuf buf = { .size = SIZE };

	buf.fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	in_child(over_the_limit, &buf);
	assert_idle(s, buf.fd);
	close(buf.fd);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void interrupt(struct waiter *w, unsigned int i)
{
	assert_int_equal(pthread_kill(w->thread, SIGINT), 0);
	assert_errno(waiter_end(w), EINTR, "thread %u", i);
}

static void assert_waiting(const struct waiter *waiters, const bool *interrupted)
{
	unsigned int i;

	settle(waiters, WAITERS);
	for (i = 0; i < WAITERS; i++)
		assert_int_equal(waiters[i].ended, interrupted[i]);
}

/* Half of the threads, the one that makes the pin among them, first or last */
static void interrupt_half(struct state *s, bool maker_first)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct waiter waiters[WAITERS];
	bool interrupted[WAITERS] = {};
	struct dmabuf_test_counters c;
	unsigned int i, n;
	int fd;

	assert_int_equal(sigaction(SIGINT, &action, NULL), 0);
	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	start(s, &waiters[0], fd, REVOCABLE, false);
	wait_for(s, fd, DMABUF_TEST_PINS, 1);
	for (i = 1; i < WAITERS; i++)
		start(s, &waiters[i], fd, REVOCABLE, is_probe(i / 2));
	assert_waiting(waiters, interrupted);
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 1);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 1);

	for (n = 0; n < WAITERS; n += 2) {
		i = maker_first ? n : WAITERS - 2 - n;
		interrupt(&waiters[i], i);
		interrupted[i] = true;
		assert_waiting(waiters, interrupted);
	}
	/* Only the end of the thread that makes the pin makes another necessary. */
	c = counters(s, fd);
	assert_true(c.count[DMABUF_TEST_PINS] <= 1 + WAITERS / 2);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 1);

	OK(exporter_signal(s->dev, fd));
	for (i = 1; i < WAITERS; i += 2)
		assert_errno(waiter_end(&waiters[i]), 0, "thread %u", i);
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
	deregister_all(waiters, WAITERS);
	assert_idle(s, fd);
	close(fd);
	signal(SIGINT, SIG_DFL);
}

static void test_signals(void **state)
{
	interrupt_half(*state, true);
	interrupt_half(*state, false);
}

/* Shared with the child below */
static atomic_bool *all_wait;

static int group_setup(void **state)
{
	all_wait = mmap(NULL, sizeof(*all_wait), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	return all_wait == MAP_FAILED || child_group_setup(state);
}

static void wait_in_threads(int fd)
{
	struct ibv_context *context = open_device();
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	struct waiter waiters[WAITERS];
	unsigned int i;
	int err;

	child_check(pd, "no device");
	for (i = 0; i < WAITERS; i++)
		child_check(!waiter_start(&waiters[i], pd, fd, REVOCABLE, is_probe(i)), "thread");
	settle(waiters, WAITERS);
	*all_wait = true;
	for (i = 0; i < WAITERS; i++) {
		err = waiter_end(&waiters[i]);
		child_check(err == ETIMEDOUT, "thread %u: %s", i, strerrorname(err));
		child_check(!waiters[i].probes ||
				    waiters[i].probe.reason == IB_UVERBS_DMABUF_REASON_TIMED_OUT,
			    "thread %u: reason %u", i, waiters[i].probe.reason);
	}
}

static pid_t start_waiting(int fd)
{
	pid_t pid;

	*all_wait = false;
	complaint->text[0] = '\0';
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		wait_in_threads(fd);
		_exit(0);
	}
	return pid;
}

/*
 * An exporter is stuck. That takes the time of one registration, however many
 * there are, and so the device is free to go.
 */
static void test_stuck_exporter(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct usage before;
	char netdev[32];
	pid_t user, delete, gone;
	int fd, status;

	link_netdev(netdev, sizeof(netdev));
	fd = create(s, DMABUF_TEST_DYNAMIC, SIZE);
	usage_read(&before);
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	user = start_waiting(fd);
	while (!*all_wait && !complaint->text[0])
		sleep_ms(10);
	delete = link_start_delete();

	do {
		sleep_ms(10);
		c = counters(s, fd);
		gone = waitpid(user, &status, WNOHANG);
	} while (!gone && c.count[DMABUF_TEST_ATTACHES] == 1);
	/* Lest a test that fails takes ten minutes for it. */
	OK(exporter_signal(s->dev, fd));
	if (!gone)
		assert_int_equal(waitpid(user, &status, 0), user);
	link_wait_for_delete(delete);
	link_add(netdev);

	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 1);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 1);
	if (status)
		fail_msg("in the child: %s", complaint->text);
	assert_idle(s, fd);
	assert_usage(&before, "after the device was removed and added");
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		RDMA_TEST(test_refused),
		RDMA_TEST(test_makers_requirement),
		EXPORTER_TEST(test_makers_limit),
		RDMA_TEST(test_signals),
		EXPORTER_TEST(test_stuck_exporter),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
