// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * revoke DEVICE SECONDS SEED
 *
 * Revokes for so long: against traffic and deregistration, against processes that
 * exit and that are killed, and against the removal of the device. No byte may land
 * after a revoke, none of what was taken back may be read, and in the end nothing may
 * be left. Prints what it counted.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"
#include "leak_check.h"
#include "soak.h"
#include "test.h"

enum end {
	STOPPED,
	EXITED,
	KILLED,
	DEVICE_REMOVED,
	NUM_ENDS,
};

/* Of all of the time, in percent */
static const unsigned int shares[NUM_ENDS] = {
	[STOPPED] = 60,
	[EXITED] = 15,
	[KILLED] = 15,
	[DEVICE_REMOVED] = 10,
};

static struct fuzz_random random_of_main;
static atomic_bool done;

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

struct revoker {
	pthread_t id;
	int buffer;
	struct fuzz_random random;
};

/* Of a buffer whose users know nothing of it */
static void *revoker_main(void *arg)
{
	struct revoker *r = arg;

	while (!done) {
		usleep(fuzz_below(&r->random, 2000));
		if (!soak.shared->used[r->buffer])
			continue;
		soak.shared->used[r->buffer] = false;
		soak_revoke(r->buffer, fuzz_one_in(&r->random, 8));
		usleep(fuzz_below(&r->random, 300));
		soak_give_back(r->buffer);
	}
	return NULL;
}

static void wait_for_user(pid_t pid, bool killed)
{
	int status;

	soak_check(waitpid(pid, &status, 0) == pid, "waitpid");
	soak_check(killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : !status,
		   "process ended with wait status %#x", status);
	soak_recover();
}

/* It has begun to register, or has ended. */
static void wait_for_rounds(pid_t pid)
{
	siginfo_t info = {};

	while (!soak.shared->round && !info.si_pid) {
		usleep(1000);
		waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
	}
}

static void stop_user(pid_t pid)
{
	soak.shared->stop = true;
	wait_for_user(pid, false);
}

static void kill_user(pid_t pid)
{
	soak_check(!kill(pid, SIGKILL), "kill");
	wait_for_user(pid, true);
}

static void run_program(const char *command, const char *argument)
{
	char line[160];

	snprintf(line, sizeof(line), "%s %s", command, argument);
	soak_check(!system(line), "%s failed", line);
}

static void find_netdev(char *name, size_t size)
{
	char path[96];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/parent", soak.device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, name, size - 1);
	soak_check(length > 1, "no netdev of %s", soak.device);
	close(fd);
	name[length - 1] = '\0';
}

/* rxe goes only when its last user has. */
static void remove_rxe(pid_t user)
{
	pid_t delete;
	char netdev[32];
	int status;

	find_netdev(netdev, sizeof(netdev));
	delete = fork();
	soak_check(delete >= 0, "fork");
	if (!delete) {
		execlp("rdma", "rdma", "link", "delete", soak.device, NULL);
		_exit(127);
	}
	usleep(fuzz_below(&random_of_main, 300000));
	if (fuzz_one_in(&random_of_main, 2))
		stop_user(user);
	else
		kill_user(user);
	soak_check(waitpid(delete, &status, 0) == delete && !status, "the device stays");
	run_program("rdma link add rxe0 type rxe netdev", netdev);
}

static void remove_edu(pid_t user)
{
	int err = edu_unbind();

	soak_check(!err, "unbind: %s", strerrorname(err));
	err = edu_bind();
	soak_check(!err, "bind: %s", strerrorname(err));
	stop_user(user);
}

/* Traffic has to be in the way of the revokes, however slow the machine is. */
static bool was_in_traffic(void)
{
	return soak.does_dma || soak.shared->counts.written;
}

static void run_user(enum end end, double until)
{
	const uint64_t seed = fuzz_next(&random_of_main);
	pid_t user =
		soak_start_user(seed, end == EXITED ? 1 + fuzz_below(&random_of_main, 100) : 0);

	if (end != EXITED)
		wait_for_rounds(user);
	switch (end) {
	case STOPPED:
		while ((seconds() < until || !was_in_traffic()) && !soak.shared->complaint[0])
			usleep(100000);
		stop_user(user);
		break;
	case EXITED:
		wait_for_user(user, false);
		break;
	case KILLED:
		usleep(fuzz_below(&random_of_main, 200000));
		kill_user(user);
		break;
	default:
		if (soak.does_dma)
			remove_edu(user);
		else
			remove_rxe(user);
	}
}

static void run(double duration)
{
	struct revoker revokers[SOAK_BUFFERS - SOAK_OWNERS];
	double until = seconds();
	enum end end;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(revokers); i++) {
		revokers[i].buffer = SOAK_OWNERS + i;
		revokers[i].random = (struct fuzz_random){ .state = fuzz_next(&random_of_main) };
		soak_check(!pthread_create(&revokers[i].id, NULL, revoker_main, &revokers[i]),
			   "thread");
	}
	for (end = 0; end < NUM_ENDS; end++) {
		until += duration * shares[end] / 100;
		do
			run_user(end, until);
		while (seconds() < until);
	}
	done = true;
	for (i = 0; i < ARRAY_SIZE(revokers); i++)
		pthread_join(revokers[i].id, NULL);
}

static void print_counts(void)
{
	struct soak_counts *counts = &soak.shared->counts;

	printf("count revocations %lu\n", counts->revokes);
	printf("count revokes_in_vain %lu\n", counts->in_vain);
	printf("count revoked_after_a_write %lu\n", counts->written);
	printf("count registrations %lu\n", counts->registrations);
	printf("count registrations_refused %lu\n", counts->refused);
	printf("count events %lu\n", counts->events);
	printf("count transfers %lu\n", counts->transfers);
	printf("count processes %lu\n", counts->processes);
}

int main(int argc, char **argv)
{
	struct usage before;

	if (argc != 4) {
		fprintf(stderr, "usage: %s DEVICE SECONDS SEED\n", argv[0]);
		return 2;
	}
	setlinebuf(stdout);
	random_of_main.state = strtoull(argv[3], NULL, 0);
	usage_read(&before);
	soak_setup(argv[1]);
	run(atof(argv[2]));
	soak_teardown();
	print_counts();
	soak_check(soak.shared->counts.revokes && soak.shared->counts.events,
		   "nothing was revoked");
	return usage_compare(&before, "after all revokes");
}
