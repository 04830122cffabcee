// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registrations that have to fail: by every way that leads to the kernel, with
 * the same errno value, and without leaving anything behind.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "raw_ioctl.h"
#include "test.h"

#define PIN_FLAGS (IBV_EXT_DMABUF_PIN_REQUIRE_P2P | IBV_EXT_DMABUF_PIN_ALLOW_REVOKE)

static struct ibv_ext_dmabuf_mr_attr whole(const struct dmabuf *buf)
{
	return (struct ibv_ext_dmabuf_mr_attr){
		.length = buf->size,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
}

/* What the kernel is told when the library has nothing to say against it. */
static struct raw_region raw(const struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr)
{
	return (struct raw_region){
		.pd = pd->handle,
		.fd = attr->fd,
		.offset = attr->offset,
		.length = attr->length,
		.iova = attr->iova,
		.access = attr->access,
	};
}

static void expect_library_refusal(struct fixture *f, const struct ibv_ext_dmabuf_mr_attr *attr,
				   int err, enum ibv_ext_dmabuf_reason reason, const char *what)
{
	struct ibv_ext_dmabuf_report report;
	struct ibv_mr *mr;

	memset(&report, 0xff, sizeof(report));
	errno = 0;
	mr = ibv_ext_reg_dmabuf_mr(f->pd, attr, &report);
	assert_null(mr);
	assert_errno(errno, err, "ibv_ext_reg_dmabuf_mr, %s", what);
	assert_errno(report.err, err, "its report, %s", what);
	if (report.reason != reason)
		fail_msg("%s: reason \"%s\", expected \"%s\"", what,
			 ibv_ext_dmabuf_reason_str(report.reason),
			 ibv_ext_dmabuf_reason_str(reason));
	assert_int_not_equal(report.source, IBV_EXT_DMABUF_REPORT_NONE);

	if (attr->comp_mask)
		return;
	errno = 0;
	mr = ibv_reg_dmabuf_mr_pinned(f->pd, attr->offset, attr->length, attr->iova, attr->fd,
				      attr->access, attr->pin_flags);
	assert_null(mr);
	assert_errno(errno, err, "ibv_reg_dmabuf_mr_pinned, %s", what);
}

static void expect_kernel_refusal(struct fixture *f, const struct ibv_ext_dmabuf_mr_attr *attr,
				  int err, const char *what)
{
	struct raw_region region = raw(f->pd, attr);
	struct ibv_mr *mr;
	struct raw_mr rmr;

	errno = 0;
	mr = ibv_reg_dmabuf_mr(f->pd, attr->offset, attr->length, attr->iova, attr->fd,
			       attr->access);
	assert_null(mr);
	assert_errno(errno, err, "ibv_reg_dmabuf_mr, %s", what);

	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &rmr), err, "ioctl, %s", what);
	region.access |= IB_UVERBS_ACCESS_DMABUF_PINNED;
	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &rmr), err,
		     "ioctl with PINNED, %s", what);
}

static void expect_refusal(struct fixture *f, const struct ibv_ext_dmabuf_mr_attr *attr, int err,
			   enum ibv_ext_dmabuf_reason reason, const char *what)
{
	struct usage before;

	usage_read(&before);
	expect_library_refusal(f, attr, err, reason, what);
	expect_kernel_refusal(f, attr, err, what);
	assert_usage(&before, what);
}

static void check_still_works(struct fixture *f, const struct dmabuf *buf)
{
	deregister(register_all(f->pd, buf));
}

static void no_dmabuf(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	int sockets[2];
	size_t i;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);

	const struct {
		const char *what;
		int fd;
	} files[] = {
		{ "a device", open("/dev/null", O_RDWR) },
		{ "a file", open("/proc/self/status", O_RDONLY) },
		{ "a directory", open("/", O_RDONLY | O_DIRECTORY) },
		{ "a memfd", memfd_create("test", 0) },
		{ "a socket", sockets[0] },
		{ "an epoll descriptor", epoll_create1(0) },
		{ "the memfd behind a udmabuf", dup(buf->memfd) },
		{ "the exporter's device", open("/dev/udmabuf", O_RDWR) },
		{ "a uverbs device", dup(f->context->cmd_fd) },
	};

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		assert_true(files[i].fd >= 0);
		attr.fd = files[i].fd;
		expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_FD, files[i].what);
		assert_int_equal(close(files[i].fd), 0);
	}
	close(sockets[1]);
	check_still_works(f, buf);
}

static void closed_descriptor(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);

	attr.fd = dup(buf->fd);
	close(attr.fd);
	expect_refusal(f, &attr, EBADF, IBV_EXT_DMABUF_REASON_BAD_FD, "a closed descriptor");
	attr.fd = -1;
	expect_refusal(f, &attr, EBADF, IBV_EXT_DMABUF_REASON_BAD_FD, "descriptor -1");
	attr.fd = INT_MAX;
	expect_refusal(f, &attr, EBADF, IBV_EXT_DMABUF_REASON_BAD_FD, "descriptor INT_MAX");
	attr.fd = INT_MIN;
	expect_refusal(f, &attr, EBADF, IBV_EXT_DMABUF_REASON_BAD_FD, "descriptor INT_MIN");
	check_still_works(f, buf);
}

static void path_descriptor(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);

	attr.fd = open("/dev/null", O_PATH);
	assert_true(attr.fd >= 0);
	expect_refusal(f, &attr, EBADF, IBV_EXT_DMABUF_REASON_BAD_FD, "an O_PATH descriptor");
	close(attr.fd);
}

static void bad_range(void **state)
{
	struct fixture *f = *state;
	const uint64_t size = 4 * PAGE;
	const uint64_t last_page = -PAGE;
	const struct {
		const char *what;
		uint64_t offset, length;
	} cases[] = {
		{ "nothing", 0, 0 },
		{ "nothing in the middle", PAGE, 0 },
		{ "nothing at the end", size, 0 },
		{ "one byte too long", 0, size + 1 },
		{ "one page too long", PAGE, size },
		{ "one byte after the end", size, 1 },
		{ "one byte over the end, from a byte", size - 1, 2 },
		{ "after the end", 16 * size, PAGE },
		{ "offset and length that overflow to 0", last_page, PAGE },
		{ "offset and length that overflow", last_page, 2 * PAGE },
		{ "offset and length that overflow into the buffer", last_page, 3 * PAGE },
		{ "the longest region", 0, UINT64_MAX },
		{ "the longest region, from a byte", 1, UINT64_MAX },
		{ "a length of 2^63", 0, 1ULL << 63 },
		{ "a length that is small in 32 bits", 0, (1ULL << 32) + PAGE },
		{ "an offset that is small in 32 bits", 1ULL << 32, PAGE },
		{ "the last offset", UINT64_MAX, 1 },
	};
	enum exporter exporter;
	size_t i;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		struct dmabuf *buf = fixture_buffer(f, exporter, size);
		struct ibv_ext_dmabuf_mr_attr attr = whole(buf);

		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			attr.offset = cases[i].offset;
			attr.length = cases[i].length;
			attr.iova = cases[i].offset;
			expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_RANGE,
				       cases[i].what);
		}
		check_still_works(f, buf);
	}
}

static void misaligned(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	const struct {
		uint64_t offset, iova;
	} cases[] = {
		{ 0, 1 }, { 1, 0 }, { PAGE, PAGE / 2 }, { PAGE - 1, PAGE }, { 8, 16 * PAGE },
	};
	size_t i;

	attr.length = 8;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		attr.offset = cases[i].offset;
		attr.iova = cases[i].iova;
		expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_MISALIGNED,
			       "offset and iova that disagree");
	}
	check_still_works(f, buf);
}

/* Every bit that is no access right of a dma-buf MR, one at a time. */
static void unknown_access_bits(void **state)
{
	const unsigned int known = ACCESS_ALL | IBV_ACCESS_RELAXED_ORDERING;
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	unsigned int bit;
	char what[64];

	for (bit = 0; bit < 32; bit++) {
		if ((known | IB_UVERBS_ACCESS_DMABUF_MASK) & 1U << bit)
			continue;
		attr.access = ACCESS_ALL | 1U << bit;
		snprintf(what, sizeof(what), "access bit %u", bit);
		expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_ACCESS, what);
	}
	check_still_works(f, buf);
}

/* They are asked for by pin_flags; the library does not take them twice. */
static void pin_bits_in_access(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	unsigned int bit;

	for (bit = 16; bit <= 18; bit++) {
		attr.access = ACCESS_ALL | 1U << bit;
		expect_library_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_ACCESS,
				       "a pin bit among the access flags");
	}
}

static void unknown_pin_flags(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	struct usage before;
	unsigned int bit;

	usage_read(&before);
	for (bit = 0; bit < 32; bit++) {
		if (PIN_FLAGS & 1U << bit)
			continue;
		attr.pin_flags = 1U << bit;
		expect_library_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_FLAGS,
				       "unknown pin flag");
	}
	attr.pin_flags = 0;
	for (bit = 0; bit < 32; bit++) {
		attr.comp_mask = 1U << bit;
		expect_library_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_FLAGS,
				       "unknown comp_mask bit");
	}
	assert_usage(&before, "unknown flags");
	check_still_works(f, buf);
}

/* Never ignored: a device that cannot do it refuses. */
static void pin_flags_that_the_device_lacks(void **state)
{
	static const struct {
		uint32_t pin, access;
	} flags[] = {
		{ IBV_EXT_DMABUF_PIN_REQUIRE_P2P, IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P },
		{ IBV_EXT_DMABUF_PIN_ALLOW_REVOKE, IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE },
		{ PIN_FLAGS,
		  IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE },
	};
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	struct ibv_ext_dmabuf_caps caps;
	struct raw_region region;
	struct usage before;
	struct raw_mr mr;
	size_t i;

	assert_errno(ibv_ext_query_dmabuf_caps(f->context, &caps), 0, "caps");
	usage_read(&before);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		region = raw(f->pd, &attr);
		region.access |= flags[i].access;
		assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), EINVAL,
			     "access %#x without PINNED", region.access);
		assert_null(ibv_reg_dmabuf_mr(f->pd, 0, buf->size, 0, buf->fd, region.access));
		assert_errno(errno, EINVAL, "access %#x without PINNED", region.access);
		assert_usage(&before, "without PINNED");

		if (!(flags[i].access & ~caps.access_flags))
			continue;
		region.access |= IB_UVERBS_ACCESS_DMABUF_PINNED;
		assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), EOPNOTSUPP,
			     "access %#x", region.access);
		attr.pin_flags = flags[i].pin;
		expect_library_refusal(f, &attr, EOPNOTSUPP,
				       IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT,
				       "pin flag that the device lacks");
		assert_usage(&before, "with PINNED");
	}
}

static void remote_write_without_local_write(void **state)
{
	static const int access[] = {
		IBV_ACCESS_REMOTE_WRITE,
		IBV_ACCESS_REMOTE_ATOMIC,
		IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC,
	};
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(access); i++) {
		attr.access = access[i];
		expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_BAD_ACCESS,
			       "remote write without local write");
	}
	check_still_works(f, buf);
}

static void write_access_to_a_read_only_buffer(void **state)
{
	static const int writing[] = {
		IBV_ACCESS_LOCAL_WRITE,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC,
		ACCESS_ALL,
	};
	static const int reading[] = {
		0,
		IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_REMOTE_READ | IBV_ACCESS_RELAXED_ORDERING,
	};
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_read_only_buffer(f, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	struct ibv_mr *mr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(writing); i++) {
		attr.access = writing[i];
		expect_refusal(f, &attr, EACCES, IBV_EXT_DMABUF_REASON_READ_ONLY_FD,
			       "write access to a read-only buffer");
	}
	for (i = 0; i < ARRAY_SIZE(reading); i++) {
		deregister(register_pinned(f->pd, buf, 0, PAGE, 0, reading[i]));
		mr = ibv_reg_dmabuf_mr(f->pd, 0, PAGE, 0, buf->fd, reading[i]);
		assert_non_null(mr);
		deregister(mr);
	}
	/* The rights are those of the descriptor, not of a region that exists. */
	mr = register_pinned(f->pd, buf, 0, PAGE, 0, IBV_ACCESS_REMOTE_READ);
	attr.access = ACCESS_ALL;
	expect_refusal(f, &attr, EACCES, IBV_EXT_DMABUF_REASON_READ_ONLY_FD,
		       "write access beside a region that reads");
	deregister(mr);
}

/* The kernel's answer to handles that are not of this context. */
static void foreign_and_bogus_pds(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = whole(buf);
	struct raw_region region = raw(f->pd, &attr);
	struct ibv_context *other = open_device();
	int cmd_fd = f->context->cmd_fd;
	struct ibv_pd *pds[16];
	struct usage before;
	struct raw_mr mr;
	struct ibv_cq *cq;
	size_t i;

	assert_non_null(other);
	/* enough for a handle that no object of the test's own context has */
	for (i = 0; i < ARRAY_SIZE(pds); i++) {
		pds[i] = ibv_alloc_pd(other);
		assert_non_null(pds[i]);
	}
	cq = ibv_create_cq(f->context, 1, NULL, NULL, 0);
	assert_non_null(cq);
	usage_read(&before);

	region.pd = pds[ARRAY_SIZE(pds) - 1]->handle;
	assert_errno(raw_reg_dmabuf_mr(cmd_fd, &region, &mr), ENOENT, "PD of another context");
	region.pd = 12345;
	assert_errno(raw_reg_dmabuf_mr(cmd_fd, &region, &mr), ENOENT, "bogus PD");
	region.pd = UINT32_MAX;
	assert_errno(raw_reg_dmabuf_mr(cmd_fd, &region, &mr), ENOENT, "bogus PD");
	region.pd = cq->handle;
	assert_errno(raw_reg_dmabuf_mr(cmd_fd, &region, &mr), EINVAL, "a CQ as the PD");
	assert_usage(&before, "after wrong PDs");

	assert_int_equal(ibv_destroy_cq(cq), 0);
	for (i = 0; i < ARRAY_SIZE(pds); i++)
		assert_int_equal(ibv_dealloc_pd(pds[i]), 0);
	assert_int_equal(ibv_close_device(other), 0);
	check_still_works(f, buf);
}

/* Which of several mistakes is told does not matter; that it fails does. */
static void several_mistakes(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_attr attr = {
		.offset = 1,
		.length = 0,
		.fd = -1,
		.access = ~(int)IB_UVERBS_ACCESS_DMABUF_MASK,
	};

	expect_refusal(f, &attr, EINVAL, IBV_EXT_DMABUF_REASON_MISALIGNED, "several mistakes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_dmabuf),
		TEST(closed_descriptor),
		TEST(path_descriptor),
		TEST(bad_range),
		TEST(misaligned),
		TEST(unknown_access_bits),
		TEST(pin_bits_in_access),
		TEST(unknown_pin_flags),
		TEST(pin_flags_that_the_device_lacks),
		TEST(remote_write_without_local_write),
		TEST(write_access_to_a_read_only_buffer),
		TEST(foreign_and_bogus_pds),
		TEST(several_mistakes),
	};

	return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
