// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Threads that register, deregister, close and transfer at the same time.
 * Threads do not fail a test, they return what went wrong.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "area.h"
#include "fixture.h"
#include "test.h"

#define THREADS 4

/* What a thread has to say in the end; empty if nothing */
struct job {
	struct fixture *f;
	struct dmabuf *buf;
	unsigned int number;
	unsigned int rounds;
	atomic_bool *stop;
	char complaint[160];
};

#define complain(job, ...) snprintf((job)->complaint, sizeof((job)->complaint), __VA_ARGS__)

static void run_threads(struct job *jobs, size_t num, void *(*body)(void *))
{
	pthread_t threads[THREADS];
	size_t i;

	assert_true(num <= THREADS);
	for (i = 0; i < num; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, body, &jobs[i]), 0);
	for (i = 0; i < num; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < num; i++)
		if (jobs[i].complaint[0])
			fail_msg("thread %zu: %s", i, jobs[i].complaint);
}

/* A slice that depends on thread and round, and what the kernel says about it. */
static bool register_slice(struct job *job, unsigned int round)
{
	uint64_t pages = job->buf->size / PAGE;
	uint64_t first = (round * 7 + job->number * 13) % pages;
	uint64_t length = (pages - first) * PAGE - job->number;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;
	int err;

	mr = ibv_reg_dmabuf_mr_pinned(job->f->pd, first * PAGE, length, first * PAGE, job->buf->fd,
				      ACCESS_ALL, 0);
	if (!mr) {
		complain(job, "registration in round %u: %s", round, strerrorname(errno));
		return false;
	}
	err = ibv_ext_query_dmabuf_mr(mr, &info);
	if (err)
		complain(job, "query in round %u: %s", round, strerrorname(err));
	else if (info.offset != first * PAGE || info.length != length ||
		 info.charged != job->buf->size || info.state != IBV_EXT_DMABUF_STATE_LIVE)
		complain(job, "wrong answer in round %u", round);
	err = ibv_dereg_mr(mr);
	if (err)
		complain(job, "deregistration in round %u: %s", round, strerrorname(err));
	return !job->complaint[0];
}

static void *register_slices(void *arg)
{
	struct job *job = arg;
	unsigned int round;

	for (round = 0; round < job->rounds; round++)
		if (!register_slice(job, round))
			break;
	return NULL;
}

static void one_buffer(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 16 * PAGE);
	struct job jobs[THREADS] = {};
	struct usage before;
	unsigned int i;

	usage_read(&before);
	for (i = 0; i < THREADS; i++)
		jobs[i] = (struct job){ .f = f, .buf = buf, .number = i, .rounds = 400 };
	run_threads(jobs, THREADS, register_slices);
	assert_usage(&before, "after the threads");
}

/* The last region goes and a first one comes all the time, slowly. */
static void one_large_buffer(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, 16 * MIB);
	struct job jobs[THREADS] = {};
	struct usage before;
	unsigned int i;

	usage_read(&before);
	for (i = 0; i < THREADS; i++)
		jobs[i] = (struct job){ .f = f, .buf = buf, .number = i, .rounds = 60 };
	run_threads(jobs, THREADS, register_slices);
	assert_usage(&before, "after the threads");
}

static void different_buffers(void **state)
{
	struct fixture *f = *state;
	struct job jobs[THREADS] = {};
	struct usage before;
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		fixture_buffer(f, i % 2 ? SYSTEM_HEAP : UDMABUF, (4 + i) * PAGE);
	usage_read(&before);
	for (i = 0; i < THREADS; i++)
		jobs[i] = (struct job){ .f = f, .buf = &f->buffers[i], .number = i, .rounds = 300 };
	run_threads(jobs, THREADS, register_slices);
	assert_usage(&before, "after the threads");
}

/* A thread opens and closes what the others register. */
struct descriptor_race {
	struct fixture *f;
	struct dmabuf *buf;
	atomic_int fd;
	atomic_bool stop;
	unsigned int closed;
};

static void *open_and_close(void *arg)
{
	struct descriptor_race *race = arg;

	while (!atomic_load(&race->stop)) {
		int fd = dup(race->buf->fd);

		atomic_store(&race->fd, fd);
		if (race->closed % 4)
			sched_yield();
		close(fd);
		race->closed++;
	}
	return NULL;
}

static void registration_against_close(void **state)
{
	struct fixture *f = *state;
	struct descriptor_race race = {
		.f = f,
		.buf = fixture_buffer(f, UDMABUF, 4 * PAGE),
		.fd = -1,
	};
	unsigned int round, registered = 0;
	struct usage before;
	pthread_t closer;

	usage_read(&before);
	assert_int_equal(pthread_create(&closer, NULL, open_and_close, &race), 0);
	for (round = 0; round < 1500; round++) {
		struct ibv_mr *mr;

		mr = ibv_reg_dmabuf_mr_pinned(f->pd, 0, 4 * PAGE, 0, atomic_load(&race.fd),
					      ACCESS_ALL, 0);
		if (mr) {
			registered++;
			if (ibv_dereg_mr(mr))
				break;
		} else if (errno != EBADF) {
			break;
		}
	}
	atomic_store(&race.stop, true);
	pthread_join(closer, NULL);
	if (round < 1500)
		fail_msg("in round %u: %s", round, strerrorname(errno));
	print_message("registered %u of %u times, %u descriptors closed\n", registered, round,
		      race.closed);
	assert_true(registered > 0);
	assert_true(race.closed > 0);
	assert_usage(&before, "after the race");
}

/* Regions come and go, until told to stop. */
static void *come_and_go(void *arg)
{
	struct job *job = arg;
	unsigned int round;

	for (round = 0; !atomic_load(job->stop); round++)
		if (!register_slice(job, round))
			break;
	job->rounds = round;
	return NULL;
}

static void traffic_among_registrations(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 32 * PAGE);
	struct dmabuf *source = fixture_buffer(f, SYSTEM_HEAP, 32 * PAGE);
	struct rc_pair *pair = fixture_pair(f);
	struct area area, data;
	struct ibv_mr *from, *to;
	struct job jobs[2] = {};
	pthread_t threads[2];
	atomic_bool stop = false;
	unsigned int i;

	area_init(&area, buf, 1);
	area_init(&data, source, 2);
	from = register_all(f->pd, source);
	to = register_all(f->pd, buf);
	for (i = 0; i < 2; i++) {
		jobs[i] =
			(struct job){ .f = f, .buf = i ? source : buf, .number = i, .stop = &stop };
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &jobs[i]), 0);
	}
	for (i = 0; i < 150; i++) {
		uint32_t length = 1 + i * 631 % (16 * PAGE);
		uint64_t at = i * 4099 % (32 * PAGE - length);
		int status;

		status = rc_write(
			pair, (struct rc_bytes){ .addr = at, .length = length, .key = from->lkey },
			at, to->rkey);
		if (status != IBV_WC_SUCCESS)
			break;
		area_expect_copy(&area, at, &data, at, length);
	}
	atomic_store(&stop, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(i, 150);
	assert_string_equal(jobs[0].complaint, "");
	assert_string_equal(jobs[1].complaint, "");
	area_check(&area, "writes among registrations");
	area_check(&data, "source of the writes");
	print_message("%u and %u regions came and went\n", jobs[0].rounds, jobs[1].rounds);
	deregister(from);
	deregister(to);
	area_free(&area);
	area_free(&data);
}

/* A region is deregistered while data flows through it. */
static void *deregister_soon(void *arg)
{
	struct ibv_mr *mr = arg;

	usleep(3000);
	return (void *)(intptr_t)ibv_dereg_mr(mr);
}

static void deregistration_under_traffic(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, MIB);
	struct dmabuf *source = fixture_buffer(f, UDMABUF, MIB);
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *from, *to;
	unsigned int round;
	pthread_t thread;
	uint32_t rkey;
	int status;
	void *err;

	from = register_all(f->pd, source);
	for (round = 0; round < 10; round++) {
		to = register_all(f->pd, buf);
		rkey = to->rkey;
		assert_int_equal(pthread_create(&thread, NULL, deregister_soon, to), 0);
		do {
			status = rc_write(pair,
					  (struct rc_bytes){ .length = MIB, .key = from->lkey }, 0,
					  rkey);
		} while (status == IBV_WC_SUCCESS);
		pthread_join(thread, &err);
		assert_null(err);
		assert_int_equal(status, IBV_WC_REM_ACCESS_ERR);
		assert_errno(rc_pair_reset(pair), 0, "connecting again");
	}
	deregister(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_buffer),
		TEST(one_large_buffer),
		TEST(different_buffers),
		TEST(registration_against_close),
		TEST(traffic_among_registrations),
		TEST(deregistration_under_traffic),
	};

	return cmocka_run_group_tests_name("concurrency", tests, NULL, NULL);
}
