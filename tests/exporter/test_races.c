// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Revokes against processes that end, against each other, and against the
 * removal of the device and of its driver.
 */
#include <fcntl.h>
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
#include "fixture.h"
#include "kernel.h"
#include "link.h"
#include "raw_ioctl.h"

#define SIZE (16 * PAGE)
#define THREADS 2
#define REGIONS 3

#define RACE_SECONDS 4

/* Shared with the child */
struct progress {
	atomic_uint rounds;
	atomic_uint refused;
	atomic_bool stop;
};

static struct progress *progress;

static int group_setup(void **state)
{
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	return progress == MAP_FAILED || child_group_setup(state);
}

/* A thread of the child */
struct user {
	struct ibv_context *context;
	int fd;
	unsigned int rounds; /* 0: until it is killed or stopped */
};

/* Only what the exporter has taken back may fail, and only so. */
static struct ibv_mr *try_register(struct ibv_pd *pd, int fd, unsigned int round)
{
	struct ibv_mr *mr;

	mr = ibv_reg_dmabuf_mr_pinned(pd, 0, SIZE, 0, fd, ACCESS_ALL,
				      round % 2 ? IBV_EXT_DMABUF_PIN_ALLOW_REVOKE :
						  kernel_least_consent());
	if (mr)
		return mr;
	progress->refused++;
	child_check(errno == ENODEV, "registration: %s", strerrorname(errno));
	return NULL;
}

static void try_probe(struct ibv_pd *pd, int fd)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = SIZE,
		.fd = fd,
		.access = ACCESS_ALL,
		.pin_flags = kernel_least_consent(),
	};
	struct ibv_ext_dmabuf_report report;
	int err;

	err = ibv_ext_probe_dmabuf(pd, &attr, &report);
	child_check(!err, "probe: %s", strerrorname(err));
	child_check(report.err ?
			    report.err == ENODEV && report.reason == IBV_EXT_DMABUF_REASON_REVOKED :
			    report.reason == IBV_EXT_DMABUF_REASON_NONE ||
				    report.reason == IBV_EXT_DMABUF_REASON_REVOKED,
		    "probe: %s, %s", strerrorname(report.err),
		    ibv_ext_dmabuf_reason_str(report.reason));
}

/* Leaves its last regions as they are, if it comes to an end at all. */
static void *user_main(void *arg)
{
	struct user *user = arg;
	struct ibv_mr *mrs[REGIONS] = {};
	struct ibv_pd *pd = ibv_alloc_pd(user->context);
	unsigned int i;

	child_check(pd, "PD: %s", strerrorname(errno));
	for (i = 0; (!user->rounds || i < user->rounds) && !progress->stop; i++) {
		struct ibv_mr **mr = &mrs[i % REGIONS];

		if (*mr)
			child_check(!ibv_dereg_mr(*mr), "deregistration");
		*mr = try_register(pd, user->fd, i);
		if (i % 4 == 3)
			try_probe(pd, user->fd);
		progress->rounds++;
	}
	return NULL;
}

/* It can still be waited for. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid;
}

/* Returns when it has begun to register. */
static pid_t start_process(int fd, unsigned int rounds)
{
	pid_t pid;

	progress->rounds = 0;
	progress->stop = false;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct user user = { .context = open_device(), .fd = fd, .rounds = rounds };
		pthread_t threads[THREADS];
		int i;

		child_check(user.context, "no device");
		for (i = 0; i < THREADS; i++)
			child_check(!pthread_create(&threads[i], NULL, user_main, &user), "thread");
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		_exit(0);
	}
	while (!progress->rounds && !has_ended(pid))
		sleep_ms(1);
	return pid;
}

/* @killed: by us; or else it ended as it should have. */
static void check_end(int status, bool killed)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		fail_msg("in the child: %s", complaint->text);
	if (killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : status != 0)
		fail_msg("child ended with wait status %#x", status);
}

static void take_back(struct state *s, int fd)
{
	struct dmabuf_test_revoke result;

	OK(exporter_revoke(s->dev, fd, 10000, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
}

struct killer {
	pthread_t thread;
	pid_t pid;
	unsigned int after_us;
};

static void *killer_main(void *arg)
{
	struct killer *killer = arg;

	usleep(killer->after_us);
	kill(killer->pid, SIGKILL);
	return NULL;
}

/*
 * Revokes until the process is gone. Returns how many. At various intervals, so
 * that regions are found in all states.
 */
static unsigned int revoke_until_gone(struct state *s, int fd, pid_t pid, bool killed)
{
	unsigned int revokes = 0;
	int status;
	pid_t gone;

	do {
		take_back(s, fd);
		OK(exporter_unrevoke(s->dev, fd));
		usleep(revokes++ * 331 % 2000);
		gone = waitpid(pid, &status, WNOHANG);
	} while (!gone);
	assert_int_equal(gone, pid);
	check_end(status, killed);
	return revokes;
}

static void ending_processes(struct state *s, bool killed)
{
	unsigned int processes = 0, revokes = 0;
	struct killer killer;
	struct usage before;
	double end;
	int fd;

	progress->refused = 0;
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	for (end = race_end(RACE_SECONDS); seconds() < end; processes++) {
		killer.pid = start_process(fd, killed ? 0 : 3 + processes % 5);
		if (killed) {
			killer.after_us = processes * 1009 % 20000;
			assert_int_equal(pthread_create(&killer.thread, NULL, killer_main, &killer),
					 0);
		}
		revokes += revoke_until_gone(s, fd, killer.pid, killed);
		if (killed)
			assert_int_equal(pthread_join(killer.thread, NULL), 0);
		assert_idle(s, fd);
		assert_usage(&before, "after the process");
	}
	print_message("%u processes, %u revokes, %u refused\n", processes, revokes,
		      progress->refused);
	close(fd);
}

static void test_killed(void **state)
{
	ending_processes(*state, true);
}

static void test_exit(void **state)
{
	ending_processes(*state, false);
}

#define REVOKERS 2

struct revoker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int fd;
	bool unrevokes;
	unsigned int rounds;
	int err;
	struct dmabuf_test_revoke wrong;
};

static void *revoker_main(void *arg)
{
	struct revoker *r = arg;
	struct dmabuf_test_revoke result;
	unsigned int i;
	int dev, err;

	dev = exporter_open();
	for (i = 0; i < r->rounds; i++) {
		pthread_barrier_wait(r->barrier);
		err = exporter_revoke(dev, r->fd, 10000, &result);
		if (err)
			r->err = err;
		else if (result.result != (DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED) ||
			 result.pinned)
			r->wrong = result;
		pthread_barrier_wait(r->barrier);
		if (r->unrevokes)
			r->err = exporter_unrevoke(dev, r->fd) ?: r->err;
	}
	close(dev);
	return NULL;
}

/* All revoke at the same time, while a process registers. */
static void test_revokes_at_once(void **state)
{
	struct state *s = *state;
	struct revoker revokers[REVOKERS] = {};
	pthread_barrier_t barrier;
	struct usage before;
	int fd, status, i;
	pid_t pid;

	progress->refused = 0;
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, REVOKERS), 0);
	pid = start_process(fd, 0);
	for (i = 0; i < REVOKERS; i++) {
		revokers[i].barrier = &barrier;
		revokers[i].fd = fd;
		revokers[i].rounds = 200;
		revokers[i].unrevokes = !i;
		assert_int_equal(
			pthread_create(&revokers[i].thread, NULL, revoker_main, &revokers[i]), 0);
	}
	for (i = 0; i < REVOKERS; i++)
		assert_int_equal(pthread_join(revokers[i].thread, NULL), 0);
	progress->stop = true;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	check_end(status, false);
	print_message("%u registrations, %u refused\n", progress->rounds, progress->refused);
	for (i = 0; i < REVOKERS; i++) {
		assert_errno(revokers[i].err, 0, "revoker %d", i);
		assert_int_equal(revokers[i].wrong.total_ns, 0);
	}
	pthread_barrier_destroy(&barrier);
	assert_idle(s, fd);
	assert_usage(&before, "after the process");
	close(fd);
}

enum end {
	END_BY_ITSELF,
	END_KILLED,
	NUM_ENDS,
};

/*
 * The device of rxe goes only when its last user has: until then all is as ever,
 * revokes included.
 */
static void remove_device(struct state *s, int fd, enum end end)
{
	pid_t user, delete;
	double revoked = seconds() + 1;

	user = start_process(fd, 0);
	delete = link_start_delete();
	do {
		take_back(s, fd);
		OK(exporter_unrevoke(s->dev, fd));
		sleep_ms(3);
	} while (seconds() < revoked);
	assert_false(has_ended(delete));

	if (end == END_KILLED)
		assert_int_equal(kill(user, SIGKILL), 0);
	else
		progress->stop = true;
	revoke_until_gone(s, fd, user, end == END_KILLED);
	link_wait_for_delete(delete);
	assert_idle(s, fd);
}

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? errno : 0;
}

/* The driver can be unloaded only when its last user has gone, and then at once. */
static void remove_driver(struct state *s, int fd, unsigned int after_us)
{
	struct killer killer = { .after_us = after_us };
	double revoked = seconds() + 0.5;
	int status, err;

	killer.pid = start_process(fd, 0);
	do {
		take_back(s, fd);
		FAILS(unload("rdma_rxe"), EAGAIN);
		OK(exporter_unrevoke(s->dev, fd));
	} while (seconds() < revoked);

	assert_int_equal(pthread_create(&killer.thread, NULL, killer_main, &killer), 0);
	do {
		take_back(s, fd);
		err = unload("rdma_rxe");
		OK(exporter_unrevoke(s->dev, fd));
	} while (err == EAGAIN);
	assert_errno(err, 0, "unloading");
	assert_int_equal(pthread_join(killer.thread, NULL), 0);
	assert_int_equal(waitpid(killer.pid, &status, 0), killer.pid);
	check_end(status, true);
	assert_idle(s, fd);
}

static void test_driver_removal(void **state)
{
	struct state *s = *state;
	struct usage before;
	char netdev[32];
	int fd, round;

	if (!kernel_waits_for_users_of_rxe())
		skip_because("this kernel's rxe does not wait for its users");
	link_netdev(netdev, sizeof(netdev));
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	for (round = 0; round < 3; round++) {
		remove_driver(s, fd, round * 3001);
		assert_int_equal(system("modprobe rdma_rxe"), 0);
		link_add(netdev);
		assert_usage(&before, "after the driver was removed and added");
	}
	close(fd);
}

static void test_device_removal(void **state)
{
	struct state *s = *state;
	struct usage before;
	char netdev[32];
	enum end end;
	int fd, round;

	if (!kernel_waits_for_users_of_rxe())
		skip_because("this kernel's rxe does not wait for its users");
	link_netdev(netdev, sizeof(netdev));
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	for (round = 0; round < 2; round++) {
		for (end = 0; end < NUM_ENDS; end++) {
			remove_device(s, fd, end);
			link_add(netdev);
			assert_usage(&before, "after the device was removed and added");
		}
	}
	close(fd);
}

/* Registers in every way, and keeps what is revoked then until it ends, by itself or not. */
static pid_t start_holder(int fd)
{
	static const uint32_t bits[] = { 0, IBV_EXT_ACCESS_DMABUF_PINNED,
					 IBV_EXT_ACCESS_DMABUF_PINNED |
						 IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE };
	pid_t pid;

	progress->rounds = 0;
	progress->stop = false;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct ibv_context *context = open_device();
		struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
		unsigned int i;

		child_check(pd, "no device");
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			if (bits[i] != IBV_EXT_ACCESS_DMABUF_PINNED ||
			    !needs_consent(DMABUF_TEST_REVOKING))
				child_check(ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, fd,
							      ACCESS_ALL | bits[i]),
					    "registration: %s", strerrorname(errno));
		progress->rounds++;
		while (!progress->stop)
			sleep_ms(1);
		_exit(0);
	}
	while (!progress->rounds && !has_ended(pid))
		sleep_ms(1);
	return pid;
}

static void end_holder(pid_t holder, enum end end)
{
	int status;

	if (end == END_KILLED)
		assert_int_equal(kill(holder, SIGKILL), 0);
	else
		progress->stop = true;
	assert_int_equal(waitpid(holder, &status, 0), holder);
	check_end(status, end == END_KILLED);
}

/* The device goes at once, with what its users have of it; their exporter has its memory back. */
static void test_removal_under_users(void **state)
{
	struct state *s = *state;
	struct usage before;
	char netdev[32];
	enum end end;
	int fd, driver;
	pid_t holder;

	if (kernel_waits_for_users_of_rxe())
		skip_because("this kernel's rxe waits for its users");
	link_netdev(netdev, sizeof(netdev));
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	for (driver = 0; driver < 2; driver++) {
		for (end = 0; end < NUM_ENDS; end++) {
			holder = start_holder(fd);
			if (driver)
				OK(unload("rdma_rxe"));
			else
				link_wait_for_delete(link_start_delete());
			assert_false(has_ended(holder));
			assert_idle(s, fd);
			take_back(s, fd);
			OK(exporter_unrevoke(s->dev, fd));
			end_holder(holder, end);
			if (driver)
				assert_int_equal(system("modprobe rdma_rxe"), 0);
			link_add(netdev);
			assert_usage(&before, "after the removal");
		}
	}
	close(fd);
}

/* The regions are dead, but the device still has them. */
static void test_device_removal_with_dead_regions(void **state)
{
	struct state *s = *state;
	pid_t holder, delete;
	struct usage before;
	char netdev[32];
	enum end end;
	int fd;

	link_netdev(netdev, sizeof(netdev));
	fd = create(s, DMABUF_TEST_REVOKING, SIZE);
	usage_read(&before);
	for (end = 0; end < NUM_ENDS; end++) {
		holder = start_holder(fd);
		take_back(s, fd);
		delete = link_start_delete();
		/* A dead region is not brought back by this, and is not in the way. */
		OK(exporter_unrevoke(s->dev, fd));
		take_back(s, fd);
		end_holder(holder, end);
		link_wait_for_delete(delete);
		assert_idle(s, fd);
		link_add(netdev);
		assert_usage(&before, "after the device was removed and added");
		OK(exporter_unrevoke(s->dev, fd));
	}
	close(fd);
}

/* Joins a region that pays, and pays as well, until the exporter has taken the memory back. */
struct joiner {
	pthread_t thread;
	int cmd_fd;
	struct raw_region region;
	unsigned int joined;
	int err;
};

static void *joiner_main(void *arg)
{
	struct joiner *j = arg;
	struct raw_mr mr;

	for (;;) {
		j->err = raw_reg_dmabuf_mr(j->cmd_fd, &j->region, &mr);
		if (j->err)
			return NULL;
		j->joined++;
		j->err = raw_dereg_mr(j->cmd_fd, mr.handle);
		if (j->err)
			return NULL;
	}
}

/* Who comes while it is taken back does not have it charged again. */
static void test_charge_of_a_dead_region(void **state)
{
	struct joiner joiners[THREADS] = {};
	unsigned int rounds = 0, joined = 0;
	struct ibv_ext_dmabuf_mr_info info;
	struct state *s = *state;
	struct ibv_mr *mr;
	double end;
	int fd, i;

	fd = create(s, DMABUF_TEST_REVOKING, PAGE);
	s->rdma.size = PAGE;
	s->rdma.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	for (end = race_end(RACE_SECONDS); seconds() < end; rounds++) {
		mr = rdma_register(&s->rdma, fd);
		for (i = 0; i < THREADS; i++) {
			joiners[i] = (struct joiner){
				.cmd_fd = s->rdma.context->cmd_fd,
				.region = { .pd = s->rdma.pd->handle,
					    .fd = fd,
					    .length = PAGE,
					    .access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED |
						      IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE },
			};
			assert_int_equal(pthread_create(&joiners[i].thread, NULL, joiner_main,
							&joiners[i]),
					 0);
		}
		usleep(rounds * 331 % 3000);
		take_back(s, fd);
		for (i = 0; i < THREADS; i++) {
			assert_int_equal(pthread_join(joiners[i].thread, NULL), 0);
			assert_errno(joiners[i].err, ENODEV, "thread %d", i);
			joined += joiners[i].joined;
		}
		info = query_mr(mr);
		OK(ibv_dereg_mr(mr));
		assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
		if (info.charged)
			fail_msg("charged for a dead region after %u revokes", rounds + 1);
		assert_idle(s, fd);
		OK(exporter_unrevoke(s->dev, fd));
	}
	print_message("%u revokes, %u regions joined\n", rounds, joined);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		EXPORTER_TEST(test_killed),
		EXPORTER_TEST(test_exit),
		EXPORTER_TEST(test_revokes_at_once),
		EXPORTER_TEST(test_device_removal),
		EXPORTER_TEST(test_driver_removal),
		RDMA_TEST(test_charge_of_a_dead_region),
		EXPORTER_TEST(test_removal_under_users),
		EXPORTER_TEST(test_device_removal_with_dead_regions),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
