// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The test exporter by itself, with its own small importer.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "common.h"
#include "fault.h"
#include "fixture.h"
#include "kernel.h"
#include "lock.h"

#define DYNAMIC DMABUF_TEST_ATTACH_DYNAMIC
#define P2P (DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_P2P)
#define STUBBORN (DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_STUBBORN)

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
	atomic_bool called;
	int err;
};

static void *background_main(void *arg)
{
	struct background *b = arg;

	sleep_ms(b->delay_ms);
	atomic_store(&b->called, true);
	b->err = b->function(b->dev, b->fd);
	return NULL;
}

static void background_start(struct background *b)
{
	assert_int_equal(pthread_create(&b->thread, NULL, background_main, b), 0);
}

/* After what had to wait for the function. */
static int background_end(struct background *b)
{
	assert_true(atomic_load(&b->called));
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
	if (kernel_maps_at_attach()) {
		OK(exporter_attach(s->importer, fd, 0));
		c = counters(s, fd);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 1);
		assert_int_equal(c.count[DMABUF_TEST_MOVES], 2);
		OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	}
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
	if (!kernel_maps_at_attach()) {
		close(fd);
		return;
	}
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
	assert_true(result.notify_ns <= result.total_ns);
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
	if (kernel_maps_at_attach()) {
		OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_MAP, 1, ENOSPC, 0));
		FAILS(exporter_attach(s->importer, fd, 0), ENOSPC);
		c = counters(s, fd);
		assert_int_equal(c.count[DMABUF_TEST_INJECTED], 6);
		assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 2);
	}
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

static void test_map_needs_p2p(void **state)
{
	struct state *s = *state;
	int fd;

	fd = create_args(s, (struct dmabuf_test_create){
				    .size = PAGE,
				    .flags = DMABUF_TEST_MAP_NEEDS_P2P | DMABUF_TEST_CLEAR_P2P,
			    });
	/* dma-buf itself maps for this one, before it returns. */
	if (kernel_maps_at_attach()) {
		FAILS(exporter_attach(s->importer, fd, P2P), EPERM);
		assert_int_equal(counters(s, fd).count[DMABUF_TEST_ATTACHES], 1);
	}
	OK(exporter_attach(s->importer, fd, 0));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), EPERM);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);

	fd = create_args(s, (struct dmabuf_test_create){
				    .size = PAGE,
				    .mode = DMABUF_TEST_DYNAMIC,
				    .flags = DMABUF_TEST_MAP_NEEDS_P2P,
			    });
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), EPERM);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	OK(exporter_attach(s->importer, fd, P2P));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_DETACH));
	assert_idle(s, fd);
	close(fd);
}

/* Nobody else has the lock meanwhile, and it is free again then. */
static void test_held_lock(void **state)
{
	struct dmabuf_test_counters c;
	struct exporter_lock lock;
	struct state *s = *state;
	int fd, round;

	fd = create(s, DMABUF_TEST_DYNAMIC, PAGE);
	for (round = 0; round < 2; round++) {
		OK(exporter_lock(&lock, fd));
		c = counters(s, fd);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 0);
		assert_true(exporter_unlock(&lock));
		assert_idle(s, fd);
		OK(exporter_fill(s->dev, fd, 0, 0, PAGE, 1));
	}
	close(fd);

	fd = create(s, DMABUF_TEST_STATIC, PAGE);
	FAILS(exporter_lock(&lock, fd), EINVAL);
	assert_idle(s, fd);
	close(fd);
}

static void test_vmap_fails(void **state)
{
	struct state *s = *state;
	int fd;

	if (!vmap_may_fail())
		skip_because(
			"this kernel's image warns in dma_buf_vmap() when an exporter's fails");

	fd = create(s, DMABUF_TEST_DYNAMIC, PAGE);
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_VMAP, 1, ENOMEM, 0));
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP), ENOMEM);
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_VMAP));
	OK(exporter_poke(s->importer, 1, 1, 0x99));
	assert_all(s, fd, 0, 1, 1, 0x99);
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
	size_t i;

	OK(exporter_behave(s->dev, fd, DMABUF_TEST_OP_ATTACH, 1, 0, 100));
	OK(exporter_attach(s->importer, fd, DYNAMIC));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		OK(exporter_behave(s->dev, fd, ops[i].op, 1, 0, 100));
		OK(exporter_step(s->importer, ops[i].step));
	}
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_DELAYS], 5);
	assert_int_equal(c.count[DMABUF_TEST_INJECTED], 0);

	sigaction(SIGALRM, &action, NULL);
	OK(exporter_behave_interruptible(s->dev, fd, DMABUF_TEST_OP_MAP, 1, 0, 20000));
	alarm(1);
	FAILS(exporter_step(s->importer, DMABUF_TEST_STEP_MAP), EINTR);
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

	OK(exporter_attach(s->importer, fd, 0));
	OK(exporter_fence(s->dev, fd, 100));
	OK(exporter_fence(s->dev, fd, 200));
	OK(exporter_step(s->importer, DMABUF_TEST_STEP_MAP));
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
	args.size = 1ULL << 40;
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

/* All but a vmap, of which Debian's kernel warns when it fails. */
static int use_all(const struct dmabuf_test_create *args)
{
	int dev = exporter_open(), fd = -1, err;

	if (dev < 0)
		return errno;
	fd = exporter_create(dev, args);
	if (fd < 0) {
		err = errno;
		goto out;
	}
	err = exporter_attach(dev, fd, P2P);
	if (!err)
		err = exporter_step(dev, DMABUF_TEST_STEP_PIN);
	if (!err)
		err = exporter_step(dev, DMABUF_TEST_STEP_MAP);
	if (!err)
		err = exporter_fence(dev, fd, 0);
	if (!err)
		err = exporter_force_move(dev, fd, DMABUF_TEST_SYSTEM);
	close(fd);
out:
	close(dev);
	return err;
}

/* Every allocation fails in turn. What is left behind then, kmemleak and unloading show. */
static void test_no_memory(void **state)
{
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_MIGRATING,
		.size = 6 * PAGE,
		.segment = 2 * PAGE,
		.move_delay_ms = 1,
	};
	unsigned int nth = 0;
	bool reached = true;
	int fault, err;

	faults_setup();
	if (have_device_memory(*state))
		args.memory = DMABUF_TEST_DEVICE_MEMORY;
	while (reached) {
		fault = fault_arm(++nth);
		err = use_all(&args);
		reached = fault_disarm(fault);
		if (!reached)
			assert_errno(err, 0, "without a fault");
		else if (err && err != ENOMEM && err != EFAULT)
			fail_msg("fault %u: %s", nth, strerrorname(err));
	}
	print_message("%u faults\n", nth - 1);
	assert_true(nth > 20);
}

/* A function of the kernel that returns late. */
static void test_delayed_function(void **state)
{
	static const char function[] = "dma_buf_begin_cpu_access";
	struct state *s = *state;
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	struct dmabuf_test_delayed delayed;
	int fd;

	FAILS(exporter_delay(s->dev, "no_function", 1), ENOENT);
	FAILS(exporter_delay(s->dev, function, 10001), EINVAL);
	FAILS(exporter_delayed(s->dev, &delayed), ENODATA);
	OK(exporter_delay(s->dev, "", 0));

	fd = create(s, DMABUF_TEST_REVOKING, PAGE);
	OK(exporter_delay(s->other, function, 10000));
	OK(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
	OK(exporter_delayed(s->dev, &delayed));
	assert_int_equal(delayed.returns, 1);
	assert_int_equal(delayed.interrupted, 0);

	/* Only when it succeeds */
	OK(exporter_revoke(s->dev, fd, 100, &(struct dmabuf_test_revoke){}));
	assert_int_equal(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), -1);
	assert_errno(errno, ENODEV, "begin of CPU access");
	OK(exporter_delayed(s->dev, &delayed));
	assert_int_equal(delayed.returns, 1);

	close(s->other);
	s->other = exporter_open();
	FAILS(exporter_delayed(s->dev, &delayed), ENODATA);
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
	reload_module();
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		EXPORTER_TEST(test_arguments),
		EXPORTER_TEST(test_memory),
		EXPORTER_TEST(test_read_only),
		EXPORTER_TEST(test_segments),
		EXPORTER_TEST(test_static),
		EXPORTER_TEST(test_pin_and_move),
		EXPORTER_TEST(test_stubborn),
		EXPORTER_TEST(test_migrate),
		EXPORTER_TEST(test_migrate_later),
		EXPORTER_TEST(test_revoke),
		EXPORTER_TEST(test_revoke_waits),
		EXPORTER_TEST(test_revoke_without_pin),
		EXPORTER_TEST(test_mapping_revoked),
		EXPORTER_TEST(test_refusals),
		EXPORTER_TEST(test_map_needs_p2p),
		EXPORTER_TEST(test_held_lock),
		EXPORTER_TEST(test_vmap_fails),
		EXPORTER_TEST(test_delays),
		EXPORTER_TEST(test_fence),
		EXPORTER_TEST(test_device_memory),
		EXPORTER_TEST(test_device_memory_migrates),
		EXPORTER_TEST(test_no_memory),
		EXPORTER_TEST(test_delayed_function),
		cmocka_unit_test(test_unload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
