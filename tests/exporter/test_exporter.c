// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The test exporter by itself, with its own small importer, and then with rxe.
 *
 * Usage: test_exporter MODULE-FILE
 *
 * A vmap that fails is not tested: the kernel warns of it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <infiniband/verbs_ext.h>

#include "exporter.h"
#include "fixture.h"
#include "rc_pair.h"
#include "test.h"

#define POISON 0x5a
#define DYNAMIC DMABUF_TEST_ATTACH_DYNAMIC
#define P2P (DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_P2P)
#define STUBBORN (DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_STUBBORN)

static const char *module;

#define OK(call) assert_errno(call, 0, #call)
#define FAILS(call, err) assert_errno(call, err, #call)

/* The device as the one that commands, another two times as importers */
struct state {
	int dev;
	int importer;
	int other;
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*state = s;
	s->dev = exporter_open();
	s->importer = exporter_open();
	s->other = exporter_open();
	return s->dev < 0 || s->importer < 0 || s->other < 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	close(s->other);
	close(s->importer);
	close(s->dev);
	free(s);
	return 0;
}

static int create_args(struct state *s, struct dmabuf_test_create args)
{
	int fd;

	args.poison = POISON;
	fd = exporter_create(s->dev, &args);
	if (fd < 0)
		fail_msg("create: %s", strerrorname(errno));
	return fd;
}

static int create(struct state *s, enum dmabuf_test_mode mode, size_t size)
{
	return create_args(s, (struct dmabuf_test_create){ .mode = mode, .size = size });
}

static bool have_device_memory(struct state *s)
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

static struct dmabuf_test_counters counters(struct state *s, int fd)
{
	struct dmabuf_test_counters c;

	OK(exporter_counters(s->dev, fd, &c));
	return c;
}

static struct dmabuf_test_importer importer(int dev)
{
	struct dmabuf_test_importer state;

	OK(exporter_importer(dev, &state));
	return state;
}

static void assert_idle(struct state *s, int fd)
{
	struct dmabuf_test_counters c = counters(s, fd);

	assert_true(exporter_idle(&c));
}

static void assert_all(struct state *s, int fd, unsigned int age, uint64_t offset, size_t length,
		       uint8_t value)
{
	struct exporter_difference difference;

	OK(exporter_check(s->dev, fd, age, offset, length, value, &difference));
	if (difference.any)
		fail_msg("byte %#" PRIx64 " is %#x, expected %#x", difference.offset,
			 difference.found, value);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *map_buffer(int fd, size_t size, int prot)
{
	void *map = mmap(NULL, size, prot, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Something to do at the same time */
struct background {
	pthread_t thread;
	int (*function)(int dev, int fd);
	int dev;
	int fd;
	unsigned int delay_ms;
	int err;
};

static void *background_main(void *arg)
{
	struct background *b = arg;

	sleep_ms(b->delay_ms);
	b->err = b->function(b->dev, b->fd);
	return NULL;
}

static void background_start(struct background *b)
{
	assert_int_equal(pthread_create(&b->thread, NULL, background_main, b), 0);
}

static int background_end(struct background *b)
{
	assert_int_equal(pthread_join(b->thread, NULL), 0);
	return b->err;
}

static int detach(int dev, int fd)
{
	(void)fd;
	return exporter_step(dev, DMABUF_TEST_STEP_DETACH);
}

static void test_arguments(void **state)
{
	static const struct dmabuf_test_create bad[] = {
		{ .size = 0 },
		{ .size = PAGE + 1 },
		{ .size = ~0UL & ~(PAGE - 1) },
		{ .size = PAGE, .mode = DMABUF_TEST_REVOKING + 1 },
		{ .size = PAGE, .memory = DMABUF_TEST_DEVICE_MEMORY + 1 },
		{ .size = PAGE, .flags = 1U << 31 },
		{ .size = PAGE, .poison = 256 },
		{ .size = PAGE, .segment = PAGE / 2 },
		{ .size = 3 * PAGE, .segment = 3 * PAGE },
		{ .size = PAGE, .flags = DMABUF_TEST_NO_PIN },
		{ .size = PAGE, .flags = DMABUF_TEST_KEEP_P2P },
	};
	struct exporter_difference difference;
	struct dmabuf_test_revoke result;
	struct state *s = *state;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(exporter_create(s->dev, &bad[i]), -1);
		assert_errno(errno, EINVAL, "create %zu", i);
	}

	FAILS(exporter_signal(s->dev, -1), EBADF);
	FAILS(exporter_signal(s->dev, s->dev), EINVAL);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), ENOTCONN);

	fd = create(s, DMABUF_TEST_STATIC, PAGE);
	FAILS(exporter_revoke(s->dev, fd, 0, &result), EOPNOTSUPP);
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EOPNOTSUPP);
	FAILS(exporter_unrevoke(s->dev, fd), EINVAL);
	FAILS(exporter_fill(s->dev, fd, 0, 1, PAGE, 0), EINVAL);
	FAILS(exporter_fill(s->dev, fd, 1, 0, PAGE, 0), ENOENT);
	FAILS(exporter_check(s->dev, fd, 0, ~0UL, 2, 0, &difference), EINVAL);
	FAILS(exporter_behave(s->dev, fd, DMABUF_TEST_OP_UNMAP, 1, EIO, 0), EINVAL);
	FAILS(exporter_behave(s->dev, fd, DMABUF_TEST_NUM_OPS, 1, EIO, 0), EINVAL);
	FAILS(exporter_behave(s->dev, fd, DMABUF_TEST_OP_MAP, 1, 4096, 0), EINVAL);
	FAILS(exporter_attach(s->importer, fd, DMABUF_TEST_ATTACH_P2P), EINVAL);
	close(fd);
}

static void check_memory(struct state *s, int fd, size_t size)
{
	volatile uint8_t *map = map_buffer(fd, size, PROT_READ | PROT_WRITE);

	assert_non_null(map);
	assert_all(s, fd, 0, 0, size, 0);
	OK(exporter_fill(s->dev, fd, 0, 3, PAGE, 0x77));
	assert_int_equal(map[2], 0);
	assert_int_equal(map[3], 0x77);
	assert_int_equal(map[PAGE + 2], 0x77);
	assert_int_equal(map[PAGE + 3], 0);
	map[size - 1] = 0x88;
	assert_all(s, fd, 0, size - 1, 1, 0x88);

	OK(exporter_attach(s->importer, fd, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	OK(exporter_poke(s->importer, size - PAGE - 1, PAGE, 0x99));
	assert_all(s, fd, 0, size - PAGE - 1, PAGE, 0x99);
	assert_int_equal(map[size - 1], 0x88);
	assert_int_equal(map[size - 2], 0x99);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	munmap((void *)map, size);
}

static void test_memory(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_STATIC, 5 * MIB + PAGE);

	assert_int_equal(lseek(fd, 0, SEEK_END), 5 * MIB + PAGE);
	check_memory(s, fd, 5 * MIB + PAGE);
	assert_idle(s, fd);
	close(fd);
}

static void test_read_only(void **state)
{
	struct state *s = *state;
	int fd = create_args(s, (struct dmabuf_test_create){
					.size = PAGE,
					.flags = DMABUF_TEST_READ_ONLY,
				});
	void *map;

	assert_null(map_buffer(fd, PAGE, PROT_READ | PROT_WRITE));
	assert_errno(errno, EACCES, "writable mapping");
	map = map_buffer(fd, PAGE, PROT_READ);
	assert_non_null(map);
	assert_int_equal(*(volatile char *)map, 0);
	munmap(map, PAGE);
	close(fd);
}

static void test_segments(void **state)
{
	struct state *s = *state;
	int fd = create_args(s, (struct dmabuf_test_create){
					.size = MIB + PAGE,
					.segment = 16 * PAGE,
				});
	struct dmabuf_test_importer imp;

	check_memory(s, fd, MIB + PAGE);
	OK(exporter_attach(s->importer, fd, 0));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	imp = importer(s->importer);
	assert_int_equal(imp.segments, 17);
	assert_int_equal(imp.bytes, MIB + PAGE);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

/* What is behind the counters of each kind of exporter and importer. */
static void test_static(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_STATIC, PAGE);
	struct dmabuf_test_counters c;

	OK(exporter_attach(s->importer, fd, 0));
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 0);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 1);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VUNMAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNMAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);

	/* There is no operation that could be called. */
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 0);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_pin_and_move(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_DYNAMIC, 2 * PAGE);
	volatile uint8_t *map = map_buffer(fd, 2 * PAGE, PROT_READ | PROT_WRITE);
	struct dmabuf_test_counters c;

	assert_non_null(map);
	map[1] = 0x11;
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_REFUSED_MOVES], 1);
	assert_int_equal(c.count[DMABUF_TEST_NOTIFIES], 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 1);

	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNPIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VUNMAP));
	OK(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	assert_int_equal(importer(s->importer).notified, 1);
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 1);
	assert_int_equal(c.old_memory, 1);

	/* The mapping follows, and writes no more to where it was. */
	assert_int_equal(map[1], 0x11);
	map[1] = 0x22;
	assert_all(s, fd, 0, 1, 1, 0x22);
	assert_all(s, fd, 1, 0, 2 * PAGE, POISON);
	OK(exporter_free_old(s->dev, fd));
	FAILS(exporter_fill(s->dev, fd, 1, 0, 1, 0), ENOENT);

	/* An importer that obeys has lost all; there is nothing to refuse then. */
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_force_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 0);
	assert_int_equal(importer(s->importer).mapped, 0);
	assert_int_equal(map[1], 0x22);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	munmap((void *)map, 2 * PAGE);
	close(fd);
}

/* An importer that keeps what it had writes to the old memory, and that shows. */
static void test_stubborn(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_DYNAMIC, 4 * PAGE);
	struct exporter_difference difference;

	OK(exporter_attach(s->importer, fd, STUBBORN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	OK(exporter_force_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	OK(exporter_poke(s->importer, PAGE + 7, 1, 0x33));
	assert_all(s, fd, 0, 0, 4 * PAGE, 0);
	OK(exporter_check(s->dev, fd, 1, 0, 4 * PAGE, POISON, &difference));
	assert_true(difference.any);
	assert_int_equal(difference.offset, PAGE + 7);
	assert_int_equal(difference.found, 0x33);
	OK(exporter_free_old(s->dev, fd));
	OK(exporter_poke(s->importer, 0, PAGE, 0x44));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_migrate(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_MIGRATING, 4 * PAGE);
	struct dmabuf_test_counters c;

	OK(exporter_fill(s->dev, fd, 0, 0, 4 * PAGE, 0x12));
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_attach(s->other, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	/* Whoever pins is told of the move, too. */
	assert_int_equal(importer(s->importer).notified, 1);
	assert_int_equal(importer(s->importer).pinned, 1);
	assert_int_equal(importer(s->other).notified, 1);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->other, DMABUF_TEST_STEP_PIN));
	assert_int_equal(importer(s->importer).notified, 1);
	assert_all(s, fd, 0, 0, 4 * PAGE, 0x12);
	assert_all(s, fd, 1, 0, 4 * PAGE, POISON);
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	OK(exporter_step(s->other, DMABUF_TEST_STEP_DETACH));

	/* The core pins for an importer that cannot be told. */
	OK(exporter_attach(s->importer, fd, 0));
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 1);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 2);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_migrate_later(void **state)
{
	struct state *s = *state;
	int fd = create_args(s, (struct dmabuf_test_create){
					.mode = DMABUF_TEST_MIGRATING,
					.size = 4 * PAGE,
					.move_delay_ms = DMABUF_TEST_NEVER,
				});

	OK(exporter_fill(s->dev, fd, 0, 0, 4 * PAGE, 0x12));
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	assert_all(s, fd, 0, 0, 4 * PAGE, POISON);
	assert_all(s, fd, 1, 0, 4 * PAGE, 0x12);
	OK(exporter_signal(s->dev, fd));
	assert_all(s, fd, 0, 0, 4 * PAGE, 0x12);
	assert_all(s, fd, 1, 0, 4 * PAGE, POISON);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	/* With the copy still to be made. */
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){
				    .mode = DMABUF_TEST_DYNAMIC,
				    .size = 4 * PAGE,
				    .move_delay_ms = 50,
			    });
	OK(exporter_fill(s->dev, fd, 0, 0, 4 * PAGE, 0x12));
	OK(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	/* The second waits for the first. */
	OK(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	/* A static importer waits for the fence inside its map. */
	OK(exporter_attach(s->importer, fd, 0));
	assert_all(s, fd, 0, 0, 4 * PAGE, 0x12);
	assert_all(s, fd, 1, 0, 4 * PAGE, POISON);
	assert_all(s, fd, 2, 0, 4 * PAGE, POISON);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	close(fd);
}

static void test_revoke(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_REVOKING, 4 * PAGE);
	struct dmabuf_test_revoke result;
	struct dmabuf_test_counters c;

	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EOPNOTSUPP);
	OK(exporter_revoke(s->dev, fd, 1000, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
	assert_true(result.notify_ns <= result.total_ns && result.total_ns < 1000000000);
	c = counters(s, fd);
	assert_int_equal(c.revoked, 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 0);
	assert_all(s, fd, 0, 0, 4 * PAGE, POISON);

	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_PIN), ENODEV);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), ENODEV);
	FAILS(exporter_attach(s->other, fd, DYNAMIC), ENODEV);

	OK(exporter_revoke(s->dev, fd, 1000, &result));
	assert_int_equal(importer(s->importer).notified, 2);
	OK(exporter_unrevoke(s->dev, fd));
	assert_int_equal(importer(s->importer).notified, 3);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_revoke_waits(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_REVOKING, 4 * PAGE);
	struct background unmap = {
		.function = detach,
		.dev = s->importer,
		.delay_ms = 100,
	};
	struct background signal = {
		.function = exporter_signal,
		.dev = s->dev,
		.fd = fd,
		.delay_ms = 100,
	};
	struct exporter_difference difference;
	struct dmabuf_test_revoke result;

	/* For mappings, as long as it was told to. */
	OK(exporter_attach(s->importer, fd, STUBBORN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	OK(exporter_revoke(s->dev, fd, 50, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED);
	assert_true(result.total_ns >= 50000000);
	assert_int_equal(result.pinned, 1);
	OK(exporter_poke(s->importer, 2 * PAGE, 1, 0x33));
	OK(exporter_check(s->dev, fd, 0, 0, 4 * PAGE, POISON, &difference));
	assert_true(difference.any);
	assert_int_equal(difference.offset, 2 * PAGE);

	background_start(&unmap);
	OK(exporter_revoke(s->dev, fd, 10000, &result));
	OK(background_end(&unmap));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_idle(s, fd);

	/* For fences. */
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	OK(exporter_revoke(s->dev, fd, 50, &result));
	assert_int_equal(result.result, DMABUF_TEST_UNMAPPED);
	background_start(&signal);
	OK(exporter_revoke(s->dev, fd, 10000, &result));
	OK(background_end(&signal));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);

	/* With a fence that nobody signals. */
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	close(fd);
}

static void test_revoke_without_pin(void **state)
{
	struct state *s = *state;
	int fd = create_args(s, (struct dmabuf_test_create){
					.mode = DMABUF_TEST_REVOKING,
					.size = PAGE,
					.flags = DMABUF_TEST_NO_PIN,
				});
	struct dmabuf_test_revoke result;
	struct dmabuf_test_counters c;

	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	/* Before 7.x dma-buf itself maps for a dynamic importer, until detach. */
	c = counters(s, fd);
	OK(exporter_revoke(s->dev, fd, 10, &result));
	if (exporter_now(&c, DMABUF_TEST_MAPS))
		assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 0);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void touch_in_child(volatile uint8_t *map, int expected_signal)
{
	int status, pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		map[0] = 0x55;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (expected_signal)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == expected_signal);
	else
		assert_true(WIFEXITED(status));
}

static void test_mapping_revoked(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_REVOKING, PAGE);
	volatile uint8_t *map = map_buffer(fd, PAGE, PROT_READ | PROT_WRITE);
	struct dmabuf_test_revoke result;

	assert_non_null(map);
	touch_in_child(map, 0);
	assert_int_equal(map[0], 0x55);
	OK(exporter_revoke(s->dev, fd, 1000, &result));
	touch_in_child(map, SIGBUS);
	assert_all(s, fd, 0, 0, PAGE, POISON);
	OK(exporter_unrevoke(s->dev, fd));
	touch_in_child(map, 0);
	munmap((void *)map, PAGE);
	close(fd);
}

static void test_refusals(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_DYNAMIC, PAGE);
	struct dmabuf_test_counters c;

	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_ATTACH, 2, ENXIO, 0));
	FAILS(exporter_attach(s->importer, fd, DYNAMIC), ENXIO);
	FAILS(exporter_attach(s->importer, fd, 0), ENXIO);
	OK(exporter_attach(s->importer, fd, DYNAMIC));

	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_PIN, DMABUF_TEST_ALWAYS, EXDEV, 0));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_PIN), EXDEV);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_PIN), EXDEV);
	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_PIN, 0, 0, 0));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));

	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_MAP, 1, ENOSPC, 0));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), ENOSPC);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));

	/* dma-buf itself maps for this one, and undoes the attachment. */
	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_MAP, 1, ENOSPC, 0));
	FAILS(exporter_attach(s->importer, fd, 0), ENOSPC);
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_INJECTED], 6);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 2);
	assert_idle(s, fd);
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){
				    .size = PAGE,
				    .mode = DMABUF_TEST_REVOKING,
				    .flags = DMABUF_TEST_REQUIRE_DYNAMIC,
			    });
	FAILS(exporter_attach(s->importer, fd, 0), EOPNOTSUPP);
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){
				    .size = PAGE,
				    .flags = DMABUF_TEST_REQUIRE_P2P,
			    });
	FAILS(exporter_attach(s->importer, fd, DYNAMIC), EOPNOTSUPP);
	OK(exporter_attach(s->importer, fd, P2P));
	assert_int_equal(importer(s->importer).peer2peer, 1);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){
				    .size = PAGE,
				    .flags = DMABUF_TEST_CLEAR_P2P | DMABUF_TEST_NO_VMAP,
			    });
	OK(exporter_attach(s->importer, fd, P2P));
	assert_int_equal(importer(s->importer).peer2peer, 0);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP), EINVAL);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void ignore_signal(int number)
{
	(void)number;
}

static void test_delays(void **state)
{
	static const struct {
		enum dmabuf_test_op op;
		enum dmabuf_test_step step;
	} ops[] = {
		{ DMABUF_TEST_OP_PIN, DMABUF_TEST_STEP_PIN },
		{ DMABUF_TEST_OP_MAP, DMABUF_TEST_STEP_MAP },
		{ DMABUF_TEST_OP_UNMAP, DMABUF_TEST_STEP_UNMAP },
		{ DMABUF_TEST_OP_VMAP, DMABUF_TEST_STEP_VMAP },
	};
	struct sigaction action = { .sa_handler = ignore_signal };
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_DYNAMIC, PAGE);
	struct dmabuf_test_counters c;
	double start = seconds();
	size_t i;

	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_ATTACH, 1, 0, 100));
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	assert_true(seconds() - start >= 0.1);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		start = seconds();
		OK(exporter_behave(s->dev, fd, ops[i].op, 1, 0, 100));
		OK(exporter_step(s->importer, ops[i].step));
		assert_true(seconds() - start >= 0.1);
	}
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_DELAYS], 5);
	assert_int_equal(c.count[DMABUF_TEST_INJECTED], 0);

	sigaction(SIGALRM, &action, NULL);
	start = seconds();
	OK(exporter_behave_interruptible(s->dev, fd, DMABUF_TEST_OP_MAP, 1, 0, 20000));
	alarm(1);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), EINTR);
	assert_true(seconds() - start < 10);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_fence(void **state)
{
	struct state *s = *state;
	int fd = create(s, DMABUF_TEST_STATIC, PAGE);
	struct background signal = {
		.function = exporter_signal,
		.dev = s->dev,
		.fd = fd,
		.delay_ms = 100,
	};
	double start;

	OK(exporter_attach(s->importer, fd, 0));
	start = seconds();
	OK(exporter_fence(s->dev, fd, 100));
	OK(exporter_fence(s->dev, fd, 200));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	assert_true(seconds() - start >= 0.2);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNMAP));

	/* Whoever maps waits with the reservation lock held. */
	OK(exporter_fence(s->dev, fd, DMABUF_TEST_NEVER));
	background_start(&signal);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(background_end(&signal));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	close(fd);
}

static void test_device_memory(void **state)
{
	struct dmabuf_test_create args = {
		.memory = DMABUF_TEST_DEVICE_MEMORY,
		.size = 64 * PAGE,
	};
	struct state *s = *state;
	struct dmabuf_test_importer imp;
	int fd, other;

	if (!have_device_memory(s))
		skip_because("no device with memory");

	fd = create_args(s, args);
	check_memory(s, fd, args.size);
	OK(exporter_attach(s->importer, fd, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	imp = importer(s->importer);
	assert_int_equal(imp.iomem, 1);
	assert_int_equal(imp.segments, 1);
	assert_int_equal(imp.struct_pages, 0);
	assert_int_equal(imp.bytes, args.size);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));

	OK(exporter_attach(s->importer, fd, 0));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), EPERM);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);

	/* What another one has is not given out twice, and zeroed when it is again. */
	other = create_args(s, args);
	OK(exporter_fill(s->dev, other, 0, 0, args.size, 0xff));
	assert_all(s, fd, 0, 0, 3, 0);
	close(other);
	args.size = 1UL << 40;
	assert_int_equal(exporter_create(s->dev, &args), -1);
	assert_errno(errno, ENOSPC, "create");

	args.size = 64 * PAGE;
	args.segment = 4 * PAGE;
	other = create_args(s, args);
	assert_all(s, other, 0, 0, args.size, 0);
	OK(exporter_attach(s->importer, other, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP), EINVAL);
	assert_int_equal(importer(s->importer).segments, 16);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	close(other);
	close(fd);
}

static void test_device_memory_migrates(void **state)
{
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_MIGRATING,
		.memory = DMABUF_TEST_DEVICE_MEMORY,
		.size = 16 * PAGE,
	};
	struct state *s = *state;
	volatile uint8_t *map;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");

	fd = create_args(s, args);
	map = map_buffer(fd, args.size, PROT_READ | PROT_WRITE);
	assert_non_null(map);
	map[PAGE] = 0x66;
	OK(exporter_attach(s->importer, fd, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	assert_int_equal(counters(s, fd).memory, DMABUF_TEST_SYSTEM);
	assert_int_equal(map[PAGE], 0x66);
	assert_all(s, fd, 1, 0, args.size, POISON);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNPIN));
	OK(exporter_move(s->dev, fd, DMABUF_TEST_DEVICE_MEMORY));
	assert_int_equal(counters(s, fd).memory, DMABUF_TEST_DEVICE_MEMORY);
	assert_int_equal(map[PAGE], 0x66);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	munmap((void *)map, args.size);
	close(fd);

	args.flags = DMABUF_TEST_KEEP_P2P;
	fd = create_args(s, args);
	OK(exporter_attach(s->importer, fd, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_PIN));
	assert_int_equal(counters(s, fd).memory, DMABUF_TEST_DEVICE_MEMORY);
	assert_int_equal(importer(s->importer).notified, 0);
	OK(exporter_attach(s->other, fd, DYNAMIC));
	FAILS(exporter_step(s->other, DMABUF_TEST_STEP_PIN), EINVAL);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_UNPIN));
	OK(exporter_step(s->other, DMABUF_TEST_STEP_PIN));
	assert_int_equal(counters(s, fd).memory, DMABUF_TEST_SYSTEM);
	OK(exporter_step(s->other, DMABUF_TEST_STEP_DETACH));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

static void test_unload(void **state)
{
	struct state s = {};
	int fd;

	(void)state;
	s.dev = exporter_open();
	assert_true(s.dev >= 0);
	fd = create(&s, DMABUF_TEST_DYNAMIC, PAGE);
	close(s.dev);
	FAILS(exporter_unload(), EAGAIN);
	close(fd);
	OK(exporter_unload());
	assert_int_equal(exporter_open(), -1);
	OK(exporter_load(module));
}

/* From here on with rxe. */

struct rdma {
	struct state *s;
	struct usage before;
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct rc_pair pair;
	size_t size;
	void *local;
	struct ibv_mr *local_mr;
};

static void rdma_setup(struct rdma *r, struct state *s, size_t size)
{
	r->s = s;
	r->size = size;
	usage_read(&r->before);
	r->context = open_device();
	if (!r->context)
		fail_msg("cannot open " DEVICE ": %s", strerror(errno));
	r->pd = ibv_alloc_pd(r->context);
	assert_non_null(r->pd);
	OK(rc_pair_create(&r->pair, r->pd));
	r->local = calloc(1, size);
	assert_non_null(r->local);
	r->local_mr = ibv_reg_mr(r->pd, r->local, size, ACCESS_ALL);
	assert_non_null(r->local_mr);
}

static void rdma_teardown(struct rdma *r)
{
	OK(ibv_dereg_mr(r->local_mr));
	free(r->local);
	rc_pair_destroy(&r->pair);
	OK(ibv_dealloc_pd(r->pd));
	OK(ibv_close_device(r->context));
	assert_usage(&r->before, "after the test");
}

static struct ibv_mr *rdma_register(struct rdma *r, int fd)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr_pinned(r->pd, 0, r->size, 0, fd, ACCESS_ALL, 0);

	if (!mr)
		fail_msg("registration: %s", strerrorname(errno));
	return mr;
}

static int rdma_write(struct rdma *r, struct ibv_mr *mr, uint8_t value)
{
	struct rc_bytes from = {
		.addr = (uintptr_t)r->local,
		.length = r->size,
		.key = r->local_mr->lkey,
	};

	memset(r->local, value, r->size);
	return rc_write(&r->pair, from, 0, mr->rkey);
}

static void test_rxe_registers(void **state)
{
	static const enum dmabuf_test_mode modes[] = {
		DMABUF_TEST_STATIC,
		DMABUF_TEST_DYNAMIC,
		DMABUF_TEST_MIGRATING,
		DMABUF_TEST_REVOKING,
	};
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct ibv_mr *mr;
	struct rdma r;
	size_t i;
	int fd;

	rdma_setup(&r, s, 3 * PAGE);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = create_args(s, (struct dmabuf_test_create){
					    .mode = modes[i],
					    .size = r.size,
					    .segment = PAGE,
					    .move_delay_ms = 50,
				    });
		OK(exporter_fill(s->dev, fd, 0, 0, r.size, 0x21));
		mr = rdma_register(&r, fd);
		/* The registration has waited for the copy. */
		assert_all(s, fd, 0, 0, r.size, 0x21);
		c = counters(s, fd);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS) > 0, i > 0);
		assert_int_equal(c.count[DMABUF_TEST_MOVES], modes[i] == DMABUF_TEST_MIGRATING);
		assert_int_equal(rdma_write(&r, mr, 0x40 + i), IBV_WC_SUCCESS);
		assert_all(s, fd, 0, 0, r.size, 0x40 + i);
		if (c.old_memory)
			assert_all(s, fd, 1, 0, r.size, POISON);
		OK(ibv_dereg_mr(mr));
		assert_idle(s, fd);
		close(fd);
	}
	rdma_teardown(&r);
}

static void test_rxe_refused(void **state)
{
	static const enum dmabuf_test_op ops[] = {
		DMABUF_TEST_OP_ATTACH,
		DMABUF_TEST_OP_PIN,
	};
	struct state *s = *state;
	struct ibv_mr *mr;
	struct rdma r;
	size_t i;
	int fd;

	rdma_setup(&r, s, PAGE);
	fd = create(s, DMABUF_TEST_DYNAMIC, r.size);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		OK(exporter_behave(s->dev, fd, ops[i], 1, EXDEV, 0));
		mr = ibv_reg_dmabuf_mr_pinned(r.pd, 0, r.size, 0, fd, ACCESS_ALL, 0);
		assert_null(mr);
		assert_errno(errno, EXDEV, "registration");
		assert_idle(s, fd);
	}
	mr = rdma_register(&r, fd);
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(ibv_dereg_mr(mr));
	close(fd);
	rdma_teardown(&r);
}

struct writer {
	pthread_t thread;
	struct rdma *rdma;
	struct ibv_mr *mr;
	atomic_uint writes;
	int status;
};

/* Until it fails. */
static void *writer_main(void *arg)
{
	struct writer *w = arg;

	do {
		w->status = rdma_write(w->rdma, w->mr, 1 + w->writes % 16);
		w->writes++;
	} while (w->status == IBV_WC_SUCCESS);
	return NULL;
}

/* Writes of several packets each, and a revoke in the midst of them. */
static void revoke_under_traffic(struct state *s, enum dmabuf_test_memory memory)
{
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_REVOKING,
		.memory = memory,
		.size = 64 * PAGE,
	};
	struct ibv_ext_dmabuf_mr_info info;
	struct dmabuf_test_revoke result;
	struct dmabuf_test_counters c;
	struct writer writer = {};
	struct rdma r;
	int fd;

	rdma_setup(&r, s, args.size);
	fd = create_args(s, args);
	writer.rdma = &r;
	writer.mr = rdma_register(&r, fd);
	assert_int_equal(pthread_create(&writer.thread, NULL, writer_main, &writer), 0);
	while (writer.writes < 5)
		sleep_ms(1);

	OK(exporter_revoke(s->dev, fd, 5000, &result));
	/* All that shows now was written after the exporter had the memory back. */
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 0);
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	if (writer.status != IBV_WC_REM_ACCESS_ERR)
		fail_msg("writer: %s", rc_status_str(writer.status));
	print_message("%u writes, callback %" PRIu64 " us\n", writer.writes,
		      (uint64_t)result.notify_ns / 1000);
	sleep_ms(100);
	assert_all(s, fd, 0, 0, args.size, POISON);

	OK(ibv_ext_query_dmabuf_mr(writer.mr, &info));
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.charged, 0);

	/* It stays dead, also when the exporter changes its mind. */
	OK(rc_pair_reset(&r.pair));
	assert_int_equal(rdma_write(&r, writer.mr, 0xee), IBV_WC_REM_ACCESS_ERR);
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	OK(exporter_unrevoke(s->dev, fd));
	OK(rc_pair_reset(&r.pair));
	assert_int_equal(rdma_write(&r, writer.mr, 0xee), IBV_WC_REM_ACCESS_ERR);
	assert_all(s, fd, 0, 0, args.size, POISON);

	OK(ibv_dereg_mr(writer.mr));
	assert_idle(s, fd);
	writer.mr = rdma_register(&r, fd);
	OK(rc_pair_reset(&r.pair));
	assert_int_equal(rdma_write(&r, writer.mr, 0xdd), IBV_WC_SUCCESS);
	assert_all(s, fd, 0, 0, args.size, 0xdd);
	OK(ibv_dereg_mr(writer.mr));
	assert_idle(s, fd);
	close(fd);
	rdma_teardown(&r);
}

static void test_rxe_revoke(void **state)
{
	revoke_under_traffic(*state, DMABUF_TEST_SYSTEM);
}

static void test_rxe_revoke_device_memory(void **state)
{
	if (!have_device_memory(*state))
		skip_because("no device with memory");
	revoke_under_traffic(*state, DMABUF_TEST_DEVICE_MEMORY);
}

/* A move although the MR has a pin ends the MR, and nothing gets to either memory. */
static void test_rxe_forced_move(void **state)
{
	struct state *s = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;
	struct rdma r;
	int fd;

	rdma_setup(&r, s, 16 * PAGE);
	fd = create(s, DMABUF_TEST_DYNAMIC, r.size);
	mr = rdma_register(&r, fd);
	assert_int_equal(rdma_write(&r, mr, 0x10), IBV_WC_SUCCESS);
	OK(exporter_force_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	assert_int_equal(rdma_write(&r, mr, 0x20), IBV_WC_REM_ACCESS_ERR);
	assert_all(s, fd, 0, 0, r.size, 0x10);
	assert_all(s, fd, 1, 0, r.size, POISON);
	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
	close(fd);
	rdma_teardown(&r);
}

#define EXPORTER_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EXPORTER_TEST(test_arguments),	     EXPORTER_TEST(test_memory),
		EXPORTER_TEST(test_read_only),	     EXPORTER_TEST(test_segments),
		EXPORTER_TEST(test_static),	     EXPORTER_TEST(test_pin_and_move),
		EXPORTER_TEST(test_stubborn),	     EXPORTER_TEST(test_migrate),
		EXPORTER_TEST(test_migrate_later),   EXPORTER_TEST(test_revoke),
		EXPORTER_TEST(test_revoke_waits),    EXPORTER_TEST(test_revoke_without_pin),
		EXPORTER_TEST(test_mapping_revoked), EXPORTER_TEST(test_refusals),
		EXPORTER_TEST(test_delays),	     EXPORTER_TEST(test_fence),
		EXPORTER_TEST(test_device_memory),   EXPORTER_TEST(test_device_memory_migrates),
		EXPORTER_TEST(test_rxe_registers),   EXPORTER_TEST(test_rxe_refused),
		EXPORTER_TEST(test_rxe_revoke),	     EXPORTER_TEST(test_rxe_revoke_device_memory),
		EXPORTER_TEST(test_rxe_forced_move), cmocka_unit_test(test_unload),
	};
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
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	err = exporter_unload();
	if (err)
		fprintf(stderr, "unload: %s\n", strerror(err));
	return failed || err;
}
