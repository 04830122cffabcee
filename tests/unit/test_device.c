// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What is remembered of a device: as little is asked as possible, and nothing of
 * a device that went is believed of the one that came.
 */
#include <errno.h>
#include <string.h>

#include "mock.h"

static const char no_devtmpfs[] =
	"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
	"23 22 0:6 / /dev rw,nosuid shared:2 - tmpfs devtmpfs rw,mode=755\n";

static struct mock_device *device(void)
{
	return &mock.devices[0];
}

static int setup(void **state)
{
	static ino_t ino = 100;

	mock_setup(state);
	device()->node_dev = MOCK_DEVTMPFS;
	device()->node_ino = ino++;
	return 0;
}

/* The errno value of a registration, or 0; and what it cost. */
static int reg(unsigned int expected_ioctls)
{
	struct ibv_mr *mr;

	mock.num_regs = 0;
	mock.num_ioctls = 0;
	mock.num_fstats = 0;
	mr = ibv_reg_dmabuf_mr_pinned(&device()->pd, 0, 4096, 0, 3, 0, 0);
	assert_int_equal(mock.num_ioctls, expected_ioctls);
	assert_int_equal(mock.num_fstats, 1);
	return mr ? 0 : errno;
}

/* The ids from 0 up, one of which is right, and the question itself. */
#define IOCTLS_OF_FIRST (RDMA_DRIVER_RXE + 2)

static void first_registration(void)
{
	assert_int_equal(reg(IOCTLS_OF_FIRST), 0);
	assert_int_equal(mock.num_regs, 1);
}

/* Nothing but the registration's own ioctl, which is libibverbs'. */
static void asked_once(void **state)
{
	struct ibv_ext_dmabuf_caps caps;
	unsigned int i;

	(void)state;
	first_registration();
	for (i = 0; i < 3; i++) {
		assert_int_equal(reg(0), 0);
		assert_int_equal(mock.num_regs, 1);
	}
	assert_int_equal(ibv_ext_query_dmabuf_caps(&device()->context, &caps), 0);
	assert_int_equal(caps.version, 1);
	assert_int_equal(caps.access_flags, 0x70000);
	assert_int_equal(mock.num_ioctls, 0);
	assert_int_equal(mock.num_mountinfo_reads, 1);

	/* a failure is asked about by who wants a report only */
	mock.reg_err = EINVAL;
	assert_int_equal(reg(0), EINVAL);
}

/* The address of a context says nothing, and neither does a descriptor's number. */
static void another_context(void **state)
{
	struct ib_uverbs_dmabuf_caps none = { IB_UVERBS_DMABUF_MAGIC, 1, 0 };
	struct mock_device *other = mock_add_device(RDMA_DRIVER_EFA);
	int fd = device()->fd;

	(void)state;
	first_registration();
	other->node_dev = MOCK_DEVTMPFS;
	device()->context.cmd_fd = other->fd;
	mock.caps = (struct mock_answer){ .data = &none, .size = sizeof(none) };
	assert_int_equal(reg(RDMA_DRIVER_EFA + 2), EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
	assert_int_equal(reg(0), EOPNOTSUPP);

	/* the first one's descriptor is the second's now */
	device()->context.cmd_fd = fd;
	assert_int_equal(reg(0), 0);
	device()->fd = other->fd;
	other->fd = fd;
	assert_int_equal(reg(0), EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
}

static void change_rdev(struct mock_device *d)
{
	d->rdev = makedev(230, minor(d->rdev));
}

static void change_dev(struct mock_device *d)
{
	d->node_dev = makedev(0, 50);
}

static void change_ino(struct mock_device *d)
{
	d->node_ino += 1000000;
}

static void change_nlink(struct mock_device *d)
{
	d->node_nlink = 0;
}

static void change_seconds(struct mock_device *d)
{
	d->node_ctim.tv_sec++;
}

static void change_nanoseconds(struct mock_device *d)
{
	d->node_ctim.tv_nsec++;
}

/* Whatever of the node is another, so may be the kernel's module. */
static void module_without_the_series(void **state)
{
	static void (*const change[])(
		struct mock_device *) = { change_rdev,	change_dev,	change_ino,
					  change_nlink, change_seconds, change_nanoseconds };
	unsigned int i;

	for (i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		first_registration();
		change[i](device());
		mock.caps.err = EPROTONOSUPPORT;
		assert_int_equal(reg(IOCTLS_OF_FIRST), EOPNOTSUPP);
		assert_int_equal(mock.num_regs, 0);
		mock_teardown(state);
		setup(state);
	}
}

static void device_that_can_less(void **state)
{
	struct ib_uverbs_dmabuf_caps caps = { IB_UVERBS_DMABUF_MAGIC, 1, 0x10000 };

	(void)state;
	first_registration();
	change_ino(device());
	device()->driver_id = RDMA_DRIVER_SIW;
	mock.caps = (struct mock_answer){ .data = &caps, .size = sizeof(caps) };
	assert_int_equal(reg(RDMA_DRIVER_SIW + 2), 0);
	assert_null(ibv_reg_dmabuf_mr_pinned(&device()->pd, 0, 4096, 0, 3, 0,
					     IBV_EXT_DMABUF_PIN_ALLOW_REVOKE));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 1);
}

/* An unlinked node may be opened for the next device with that number, too. */
static void removed_device(void **state)
{
	(void)state;
	first_registration();
	device()->node_nlink = 0;
	assert_int_equal(reg(IOCTLS_OF_FIRST), 0);
	assert_int_equal(reg(1), 0);
	mock.caps.err = EIO;
	assert_int_equal(reg(1), EIO);
	mock.caps.err = EPROTONOSUPPORT;
	assert_int_equal(reg(1), EOPNOTSUPP);
	assert_int_equal(mock.num_regs, 0);
}

/* One that mknod() made, as containers have them, serves any device with its number. */
static void node_outside_devtmpfs(void **state)
{
	static const char *const mountinfo[] = { no_devtmpfs, "", NULL };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		mock.mountinfo = mountinfo[i];
		first_registration();
		assert_int_equal(reg(1), 0);
		/* what kind of node it is was looked at only once */
		assert_int_equal(mock.num_mountinfo_reads, 1);
		mock.caps.err = EPROTONOSUPPORT;
		assert_int_equal(reg(1), EOPNOTSUPP);
		assert_int_equal(mock.num_regs, 0);

		mock.caps.err = 0;
		device()->driver_id = RDMA_DRIVER_SIW;
		/* refused, checked, and the ids from 0 up */
		assert_int_equal(reg(2 + RDMA_DRIVER_SIW + 2), 0);
		mock_teardown(state);
		setup(state);
	}
}

/* What is no answer, or not the answer hoped for, is asked for again. */
static void failures_are_not_remembered(void **state)
{
	static const int errors[] = { EPROTONOSUPPORT, EINVAL, EIO, ENODEV, ENOMEM, EINTR };
	struct ib_uverbs_dmabuf_caps other = { IB_UVERBS_DMABUF_MAGIC ^ 1, 1, 0x70000 };
	struct mock_answer good = mock.caps;
	unsigned int i;

	(void)state;
	mock.caps = (struct mock_answer){ .data = &other, .size = sizeof(other) };
	assert_int_equal(reg(IOCTLS_OF_FIRST), EOPNOTSUPP);
	assert_int_equal(reg(1), EOPNOTSUPP);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.caps.err = errors[i];
		assert_int_not_equal(reg(errors[i] == EINVAL ? 2 : 1), 0);
		assert_int_equal(mock.num_regs, 0);
	}
	mock.caps = good;
	assert_int_equal(reg(1), 0);
	assert_int_equal(reg(0), 0);
}

static void nothing_can_be_remembered(void **state)
{
	(void)state;
	mock.fail_alloc = 2; /* the first is netlink's */
	first_registration();
	assert_int_equal(mock.num_allocs, 2);
	assert_int_equal(reg(IOCTLS_OF_FIRST), 0);
	assert_int_equal(reg(0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asked_once),
		TEST(another_context),
		TEST(module_without_the_series),
		TEST(device_that_can_less),
		TEST(removed_device),
		TEST(node_outside_devtmpfs),
		TEST(failures_are_not_remembered),
		TEST(nothing_can_be_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
