// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration: what reaches libibverbs, which errno comes back, and what the
 * report says.
 */
#include <errno.h>
#include <string.h>

#include "mock.h"

static struct ibv_ext_dmabuf_report report;

static struct ibv_pd *pd(void)
{
	return &mock.devices[0].pd;
}

/* A registration that is right in every field. */
static struct ibv_ext_dmabuf_mr_attr good(void)
{
	return (struct ibv_ext_dmabuf_mr_attr){ .offset = 0x1000,
						.length = 0x2000,
						.iova = 0x7f0000001000,
						.fd = 55,
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
	if (report.source != IBV_EXT_DMABUF_REPORT_PROBE)
		assert_int_equal(report.probe_err, 0);
	return err;
}

static void expect_nothing_known(void)
{
	static const struct ibv_ext_dmabuf_report nothing;

	assert_memory_equal(&report.placement, &nothing.placement,
			    sizeof(report) - offsetof(struct ibv_ext_dmabuf_report, placement));
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
/* Nobody could tell. */
#define EXPECT_NONE(attr, err) \
	expect(attr, err, IBV_EXT_DMABUF_REASON_NONE, IBV_EXT_DMABUF_REPORT_NONE)
/* A probe does not tell why. */
#define EXPECT_UNEXPLAINED(attr, err) \
	expect(attr, err, IBV_EXT_DMABUF_REASON_NONE, IBV_EXT_DMABUF_REPORT_PROBE)

/* More than 32 bits, where it has them */
#define LENGTH ((size_t)0x123456789)

static void arguments(void **state)
{
	struct mock_reg *reg = &mock.regs[0];

	(void)state;
	assert_ptr_equal(
		ibv_reg_dmabuf_mr_pinned(pd(), 0xfedcba9876543210, LENGTH, 0x1122334455667210, 77,
					 IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING, 0),
		&mock.mr);
	assert_int_equal(mock.num_regs, 1);
	assert_ptr_equal(reg->pd, pd());
	assert_int_equal(reg->offset, 0xfedcba9876543210);
	assert_int_equal(reg->length, LENGTH);
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
	assert_int_equal(mock.num_probes, 0);
	expect_nothing_known();

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

static struct ib_uverbs_dmabuf_probe kernel;

/* The kernel's probe answers with @err and @reason. */
static void set_probe(int err, uint32_t reason)
{
	kernel = (struct ib_uverbs_dmabuf_probe){
		.reason = reason,
		.err = err,
		.dmabuf_size = 0x4000,
		.dmabuf_inode = 9,
		.charge = 0x4001,
		.memlock_limit = 0x4002,
		.memlock_used = 0x4003,
		.exporter = "vfio",
	};
	mock.probe = (struct mock_answer){ .data = &kernel, .size = sizeof(kernel) };
}

static void reason_is_the_probes(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();
	int reason;

	(void)state;
	mock.reg_err = EBUSY;
	/* the last is of a newer kernel */
	for (reason = 1; reason <= IB_UVERBS_DMABUF_REASON_TIMED_OUT + 1; reason++) {
		set_probe(EBUSY, reason);
		expect(&attr, EBUSY, reason, IBV_EXT_DMABUF_REPORT_PROBE);
		assert_int_equal(report.probe_err, EBUSY);
		assert_int_equal(report.placement, 0);
		assert_int_equal(report.dmabuf_size, 0x4000);
		assert_int_equal(report.dmabuf_inode, 9);
		assert_int_equal(report.charge, 0x4001);
		assert_int_equal(report.memlock_limit, 0x4002);
		assert_int_equal(report.memlock_used, 0x4003);
		assert_string_equal(report.exporter, "vfio");
	}
}

/* Without a report nobody pins the buffer a second time. */
static void no_report_no_probe(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EINVAL;
	assert_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, NULL));
	assert_null(ibv_reg_dmabuf_mr_pinned(pd(), 0, 4096, 0, 3, 0, 0));
	assert_int_equal(mock.num_probes, 0);
	assert_int_equal(mock.num_regs, 2);
	mock.reg_err = 0;
	assert_non_null(ibv_ext_reg_dmabuf_mr(pd(), &attr, &report));
	assert_int_equal(mock.num_probes, 0);
}

static void probe_finds_nothing(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = ENOMEM;
	EXPECT_UNEXPLAINED(&attr, ENOMEM);
	assert_int_equal(report.probe_err, 0);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report.flags, IBV_EXT_DMABUF_MR_REQUESTED_PIN);
	assert_int_equal(report.dma_segments, 4);
	assert_int_equal(report.page_size, 0x200000);
	assert_int_equal(report.memlock_limit, UINT64_MAX);

	/* another failure explains no more */
	set_probe(EPERM, IB_UVERBS_DMABUF_REASON_POLICY);
	EXPECT_UNEXPLAINED(&attr, ENOMEM);
	assert_int_equal(report.probe_err, EPERM);
	assert_int_equal(report.dmabuf_size, 0x4000);

	/* revoked as soon as it was pinned */
	set_probe(0, IB_UVERBS_DMABUF_REASON_REVOKED);
	EXPECT_UNEXPLAINED(&attr, ENOMEM);
}

static void too_long_for_the_device(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EINVAL;
	mock.max_mr_size = attr.length;
	EXPECT_UNEXPLAINED(&attr, EINVAL);
	mock.max_mr_size = attr.length - 1;
	EXPECT_FOUND(&attr, EINVAL, DEVICE_LIMIT);
	assert_int_equal(report.probe_err, 0);
	set_probe(EINVAL, IB_UVERBS_DMABUF_REASON_BAD_RANGE);
	EXPECT_FOUND(&attr, EINVAL, BAD_RANGE);
	set_probe(EACCES, IB_UVERBS_DMABUF_REASON_READ_ONLY_FD);
	EXPECT_UNEXPLAINED(&attr, EINVAL);
	mock.max_mr_size = 0; /* cannot be queried */
	set_probe(0, 0);
	EXPECT_UNEXPLAINED(&attr, EINVAL);
}

static void probe_fails(void **state)
{
	static const int errors[] = { EPROTONOSUPPORT, EOPNOTSUPP, EINVAL, EFAULT, EINTR, ENOMEM };
	struct ibv_ext_dmabuf_mr_attr attr = good();
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.reg_err = EINVAL;
		mock.probe.err = errors[i];
		EXPECT_NONE(&attr, EINVAL);
		expect_nothing_known();
		mock.reg_err = ENOMEM;
		EXPECT_NONE(&attr, ENOMEM);
	}
}

static void not_by_the_provider(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.no_provider_op = true;
	EXPECT_FOUND(&attr, EOPNOTSUPP, NO_PROVIDER_SUPPORT);
	assert_int_equal(report.probe_err, EOPNOTSUPP);
	assert_int_equal(mock.num_probes, 0);
	expect_nothing_known();

	mock.no_provider_op = false;
	mock.reg_err = EOPNOTSUPP;
	set_probe(EOPNOTSUPP, IB_UVERBS_DMABUF_REASON_NO_CPU_ACCESS);
	assert_int_equal(reg_errno(&attr), EOPNOTSUPP);
	/* the second call, which must never register anything */
	assert_int_equal(mock.num_regs, 2);
	assert_int_equal(mock.regs[1].fd, -1);
	assert_int_equal(mock.regs[1].access, 0);
	assert_true((mock.regs[1].offset ^ mock.regs[1].iova) & 0xfff);
	mock.num_regs = 0;
	EXPECT_FOUND(&attr, EOPNOTSUPP, NO_CPU_ACCESS);
}

static void not_by_the_cgroup(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.cgroup_is_full = true;
	EXPECT_FOUND(&attr, EAGAIN, CGROUP);
	assert_int_equal(mock.num_probes, 0);
	/* not any more, or never, as the value is the exporter's */
	mock.cgroup_is_full = false;
	mock.reg_err = EAGAIN;
	EXPECT_UNEXPLAINED(&attr, EAGAIN);
	set_probe(EAGAIN, IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_PIN);
	EXPECT_FOUND(&attr, EAGAIN, EXPORTER_REFUSED_PIN);
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
		EXPECT_UNEXPLAINED(&attr, errors[i]); /* the exporter's */

		mock.removed_err = errors[i];
		assert_int_equal(reg_errno(&attr), errors[i]);
		assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_REMOVED);
		assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_PROBE);
		assert_int_equal(report.probe_err, errors[i]);
		mock.num_regs = 0;

		/* removed after it failed for another reason */
		mock.reg_err = EINVAL;
		assert_int_equal(reg_errno(&attr), EINVAL);
		assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
		mock.num_regs = 0;
	}
}

/* What happened once would happen again, or take as long. */
static void not_asked_again(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good();

	(void)state;
	mock.reg_err = EINTR;
	EXPECT_TOLD(&attr, EINTR, INTERRUPTED);
	mock.reg_err = ETIMEDOUT;
	EXPECT_TOLD(&attr, ETIMEDOUT, TIMED_OUT);
	assert_int_equal(mock.num_probes, 0);
	expect_nothing_known();
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
	assert_int_equal(report.probe_err, 0);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report.flags,
			 IBV_EXT_DMABUF_MR_REQUESTED_PIN | IBV_EXT_DMABUF_MR_CPU_ACCESS);
	assert_int_equal(report.dmabuf_size, 0x10000);
	assert_int_equal(report.dmabuf_inode, 77);
	assert_int_equal(report.dma_segments, 3);
	assert_int_equal(report.charge, 0x10001);
	assert_int_equal(report.page_size, 0);
	assert_int_equal(report.memlock_limit, 0);
	assert_int_equal(report.memlock_used, 0);
	assert_string_equal(report.exporter, "udmabuf");

	/* an MR that cannot be described is an MR */
	mock.mr_info.err = ENOMEM;
	memset(&report, 0x5a, sizeof(report));
	assert_ptr_equal(ibv_ext_reg_dmabuf_mr(pd(), &attr, &report), &mock.mr);
	assert_int_equal(report.err, 0);
	expect_nothing_known();
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments),
		TEST(pin_flags),
		TEST(unsupported_comes_first),
		TEST(kernel_could_not_answer),
		TEST(refused_by_the_library),
		TEST(device_without_the_flag),
		TEST(errno_is_the_kernels),
		TEST(reason_is_the_probes),
		TEST(no_report_no_probe),
		TEST(probe_finds_nothing),
		TEST(too_long_for_the_device),
		TEST(probe_fails),
		TEST(not_by_the_provider),
		TEST(not_by_the_cgroup),
		TEST(device_removed),
		TEST(not_asked_again),
		TEST(success),
		TEST(report_of_another_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
