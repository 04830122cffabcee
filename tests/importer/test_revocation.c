// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The exporter takes the memory back, and the device stops.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "importer.h"
#include "raw_ioctl.h"

#define SIZE (16 * PAGE)
#define REGIONS 3

static int create_revoking(struct test *t, enum dmabuf_test_memory memory)
{
	return create_args(&t->s, (struct dmabuf_test_create){
					  .mode = DMABUF_TEST_REVOKING,
					  .memory = memory,
					  .size = SIZE,
					  .segment = PAGE,
				  });
}

static void check_revoke(struct test *t, enum dmabuf_test_memory memory)
{
	struct ibv_ext_dmabuf_event_channel *channel =
		ibv_ext_create_dmabuf_event_channel(t->context);
	uint32_t callbacks = hardware_counters(t).callbacks;
	int fd = create_revoking(t, memory), other, i;
	struct ibv_mr *mrs[REGIONS], *next;
	uint8_t byte = 0x42;

	assert_non_null(channel);
	for (i = 0; i < REGIONS; i++) {
		mrs[i] = register_part(t, fd, i * PAGE, SIZE - 2 * i * PAGE, 0, ALLOW_REVOKE);
		assert_true(mr_info(mrs[i]).flags & IBV_EXT_DMABUF_MR_REVOCABLE);
	}
	OK(ibv_ext_watch_dmabuf_mr(mrs[1], channel, &byte));
	OK(edu_write(t->edu, mrs[0]->lkey, 5, &byte, 1));

	take_back(t, fd);
	assert_int_equal(hardware_counters(t).callbacks, callbacks + REGIONS);
	for (i = 0; i < REGIONS; i++) {
		assert_true(hardware_info(t, mrs[i]).revoked);
		assert_int_equal(mr_info(mrs[i]).state, IBV_EXT_DMABUF_STATE_REVOKED);
		check_refused(t, mrs[i], 0, SIZE - 2 * i * PAGE, EFAULT);
	}
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	expect_event(channel, &byte);
	assert_users(t, fd, 1, 0);
	assert_int_equal(mr_info(mrs[0]).charged, 0);

	/* Again, which means nothing to those who know already */
	take_back(t, fd);
	assert_int_equal(hardware_counters(t).callbacks, callbacks + REGIONS);
	assert_int_equal(hardware_counters(t).bus_master, 1);

	/* The keys stay taken. The device is fit for other memory. */
	other = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	next = register_part(t, other, 0, SIZE, 0, ALLOW_REVOKE);
	for (i = 0; i < REGIONS; i++)
		assert_int_not_equal(next->lkey, mrs[i]->lkey);
	OK(edu_write(t->edu, next->lkey, SIZE - 1, &byte, 1));
	assert_all(&t->s, other, 0, SIZE - 1, 1, byte);
	OK(ibv_dereg_mr(next));
	close(other);

	/* Nor can it be had again. */
	assert_null(try_register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE));
	assert_errno(errno, ENODEV, "registration of what was revoked");

	for (i = 0; i < REGIONS; i++)
		OK(ibv_dereg_mr(mrs[i]));
	/* An owner who lets go does not revoke. */
	assert_int_equal(hardware_counters(t).callbacks, callbacks + REGIONS);
	assert_idle(&t->s, fd);
	OK(ibv_ext_destroy_dmabuf_event_channel(channel));
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	close(fd);
}

static void test_revoke(void **state)
{
	check_revoke(*state, DMABUF_TEST_SYSTEM);
}

static void test_revoke_device_memory(void **state)
{
	struct test *t = *state;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	check_revoke(t, DMABUF_TEST_DEVICE_MEMORY);
}

/* Without a word of consent it is the same: the memory is gone, so access ends. */
static void test_without_consent(void **state)
{
	struct test *t = *state;
	struct ibv_mr *mr;
	int fd;

	if (needs_consent(DMABUF_TEST_REVOKING))
		skip_because("this kernel's exporters refuse regions that they cannot revoke");
	fd = create_revoking(t, DMABUF_TEST_SYSTEM);
	mr = register_part(t, fd, 0, SIZE, 0, 0);
	assert_false(mr_info(mr).flags & IBV_EXT_DMABUF_MR_REVOCABLE);
	take_back(t, fd);
	check_refused(t, mr, 0, SIZE, EFAULT);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	assert_int_equal(hardware_counters(t).bus_master, 1);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

/* An exporter that moves what is pinned breaks its word; the old place is not written to. */
static void test_forced_move(void **state)
{
	struct test *t = *state;
	int fd = create_args(&t->s, (struct dmabuf_test_create){ .mode = DMABUF_TEST_DYNAMIC,
								 .size = SIZE });
	struct ibv_mr *mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);

	FAILS(exporter_move(t->s.dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(exporter_force_move(t->s.dev, fd, DMABUF_TEST_SYSTEM));
	check_refused(t, mr, 0, SIZE, EFAULT);
	assert_all(&t->s, fd, 1, 0, SIZE, POISON);
	assert_all(&t->s, fd, 0, 0, SIZE, 0);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

struct writer {
	struct test *t;
	uint32_t key;
	int err;
};

static void *write_all(void *arg)
{
	static uint8_t bytes[SIZE];
	struct writer *w = arg;

	memset(bytes, 0x11, SIZE);
	w->err = edu_write(w->t->edu, w->key, 0, bytes, SIZE);
	return NULL;
}

/* What is under way ends before the exporter has the memory back. */
static void test_revoke_under_dma(void **state)
{
	struct test *t = *state;
	int fd, round;

	for (round = 0; round < 5; round++) {
		struct writer w = { .t = t };
		struct ibv_mr *mr;
		pthread_t thread;

		fd = create_revoking(t, DMABUF_TEST_SYSTEM);
		mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
		w.key = mr->lkey;
		assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
		/* At any time of a transfer, of which each takes 200 ms. */
		sleep_ms(300 + 47 * round);
		take_back(t, fd);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_errno(w.err, EFAULT, "the write");
		assert_all(&t->s, fd, 0, 0, SIZE, POISON);
		OK(ibv_dereg_mr(mr));
		assert_idle(&t->s, fd);
		close(fd);
	}
}

struct revoker {
	struct test *t;
	int fd;
};

static void *revoke_at_once(void *arg)
{
	struct dmabuf_test_revoke result;
	struct revoker *r = arg;

	exporter_revoke(r->t->s.dev, r->fd, 5000, &result);
	return NULL;
}

/* Either there is no region, or there is one that is dead. */
static void test_revoke_while_registering(void **state)
{
	struct test *t = *state;
	unsigned int made = 0, refused = 0;
	int round;

	for (round = 0; round < 200; round++) {
		struct revoker r = { .t = t, .fd = create_revoking(t, DMABUF_TEST_SYSTEM) };
		struct ibv_mr *first = NULL, *mr;
		pthread_t thread;

		/* Half of them find a pin, and half make one. */
		if (round % 2)
			first = register_part(t, r.fd, 0, SIZE, 0, ALLOW_REVOKE);
		assert_int_equal(pthread_create(&thread, NULL, revoke_at_once, &r), 0);
		mr = try_register_part(t, r.fd, PAGE, PAGE, 0, ALLOW_REVOKE);
		if (!mr)
			assert_errno(errno, ENODEV, "registration");
		assert_int_equal(pthread_join(thread, NULL), 0);
		if (mr) {
			made++;
			assert_true(hardware_info(t, mr).revoked);
			OK(ibv_dereg_mr(mr));
		} else {
			refused++;
		}
		if (first)
			OK(ibv_dereg_mr(first));
		assert_idle(&t->s, r.fd);
		close(r.fd);
	}
	print_message("%u regions made before they were revoked, %u refused\n", made, refused);
}

/* The device goes while it has regions. */
static void test_removal(void **state)
{
	struct test *t = *state;
	int fd = create_revoking(t, DMABUF_TEST_SYSTEM);
	struct ibv_ext_dmabuf_mr_attr attr = { .length = SIZE, .fd = fd };
	struct ibv_ext_dmabuf_report report;
	struct ibv_mr *live = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	int gone = create_revoking(t, DMABUF_TEST_SYSTEM);
	struct ibv_mr *revoked = register_part(t, gone, 0, SIZE, 0, ALLOW_REVOKE);

	take_back(t, gone);
	OK(edu_unbind());
	assert_idle(&t->s, fd);
	assert_idle(&t->s, gone);
	assert_null(ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report));
	assert_errno(errno, EIO, "registration after the device has gone");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_REMOVED);
	OK(edu_bind());
	/* The library still has its part of them. */
	ibv_dereg_mr(live);
	ibv_dereg_mr(revoked);
	ibv_dealloc_pd(t->pd);
	ibv_close_device(t->context);
	close(t->edu);
	importer_open(t);

	live = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	check_refused(t, live, SIZE, 1, EACCES);
	OK(ibv_dereg_mr(live));
	close(gone);
	close(fd);
}

struct watcher {
	const struct ibv_context *context;
	bool refused;
	int err; /* that is neither of a handle nor of a device that there is not */
	atomic_bool done;
};

static void *watch_nothing(void *arg)
{
	struct watcher *w = arg;
	int err;

	while (!w->err && !(w->done && w->refused)) {
		err = raw_watch_dmabuf_mr(w->context->cmd_fd, UINT32_MAX, w->context->async_fd, 0);
		if (err == EIO)
			w->refused = true;
		else if (err != ENOENT)
			w->err = err;
	}
	return NULL;
}

/*
 * Calls that name a file, while the device goes. The files of the first context are done
 * with when the second's region still takes a while.
 */
static void test_calls_during_removal(void **state)
{
	struct test *t = *state, other = *t;
	int fd = create_revoking(t, DMABUF_TEST_SYSTEM);
	struct watcher w = { .context = t->context };
	struct ibv_mr *mr;
	pthread_t thread;

	importer_open(&other);
	mr = register_part(&other, fd, 0, SIZE, 0, ALLOW_REVOKE);
	OK(edu_set("delay", "0,0,300"));
	assert_int_equal(pthread_create(&thread, NULL, watch_nothing, &w), 0);
	OK(edu_unbind());
	w.done = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_errno(w.err, 0, "a call meanwhile");
	OK(edu_bind());
	ibv_dereg_mr(mr);
	importer_close(&other);
	importer_close(t);
	importer_open(t);
	close(fd);
}

/*
 * Only a revocation has to succeed at any price. A region that could not be
 * deregistered is still there for both.
 */
static void check_deregistration(struct test *t, const char *fault, int err)
{
	int fd = create_revoking(t, DMABUF_TEST_SYSTEM), other;
	struct ibv_mr *mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE), *next;
	struct edu_ib_counters before = hardware_counters(t), now;
	uint8_t byte = 0x42;

	OK(edu_set_number(fault, 1 << EDU_IB_DEREG));
	FAILS(ibv_dereg_mr(mr), err);
	now = hardware_counters(t);
	assert_int_equal(now.callbacks, before.callbacks);
	assert_int_equal(now.stops, before.stops);
	assert_int_equal(now.bus_master, 1);
	OK(edu_write(t->edu, mr->lkey, 0, &byte, 1));
	assert_all(&t->s, fd, 0, 0, 1, byte);

	/* The device goes on with other memory, and can still be told to stop access to this. */
	other = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	next = register_part(t, other, 0, SIZE, 0, ALLOW_REVOKE);
	OK(edu_write(t->edu, next->lkey, 0, &byte, 1));
	take_back(t, fd);
	now = hardware_counters(t);
	assert_int_equal(now.callbacks, before.callbacks + 1);
	assert_int_equal(now.stops, before.stops);
	check_refused(t, mr, 0, SIZE, EFAULT);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);

	OK(edu_set(fault, "0"));
	OK(ibv_dereg_mr(mr));
	OK(ibv_dereg_mr(next));
	assert_idle(&t->s, fd);
	close(other);
	close(fd);
}

static void test_failing_deregistration(void **state)
{
	check_deregistration(*state, "fail", EIO);
}

static void test_hanging_deregistration(void **state)
{
	OK(edu_set("command_limit", "1000"));
	check_deregistration(*state, "hang", ETIMEDOUT);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_revoke),
		IMPORTER_TEST(test_revoke_device_memory),
		IMPORTER_TEST(test_without_consent),
		IMPORTER_TEST(test_forced_move),
		IMPORTER_TEST(test_revoke_under_dma),
		IMPORTER_TEST(test_revoke_while_registering),
		IMPORTER_TEST(test_failing_deregistration),
		IMPORTER_TEST(test_hanging_deregistration),
		IMPORTER_TEST(test_removal),
		IMPORTER_TEST(test_calls_during_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
