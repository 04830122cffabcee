// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Limits on what a process may pin, and processes that are killed while they
 * register. Limits are for children, which give up their rights for it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "charging.h"
#include "child.h"
#include "file.h"
#include "fixture.h"
#include "raw_ioctl.h"
#include "test_exporter.h"

#define SIZE (16 * PAGE)

static void child_refused(struct ibv_pd *pd, struct dmabuf *buf, uint64_t length, int err)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = length,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;

	child_check(!ibv_ext_reg_dmabuf_mr(pd, &attr, &report), "registered in spite of the limit");
	child_check(errno == err, "%s, expected %s", strerrorname(errno), strerrorname(err));
	child_check(report.reason == IBV_EXT_DMABUF_REASON_MEMLOCK, "reason: %s",
		    ibv_ext_dmabuf_reason_str(report.reason));
}

static struct ibv_mr *child_register(struct ibv_pd *pd, struct dmabuf *buf, uint64_t offset,
				     uint64_t length)
{
	struct ibv_mr *mr =
		ibv_reg_dmabuf_mr_pinned(pd, offset, length, offset, buf->fd, ACCESS_ALL, 0);

	child_check(mr, "registration: %s", strerrorname(errno));
	return mr;
}

static void under_a_limit_of_zero(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_mr *mr;

	become_limited(0);
	child_refused(pd, buf, SIZE, EPERM);
	child_refused(pd, buf, 1, EPERM);
	/* who does not ask for the pin is not charged */
	mr = ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, buf->fd, ACCESS_ALL);
	child_check(mr, "plain registration: %s", strerrorname(errno));
	child_check(!ibv_dereg_mr(mr), "deregistration");
}

static void under_a_limit_too_low(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_mr *mr;

	become_limited(SIZE - PAGE);
	child_refused(pd, buf, SIZE, ENOMEM);
	/* all of the buffer is pinned, however small the region */
	child_refused(pd, buf, 1, ENOMEM);
	mr = ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, buf->fd, ACCESS_ALL);
	child_check(mr, "plain registration: %s", strerrorname(errno));
	child_refused(pd, buf, 1, ENOMEM);
	child_check(!ibv_dereg_mr(mr), "deregistration");
}

static void under_a_limit_that_fits(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_mr *mrs[3];
	int round, i;

	become_limited(SIZE);
	/* charged once, and again after it was released */
	for (round = 0; round < 3; round++) {
		mrs[0] = child_register(pd, buf, 0, SIZE);
		mrs[1] = child_register(pd, buf, PAGE, PAGE);
		mrs[2] = child_register(pd, buf, 0, 1);
		for (i = 0; i < 3; i++)
			child_check(!ibv_dereg_mr(mrs[i]), "deregistration");
	}
}

/* The charge of one buffer fits, so no thread may be refused for the other's sake. */
static void threads_under_a_limit_that_fits(struct ibv_pd *pd, struct dmabuf *buf)
{
	const struct raw_region region = {
		.pd = pd->handle,
		.fd = buf->fd,
		.length = SIZE,
		.access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	int err;

	become_limited(SIZE);
	err = charge_in_two_threads(pd->context->cmd_fd, &region, 3);
	child_check(!err, "%s, though the limit fits one buffer", strerrorname(err));
}

static void with_privilege(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct rlimit rlimit = {};

	child_check(!setrlimit(RLIMIT_MEMLOCK, &rlimit), "setrlimit");
	child_check(!ibv_dereg_mr(child_register(pd, buf, 0, SIZE)), "deregistration");
}

/* A registration needs no descriptor of its own. */
static void without_free_descriptors(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct rlimit rlimit = {};

	child_check(!setrlimit(RLIMIT_NOFILE, &rlimit), "setrlimit");
	child_check(!ibv_dereg_mr(child_register(pd, buf, 0, SIZE)), "deregistration");
}

#define CHILD_TEST(name)                                               \
	static void test_##name(void **state)                          \
	{                                                              \
		struct fixture *f = *state;                            \
		struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE); \
		struct usage before;                                   \
                                                                       \
		usage_read(&before);                                   \
		in_child(name, buf);                                   \
		assert_usage(&before, "after the child's end");        \
	}

CHILD_TEST(under_a_limit_of_zero)
CHILD_TEST(under_a_limit_too_low)
CHILD_TEST(under_a_limit_that_fits)
CHILD_TEST(threads_under_a_limit_that_fits)
CHILD_TEST(with_privilege)
CHILD_TEST(without_free_descriptors)

#define CGROUPS "/sys/fs/cgroup"
#define CGROUP CGROUPS "/dmabuf-test"

/* The rdma cgroup counts such regions as the objects that they are. */
static void under_a_cgroup(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_context *context;
	struct ibv_mr *mrs[2];
	int i, round;

	(void)pd;
	child_check(!file_write(CGROUP "/cgroup.procs", "0"), "cannot join the cgroup");
	context = open_device();
	child_check(context, "no device");
	pd = ibv_alloc_pd(context); /* the first of three objects */
	child_check(pd, "no PD");
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2; i++)
			mrs[i] = child_register(pd, buf, 0, SIZE);
		child_check(!ibv_reg_dmabuf_mr_pinned(pd, 0, SIZE, 0, buf->fd, ACCESS_ALL, 0),
			    "registered in spite of the cgroup");
		child_check(errno == EAGAIN, "%s, expected EAGAIN", strerrorname(errno));
		for (i = 0; i < 2; i++)
			child_check(!ibv_dereg_mr(mrs[i]), "deregistration");
	}
}

static void test_under_a_cgroup(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct usage before;

	if (file_write(CGROUPS "/cgroup.subtree_control", "+rdma"))
		skip_because("no rdma cgroup controller");
	assert_int_equal(mkdir(CGROUP, 0755), 0);
	assert_false(file_write(CGROUP "/rdma.max", DEVICE " hca_handle=1 hca_object=3"));
	usage_read(&before);
	in_child(under_a_cgroup, buf);
	assert_usage(&before, "after the child's end");
	/* 6.12 breaks when a device goes after a cgroup that had limits for it */
	assert_false(file_write(CGROUP "/rdma.max", DEVICE " hca_handle=max hca_object=max"));
	assert_int_equal(rmdir(CGROUP), 0);
}

/*
 * One less than there are buffers at most, so that there is always one whose
 * next region is its first.
 */
#define REGIONS_KEPT 1

/* Registers over and over until the process is killed. */
static void register_until_killed(struct dmabuf *bufs, unsigned int num_bufs)
{
	struct ibv_context *context = open_device();
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	struct ibv_mr *mrs[REGIONS_KEPT] = {};
	unsigned int i;

	child_check(pd, "no device");
	complaint->text[0] = 'r'; /* ready */
	for (i = 0;; i++) {
		struct ibv_mr **mr = &mrs[i % REGIONS_KEPT];
		struct dmabuf *buf = &bufs[i % num_bufs];

		if (*mr)
			ibv_dereg_mr(*mr);
		*mr = ibv_reg_dmabuf_mr_pinned(pd, 0, buf->size, 0, buf->fd, ACCESS_ALL, 0);
	}
}

static void *register_in_thread(void *arg)
{
	struct fixture *f = arg;

	register_until_killed(f->buffers, f->num_buffers);
	return NULL;
}

static void kill_while_registering(struct fixture *f, unsigned int threads, unsigned int rounds)
{
	struct usage before;
	unsigned int round, i;

	usage_read(&before);
	for (round = 0; round < rounds; round++) {
		pid_t pid;
		int status;

		complaint->text[0] = '\0';
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			pthread_t thread;

			for (i = 1; i < threads; i++)
				child_check(!pthread_create(&thread, NULL, register_in_thread, f),
					    "thread");
			register_in_thread(f);
		}
		while (!*(volatile char *)complaint->text)
			sched_yield();
		usleep(500 * round);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("in the child: %s", complaint->text);
		assert_usage(&before, "after a process was killed");
	}
}

static void killed_while_registering(void **state)
{
	struct fixture *f = *state;

	/* large, so that a registration takes its time */
	fixture_buffer(f, SYSTEM_HEAP, 32 * MIB);
	fixture_buffer(f, UDMABUF, 32 * MIB);
	fixture_buffer(f, UDMABUF, PAGE);
	kill_while_registering(f, 1, 24);
}

static void killed_with_threads(void **state)
{
	struct fixture *f = *state;

	fixture_buffer(f, SYSTEM_HEAP, 16 * MIB);
	fixture_buffer(f, UDMABUF, 16 * MIB);
	kill_while_registering(f, 4, 12);
}

/* A child that has registered a buffer, as much as its limit allows */
struct holder {
	pid_t pid;
	int in, out; /* of the parent: what the child says and is told */
	struct {
		int cmd_fd;
		uint32_t pd;
		uint32_t mr;
	} has;
};

static void hold(struct holder *holder, int fd, int other_fd)
{
	struct ibv_context *context = open_device();
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	struct ibv_mr *mr;
	char told;

	child_check(pd, "no device");
	become_limited(SIZE);
	mr = ibv_reg_dmabuf_mr_pinned(pd, 0, SIZE, 0, fd, ACCESS_ALL,
				      IBV_EXT_DMABUF_PIN_ALLOW_REVOKE);
	child_check(mr, "registration: %s", strerrorname(errno));
	holder->has.cmd_fd = context->cmd_fd;
	holder->has.pd = pd->handle;
	holder->has.mr = mr->handle;
	child_check(write(holder->out, &holder->has, sizeof(holder->has)) == sizeof(holder->has),
		    "pipe");
	child_check(read(holder->in, &told, 1) == 1, "pipe");
	if (told == 'e') {
		child_check(!fcntl(context->cmd_fd, F_SETFD, 0), "fcntl");
		told = 'x';
	}
	if (told == 'x') {
		execlp("sleep", "sleep", "1000", NULL);
		child_check(false, "exec: %s", strerrorname(errno));
	}
	/* there is room in the limit only if the first one is charged no more */
	mr = ibv_reg_dmabuf_mr_pinned(pd, 0, SIZE, 0, other_fd, ACCESS_ALL, 0);
	child_check(mr, "another registration: %s", strerrorname(errno));
	child_check(write(holder->out, "r", 1) == 1, "pipe");
	for (;;)
		pause();
}

static void start_holder(struct holder *holder, int fd, int other_fd)
{
	int up[2], down[2];

	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	holder->pid = fork();
	assert_true(holder->pid >= 0);
	if (!holder->pid) {
		holder->in = down[0];
		holder->out = up[1];
		close(up[0]);
		close(down[1]);
		hold(holder, fd, other_fd);
	}
	holder->in = up[0];
	holder->out = down[1];
	close(up[1]);
	close(down[0]);
	if (read(holder->in, &holder->has, sizeof(holder->has)) != sizeof(holder->has))
		fail_msg("in the child: %s", complaint->text);
}

static void tell_holder(struct holder *holder, char what)
{
	assert_int_equal(write(holder->out, &what, 1), 1);
}

static void end_holder(struct holder *holder)
{
	int status;

	assert_int_equal(kill(holder->pid, SIGKILL), 0);
	assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
	if (!WIFSIGNALED(status))
		fail_msg("in the child: %s", complaint->text);
	close(holder->in);
	close(holder->out);
}

/* Another descriptor of the file by which the holder uses the device */
static int get_cmd_fd(const struct holder *holder)
{
	int pidfd = syscall(SYS_pidfd_open, holder->pid, 0);
	int fd;

	assert_true(pidfd >= 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, holder->has.cmd_fd, 0);
	assert_true(fd >= 0);
	close(pidfd);
	return fd;
}

static void check_pinned(const struct holder *holder, unsigned long bytes, const char *when)
{
	unsigned long kib = -1UL;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", holder->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	fclose(file);
	if (kib != bytes / 1024)
		fail_msg("%s: %lu KiB pinned by the child, expected %lu", when, kib, bytes / 1024);
}

/* Who gives a region back need not be who pays for it. */
static void deregistered_by_another(void **state)
{
	struct fixture *f = *state;
	int fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	int other_fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	struct holder holder;
	struct usage before;
	int cmd_fd;
	char done;

	usage_read(&before);
	start_holder(&holder, fd, other_fd);
	check_pinned(&holder, SIZE, "registered");
	cmd_fd = get_cmd_fd(&holder);
	assert_errno(raw_dereg_mr(cmd_fd, holder.has.mr), 0, "deregistration");
	check_pinned(&holder, 0, "deregistered");
	tell_holder(&holder, 'r');
	if (read(holder.in, &done, 1) != 1)
		fail_msg("in the child: %s", complaint->text);
	check_pinned(&holder, SIZE, "another one registered");
	end_holder(&holder);
	close(cmd_fd);
	assert_usage(&before, "after the child's end");
}

/* The file of the device outlives who registered; who uses it then pays for himself. */
static void outlived_by_its_region(void **state)
{
	struct fixture *f = *state;
	struct raw_region region = {
		.fd = fixture_buffer(f, UDMABUF, SIZE)->fd,
		.length = SIZE,
		.access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	struct usage before, expected;
	struct holder holder;
	struct raw_mr mr;
	int cmd_fd;

	usage_read(&before);
	start_holder(&holder, region.fd, -1);
	cmd_fd = get_cmd_fd(&holder);
	region.pd = holder.has.pd;
	end_holder(&holder);
	expected = before;
	expected.mrs++;
	expected.attachments++;
	expected.descriptors++;
	assert_usage(&expected, "the child gone");

	assert_errno(raw_reg_dmabuf_mr(cmd_fd, &region, &mr), 0, "registration");
	expected.mrs++;
	expected.attachments++;
	expected.pinned_kib += SIZE / 1024;
	assert_usage(&expected, "registered by another");
	assert_errno(raw_dereg_mr(cmd_fd, holder.has.mr), 0, "deregistration");
	expected.mrs--;
	expected.attachments--;
	assert_usage(&expected, "the child's region gone");
	close(cmd_fd);
	assert_usage(&before, "all gone");
}

static void wait_for_usage(const struct usage *expected, const char *when)
{
	struct usage now;
	int i;

	for (i = 0; i < 500; i++) {
		usage_read(&now);
		if (now.mrs == expected->mrs && now.attachments == expected->attachments)
			break;
		usleep(20000);
	}
	assert_usage(expected, when);
}

static void wait_for_exec(const struct holder *holder)
{
	char path[64], name[32] = "";
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/comm", holder->pid);
	for (i = 0; i < 500 && strcmp(name, "sleep"); i++) {
		usleep(20000);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "%31s", name), 1);
		fclose(file);
	}
	if (strcmp(name, "sleep"))
		fail_msg("no exec in the child: %s", complaint->text);
}

/* A new program has nothing pinned, and the old one's goes with the file. */
static void executed(void **state)
{
	struct fixture *f = *state;
	int fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	struct usage before, held;
	struct holder holder;

	usage_read(&before);
	start_holder(&holder, fd, -1);
	tell_holder(&holder, 'x');
	wait_for_exec(&holder);
	check_pinned(&holder, 0, "closed by exec");
	held = before;
	held.descriptors += 2; /* the pipes */
	wait_for_usage(&held, "closed by exec");
	end_holder(&holder);

	start_holder(&holder, fd, -1);
	tell_holder(&holder, 'e');
	wait_for_exec(&holder);
	check_pinned(&holder, 0, "kept by exec");
	held.mrs++;
	held.attachments++;
	assert_usage(&held, "kept by exec");
	end_holder(&holder);
	assert_usage(&before, "after the child's end");
}

/* The exporter's process revokes; the owner has room in its limit again. */
static void revoked_by_another(void **state)
{
	struct fixture *f = *state;
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							       .size = SIZE });
	int other_fd = fixture_buffer(f, UDMABUF, SIZE)->fd;
	struct holder holder;
	struct usage before;
	char done;

	usage_read(&before);
	start_holder(&holder, fd, other_fd);
	check_pinned(&holder, SIZE, "registered");
	revoke_buffer(dev, fd);
	check_pinned(&holder, 0, "revoked");
	tell_holder(&holder, 'r');
	if (read(holder.in, &done, 1) != 1)
		fail_msg("in the child: %s", complaint->text);
	check_pinned(&holder, SIZE, "another one registered");
	end_holder(&holder);
	assert_idle(dev, fd);
	assert_usage(&before, "after the child's end");
	close(fd);
	close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_under_a_limit_of_zero),   TEST(test_under_a_limit_too_low),
		TEST(test_under_a_limit_that_fits), TEST(test_threads_under_a_limit_that_fits),
		TEST(test_with_privilege),	    TEST(test_without_free_descriptors),
		TEST(test_under_a_cgroup),	    TEST(killed_while_registering),
		TEST(killed_with_threads),	    TEST(deregistered_by_another),
		TEST(outlived_by_its_region),	    TEST(executed),
		TEST(revoked_by_another),
	};

	return cmocka_run_group_tests_name("limits", tests, child_group_setup, NULL);
}
