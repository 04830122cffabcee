// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_ext_probe_dmabuf(): what goes over the ioctl, byte by byte, and which
 * answers are the library's own.
 */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "mock.h"

/* As wide as size_t */
#define LENGTH ((size_t)0x1112131415161718)

static struct ibv_ext_dmabuf_report report;

static struct ibv_pd *pd(void)
{
	return &mock.devices[0].pd;
}

static const struct ibv_ext_dmabuf_mr_attr good = {
	.pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE,
	.offset = 0x0102030405060000,
	.length = LENGTH,
	.iova = 0x2122232425260000,
	.fd = 0x31323334,
	.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING,
};

static void bytes(void **state)
{
	static const uint8_t expected[] = {
		IOCTL(120, 0, 17, 6),
		ATTR_U64(0, 0x0102030405060000), /* offset */
		ATTR_U64(1, LENGTH),		 /* length */
		ATTR_U64(2, 0x2122232425260000), /* iova */
		ATTR_U32(3, 0x31323334),	 /* fd */
		ATTR_U32(4, 0x00150001),	 /* access */
		ATTR(5, 104),			 /* the answer */
	};
	struct mock_ioctl *call;

	(void)state;
	mock.devices[0].driver_id = 14;
	memset(&report, 0x5a, sizeof(report));
	assert_int_equal(ibv_ext_probe_dmabuf(pd(), &good, &report), 0);
	call = &mock.ioctls[mock.num_ioctls - 1];
	assert_int_equal(call->length, 120);
	assert_memory_equal(call->bytes, expected, sizeof(expected));

	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_PROBE);
	assert_int_equal(report.err, 0);
	assert_int_equal(report.probe_err, 0);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report.flags, IBV_EXT_DMABUF_MR_REQUESTED_PIN);
	assert_int_equal(report.dmabuf_size, 0x10000);
	assert_int_equal(report.dmabuf_inode, 78);
	assert_int_equal(report.dma_segments, 4);
	assert_int_equal(report.charge, 0x10002);
	assert_int_equal(report.page_size, 0x200000);
	assert_int_equal(report.memlock_limit, UINT64_MAX);
	assert_int_equal(report.memlock_used, 0x30000);
	assert_string_equal(report.exporter, "system");
}

/* The call fails, and the report stays as it was. */
static void expect_failure(const struct ibv_ext_dmabuf_mr_attr *attr, int err)
{
	struct ibv_ext_dmabuf_report before;

	memset(&before, 0x5a, sizeof(before));
	report = before;
	assert_int_equal(ibv_ext_probe_dmabuf(pd(), attr, &report), err);
	assert_memory_equal(&report, &before, sizeof(report));
}

/* The call succeeds, and says how a registration would fail. */
static void expect_outcome(const struct ibv_ext_dmabuf_mr_attr *attr, int err,
			   enum ibv_ext_dmabuf_reason reason)
{
	memset(&report, 0x5a, sizeof(report));
	assert_int_equal(ibv_ext_probe_dmabuf(pd(), attr, &report), 0);
	assert_int_equal(report.err, err);
	assert_int_equal(report.probe_err, err);
	assert_int_equal(report.reason, reason);
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_PROBE);
	mock.num_regs = 0;
}

#define EXPECT_OUTCOME(attr, err, reason) expect_outcome(attr, err, IBV_EXT_DMABUF_REASON_##reason)

static void unsupported_comes_first(void **state)
{
	struct ibv_ext_dmabuf_mr_attr wrong = {
		.comp_mask = 1, .pin_flags = ~0, .offset = 1, .fd = -1, .access = ~0
	};

	(void)state;
	mock.no_provider_op = true;
	mock.caps.err = EPROTONOSUPPORT;
	expect_failure(&wrong, EOPNOTSUPP);
	expect_failure(&good, EOPNOTSUPP);
	mock.caps.err = EIO;
	expect_failure(&good, EIO);
	mock.caps.err = 0;
	pd()->context->cmd_fd = -1;
	expect_failure(&wrong, EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
	assert_int_equal(mock.num_probes, 0);
}

static void kernel_could_not_find_out(void **state)
{
	static const struct {
		int kernel, library;
	} errors[] = {
		{ EPROTONOSUPPORT, EOPNOTSUPP },
		{ EINTR, EINTR },
		{ ENOMEM, ENOMEM },
		{ EIO, EIO },
		{ EINVAL, EINVAL },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.probe.err = errors[i].kernel;
		expect_failure(&good, errors[i].library);
		mock.num_regs = 0;
	}
}

/* As a registration does. */
static void refused_by_the_library(void **state)
{
	struct ib_uverbs_dmabuf_caps caps = { IB_UVERBS_DMABUF_MAGIC, 1, 0x10000 };
	struct ibv_ext_dmabuf_mr_attr attr = good;

	(void)state;
	attr.comp_mask = 1;
	EXPECT_OUTCOME(&attr, EINVAL, BAD_FLAGS);
	attr = good;
	attr.pin_flags = 1 << 2;
	EXPECT_OUTCOME(&attr, EINVAL, BAD_FLAGS);
	attr = good;
	attr.access |= IBV_EXT_ACCESS_DMABUF_PINNED;
	EXPECT_OUTCOME(&attr, EINVAL, BAD_ACCESS);
	mock.caps = (struct mock_answer){ .data = &caps, .size = sizeof(caps) };
	EXPECT_OUTCOME(&good, EOPNOTSUPP, NO_DEVICE_SUPPORT);
	assert_int_equal(report.dmabuf_size, 0);
	assert_int_equal(mock.num_probes, 0);
}

/* The kernel does not look there when it probes. */
static void refused_on_the_way(void **state)
{
	(void)state;
	mock.no_provider_op = true;
	EXPECT_OUTCOME(&good, EOPNOTSUPP, NO_PROVIDER_SUPPORT);
	mock.no_provider_op = false;
	mock.cgroup_is_full = true;
	EXPECT_OUTCOME(&good, EAGAIN, CGROUP);
	assert_int_equal(mock.num_probes, 0);
	mock.cgroup_is_full = false;
	EXPECT_OUTCOME(&good, 0, NONE);
	assert_int_equal(mock.num_probes, 1);
}

/* Without a PD nobody can ask the provider, and the kernel is asked all the same. */
static void by_descriptor(void **state)
{
	struct ibv_ext_dmabuf_mr_attr attr = good;
	const int fd = pd()->context->cmd_fd;

	(void)state;
	mock.no_provider_op = true;
	assert_int_equal(_ibv_ext_probe_dmabuf_fd(fd, &good, &report, sizeof(report)), 0);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.dmabuf_inode, 78);
	assert_int_equal(mock.num_probes, 1);
	attr.pin_flags = 1 << 2;
	assert_int_equal(_ibv_ext_probe_dmabuf_fd(fd, &attr, &report, sizeof(report)), 0);
	assert_int_equal(report.err, EINVAL);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_BAD_FLAGS);
	assert_int_equal(_ibv_ext_probe_dmabuf_fd(-1, &good, &report, sizeof(report)), EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
}

static void refused_by_the_kernel(void **state)
{
	struct ib_uverbs_dmabuf_probe kernel = { .err = EPERM };

	(void)state;
	mock.probe = (struct mock_answer){ .data = &kernel, .size = sizeof(kernel) };
	/* the last is of a newer kernel */
	for (kernel.reason = 1; kernel.reason < 32; kernel.reason++)
		expect_outcome(&good, EPERM, kernel.reason);
	/* pinned, and then revoked */
	kernel.err = 0;
	kernel.reason = IB_UVERBS_DMABUF_REASON_REVOKED;
	EXPECT_OUTCOME(&good, 0, REVOKED);
}

/* Structs of kernels and callers that have grown, or have not yet. */
static void of_another_age(void **state)
{
	struct {
		struct ib_uverbs_dmabuf_probe known;
		uint64_t more[4];
	} kernel = { .known = { .memlock_used = 5 }, .more = { 1, 2, 3, 4 } };
	struct {
		struct ibv_ext_dmabuf_report known;
		uint8_t more[16];
	} caller;
	unsigned int i;

	(void)state;
	memset(kernel.known.exporter, 'x', sizeof(kernel.known.exporter));
	mock.probe = (struct mock_answer){ .data = &kernel, .size = sizeof(kernel) };
	assert_int_equal(ibv_ext_probe_dmabuf(pd(), &good, &report), 0);
	assert_int_equal(report.memlock_used, 5);
	assert_int_equal(strlen(report.exporter), IBV_EXT_DMABUF_EXPORTER_NAME_LEN - 1);

	mock.probe.size = offsetof(struct ib_uverbs_dmabuf_probe, memlock_used);
	assert_int_equal(ibv_ext_probe_dmabuf(pd(), &good, &report), 0);
	assert_int_equal(report.memlock_used, 0);
	assert_string_equal(report.exporter, "");

	mock.probe.size = sizeof(kernel);
	memset(&caller, 0x5a, sizeof(caller));
	assert_int_equal(_ibv_ext_probe_dmabuf(pd(), &good, &caller.known, 16), 0);
	assert_int_equal(caller.known.probe_err, 0);
	assert_int_equal(caller.known.placement, 0x5a5a5a5a);
	assert_int_equal(_ibv_ext_probe_dmabuf(pd(), &good, &caller.known, sizeof(caller) - 8), 0);
	assert_int_equal(caller.known.memlock_used, 5);
	for (i = 0; i < 8; i++)
		assert_int_equal(caller.more[i], 0);
	assert_int_equal(caller.more[8], 0x5a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes),
		TEST(unsupported_comes_first),
		TEST(kernel_could_not_find_out),
		TEST(refused_by_the_library),
		TEST(refused_on_the_way),
		TEST(by_descriptor),
		TEST(refused_by_the_kernel),
		TEST(of_another_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
