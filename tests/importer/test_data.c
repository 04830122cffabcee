// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Every byte goes where it should, and none beside it, whatever the memory is.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "importer.h"

#define IOVA 0x7000000000ULL

/* A region in the middle of a buffer, over page boundaries and at both ends. */
static void check_region(struct test *t, int fd, size_t size, uint32_t pin_flags)
{
	uint64_t offset = PAGE + 0x123, iova = IOVA + 0x123;
	size_t length = size - 3 * PAGE + 77;
	struct memory mem;
	struct ibv_mr *mr;

	memory_open(&mem, fd, size);
	mr = register_part(t, fd, offset, length, iova, pin_flags);
	/* The driver does not tell the address to anybody but the device. */
	assert_int_equal(mr_info(mr).iova, iova);

	check_write(t, &mem, mr, offset, iova, 0, 5);
	check_write(t, &mem, mr, offset, iova, length - 3, 3);
	check_write(t, &mem, mr, offset, iova, PAGE - 0x123 - 1, PAGE + 2);
	check_read(t, &mem, mr, offset, iova, 0, 2 * PAGE);
	check_read(t, &mem, mr, offset, iova, length - 1, 1);

	/* Nothing that is not the region's */
	check_refused(t, mr, iova - 1, 2, EACCES);
	check_refused(t, mr, iova + length - 1, 2, EACCES);
	memory_check(&mem, "after what was refused");

	OK(ibv_dereg_mr(mr));
	FAILS(edu_write(t->edu, mr->lkey, iova, &iova, 1), EFAULT);
	memory_close(&mem);
}

static void check_exporter(struct test *t, const struct dmabuf *buf)
{
	struct memory mem;
	struct ibv_mr *mr;

	check_region(t, buf->fd, buf->size, 0);

	/* All of it, as one would usually have it */
	memory_open(&mem, buf->fd, buf->size);
	mr = register_part(t, buf->fd, 0, buf->size, 0, ALLOW_REVOKE);
	check_write(t, &mem, mr, 0, 0, 0, buf->size);
	check_read(t, &mem, mr, 0, 0, 0, buf->size);
	OK(ibv_dereg_mr(mr));
	memory_close(&mem);
}

static void test_udmabuf(void **state)
{
	struct dmabuf buf;

	if (dmabuf_alloc_udmabuf(&buf, 8 * PAGE, 0))
		fail_msg("%s", dmabuf_error());
	check_exporter(*state, &buf);
	dmabuf_free(&buf);
}

static void test_system_heap(void **state)
{
	struct dmabuf buf;

	if (dmabuf_alloc_heap(&buf, "system", 8 * PAGE, O_RDWR))
		fail_msg("%s", dmabuf_error());
	check_exporter(*state, &buf);
	dmabuf_free(&buf);
}

static void check_mode(struct test *t, enum dmabuf_test_mode mode, enum dmabuf_test_memory memory)
{
	int fd = create_args(&t->s, (struct dmabuf_test_create){
					    .mode = mode,
					    .memory = memory,
					    .size = 8 * PAGE,
					    .segment = PAGE,
				    });

	check_region(t, fd, 8 * PAGE, ALLOW_REVOKE);
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_system_memory(void **state)
{
	enum dmabuf_test_mode mode;

	for (mode = DMABUF_TEST_STATIC; mode <= DMABUF_TEST_REVOKING; mode++)
		check_mode(*state, mode, DMABUF_TEST_SYSTEM);
}

static void test_device_memory(void **state)
{
	struct test *t = *state;
	enum dmabuf_test_mode mode;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	for (mode = DMABUF_TEST_STATIC; mode <= DMABUF_TEST_REVOKING; mode++)
		check_mode(t, mode, DMABUF_TEST_DEVICE_MEMORY);
}

/* A static exporter maps for the attachment. */
static void test_failing_map(void **state)
{
	struct test *t = *state;
	struct ibv_ext_dmabuf_report report;
	enum dmabuf_test_mode mode;
	uint32_t flags;
	int fd;

	for (mode = DMABUF_TEST_STATIC; mode <= DMABUF_TEST_REVOKING; mode++) {
		flags = needs_consent(mode) ? ALLOW_REVOKE : 0;
		fd = create(&t->s, mode, 8 * PAGE);
		OK(exporter_behave(t->s.dev, fd, DMABUF_TEST_OP_MAP, DMABUF_TEST_ALWAYS, EIO, 0));
		report = probe_part(t, fd, PAGE, PAGE, 0, flags);
		assert_errno(report.err, EIO, "probe");
		assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_MAP_FAILED);
		assert_idle(&t->s, fd);
		assert_null(try_register_part(t, fd, PAGE, PAGE, 0, flags));
		assert_errno(errno, EIO, "registration");
		assert_idle(&t->s, fd);

		OK(exporter_behave(t->s.dev, fd, DMABUF_TEST_OP_MAP, 0, 0, 0));
		check_region(t, fd, 8 * PAGE, flags);
		close(fd);
	}
}

/* The move that the pin starts ends after the registration would without waiting. */
static void test_slow_migration(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_MIGRATING,
		.memory = DMABUF_TEST_DEVICE_MEMORY,
		.size = 4 * PAGE,
		.move_delay_ms = 300,
	};
	struct ibv_mr *mr;
	uint8_t byte = 0;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	fd = create_args(&t->s, args);
	OK(exporter_fill(t->s.dev, fd, 0, 0, args.size, 0x77));
	mr = register_part(t, fd, 0, args.size, 0, 0);
	OK(edu_read(t->edu, mr->lkey, 2 * PAGE + 1, &byte, 1));
	assert_int_equal(byte, 0x77);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void *interrupt(void *arg)
{
	sleep_ms(300);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* A fence that does not signal is waited for, but not against the user's will. */
static void test_interrupted_wait(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct test *t = *state;
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, 8 * PAGE);
	pthread_t self = pthread_self(), thread;

	OK(exporter_fence(t->s.dev, fd, DMABUF_TEST_NEVER));
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
	assert_null(try_register_part(t, fd, 0, PAGE, 0, 0));
	assert_errno(errno, EINTR, "registration");
	assert_int_equal(pthread_join(thread, NULL), 0);
	signal(SIGUSR1, SIG_DFL);
	assert_idle(&t->s, fd);

	OK(exporter_signal(t->s.dev, fd));
	check_region(t, fd, 8 * PAGE, 0);
	close(fd);
}

static void test_bounded_wait(void **state)
{
	struct test *t = *state;
	int fd;

	if (!getenv("TEST_SLOW"))
		skip_because("takes half a minute; TEST_SLOW=1 in the environment runs it");
	fd = create(&t->s, DMABUF_TEST_DYNAMIC, 8 * PAGE);
	OK(exporter_fence(t->s.dev, fd, DMABUF_TEST_NEVER));
	assert_null(try_register_part(t, fd, 0, PAGE, 0, 0));
	assert_errno(errno, ETIMEDOUT, "registration");
	assert_idle(&t->s, fd);
	OK(exporter_signal(t->s.dev, fd));
	close(fd);
}

#define SLICES 6

/* Regions that start and end within pages, overlap, and share all they can. */
static void check_slices(struct test *t, enum dmabuf_test_memory memory, uint32_t segment)
{
	static const struct {
		uint64_t offset;
		size_t length;
	} slices[SLICES] = {
		{ 0, 64 * PAGE },    { 1, 1 },
		{ 7 * PAGE - 1, 2 }, { 16 * PAGE + 3, 16 * PAGE + 5 },
		{ 31 * PAGE, PAGE }, { 63 * PAGE + 4095, 1 },
	};
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_DYNAMIC,
		.memory = memory,
		.size = 64 * PAGE,
		.segment = segment,
	};
	int fd = create_args(&t->s, args), pins = 0;
	struct dmabuf_test_counters c;
	struct ibv_mr *mrs[SLICES];
	struct memory mem;
	unsigned int i;

	memory_open(&mem, fd, args.size);
	for (i = 0; i < SLICES; i++) {
		uint64_t iova = i * IOVA + slices[i].offset % PAGE;

		mrs[i] = register_part(t, fd, slices[i].offset, slices[i].length, iova, 0);
		assert_int_equal(mr_info(mrs[i]).length, slices[i].length);

		/* One attachment, pin and mapping, that of the first */
		assert_users(t, fd, 1, 1);
		c = counters(&t->s, fd);
		if (!i)
			pins = exporter_now(&c, DMABUF_TEST_PINS);
		assert_true(pins > 0);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), pins);
		assert_int_equal(c.count[DMABUF_TEST_MAPS], 1);
	}
	for (i = 0; i < SLICES; i++) {
		uint64_t iova = i * IOVA + slices[i].offset % PAGE;

		check_write(t, &mem, mrs[i], slices[i].offset, iova, 0, 1);
		check_write(t, &mem, mrs[i], slices[i].offset, iova, slices[i].length - 1, 1);
		check_refused(t, mrs[i], iova + slices[i].length, 1, EACCES);
	}
	check_write(t, &mem, mrs[3], slices[3].offset, 3 * IOVA + 3, 8 * PAGE - 9, 17);
	check_read(t, &mem, mrs[0], 0, 0, 23 * PAGE - 1, 2 * PAGE + 2);

	for (i = 0; i < SLICES; i++) {
		assert_users(t, fd, 1, 1);
		OK(ibv_dereg_mr(mrs[i]));
	}
	assert_idle(&t->s, fd);
	memory_close(&mem);
	close(fd);
}

static void test_slices(void **state)
{
	check_slices(*state, DMABUF_TEST_SYSTEM, PAGE);
	check_slices(*state, DMABUF_TEST_SYSTEM, 4 * PAGE);
}

static void test_slices_of_device_memory(void **state)
{
	struct test *t = *state;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	check_slices(t, DMABUF_TEST_DEVICE_MEMORY, PAGE);
}

/* A static exporter hands out one list to all that map through an attachment. */
static void test_plain_beside_pinned(void **state)
{
	struct test *t = *state;
	int fd = create_args(&t->s, (struct dmabuf_test_create){
					    .mode = DMABUF_TEST_STATIC,
					    .size = 8 * PAGE,
					    .segment = PAGE,
				    });
	struct ibv_mr *pinned, *plain;
	struct memory mem;

	memory_open(&mem, fd, 8 * PAGE);
	pinned = register_part(t, fd, PAGE, 6 * PAGE, IOVA, 0);
	plain = ibv_reg_dmabuf_mr(t->pd, 2 * PAGE, 3 * PAGE, 0, fd, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(plain);
	assert_users(t, fd, 2, 2);
	check_write(t, &mem, pinned, PAGE, IOVA, 6 * PAGE - 2, 2);
	check_write(t, &mem, plain, 2 * PAGE, 0, 3 * PAGE - 2, 2);
	OK(ibv_dereg_mr(plain));
	check_write(t, &mem, pinned, PAGE, IOVA, 0, 2);
	OK(ibv_dereg_mr(pinned));
	memory_close(&mem);
	close(fd);
}

/* Contiguous memory is few large pages for the device. */
static void test_large_pages(void **state)
{
	struct test *t = *state;
	const uint32_t large = 64 * 1024;
	int fd = create_args(&t->s, (struct dmabuf_test_create){
					    .mode = DMABUF_TEST_STATIC,
					    .size = 4 * large,
					    .segment = large,
				    });
	struct ibv_mr *mr = register_part(t, fd, 0, 4 * large, IOVA, 0);
	struct edu_ib_mr_info info = hardware_info(t, mr);
	struct memory mem;

	assert_true(info.page_size >= large);
	assert_int_equal(info.pages, (4 * large + info.page_size - 1) / info.page_size);
	memory_open(&mem, fd, 4 * large);
	check_write(t, &mem, mr, 0, IOVA, 2 * large - 1, 2);
	check_read(t, &mem, mr, 0, IOVA, 3 * large - 7, 9);
	OK(ibv_dereg_mr(mr));
	memory_close(&mem);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_udmabuf),
		IMPORTER_TEST(test_system_heap),
		IMPORTER_TEST(test_system_memory),
		IMPORTER_TEST(test_device_memory),
		IMPORTER_TEST(test_failing_map),
		IMPORTER_TEST(test_slow_migration),
		IMPORTER_TEST(test_interrupted_wait),
		IMPORTER_TEST(test_bounded_wait),
		IMPORTER_TEST(test_slices),
		IMPORTER_TEST(test_slices_of_device_memory),
		IMPORTER_TEST(test_plain_beside_pinned),
		IMPORTER_TEST(test_large_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
