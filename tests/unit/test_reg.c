// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration: what reaches libibverbs, which errno comes back, and what the
 * report says.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mock.h"

#define SIZE 0x10000

static const char fdinfo[] = "pos:\t0\nflags:\t02\nsize:\t65536\ncount:\t2\n"
			     "exp_name:\tsystem_heap\nname:\tframes\n";

static struct ibv_ext_dmabuf_report report;

static struct ibv_pd *pd(void)
{
	return &mock.devices[0].pd;
}

/* A registration that is right in every field. */
static struct ibv_ext_dmabuf_mr_attr good(void)
{
	if (mock.dmabuf_fd < 0)
		mock_add_dmabuf(SIZE);
	mock.fdinfo = fdinfo;
	return (struct ibv_ext_dmabuf_mr_attr){ .offset = 0x1000,
						.length = 0x2000,
						.iova = 0x7f0000001000,
						.fd = mock.dmabuf_fd,
						.access = IBV_ACCESS_LOCAL_WRITE };
}

/* Registers, expects failure, and returns errno; the report must agree with it. */
static int reg_errno(const struct ibv_ext_dmabuf_mr_attr *attr)
{
	int err;

	memset(&report, 0x5a, sizeof(report));
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(pd(), attr, &report));
	err = errno;
	assert_int_equal(report.err, err);
	assert_int_equal(report.reserved, 0);
	assert_int_equal(report.placement, 0);
	assert_int_equal(report.charged, 0);
	return err;
}

static void expect(const struct ibv_ext_dmabuf_mr_attr *attr, int err,
		   enum ibv_ext_dmabuf_reason reason, enum ibv_ext_dmabuf_report_source source)
{
	assert_int_equal(reg_errno(attr), err);
	assert_int_equal(report.reason, reason);
	assert_int_equal(report.source, source);

	/* the same without a report */
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(pd(), attr, NULL));
	assert_int_equal(errno, err);
	mock.num_regs = 0;
}

#define EXPECT_TOLD(attr, err, reason) \
	expect(attr, err, IBV_EXT_DMABUF_REASON_##reason, IBV_EXT_DMABUF_REPORT_REGISTRATION)
#define EXPECT_FOUND(attr, err, reason) \
	expect(attr, err, IBV_EXT_DMABUF_REASON_##reason, IBV_EXT_DMABUF_REPORT_PROBE)
#define EXPECT_NONE(attr, err) \
	expect(attr, err, IBV_EXT_DMABUF_REASON_NONE, IBV_EXT_DMABUF_REPORT_NONE)

static void arguments(void **state)
{
	struct mock_reg *reg = &mock.regs[0];

	(void)state;
	assert_ptr_equal(ibv_reg_dmabuf_mr_pinned(
				 pd(), 0xfedcba9876543210, 0x123456789, 0x1122334455667210, 77,
				 IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING, 0),
			 &mock.mr);
	assert_int_equal(mock.num_regs, 1);
	assert_ptr_equal(reg->pd, pd());
	assert_int_equal(reg->offset, 0xfedcba9876543210);
	assert_int_equal(reg->length, 0x123456789);
	assert_int_equal(reg->iova, 0x1122334455667210);
	assert_int_equal(reg->fd, 77);
	assert_int_equal(reg->access, 0x10000 | 0x100001);
	assert_true(reg->ioctls_before > 0);
}

static void pin_flags(void **state)
{
	static const int bits[] = { 0x10000, 0x30000, 0x50000, 0x70000 };
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	for (attr.pin_flags = 0; attr.pin_flags < 4; attr.pin_flags++) {
		mock.num_regs = 0;
		assert_non_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
		assert_int_equal(mock.regs[0].access,
				 IBV_ACCESS_LOCAL_WRITE | bits[attr.pin_flags]);
	}
}

/* Every registration asks; none looks further without a report. */
static void caps_are_asked_each_time(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	assert_non_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
	mock.num_ioctls = 0;
	assert_non_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
	assert_int_equal(mock.num_ioctls, 1);
	mock.reg_err = EINVAL;
	assert_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
	assert_int_equal(mock.num_ioctls, 2);
	mock.caps.err = EPROTONOSUPPORT;
	mock.num_regs = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
}

/* All arguments are wrong, and yet the kernel is the first to blame. */
static void unsupported_comes_first(void **state)
{
	struct ib_uverbs_dmabuf_caps other = { .magic = 1, .version = 1, .access_flags = ~0 };
	struct ibv_ext_dmabuf_mr_attr attr = {
		.comp_mask = 1, .pin_flags = ~0, .offset = 1, .fd = -1, .access = ~0
	};

	(void)state;
	mock.caps.err = EPROTONOSUPPORT;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_KERNEL_SUPPORT);
	mock.caps.err = EINVAL;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_KERNEL_SUPPORT);
	mock.caps = (struct mock_answer){ .data = &other, .size = sizeof(other) };
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_KERNEL_SUPPORT);
	pd()->context->cmd_fd = -1;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_KERNEL_SUPPORT);
	assert_int_equal(mock.num_regs, 0);
}

static void kernel_could_not_answer(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.caps.err = EIO;
	EXPECT_TOLD(&attr, EIO, DEVICE_REMOVED);
	mock.caps.err = ENODEV;
	EXPECT_TOLD(&attr, ENODEV, DEVICE_REMOVED);
	mock.caps.err = ENOMEM;
	EXPECT_TOLD(&attr, ENOMEM, NO_MEMORY);
	mock.caps.err = EINTR;
	EXPECT_TOLD(&attr, EINTR, INTERRUPTED);
	assert_int_equal(mock.num_regs, 0);
}

static void refused_by_the_library(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	attr.comp_mask = 1;
	EXPECT_TOLD(&attr, EINVAL, BAD_FLAGS);
	attr = good();
	attr.pin_flags = 1 << 2;
	EXPECT_TOLD(&attr, EINVAL, BAD_FLAGS);
	attr.pin_flags = 1U << 31;
	EXPECT_TOLD(&attr, EINVAL, BAD_FLAGS);
	attr = good();
	attr.access |= IBV_EXT_ACCESS_DMABUF_PINNED;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	assert_int_equal(mock.num_regs, 0);
	/* nothing was looked at */
	assert_int_equal(report.dmabuf_size, 0);
	assert_int_equal(report.exporter[0], 0);

	errno = 0;
	assert_null(ibv_reg_dmabuf_mr_pinned(pd(), 0, 4096, 0, 3, 0, 4));
	assert_int_equal(errno, EINVAL);
}

static void device_without_the_flag(void **state)
{
	struct ib_uverbs_dmabuf_caps caps = { IB_UVERBS_DMABUF_MAGIC, 1, 0 };
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.caps = (struct mock_answer){ .data = &caps, .size = sizeof(caps) };
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_DEVICE_SUPPORT);
	caps.access_flags = 0x20000;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_DEVICE_SUPPORT);
	caps.access_flags = 0x10000;
	attr.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_DEVICE_SUPPORT);
	attr.pin_flags = IBV_EXT_DMABUF_PIN_REQUIRE_P2P;
	EXPECT_TOLD(&attr, EOPNOTSUPP, NO_DEVICE_SUPPORT);
	assert_int_equal(mock.num_regs, 0);
	attr.pin_flags = 0;
	assert_non_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, &report));
}

/* What the kernel answers is what the caller sees, whatever else is wrong. */
static void errno_is_the_kernels(void **state)
{
	static const int errors[] = {
		EINVAL, EBADF,	EACCES, EPERM,	    ENOMEM, EIO,    ENODEV,
		EINTR,	EAGAIN, EBUSY,	EOPNOTSUPP, EFAULT, ENOSPC, ETIMEDOUT
	};
	struct ibv_ext_dmabuf_mr_attr attr = good();
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.num_regs = 0;
		mock.reg_err = errors[i];
		assert_int_equal(reg_errno(&attr), errors[i]);
		errno = 0;
		assert_null(ibv_reg_dmabuf_mr_pinned(pd(), 0, 4096, 0, attr.fd, 0, 0));
		assert_int_equal(errno, errors[i]);
	}
}

static void failure_tells_of_the_dmabuf(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	struct stat st;

	(void)state;
	assert_int_equal(fstat(attr.fd, &st), 0);
	mock.reg_err = EBUSY;
	EXPECT_NONE(&attr, EBUSY);
	assert_int_equal(report.dmabuf_size, SIZE);
	assert_int_equal(report.dmabuf_inode, st.st_ino);
	assert_string_equal(report.exporter, "system_heap");

	mock.fdinfo = "exp_name:\tan exporter whose name is longer than the struct\n";
	EXPECT_NONE(&attr, EBUSY);
	assert_string_equal(report.exporter, "an exporter whose name is longe");
	mock.fdinfo = "exp_name:\tx"; /* cut off */
	EXPECT_NONE(&attr, EBUSY);
	assert_string_equal(report.exporter, "x");
	mock.fdinfo = "pos:\t0\n";
	EXPECT_NONE(&attr, EBUSY);
	assert_string_equal(report.exporter, "");
	mock.fdinfo = NULL; /* /proc is not mounted */
	EXPECT_NONE(&attr, EBUSY);
	assert_string_equal(report.exporter, "");
	assert_int_equal(report.dmabuf_size, SIZE);
}

static void invalid_arguments(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EINVAL;
	EXPECT_NONE(&attr, EINVAL);

	attr.iova += 1;
	EXPECT_TOLD(&attr, EINVAL, MISALIGNED);
	attr.length = 0; /* the kernel looks at the alignment first */
	EXPECT_TOLD(&attr, EINVAL, MISALIGNED);

	attr = good();
	attr.access = IBV_ACCESS_REMOTE_WRITE;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_REMOTE_READ;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = 1 << 19;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = INT_MIN;
	EXPECT_TOLD(&attr, EINVAL, BAD_ACCESS);
	attr.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
		      IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_RELAXED_ORDERING;
	EXPECT_NONE(&attr, EINVAL);

	attr = good();
	attr.length = 0;
	EXPECT_TOLD(&attr, EINVAL, BAD_RANGE);
	attr.length = -attr.offset;
	EXPECT_TOLD(&attr, EINVAL, BAD_RANGE);
	attr.length = SIZE - attr.offset + 1;
	EXPECT_FOUND(&attr, EINVAL, BAD_RANGE);
	attr.length = SIZE - attr.offset;
	EXPECT_NONE(&attr, EINVAL);
	attr.offset = UINT64_MAX - 0xfff;
	attr.length = 0xfff;
	EXPECT_FOUND(&attr, EINVAL, BAD_RANGE);
}

static void bad_descriptor(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	attr.fd = fds[0];
	mock.reg_err = EINVAL;
	EXPECT_FOUND(&attr, EINVAL, BAD_FD);
	attr.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* has a size */
	assert_true(attr.fd >= 0);
	EXPECT_FOUND(&attr, EINVAL, BAD_FD);
	close(attr.fd);
	attr.fd = fds[0];
	assert_int_equal(report.dmabuf_size, 0);
	assert_int_equal(report.dmabuf_inode, 0);
	close(fds[0]);
	close(fds[1]);
	mock.reg_err = EBADF;
	EXPECT_FOUND(&attr, EBADF, BAD_FD);
	attr.fd = -1;
	EXPECT_FOUND(&attr, EBADF, BAD_FD);
	/* an exporter's EBADF */
	attr = good();
	EXPECT_NONE(&attr, EBADF);
}

static void read_only_descriptor(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	char path[64];
	int rdwr = attr.fd;

	(void)state;
	mock.reg_err = EACCES;
	EXPECT_NONE(&attr, EACCES);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", rdwr);
	attr.fd = mock.dmabuf_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(attr.fd >= 0);
	close(rdwr);
	EXPECT_FOUND(&attr, EACCES, READ_ONLY_FD);
	attr.access = IBV_ACCESS_REMOTE_READ;
	EXPECT_NONE(&attr, EACCES);
	attr = good();
	attr.fd = -1;
	EXPECT_NONE(&attr, EACCES);
}

#define STATUS(cap, pinned) "Name:\ttest\nVmPin:\t" pinned " kB\nCapEff:\t" cap "\n"
#define NO_CAP "0000000000000000"
#define IPC_LOCK "0000000000004000"

static void memory_limit(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = ENOMEM;
	EXPECT_FOUND(&attr, ENOMEM, NO_MEMORY); /* no limit */

	mock.memlock.rlim_cur = SIZE - 1;
	mock.status = STATUS(NO_CAP, "0");
	EXPECT_FOUND(&attr, ENOMEM, MEMLOCK);
	mock.status = STATUS(NO_CAP, "64"); /* not of this buffer, which can never be charged */
	EXPECT_FOUND(&attr, ENOMEM, MEMLOCK);
	mock.status = STATUS(IPC_LOCK, "0");
	EXPECT_NONE(&attr, ENOMEM);
	mock.status = NULL;
	EXPECT_NONE(&attr, ENOMEM);
	mock.status = "VmPin:\t0 kB\n"; /* some field is missing */
	EXPECT_NONE(&attr, ENOMEM);

	mock.memlock.rlim_cur = SIZE;
	mock.status = STATUS(NO_CAP, "0");
	EXPECT_FOUND(&attr, ENOMEM, NO_MEMORY);
	mock.status = STATUS(NO_CAP, "4");
	EXPECT_FOUND(&attr, ENOMEM, MEMLOCK);
	mock.status = STATUS(NO_CAP, "64"); /* this buffer may be what is pinned */
	EXPECT_NONE(&attr, ENOMEM);

	mock.memlock_err = true;
	EXPECT_NONE(&attr, ENOMEM);

	attr.fd = -1; /* nothing is charged yet */
	mock.memlock_err = false;
	mock.memlock.rlim_cur = 1;
	mock.status = STATUS(NO_CAP, "0");
	EXPECT_FOUND(&attr, ENOMEM, NO_MEMORY);
}

static void not_permitted(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EPERM;
	EXPECT_NONE(&attr, EPERM);
	mock.status = STATUS(NO_CAP, "0");
	mock.memlock.rlim_cur = 0;
	EXPECT_FOUND(&attr, EPERM, MEMLOCK);
	mock.status = STATUS(IPC_LOCK, "0");
	EXPECT_NONE(&attr, EPERM);
	mock.status = STATUS(NO_CAP, "0");
	mock.memlock.rlim_cur = 4095; /* too little, which is not EPERM */
	EXPECT_NONE(&attr, EPERM);
}

static void unsupported(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	int reg_fd;

	(void)state;
	mock.no_provider_op = true;
	EXPECT_FOUND(&attr, EOPNOTSUPP, NO_PROVIDER_SUPPORT);

	mock.no_provider_op = false;
	mock.reg_err = EOPNOTSUPP;
	memset(mock.regs, 0, sizeof(mock.regs));
	assert_int_equal(reg_errno(&attr), EOPNOTSUPP);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NO_CPU_ACCESS);
	/* the second call, which must never register anything */
	reg_fd = mock.regs[1].fd;
	assert_int_equal(reg_fd, -1);
	assert_int_equal(mock.regs[1].access, 0);
	assert_true((mock.regs[1].offset ^ mock.regs[1].iova) & 0xfff);
	mock.num_regs = 0;
	EXPECT_FOUND(&attr, EOPNOTSUPP, NO_CPU_ACCESS);

	attr.fd = -1;
	EXPECT_NONE(&attr, EOPNOTSUPP);

	attr = good();
	mock.devices[0].driver_id = RDMA_DRIVER_MLX5;
	EXPECT_NONE(&attr, EOPNOTSUPP);
}

static void device_removed(void **state)
{
	static const int errors[] = { EIO, ENODEV };
	struct ibv_ext_dmabuf_mr_attr attr = good();
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		mock.reg_err = errors[i];
		mock.removed_err = 0;
		EXPECT_NONE(&attr, errors[i]); /* the exporter's */

		mock.removed_err = errors[i];
		assert_int_equal(reg_errno(&attr), errors[i]);
		assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_REMOVED);
		assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_PROBE);
		mock.num_regs = 0;
	}
}

static void unambiguous_errors(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EINTR;
	EXPECT_TOLD(&attr, EINTR, INTERRUPTED);
	mock.reg_err = ETIMEDOUT;
	EXPECT_TOLD(&attr, ETIMEDOUT, TIMED_OUT);
	mock.reg_err = EAGAIN;
	EXPECT_NONE(&attr, EAGAIN);
}

static void success(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	memset(&report, 0x5a, sizeof(report));
	assert_ptr_equal(ibv_ext_reg_dmabuf_mr(pd(), &attr, &report), &mock.mr);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_NONE);
	assert_int_equal(report.err, 0);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report.flags,
			 IBV_EXT_DMABUF_MR_REQUESTED_PIN | IBV_EXT_DMABUF_MR_CPU_ACCESS);
	assert_int_equal(report.reserved, 0);
	assert_int_equal(report.dmabuf_size, 0x10000);
	assert_int_equal(report.dmabuf_inode, 77);
	assert_int_equal(report.dma_segments, 3);
	assert_int_equal(report.charged, 0x10001);
	assert_string_equal(report.exporter, "udmabuf");

	/* an MR that cannot be described is an MR */
	mock.mr_info.err = ENOMEM;
	memset(&report, 0x5a, sizeof(report));
	assert_ptr_equal(ibv_ext_reg_dmabuf_mr(pd(), &attr, &report), &mock.mr);
	assert_int_equal(report.err, 0);
	assert_int_equal(report.dmabuf_size, 0);
	assert_string_equal(report.exporter, "");
}

static void report_of_another_age(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	struct {
		struct ibv_ext_dmabuf_report known;
		uint8_t more[16];
	} newer;
	unsigned int i;

	(void)state;
	memset(&newer, 0x5a, sizeof(newer));
	assert_non_null(_ibv_ext_reg_dmabuf_mr(pd(), &attr, &newer.known,
					       offsetof(struct ibv_ext_dmabuf_report, placement)));
	assert_int_equal(newer.known.err, 0);
	assert_int_equal(newer.known.placement, 0x5a5a5a5a);

	assert_non_null(_ibv_ext_reg_dmabuf_mr(pd(), &attr, &newer.known, sizeof(newer) - 8));
	assert_int_equal(newer.known.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	for (i = 0; i < 8; i++)
		assert_int_equal(newer.more[i], 0);
	assert_int_equal(newer.more[8], 0x5a);
}

/* The files of /proc are the only thing that a report needs memory for. */
static void allocation_fails(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	struct ibv_ext_dmabuf_caps caps;

	(void)state;
	assert_int_equal(ibv_ext_query_dmabuf_caps(pd()->context, &caps), 0);
	mock.reg_err = ENOMEM;
	mock.memlock.rlim_cur = SIZE - 1;
	mock.status = STATUS(NO_CAP, "0");
	mock.fail_alloc = 1;
	assert_int_equal(reg_errno(&attr), ENOMEM);
	assert_string_equal(report.exporter, "");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_MEMLOCK);
	mock.fail_alloc = 2;
	mock.num_allocs = 0;
	assert_int_equal(reg_errno(&attr), ENOMEM);
	assert_string_equal(report.exporter, "system_heap");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments),
		TEST(pin_flags),
		TEST(caps_are_asked_each_time),
		TEST(unsupported_comes_first),
		TEST(kernel_could_not_answer),
		TEST(refused_by_the_library),
		TEST(device_without_the_flag),
		TEST(errno_is_the_kernels),
		TEST(failure_tells_of_the_dmabuf),
		TEST(invalid_arguments),
		TEST(bad_descriptor),
		TEST(read_only_descriptor),
		TEST(memory_limit),
		TEST(not_permitted),
		TEST(unsupported),
		TEST(device_removed),
		TEST(unambiguous_errors),
		TEST(success),
		TEST(report_of_another_age),
		TEST(allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
