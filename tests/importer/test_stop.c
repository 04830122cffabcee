// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A device that does not do as it is told is stopped: by its driver, or else by
 * taking the bus away from it, with all RDMA devices on the same PCI function. What
 * follows is orderly: everything can be destroyed, and the driver bound again.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "importer.h"

#define SIZE (4 * PAGE)
#define REGIONS 3
/* What memory is filled with that the device must not reach any more */
#define FILLER 0x33

static int create_revoking(struct test *t)
{
	return create(&t->s, DMABUF_TEST_REVOKING, SIZE);
}

/* The driver is bound anew, to be stopped like this. */
static void rebind_with(struct test *t, enum edu_ib_stop_op stop_op, unsigned int importers)
{
	OK(edu_set_number("stop_op", stop_op));
	OK(edu_set_number("importers", importers));
	importer_rebind(t);
}

/* A command fails, or hangs, from now on. Healthy ones end long before the limit. */
static void set_fault(const char *fault, enum edu_ib_command command)
{
	OK(edu_set("command_limit", "3000"));
	OK(edu_set_number(fault, 1 << command));
}

/* The core resets the function beside what the test does; until then nobody can bind. */
static int bind_when_reset(void)
{
	int err;

	wait_until((err = edu_bind()) != EAGAIN);
	return err;
}

/* What is left of the library's objects after the driver was unbound */
static void free_objects(struct test *t)
{
	ibv_dealloc_pd(t->pd);
	ibv_close_device(t->context);
	close(t->edu);
}

/* How often, and in which way, the device was stopped since then */
static void check_stopped(struct test *t, const struct edu_ib_counters *before,
			  enum edu_ib_stop_op stop_op, unsigned int importers)
{
	struct edu_ib_counters now = hardware_counters(t);

	assert_int_equal(now.stops - before->stops, stop_op == EDU_IB_STOP_NONE ? 0 : importers);
	if (stop_op == EDU_IB_STOP_RESETS)
		assert_int_equal(now.keys, 0);
	else if (stop_op != EDU_IB_STOP_LIES)
		assert_int_equal(now.bus_master, 0);
}

static void check_nothing_new(struct test *t)
{
	int fd = create(&t->s, DMABUF_TEST_STATIC, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = { .length = SIZE, .fd = fd };
	struct ibv_ext_dmabuf_report report;

	assert_null(ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report));
	assert_errno(errno, EIO, "registration");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_ERROR);
	report = probe_part(t, fd, 0, SIZE, 0, 0);
	assert_errno(report.err, EIO, "probe");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_ERROR);
	close(fd);
}

static void check_fit(struct test *t)
{
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct ibv_mr *mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	uint8_t byte = 0x42;

	OK(edu_write(t->edu, mr->lkey, SIZE - 1, &byte, 1));
	assert_all(&t->s, fd, 0, SIZE - 1, 1, byte);
	OK(ibv_dereg_mr(mr));
	close(fd);
}

/* Uses keys all the while, whatever becomes of the device. */
struct user {
	pthread_t thread;
	int edu;
	uint32_t keys[3];
	atomic_bool end;
	int unexpected; /* an errno value */
};

static void *use(void *arg)
{
	struct user *user = arg;
	uint8_t byte = 0x99;
	unsigned int i = 0;
	int err;

	while (!atomic_load(&user->end)) {
		err = edu_write(user->edu, user->keys[i++ % ARRAY_SIZE(user->keys)], 0, &byte, 1);
		if (err && err != EFAULT && err != ENODEV && err != EAGAIN)
			user->unexpected = err;
		/* Others need the device, too. */
		sleep_ms(20);
	}
	return NULL;
}

static void start_using(struct user *user)
{
	user->edu = edu_open();
	assert_true(user->edu >= 0);
	assert_int_equal(pthread_create(&user->thread, NULL, use, user), 0);
}

static void stop_using(struct user *user)
{
	atomic_store(&user->end, true);
	assert_int_equal(pthread_join(user->thread, NULL), 0);
	assert_errno(user->unexpected, 0, "use of a key");
	close(user->edu);
}

/* The messages of the kernel from now on */
static int open_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(log >= 0);
	assert_true(lseek(log, 0, SEEK_END) >= 0);
	return log;
}

static bool find_in_log(int log, const char *text)
{
	bool found = false;
	char line[8192];
	ssize_t length;

	while (!found) {
		length = read(log, line, sizeof(line) - 1);
		if (length < 0)
			break;
		line[length] = '\0';
		found = strstr(line, text);
	}
	close(log);
	return found;
}

struct scenario {
	enum edu_ib_stop_op stop_op;
	const char *fault;
	bool can_be_reset; /* the PCI function */
};

/*
 * A region of the second RDMA device cannot be revoked. Regions of both are there
 * at the time, with and without a pin asked for.
 */
static void check_stop(struct test *t, const struct scenario *how)
{
	struct ibv_mr *mrs[REGIONS], *first, *second, *plain, *later;
	struct ibv_ext_dmabuf_event_channel *channel;
	int fd, other, still, log, i, err;
	struct edu_ib_counters before, now;
	struct ibv_ext_dmabuf_event event;
	struct user user = {};
	struct test two;

	OK(edu_allow_reset(how->can_be_reset));
	rebind_with(t, how->stop_op, 2);
	two = importer_open_second(t);
	channel = ibv_ext_create_dmabuf_event_channel(two.context);
	assert_non_null(channel);
	fd = create_revoking(t);
	other = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	still = create_revoking(t);
	for (i = 0; i < REGIONS; i++)
		mrs[i] = register_part(&two, fd, 0, SIZE, 0, ALLOW_REVOKE);
	OK(ibv_ext_watch_dmabuf_mr(mrs[0], channel, &user));
	first = register_part(t, other, 0, SIZE, 0, ALLOW_REVOKE);
	second = register_part(&two, other, 0, SIZE, 0, 0);
	plain = ibv_reg_dmabuf_mr(t->pd, 0, SIZE, 0, other, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(plain);
	later = register_part(t, still, 0, SIZE, 0, ALLOW_REVOKE);
	user.keys[0] = mrs[1]->lkey;
	user.keys[1] = first->lkey;
	user.keys[2] = plain->lkey;
	start_using(&user);

	/* The first region is revoked, the second is not, the third need not be. */
	before = hardware_counters(t);
	OK(edu_set("skip", "1"));
	set_fault(how->fault, EDU_IB_REVOKE);
	take_back(t, fd);
	check_stopped(t, &before, how->stop_op, 2);
	OK(exporter_fill(t->s.dev, other, 0, 0, SIZE, FILLER));
	now = hardware_counters(t);
	assert_int_equal(now.callbacks, before.callbacks + 2);
	assert_int_equal(now.timeouts, before.timeouts + !strcmp(how->fault, "hang"));

	/* All are told, and nobody can begin anything. */
	expect_event(channel, &user);
	expect_fatal_event(&two);
	expect_fatal_event(t);
	FAILS(ibv_ext_get_dmabuf_event(channel, &event), EIO);
	OK(ibv_ext_destroy_dmabuf_event_channel(channel));
	for (i = 0; i < REGIONS; i++)
		assert_int_equal(mr_info(mrs[i]).state, IBV_EXT_DMABUF_STATE_REVOKED);
	check_nothing_new(t);
	check_nothing_new(&two);

	/* No other memory needs a command any more. */
	take_back(t, still);
	assert_int_equal(mr_info(later).state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(hardware_counters(t).callbacks, now.callbacks);

	/* All can be destroyed, by its owner or with the device, and no command is waited for. */
	OK(ibv_dereg_mr(mrs[0]));
	OK(ibv_dereg_mr(mrs[1]));
	OK(ibv_dereg_mr(first));
	OK(ibv_dereg_mr(later));
	assert_true(hardware_counters(t).refused >= now.refused + 4);
	if (how->stop_op != EDU_IB_STOP_RESETS && how->can_be_reset)
		wait_until(hardware_counters(t).resets != before.resets);
	OK(edu_unbind());
	assert_int_equal(hardware_counters(t).mrs, 0);
	assert_int_equal(hardware_counters(t).timeouts, now.timeouts);
	assert_idle(&t->s, fd);
	assert_idle(&t->s, other);
	assert_idle(&t->s, still);
	/* Of these the library still has its part. */
	ibv_dereg_mr(mrs[2]);
	ibv_dereg_mr(second);
	ibv_dereg_mr(plain);
	free_objects(&two);

	log = open_log();
	err = bind_when_reset();
	if (how->stop_op == EDU_IB_STOP_RESETS || how->can_be_reset) {
		assert_errno(err, 0, "bind");
		close(log);
		assert_int_equal(hardware_counters(t).bus_master, 1);
		assert_int_equal(hardware_counters(t).keys, 0);
	} else {
		/* The device still knows the keys. */
		assert_errno(err, EIO, "bind");
		assert_true(find_in_log(log, "not reset"));
		assert_int_equal(hardware_counters(t).bus_master, 0);
		assert_true(hardware_counters(t).keys > 0);
		/* As soon as the function can be reset, the driver can be bound. */
		OK(edu_allow_reset(true));
		wait_until(!edu_bind());
	}
	OK(edu_set(how->fault, "0"));
	free_objects(t);
	importer_open(t);
	for (i = 0; i < (int)ARRAY_SIZE(user.keys); i++)
		FAILS(edu_write(t->edu, user.keys[i], 0, &user, 1), EFAULT);
	check_fit(t);

	stop_using(&user);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	assert_all(&t->s, still, 0, 0, SIZE, POISON);
	assert_all(&t->s, other, 0, 0, SIZE, FILLER);
	close(still);
	close(other);
	close(fd);
}

static void test_stop_op(void **state)
{
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_RESETS, "fail", false });
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_RESETS, "hang", false });
}

static void test_failing_stop_op(void **state)
{
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_FAILS, "fail", true });
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_FAILS, "hang", true });
}

static void test_no_stop_op(void **state)
{
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_NONE, "fail", true });
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_NONE, "hang", true });
}

static void test_no_reset(void **state)
{
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_FAILS, "fail", false });
}

static void test_no_stop_op_and_no_reset(void **state)
{
	check_stop(*state, &(struct scenario){ EDU_IB_STOP_NONE, "hang", false });
}

/*
 * That is what the tests above would see: the device keeps its keys until it is
 * reset, whatever becomes of its driver.
 */
static void test_keys_survive(void **state)
{
	struct test *t = *state;
	bool isolated = have_iommu();
	uint8_t byte = 0x42;
	struct ibv_mr *mr;
	uint32_t key;
	int fd, i;

	for (i = 0; i < 2; i++) {
		rebind_with(t, EDU_IB_STOP_LIES, 1);
		fd = create_revoking(t);
		mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
		key = mr->lkey;
		set_fault("fail", EDU_IB_REVOKE);
		take_back(t, fd);
		OK(edu_set("fail", "0"));
		OK(ibv_dereg_mr(mr));
		importer_rebind(t);
		/* An IOMMU knows better than the device. */
		OK(edu_write(t->edu, key, 0, &byte, 1));
		assert_all(&t->s, fd, 0, 0, 1, isolated ? POISON : byte);
		assert_all(&t->s, fd, 0, 1, SIZE - 1, POISON);

		/* By its driver, and by the PCI core without one */
		if (i) {
			OK(edu_set("probe_reset", "1"));
			importer_rebind(t);
			OK(edu_set("probe_reset", "0"));
		} else {
			OK(importer_close(t));
			OK(edu_unbind());
			OK(edu_reset_function());
			OK(edu_bind());
			importer_open(t);
		}
		FAILS(edu_write(t->edu, key, 0, &byte, 1), EFAULT);
		check_fit(t);
		close(fd);
	}
}

/* A registration that timed out: nobody knows whether the device has the region. */
static void check_hanging_registration(struct test *t, enum edu_ib_stop_op stop_op)
{
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = SIZE,
		.fd = fd,
		.access = IBV_ACCESS_LOCAL_WRITE,
	};
	struct ibv_ext_dmabuf_report report;
	struct edu_ib_counters before;
	uint8_t byte = 0x42;

	/* Or else the reset would end the command. */
	OK(edu_allow_reset(false));
	rebind_with(t, stop_op, 1);
	before = hardware_counters(t);
	set_fault("hang", EDU_IB_REG);
	assert_null(ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report));
	assert_errno(errno, EIO, "registration");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_ERROR);
	assert_int_equal(hardware_counters(t).timeouts, before.timeouts + 1);
	check_stopped(t, &before, stop_op, 1);
	expect_fatal_event(t);
	assert_idle(&t->s, fd);
	OK(exporter_fill(t->s.dev, fd, 0, 0, SIZE, FILLER));

	/* The command ends late, and the key that the region would have had is used. */
	OK(edu_set("hang", "0"));
	wait_until(!hardware_counters(t).hanging);
	if (stop_op == EDU_IB_STOP_RESETS)
		FAILS(edu_write(t->edu, before.next_key, 0, &byte, 1), EFAULT);
	else
		OK(edu_write(t->edu, before.next_key, 0, &byte, 1));
	assert_all(&t->s, fd, 0, 0, SIZE, FILLER);

	OK(importer_close(t));
	OK(edu_unbind());
	if (stop_op == EDU_IB_STOP_RESETS) {
		OK(edu_bind());
	} else {
		FAILS(bind_when_reset(), EIO);
		OK(edu_allow_reset(true));
		wait_until(!edu_bind());
	}
	importer_open(t);
	FAILS(edu_write(t->edu, before.next_key, 0, &byte, 1), EFAULT);
	check_fit(t);
	assert_all(&t->s, fd, 0, 0, SIZE, FILLER);
	close(fd);
}

static void test_hanging_registration(void **state)
{
	check_hanging_registration(*state, EDU_IB_STOP_RESETS);
	check_hanging_registration(*state, EDU_IB_STOP_NONE);
}

/* One that is refused is only that. */
static void test_failing_registration(void **state)
{
	struct test *t = *state;
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct edu_ib_counters before = hardware_counters(t), now;

	set_fault("fail", EDU_IB_REG);
	assert_null(try_register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE));
	assert_errno(errno, EIO, "registration");
	OK(edu_set("fail", "0"));
	now = hardware_counters(t);
	assert_int_equal(now.stops, before.stops);
	assert_int_equal(now.bus_master, 1);
	assert_idle(&t->s, fd);
	check_fit(t);
	close(fd);
}

struct registration {
	struct test *t;
	int fd;
	int err;
};

static void *register_one(void *arg)
{
	struct registration *r = arg;

	r->err = try_register_part(r->t, r->fd, 0, SIZE, 0, 0) ? 0 : errno;
	return NULL;
}

/* A command of another RDMA device that is under way does not wait for its limit. */
static void check_command_under_way(struct test *t, enum edu_ib_stop_op stop_op)
{
	struct registration r = { .t = t };
	int fd = create_revoking(t);
	struct edu_ib_counters before;
	struct ibv_mr *mr;
	pthread_t thread;
	struct test two;

	r.fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	OK(edu_allow_reset(true));
	rebind_with(t, stop_op, 2);
	two = importer_open_second(t);
	mr = register_part(&two, fd, 0, SIZE, 0, ALLOW_REVOKE);
	before = hardware_counters(t);
	OK(edu_set_number("hang", 1 << EDU_IB_REG));
	assert_int_equal(pthread_create(&thread, NULL, register_one, &r), 0);
	wait_until(hardware_counters(t).hanging);

	OK(edu_set_number("fail", 1 << EDU_IB_REVOKE));
	take_back(t, fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_errno(r.err, EIO, "registration");
	assert_int_equal(hardware_counters(t).timeouts, before.timeouts);
	check_stopped(t, &before, stop_op, 2);
	OK(edu_reset_parameters());
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, r.fd);
	assert_idle(&t->s, fd);

	OK(importer_close(&two));
	OK(importer_close(t));
	OK(edu_unbind());
	OK(bind_when_reset());
	importer_open(t);
	check_fit(t);
	close(r.fd);
	close(fd);
}

static void test_command_under_way(void **state)
{
	check_command_under_way(*state, EDU_IB_STOP_RESETS);
	check_command_under_way(*state, EDU_IB_STOP_FAILS);
	check_command_under_way(*state, EDU_IB_STOP_NONE);
}

/* The process exits and leaves everything to the kernel. */
static void check_exit(struct test *t, enum edu_ib_stop_op stop_op)
{
	struct edu_ib_counters before;
	int to_child[2], from_child[2];
	int fd, status;
	char byte = 0;
	pid_t child;

	OK(edu_allow_reset(true));
	rebind_with(t, stop_op, 1);
	fd = create_revoking(t);
	before = hardware_counters(t);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct test mine = *t;
		int other = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);

		close(to_child[1]);
		importer_open(&mine);
		if (try_register_part(&mine, fd, 0, SIZE, 0, ALLOW_REVOKE) &&
		    try_register_part(&mine, other, 0, SIZE, 0, ALLOW_REVOKE))
			byte = 1;
		_exit(write(from_child[1], &byte, 1) != 1 || read(to_child[0], &byte, 1));
	}
	close(to_child[0]);
	assert_int_equal(read(from_child[0], &byte, 1), 1);
	assert_int_equal(byte, 1);

	set_fault("fail", EDU_IB_REVOKE);
	take_back(t, fd);
	check_stopped(t, &before, stop_op, 1);
	assert_int_equal(hardware_counters(t).mrs, 2);
	close(to_child[1]);
	close(from_child[0]);
	close(from_child[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(hardware_counters(t).mrs, 0);
	assert_int_equal(hardware_counters(t).timeouts, before.timeouts);
	assert_idle(&t->s, fd);

	OK(edu_reset_parameters());
	OK(importer_close(t));
	OK(edu_unbind());
	OK(bind_when_reset());
	importer_open(t);
	check_fit(t);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	close(fd);
}

static void test_exit(void **state)
{
	check_exit(*state, EDU_IB_STOP_RESETS);
	check_exit(*state, EDU_IB_STOP_NONE);
}

/* The driver is unbound while the core has yet to reset the function. */
static void test_unbind_at_once(void **state)
{
	struct test *t = *state;
	struct ibv_mr *mr;
	int round, fd;

	for (round = 0; round < 10; round++) {
		rebind_with(t, round % 2 ? EDU_IB_STOP_FAILS : EDU_IB_STOP_NONE, 1);
		fd = create_revoking(t);
		mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
		set_fault("fail", EDU_IB_REVOKE);
		take_back(t, fd);
		OK(edu_unbind());
		OK(bind_when_reset());
		assert_int_equal(hardware_counters(t).keys, 0);
		OK(edu_set("fail", "0"));
		ibv_dereg_mr(mr);
		free_objects(t);
		importer_open(t);
		check_fit(t);
		close(fd);
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		REBIND_TEST(test_keys_survive),
		REBIND_TEST(test_stop_op),
		REBIND_TEST(test_failing_stop_op),
		REBIND_TEST(test_no_stop_op),
		REBIND_TEST(test_no_reset),
		REBIND_TEST(test_no_stop_op_and_no_reset),
		REBIND_TEST(test_failing_registration),
		REBIND_TEST(test_hanging_registration),
		REBIND_TEST(test_command_under_way),
		REBIND_TEST(test_exit),
		REBIND_TEST(test_unbind_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
