// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_ext_query_dmabuf_caps() and ibv_ext_query_dmabuf_mr(): what goes over the
 * ioctl, byte by byte, and what comes back from kernels of all ages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "bytes.h"
#include "mock.h"

static struct ibv_context *context(void)
{
	return &mock.devices[0].context;
}

/* Learn the driver id, so that a test sees only the calls that it is about. */
static void warm_up(void)
{
	struct ibv_ext_dmabuf_caps caps;

	assert_int_equal(ibv_ext_query_dmabuf_caps(context(), &caps), 0);
	mock.num_ioctls = 0;
}

static void caps_bytes(void **state)
{
	static const uint8_t expected[] = {
		IOCTL(40, 0, 16, 1), ATTR(0, 16), /* the answer */
	};
	struct ibv_ext_dmabuf_caps caps;

	(void)state;
	mock.devices[0].driver_id = 14;
	warm_up();
	assert_int_equal(ibv_ext_query_dmabuf_caps(context(), &caps), 0);
	assert_int_equal(mock.num_ioctls, 1);
	assert_int_equal(mock.ioctls[0].request, 0xc0181b01);
	assert_int_equal(mock.ioctls[0].fd, context()->cmd_fd);
	assert_int_equal(mock.ioctls[0].length, 40);
	/* the last eight bytes are the address, to which the mock has written */
	assert_memory_equal(mock.ioctls[0].bytes, expected, sizeof(expected));
	assert_int_equal(caps.version, 1);
	assert_int_equal(caps.access_flags, 0x70000);
}

static void mr_bytes(void **state)
{
	static const uint8_t expected[] = {
		IOCTL(56, 7, 16, 2), ATTR_OBJECT(0, 0x11223344), /* the MR */
		ATTR(1, 104),					 /* the answer */
	};
	struct ibv_ext_dmabuf_mr_info info;

	(void)state;
	mock.devices[0].driver_id = 14;
	warm_up();
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), 0);
	assert_int_equal(mock.num_ioctls, 2);
	assert_int_equal(mock.ioctls[0].length, 40);
	assert_int_equal(mock.ioctls[1].length, 56);
	assert_memory_equal(mock.ioctls[1].bytes, expected, sizeof(expected));

	assert_int_equal(info.mode, IBV_EXT_DMABUF_MODE_PINNED);
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(info.flags,
			 IBV_EXT_DMABUF_MR_REQUESTED_PIN | IBV_EXT_DMABUF_MR_CPU_ACCESS);
	assert_int_equal(info.offset, 0x1000);
	assert_int_equal(info.length, 0x2000);
	assert_int_equal(info.iova, 0x7000);
	assert_int_equal(info.dmabuf_size, 0x10000);
	assert_int_equal(info.dmabuf_inode, 77);
	assert_int_equal(info.charged, 0x10001);
	assert_int_equal(info.dma_segments, 3);
	assert_string_equal(info.exporter, "udmabuf");
}

static int both_answer(int expected)
{
	struct ibv_ext_dmabuf_mr_info info, info_before;
	struct ibv_ext_dmabuf_caps caps, caps_before;
	int err;

	memset(&caps_before, 0x5a, sizeof(caps));
	memset(&info_before, 0x5a, sizeof(info));
	caps = caps_before;
	info = info_before;
	err = ibv_ext_query_dmabuf_caps(context(), &caps);
	assert_int_equal(err, expected);
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), expected);
	/* a failure leaves the caller's structs alone */
	assert_memory_equal(&caps, &caps_before, sizeof(caps));
	assert_memory_equal(&info, &info_before, sizeof(info));
	return err;
}

/* Whatever is wrong with the MR, an unpatched kernel comes first. */
static void unpatched_kernel(void **state)
{
	(void)state;
	mock.caps.err = EPROTONOSUPPORT;
	mock.mr_info.err = EINVAL;
	both_answer(EOPNOTSUPP);
}

static void method_with_another_meaning(void **state)
{
	static const int errors[] = { EINVAL, EFAULT, EPERM, EACCES, ENOENT, E2BIG, EOPNOTSUPP };
	struct ib_uverbs_dmabuf_caps caps = { .magic = IB_UVERBS_DMABUF_MAGIC, .version = 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.caps.err = errors[i];
		both_answer(EOPNOTSUPP);
	}
	mock.caps = (struct mock_answer){ .data = &caps, .size = sizeof(caps) };
	caps.magic ^= 1;
	both_answer(EOPNOTSUPP);
	caps.magic ^= 1;
	caps.version = 2;
	both_answer(EOPNOTSUPP);
	caps.version = 0;
	both_answer(EOPNOTSUPP);
	/* answers with success, and nothing */
	mock.caps.size = 0;
	both_answer(EOPNOTSUPP);
}

static void kernel_could_not_answer(void **state)
{
	static const int errors[] = { EIO, ENODEV, ENOMEM, EINTR };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.caps.err = errors[i];
		both_answer(errors[i]);
	}
}

static void no_uverbs_device(void **state)
{
	int fd = context()->cmd_fd;

	(void)state;
	context()->cmd_fd = -1; /* mlx5 over VFIO */
	both_answer(EOPNOTSUPP);
	context()->cmd_fd = dup(fd); /* a character device, ENOTTY */
	both_answer(EOPNOTSUPP);
	close(context()->cmd_fd); /* EBADF */
	both_answer(EOPNOTSUPP);
	context()->cmd_fd = memfd_create("no device at all", MFD_CLOEXEC);
	assert_true(context()->cmd_fd >= 0);
	both_answer(EOPNOTSUPP);
	close(context()->cmd_fd);
	assert_int_equal(mock.num_ioctls, 0);
	context()->cmd_fd = fd;
}

/* EINVAL for the MR is final: the driver id was right for the call before. */
static void mr_without_dmabuf(void **state)
{
	struct ibv_ext_dmabuf_mr_info info;

	(void)state;
	warm_up();
	mock.mr_info.err = EINVAL;
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), EINVAL);
	assert_int_equal(mock.num_ioctls, 2);
}

static void mr_errors(void **state)
{
	static const struct {
		int kernel, library;
	} errors[] = { { ENOENT, ENOENT }, { EBUSY, EBUSY }, { EPROTONOSUPPORT, EOPNOTSUPP } };
	struct ibv_ext_dmabuf_mr_info info;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.mr_info.err = errors[i].kernel;
		assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), errors[i].library);
	}
}

/* A kernel whose structs have grown or have not yet grown to what is known here. */
static void kernel_of_another_age(void **state)
{
	struct {
		struct ib_uverbs_dmabuf_caps known;
		uint64_t more[4];
	} newer = { .known = { IB_UVERBS_DMABUF_MAGIC, 1, 0x10000 }, .more = { 1, 2, 3, 4 } };
	struct {
		struct ib_uverbs_dmabuf_mr_info known;
		uint64_t more[4];
	} newer_mr = { .known = { .mode = 2, .charged = 5, .exporter = "heap" }, .more = { 1 } };
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_ext_dmabuf_caps caps;

	(void)state;
	mock.caps = (struct mock_answer){ .data = &newer, .size = sizeof(newer) };
	assert_int_equal(ibv_ext_query_dmabuf_caps(context(), &caps), 0);
	assert_int_equal(caps.access_flags, 0x10000);

	memset(&caps, 0x5a, sizeof(caps));
	mock.caps.size = offsetof(struct ib_uverbs_dmabuf_caps, access_flags);
	assert_int_equal(ibv_ext_query_dmabuf_caps(context(), &caps), 0);
	assert_int_equal(caps.access_flags, 0);

	mock.mr_info = (struct mock_answer){ .data = &newer_mr, .size = sizeof(newer_mr) };
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), 0);
	assert_int_equal(info.charged, 5);
	assert_string_equal(info.exporter, "heap");

	memset(&info, 0x5a, sizeof(info));
	mock.mr_info.size = offsetof(struct ib_uverbs_dmabuf_mr_info, charged);
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), 0);
	assert_int_equal(info.mode, 2);
	assert_int_equal(info.charged, 0);
	assert_int_equal(info.exporter[0], 0);
}

static void exporter_is_terminated(void **state)
{
	struct ib_uverbs_dmabuf_mr_info kernel = {};
	struct ibv_ext_dmabuf_mr_info info;

	(void)state;
	memset(kernel.exporter, 'x', sizeof(kernel.exporter));
	mock.mr_info = (struct mock_answer){ .data = &kernel, .size = sizeof(kernel) };
	assert_int_equal(ibv_ext_query_dmabuf_mr(&mock.mr, &info), 0);
	assert_int_equal(strlen(info.exporter), IBV_EXT_DMABUF_EXPORTER_NAME_LEN - 1);
}

/* A program built against a header whose structs are shorter, or longer. */
static void caller_of_another_age(void **state)
{
	uint8_t bytes[sizeof(struct ibv_ext_dmabuf_mr_info) + 32];
	struct ibv_ext_dmabuf_mr_info *info = (void *)bytes;
	struct ibv_ext_dmabuf_caps *caps = (void *)bytes;
	unsigned int i;

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(_ibv_ext_query_dmabuf_caps(context(), caps, 4), 0);
	assert_int_equal(caps->version, 1);
	assert_int_equal(caps->access_flags, 0x5a5a5a5a);
	assert_int_equal(_ibv_ext_query_dmabuf_caps(context(), caps, sizeof(*caps) + 8), 0);
	assert_int_equal(caps->access_flags, 0x70000);
	for (i = sizeof(*caps); i < sizeof(*caps) + 8; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(bytes[i], 0x5a);

	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(_ibv_ext_query_dmabuf_mr(&mock.mr, info, 8), 0);
	assert_int_equal(info->state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info->placement, 0x5a5a5a5a);
	assert_int_equal(_ibv_ext_query_dmabuf_mr(&mock.mr, info, sizeof(*info) + 16), 0);
	assert_string_equal(info->exporter, "udmabuf");
	for (i = sizeof(*info); i < sizeof(*info) + 16; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(bytes[i], 0x5a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caps_bytes),
		TEST(mr_bytes),
		TEST(unpatched_kernel),
		TEST(method_with_another_meaning),
		TEST(kernel_could_not_answer),
		TEST(no_uverbs_device),
		TEST(mr_without_dmabuf),
		TEST(mr_errors),
		TEST(kernel_of_another_age),
		TEST(exporter_is_terminated),
		TEST(caller_of_another_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
