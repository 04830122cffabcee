// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz [--seconds N] [--seed S] [--corpus FILE] [--save DIRECTORY]
 *
 * Random calls (tests/integration/fuzzer.h) of some threads to rxe and, if its module
 * is loaded, to QEMU's edu. On a kernel with kcov, programs that reached code for the
 * first time are kept, changed and run again. --corpus: such programs of a run before.
 * --save: what was kept, and which code was reached, is in that directory at the end.
 * Prints what it counted.
 */
#include <getopt.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "corpus.h"
#include "coverage.h"
#include "edu.h"
#include "fault.h"
#include "fixture.h"
#include "fuzzer.h"
#include "kcov.h"
#include "leak_check.h"
#include "parameter.h"
#include "rdma_cgroup.h"
#include "test.h"

/* More than CPUs: some wait. */
#define THREADS 6

static struct {
	double seconds;
	uint64_t seed;
	const char *corpus;
	const char *save;
} options = { .seconds = 10 };

static bool have_kcov;
static bool have_cgroup;
static double end;

struct thread {
	pthread_t id;
	struct fuzzer fuzzer;
	struct fuzz_random random; /* of the programs */
	struct program program;
	struct kcov kcov;
};

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void one_call(struct thread *t, unsigned int i, uint32_t *keep)
{
	const uint64_t *pcs;
	uint64_t num;

	if (!have_kcov) {
		fuzzer_call(&t->fuzzer, &t->program.calls[i]);
		return;
	}
	kcov_start(&t->kcov);
	fuzzer_call(&t->fuzzer, &t->program.calls[i]);
	num = kcov_read(&t->kcov, &pcs);
	if (coverage_add(pcs, num))
		*keep = i + 1;
}

/* Up to the last call that reached something new it is worth to be kept. */
static void one_program(struct thread *t)
{
	uint32_t keep = 0;
	unsigned int i;

	if (fuzz_one_in(&t->random, 3))
		program_fresh(&t->program, &t->random);
	else
		program_mutated(&t->program, &t->random);
	fuzzer_begin(&t->fuzzer, &t->program.begin);
	for (i = 0; i < t->program.num && !t->fuzzer.complaint[0]; i++)
		one_call(t, i, &keep);
	fuzzer_end(&t->fuzzer);
	if (!keep)
		return;
	t->program.num = keep;
	corpus_add(&t->program);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	if (have_kcov)
		kcov_open(&t->kcov);
	while (seconds() < end && !t->fuzzer.complaint[0])
		one_program(t);
	if (have_kcov)
		kcov_close(&t->kcov);
	return NULL;
}

/* A device that was stopped is as new only after a reset. */
static int replace_edu(void)
{
	return edu_unbind() ?: edu_reset_parameters() ?: edu_reset_function() ?: edu_bind();
}

/*
 * Registrations and revocations fail, or hang. Deregistrations do not, however busy the
 * machine is: ib_core warns if an object cannot be destroyed while its device is removed, or
 * when what was created cannot be told to user space.
 */
static int damage_edu(unsigned int way)
{
	const unsigned int commands = way % (1 << EDU_IB_DEREG);
	int err;

	way >>= EDU_IB_DEREG;
	err = edu_set_number("stop_op", way % 4) ?: edu_set_number("skip", way / 4 % 2);
	if (err || way / 8 % 2)
		return err ?: edu_set_number("fail", commands);
	return edu_set_number("command_limit", 500) ?: edu_set_number("hang", commands);
}

static const struct fuzz_device_ops edu_ops = { .replace = replace_edu, .damage = damage_edu };

static void setup(struct fuzz_target *target)
{
	int edu = edu_open();

	fuzz_target_setup(target);
	if (have_cgroup)
		target->cgroup = CGROUP_A;
	fuzz_target_add_device(target, DEVICE, NULL);
	if (edu < 0)
		return;
	close(edu);
	fuzz_target_add_device(target, EDU_IB_VERBS_DEVICE, &edu_ops);
}

/*
 * The limit of locked memory holds for those without it. Before a device is opened, as the
 * write() interface wants the same credentials ever after.
 */
static void drop_privilege(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~(1 << CAP_IPC_LOCK);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void save(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/corpus", options.save);
	assert_int_equal(corpus_save(path), 0);
	snprintf(path, sizeof(path), "%s/reached", options.save);
	coverage_save(path);
}

static int fuzz(void)
{
	static struct thread threads[THREADS];
	struct fuzzer fuzzers[THREADS];
	unsigned long calls = 0, faults = 0;
	const bool with_faults = faults_available();
	struct fuzz_target target;
	unsigned int i;
	int status = 0;

	if (with_faults)
		faults_setup();
	setup(&target);
	for (i = 0; i < THREADS; i++) {
		threads[i].random.state = ~options.seed - i;
		fuzzer_init(&threads[i].fuzzer, &target, options.seed + i, with_faults);
	}
	end = seconds() + options.seconds;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i].id, NULL, thread_main, &threads[i]), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		fuzzers[i] = threads[i].fuzzer;
		fuzzer_destroy(&threads[i].fuzzer);
		calls += fuzzers[i].calls;
		faults += fuzzers[i].faults;
		if (fuzzers[i].complaint[0]) {
			print_error("soak-fuzz: %s\n", fuzzers[i].complaint);
			status = 1;
		}
	}
	fuzzers_print(fuzzers, THREADS);
	parameters_reset();
	fuzz_target_teardown(&target);
	if (have_kcov && options.save)
		save();
	printf("count fuzzed_calls %lu\n", calls);
	printf("count faults %lu\n", faults);
	printf("kept %u programs, reached %u places\n", corpus_size(), coverage_size());
	return status;
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "corpus", required_argument, NULL, 'c' },
		{ "save", required_argument, NULL, 'o' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 's':
			options.seconds = atof(optarg);
			break;
		case 'S':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			options.corpus = optarg;
			break;
		case 'o':
			options.save = optarg;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct usage before;
	int status, err;

	parse_options(argc, argv);
	have_kcov = kcov_available();
	if (options.corpus) {
		err = corpus_load(options.corpus);
		if (err && err != ENOENT) {
			fprintf(stderr, "%s: %s\n", options.corpus, strerror(err));
			return 2;
		}
	}
	usage_read(&before);
	have_cgroup = !rdma_cgroup_setup() && rdma_cgroup_counts_dmabufs();
	if (have_cgroup) {
		rdma_cgroup_create();
		assert_errno(rdma_cgroup_join(CGROUP_A), 0, "cgroup");
	}
	if (options.seed & 1)
		drop_privilege();
	status = fuzz();
	if (have_cgroup && rdma_cgroup_remove()) {
		print_error("soak-fuzz: the rdma cgroup is still charged\n");
		status = 1;
	}
	return usage_compare(&before, "after all calls") || status;
}
