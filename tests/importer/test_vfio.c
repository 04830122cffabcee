// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * vfio-pci exports the memory of a device that a user has, and may take it back at any
 * time; edu writes to it peer to peer. Since Linux 6.19; run with --edu, --iommu,
 * --device-memory and a CPU whose host bridge passes peers' requests on (--cpu EPYC).
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "importer.h"
#include "vfio_device.h"

/* ivshmem's memory */
#define BAR 2
#define SIZE (64 * PAGE)
#define OFFSET (16 * PAGE) /* of the dma-buf in the BAR */

static const char *address; /* of the device that VFIO has */
static bool no_path;	    /* on this CPU; an argument */

struct vfio_test {
	struct test t;
	struct vfio_device device;
	volatile uint8_t *map; /* the part of the BAR that the dma-buf is */
	int fd;
};

static int vfio_setup(void **state)
{
	struct vfio_test *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	*state = v;
	importer_open(&v->t);
	OK(vfio_open(&v->device, address, BAR));
	assert_true(v->device.bar_size >= OFFSET + SIZE);
	v->map = vfio_map(&v->device, OFFSET, SIZE);
	assert_ptr_not_equal(v->map, MAP_FAILED);
	v->fd = vfio_export(&v->device, OFFSET, SIZE);
	if (v->fd < 0)
		fail_msg("no dma-buf of the BAR: %s", strerrorname(errno));
	return 0;
}

static int vfio_teardown(void **state)
{
	struct vfio_test *v = *state;
	struct edu_ib_counters counters = hardware_counters(&v->t);
	int err;

	if (v->map)
		munmap((void *)v->map, SIZE);
	if (v->fd >= 0)
		close(v->fd);
	err = importer_close(&v->t);
	vfio_close(&v->device);
	assert_errno(err, 0, "close");
	assert_int_equal(counters.mrs, 0);
	assert_int_equal(counters.bus_master, 1);
	free(v);
	return 0;
}

#define VFIO_TEST(function) cmocka_unit_test_setup_teardown(function, vfio_setup, vfio_teardown)

static void fill(struct vfio_test *v, uint8_t value)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		v->map[i] = value;
}

static void expect_filled(struct vfio_test *v, uint8_t value, const char *when)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		if (v->map[i] != value)
			fail_msg("%s: byte %zu of the BAR is %#x, expected %#x", when, i, v->map[i],
				 value);
}

static struct ibv_mr *try_register(struct vfio_test *v, uint32_t flags)
{
	return try_register_part(&v->t, v->fd, 0, SIZE, 0, flags);
}

static struct ibv_mr *reg(struct vfio_test *v)
{
	struct ibv_mr *mr = try_register(v, ALLOW_REVOKE | REQUIRE_P2P);

	if (!mr)
		fail_msg("registration of the BAR: %s", strerrorname(errno));
	return mr;
}

static void expect_reason(struct vfio_test *v, uint32_t flags, int err,
			  enum ibv_ext_dmabuf_reason reason)
{
	struct ibv_ext_dmabuf_report report = probe_part(&v->t, v->fd, 0, SIZE, 0, flags);

	assert_errno(report.err, err, "probe");
	if (report.reason != reason)
		fail_msg("flags %#x: %s, expected %s", flags,
			 ibv_ext_dmabuf_reason_str(report.reason),
			 ibv_ext_dmabuf_reason_str(reason));
	if (err) {
		assert_null(try_register(v, flags));
		assert_errno(errno, err, "registration");
	}
}

/* Every byte both ways, through the BAR */
static void data(void **state)
{
	static uint8_t bytes[SIZE], found[SIZE];
	struct vfio_test *v = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr = reg(v);
	size_t i;

	info = mr_info(mr);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	assert_true(info.flags & IBV_EXT_DMABUF_MR_REVOCABLE);
	assert_int_equal(info.charged, SIZE);
	assert_string_equal(info.exporter, "vfio_pci_core");
	fill(v, 0);
	memory_pattern(bytes, SIZE);
	OK(edu_write(v->t.edu, mr->lkey, 0, bytes, SIZE));
	for (i = 0; i < SIZE; i++)
		assert_int_equal(v->map[i], bytes[i]);
	memory_pattern(bytes, SIZE);
	for (i = 0; i < SIZE; i++)
		v->map[i] = bytes[i];
	OK(edu_read(v->t.edu, mr->lkey, 0, found, SIZE));
	assert_memory_equal(found, bytes, SIZE);
	OK(ibv_dereg_mr(mr));
}

static void without_consent(void **state)
{
	struct vfio_test *v = *state;

	expect_reason(v, 0, EOPNOTSUPP, IBV_EXT_DMABUF_REASON_EXPORTER_NEEDS_REVOKE);
	expect_reason(v, REQUIRE_P2P, EOPNOTSUPP, IBV_EXT_DMABUF_REASON_EXPORTER_NEEDS_REVOKE);
	expect_reason(v, ALLOW_REVOKE, 0, IBV_EXT_DMABUF_REASON_NONE);
}

/* The device has lost it: no byte lands, and none is read. */
static void expect_revoked(struct vfio_test *v, struct ibv_mr *mr)
{
	static uint8_t bytes[SIZE];

	assert_int_equal(mr_info(mr).state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(mr_info(mr).charged, 0);
	assert_true(hardware_info(&v->t, mr).revoked);
	memset(bytes, 0x77, sizeof(bytes));
	assert_errno(edu_write(v->t.edu, mr->lkey, 0, bytes, SIZE), EFAULT, "write");
	assert_errno(edu_read(v->t.edu, mr->lkey, 0, bytes, SIZE), EFAULT, "read");
}

static void memory_disabled(void **state)
{
	struct vfio_test *v = *state;
	struct ibv_ext_dmabuf_event_channel *channel =
		ibv_ext_create_dmabuf_event_channel(v->t.context);
	uint32_t callbacks = hardware_counters(&v->t).callbacks;
	struct ibv_mr *mr = reg(v), *next;
	uint8_t byte = 0x42;

	assert_non_null(channel);
	OK(ibv_ext_watch_dmabuf_mr(mr, channel, &byte));
	fill(v, 0x11);
	OK(edu_write(v->t.edu, mr->lkey, 5, &byte, 1));
	assert_int_equal(v->map[5], byte);
	v->map[5] = 0x11;

	OK(vfio_enable_memory(&v->device, false));
	expect_event(channel, &byte);
	expect_revoked(v, mr);
	expect_reason(v, ALLOW_REVOKE, ENODEV, IBV_EXT_DMABUF_REASON_REVOKED);

	/* vfio-pci tells all of them once more, which means nothing to this one. */
	OK(vfio_enable_memory(&v->device, true));
	assert_int_equal(hardware_counters(&v->t).callbacks, callbacks + 1);
	expect_filled(v, 0x11, "after the revocation");
	expect_revoked(v, mr);
	expect_filled(v, 0x11, "with the memory enabled again");

	next = reg(v);
	assert_int_not_equal(next->lkey, mr->lkey);
	OK(edu_write(v->t.edu, next->lkey, 7, &byte, 1));
	assert_int_equal(v->map[7], byte);
	OK(ibv_dereg_mr(next));
	OK(ibv_dereg_mr(mr));
	OK(ibv_ext_destroy_dmabuf_event_channel(channel));
}

struct writer {
	pthread_t thread;
	struct vfio_test *v;
	uint32_t key;
	atomic_uint writes;
	atomic_int err;
};

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	uint8_t bytes[PAGE];
	unsigned int i;
	int err;

	memset(bytes, 0x77, sizeof(bytes));
	for (i = 0;; i++) {
		err = edu_write(w->v->t.edu, w->key, i * PAGE % SIZE, bytes, PAGE);
		if (err)
			break;
		atomic_fetch_add(&w->writes, 1);
	}
	atomic_store(&w->err, err);
	return NULL;
}

static void start_writing(struct writer *w, struct vfio_test *v, struct ibv_mr *mr)
{
	*w = (struct writer){ .v = v, .key = mr->lkey };
	assert_int_equal(pthread_create(&w->thread, NULL, writer_main, w), 0);
	wait_until(atomic_load(&w->writes) > 2 || atomic_load(&w->err));
	assert_errno(atomic_load(&w->err), 0, "writer");
}

/* The writer ends by itself, and from then on nothing changes. */
static void expect_no_more_writes(struct writer *w, struct ibv_mr *mr)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	assert_errno(w->err, EFAULT, "writer");
	expect_revoked(w->v, mr);
}

static void disabled_while_writing(void **state)
{
	struct writer writer;
	struct vfio_test *v = *state;
	struct ibv_mr *mr = reg(v);

	start_writing(&writer, v, mr);
	OK(vfio_enable_memory(&v->device, false));
	OK(vfio_enable_memory(&v->device, true));
	fill(v, 0x22);
	expect_no_more_writes(&writer, mr);
	expect_filled(v, 0x22, "after the revocation");
	OK(ibv_dereg_mr(mr));
}

static void reset_while_writing(void **state)
{
	struct writer writer;
	struct vfio_test *v = *state;
	struct ibv_mr *mr = reg(v);
	int err;

	start_writing(&writer, v, mr);
	err = vfio_reset(&v->device);
	if (err == EINVAL || err == ENOTTY) {
		OK(vfio_enable_memory(&v->device, false));
		pthread_join(writer.thread, NULL);
		OK(vfio_enable_memory(&v->device, true));
		OK(ibv_dereg_mr(mr));
		skip_because("the device cannot be reset");
	}
	assert_errno(err, 0, "VFIO_DEVICE_RESET");
	OK(vfio_enable_memory(&v->device, true));
	fill(v, 0x33);
	expect_no_more_writes(&writer, mr);
	expect_filled(v, 0x33, "after the reset");
	OK(ibv_dereg_mr(mr));
}

/* The last descriptor of the device goes, and the group. */
static void closed_while_writing(void **state)
{
	struct writer writer;
	struct vfio_test *v = *state;
	struct ibv_mr *mr = reg(v);

	start_writing(&writer, v, mr);
	munmap((void *)v->map, SIZE);
	vfio_close(&v->device);
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	assert_errno(writer.err, EFAULT, "writer");
	OK(vfio_open(&v->device, address, BAR));
	v->map = vfio_map(&v->device, OFFSET, SIZE);
	assert_ptr_not_equal(v->map, MAP_FAILED);
	fill(v, 0x44);
	expect_revoked(v, mr);
	expect_filled(v, 0x44, "after the end of the device");
	/* The dma-buf of another life of the device stays dead. */
	expect_reason(v, ALLOW_REVOKE, ENODEV, IBV_EXT_DMABUF_REASON_REVOKED);
	OK(ibv_dereg_mr(mr));
}

/* Another process has the device and is killed. This one has only the dma-buf. */
static void owner_killed(void **state)
{
	struct writer writer;
	struct vfio_test *v = *state;
	struct ibv_mr *mr = reg(v);
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		for (;;)
			pause();
	/* A mapping of the device is inherited, too. */
	munmap((void *)v->map, SIZE);
	v->map = NULL;
	vfio_close(&v->device);
	start_writing(&writer, v, mr);
	assert_int_equal(mr_info(mr).state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	assert_errno(writer.err, EFAULT, "writer");
	expect_revoked(v, mr);
	OK(ibv_dereg_mr(mr));
}

static void no_path_here(void **state)
{
	struct vfio_test *v = *state;

	expect_reason(v, ALLOW_REVOKE, EINVAL, IBV_EXT_DMABUF_REASON_NO_P2P_PATH);
	expect_reason(v, ALLOW_REVOKE | REQUIRE_P2P, EINVAL, IBV_EXT_DMABUF_REASON_NO_P2P_PATH);
	expect_reason(v, 0, EOPNOTSUPP, IBV_EXT_DMABUF_REASON_EXPORTER_NEEDS_REVOKE);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		VFIO_TEST(data),
		VFIO_TEST(without_consent),
		VFIO_TEST(memory_disabled),
		VFIO_TEST(disabled_while_writing),
		VFIO_TEST(reset_while_writing),
		VFIO_TEST(closed_while_writing),
		VFIO_TEST(owner_killed),
	};
	const struct CMUnitTest tests_without_path[] = { VFIO_TEST(no_path_here) };

	return no_path ? cmocka_run_group_tests_name("vfio", tests_without_path, NULL, NULL) :
			 cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	int err, failed;

	no_path = argc == 3 && !strcmp(argv[2], "no-path");
	if (argc != 2 && !no_path) {
		fprintf(stderr, "usage: %s IMPORTER-MODULE [no-path]\n", argv[0]);
		return 2;
	}
	err = vfio_bind_device(&address);
	if (!err)
		err = edu_load(argv[1], "");
	if (err) {
		fprintf(stderr, "vfio-pci or the importer: %s\n", strerror(err));
		return 1;
	}
	failed = run();
	err = edu_unload();
	if (err)
		fprintf(stderr, "the importer stays: %s\n", strerror(err));
	return failed || err;
}
