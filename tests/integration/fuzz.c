// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Random calls, see fuzzer.h. The kernel has to survive them, to answer with errno
 * values that user space knows, to write where it was told and nowhere else, and to
 * leave nothing behind. On a kernel with fault injection some of the calls also find
 * no memory.
 *
 * TEST_SEED=... repeats a run, as far as the order of two threads lets it.
 * TEST_SLOW=1 makes many more calls; tests/soak makes millions.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "fixture.h"
#include "fuzzer.h"
#include "parameter.h"
#include "raw_ioctl.h"
#include "test.h"

#define THREADS 2
#define PROGRAM 100 /* calls */

static uint64_t seed;
static unsigned int calls = 10000; /* of each thread */
static bool with_faults;

static void *fuzz(void *arg)
{
	struct fuzzer *f = arg;
	unsigned int i;

	while (f->calls < calls && !f->complaint[0]) {
		fuzzer_begin(f, NULL);
		for (i = 0; i < PROGRAM && !f->complaint[0]; i++)
			fuzzer_call(f, NULL);
		fuzzer_end(f);
	}
	return NULL;
}

/* Or else it does not reach what it should. */
static void assert_both(const struct fuzzer *fuzzers, unsigned int num)
{
	unsigned int operation, i;

	for (operation = 0; operation <= REGISTER_BY_WRITE; operation++) {
		unsigned long done = 0, succeeded = 0;

		for (i = 0; i < num; i++) {
			done += fuzzers[i].done[operation];
			succeeded += fuzzers[i].succeeded[operation];
		}
		if (!succeeded || succeeded == done)
			fail_msg("%s: %lu of %lu calls succeeded", fuzz_operation_name(operation),
				 succeeded, done);
	}
}

static void fuzz_by(struct fixture *fixture, unsigned int num)
{
	struct fuzzer fuzzers[THREADS];
	pthread_t threads[THREADS];
	struct fuzz_target target;
	unsigned int i;

	fuzz_target_setup(&target);
	fuzz_target_add_device(&target, DEVICE, NULL);
	for (i = 0; i < num; i++)
		fuzzer_init(&fuzzers[i], &target, seed + i, with_faults);
	for (i = 0; i < num; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fuzz, &fuzzers[i]), 0);
	for (i = 0; i < num; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	fuzzers_print(fuzzers, num);
	for (i = 0; i < num; i++) {
		fuzzer_destroy(&fuzzers[i]);
		if (fuzzers[i].complaint[0])
			fail_msg("thread %u, call %lu: %s", i, fuzzers[i].calls,
				 fuzzers[i].complaint);
		if (with_faults)
			print_message("thread %u: %lu faults\n", i, fuzzers[i].faults);
	}
	assert_both(fuzzers, num);
	fuzz_target_teardown(&target);
	/* All is as ever. What is left behind, the fixture tells. */
	deregister(register_all(fixture->pd, fixture_buffer(fixture, UDMABUF, 16 * PAGE)));
}

static void one_thread(void **state)
{
	fuzz_by(*state, 1);
}

static void two_threads(void **state)
{
	fuzz_by(*state, THREADS);
}

/*
 * Random calls found that the kernel refuses a second context, but keeps a reference to
 * the process that asked. Only kmemleak sees that, and it misses a process that something
 * old still points to. So there are several.
 */
static void second_context(void **state)
{
	struct fixture *f = *state;
	int i, status;
	pid_t pid;

	for (i = 0; i < 16; i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			_exit(raw_get_context(f->context->cmd_fd));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_errno(WEXITSTATUS(status), EINVAL, "a second context");
	}
}

static int group_setup(void **state)
{
	const char *text = getenv("TEST_SEED");

	(void)state;
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) << 16 ^ getpid();
	if (getenv("TEST_SLOW"))
		calls *= 10;
	with_faults = faults_available();
	if (with_faults)
		faults_setup();
	print_message("TEST_SEED=%#" PRIx64 "\n", seed);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	parameters_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_thread),
		TEST(two_threads),
		TEST(second_context),
	};

	return cmocka_run_group_tests_name("fuzz", tests, group_setup, group_teardown);
}
