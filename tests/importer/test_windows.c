// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The exporter takes the memory back while the driver has a region that the device
 * does not have yet, or has forgotten already. Nothing stops a device for that,
 * whether or not it can revoke.
 */
#include <pthread.h>
#include <unistd.h>

#include "importer.h"

#define SIZE (4 * PAGE)
struct call {
	struct test *t;
	pthread_t thread;
	int fd;
	uint32_t flags;
	struct ibv_mr *mr; /* to be deregistered, or NULL and then that of the registration */
	int err;
};

static void *register_or_deregister(void *arg)
{
	struct call *c = arg;

	if (c->mr) {
		c->err = ibv_dereg_mr(c->mr);
	} else {
		c->mr = try_register_part(c->t, c->fd, 0, SIZE, 0, c->flags);
		c->err = c->mr ? 0 : errno;
	}
	return NULL;
}

static void start(struct call *c)
{
	assert_int_equal(pthread_create(&c->thread, NULL, register_or_deregister, c), 0);
}

static void finish(struct call *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
}

/* The call is where the driver has the region and the device does not; the memory goes. */
static void take_back_in_pause(struct call *c)
{
	OK(edu_set("pause", "1"));
	start(c);
	wait_until(hardware_counters(c->t).paused);
	assert_int_equal(hardware_counters(c->t).keys, 0);
	take_back(c->t, c->fd);
	OK(edu_set("pause", "0"));
	finish(c);
}

static void *take_back_at_once(void *arg)
{
	struct dmabuf_test_revoke result;
	struct call *c = arg;

	exporter_revoke(c->t->s.dev, c->fd, 5000, &result);
	return NULL;
}

/* The device is about to execute the command of the call, and the exporter waits. */
static void take_back_in_command(struct call *c, enum edu_ib_command command)
{
	pthread_t exporter;

	OK(edu_set_number("hang", 1 << command));
	start(c);
	wait_until(hardware_counters(c->t).hanging);
	assert_int_equal(pthread_create(&exporter, NULL, take_back_at_once, c), 0);
	/* Until it waits. If it comes later, the test shows less. */
	sleep_ms(300);
	OK(edu_set("hang", "0"));
	finish(c);
	assert_int_equal(pthread_join(exporter, NULL), 0);
}

static int create_revoking(struct test *t)
{
	return create(&t->s, DMABUF_TEST_REVOKING, SIZE);
}

/* The device has lost nothing but what was revoked. */
static void check_fit(struct test *t, const struct edu_ib_counters *before)
{
	struct edu_ib_counters now = hardware_counters(t);
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct ibv_mr *mr = register_part(t, fd, 0, SIZE, 0, 0);
	uint8_t byte = 0x42;

	assert_int_equal(now.stops, before->stops);
	assert_int_equal(now.bus_master, 1);
	OK(edu_write(t->edu, mr->lkey, 0, &byte, 1));
	assert_all(&t->s, fd, 0, 0, 1, byte);
	OK(ibv_dereg_mr(mr));
	close(fd);
}

static void check_windows(struct test *t, uint32_t flags)
{
	struct edu_ib_counters before = hardware_counters(t);
	struct call c = { .t = t, .flags = flags };

	/* Before the device has it */
	c.fd = create_revoking(t);
	take_back_in_pause(&c);
	assert_null(c.mr);
	assert_errno(c.err, ENODEV, "registration");
	assert_int_equal(hardware_counters(t).callbacks, before.callbacks);
	assert_idle(&t->s, c.fd);
	close(c.fd);
	check_fit(t, &before);

	/* After it has forgotten it */
	c.fd = create_revoking(t);
	c.mr = register_part(t, c.fd, 0, SIZE, 0, flags);
	take_back_in_pause(&c);
	assert_errno(c.err, 0, "deregistration");
	assert_int_equal(hardware_counters(t).callbacks, before.callbacks);
	assert_idle(&t->s, c.fd);
	close(c.fd);
	check_fit(t, &before);
}

static void test_windows(void **state)
{
	check_windows(*state, ALLOW_REVOKE);
	check_windows(*state, 0);
}

static void test_windows_of_a_device_that_cannot_revoke(void **state)
{
	OK(edu_set("allow_revoke", "0"));
	importer_rebind(*state);
	check_windows(*state, 0);
}

static void test_commands(void **state)
{
	struct test *t = *state;
	struct edu_ib_counters before = hardware_counters(t);
	struct call c = { .t = t, .flags = ALLOW_REVOKE };

	/* It is registered, and then revoked. */
	c.fd = create_revoking(t);
	take_back_in_command(&c, EDU_IB_REG);
	assert_errno(c.err, 0, "registration");
	assert_int_equal(hardware_counters(t).callbacks, before.callbacks + 1);
	check_refused(t, c.mr, 0, SIZE, EFAULT);
	assert_all(&t->s, c.fd, 0, 0, SIZE, POISON);
	OK(ibv_dereg_mr(c.mr));
	close(c.fd);
	check_fit(t, &before);

	/* It is deregistered, and nothing is left to revoke. */
	c.fd = create_revoking(t);
	c.mr = register_part(t, c.fd, 0, SIZE, 0, ALLOW_REVOKE);
	take_back_in_command(&c, EDU_IB_DEREG);
	assert_errno(c.err, 0, "deregistration");
	assert_int_equal(hardware_counters(t).callbacks, before.callbacks + 1);
	assert_idle(&t->s, c.fd);
	close(c.fd);
	check_fit(t, &before);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_windows),
		REBIND_TEST(test_windows_of_a_device_that_cannot_revoke),
		IMPORTER_TEST(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
