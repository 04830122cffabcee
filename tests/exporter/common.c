// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "exporter.h"
#include "common.h"
#include "kernel.h"
#include "fixture.h"

const enum dmabuf_test_mode all_modes[NUM_MODES] = {
	DMABUF_TEST_STATIC,
	DMABUF_TEST_DYNAMIC,
	DMABUF_TEST_MIGRATING,
	DMABUF_TEST_REVOKING,
};

static const char *module;

int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*state = s;
	s->dev = exporter_open();
	s->importer = exporter_open();
	s->other = exporter_open();
	return s->dev < 0 || s->importer < 0 || s->other < 0;
}

int teardown(void **state)
{
	struct state *s = *state;

	close(s->other);
	close(s->importer);
	close(s->dev);
	free(s);
	return 0;
}

int setup_rdma(void **state)
{
	struct state *s;

	if (setup(state))
		return -1;
	s = *state;
	rdma_setup(&s->rdma, RDMA_TEST_SIZE);
	return 0;
}

int teardown_rdma(void **state)
{
	struct state *s = *state;

	rdma_teardown(&s->rdma);
	return teardown(state);
}

int create_args(struct state *s, struct dmabuf_test_create args)
{
	int fd;

	args.poison = POISON;
	fd = exporter_create(s->dev, &args);
	if (fd < 0)
		fail_msg("create: %s", strerrorname(errno));
	return fd;
}

int create(struct state *s, enum dmabuf_test_mode mode, size_t size)
{
	return create_args(s, (struct dmabuf_test_create){ .mode = mode, .size = size });
}

bool have_device_memory(struct state *s)
{
	struct dmabuf_test_create args = {
		.memory = DMABUF_TEST_DEVICE_MEMORY,
		.size = PAGE,
	};
	int fd = exporter_create(s->dev, &args);

	if (fd < 0)
		assert_errno(errno, ENODEV, "create in device memory");
	else
		close(fd);
	return fd >= 0;
}

/* The only image that is built from the series is that of the debug kernel. */
bool needs_consent(enum dmabuf_test_mode mode)
{
	return mode == DMABUF_TEST_REVOKING && kernel_pins_by_consent();
}

bool vmap_may_fail(void)
{
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	return strstr(name.release, "-rdma-debug");
}

struct dmabuf_test_counters counters(struct state *s, int fd)
{
	struct dmabuf_test_counters c;

	OK(exporter_counters(s->dev, fd, &c));
	return c;
}

struct dmabuf_test_importer importer(int dev)
{
	struct dmabuf_test_importer state;

	OK(exporter_importer(dev, &state));
	return state;
}

void assert_idle(struct state *s, int fd)
{
	struct dmabuf_test_counters c = counters(s, fd);

	assert_true(exporter_idle(&c));
}

void assert_held_as(struct state *s, int fd, const struct dmabuf_test_counters *before)
{
	struct dmabuf_test_counters now = counters(s, fd);
	int what;

	/* Each is followed by its opposite. */
	for (what = DMABUF_TEST_ATTACHES; what < DMABUF_TEST_CPU_BEGINS; what += 2)
		assert_int_equal(exporter_now(&now, what), exporter_now(before, what));
}

void assert_all(struct state *s, int fd, unsigned int age, uint64_t offset, size_t length,
		uint8_t value)
{
	struct exporter_difference difference;

	OK(exporter_check(s->dev, fd, age, offset, length, value, &difference));
	if (difference.any)
		fail_msg("byte %#" PRIx64 " is %#x, expected %#x", difference.offset,
			 difference.found, value);
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

void reload_module(void)
{
	OK(exporter_unload());
	assert_int_equal(exporter_open(), -1);
	OK(exporter_load(module));
}

int test_main(int argc, char **argv, int (*run)(void))
{
	int failed, err;

	if (argc != 2) {
		fprintf(stderr, "usage: %s MODULE-FILE\n", argv[0]);
		return 2;
	}
	module = argv[1];
	err = exporter_load(module);
	if (err) {
		fprintf(stderr, "%s: %s\n", module, strerror(err));
		return 1;
	}
	failed = run();
	err = exporter_unload();
	if (err)
		fprintf(stderr, "the module stays: %s\n", strerror(err));
	return failed || err;
}

double race_end(unsigned int duration)
{
	return seconds() + (getenv("TEST_SLOW") ? 10 : 1) * duration;
}
