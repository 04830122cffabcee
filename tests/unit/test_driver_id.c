// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Finding the driver id: by netlink, by trying, from last time, from several
 * threads at once.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <sys/sysmacros.h>
#include <rdma/rdma_netlink.h>

#include "bytes.h"
#include "mock.h"

static int query(struct mock_device *device)
{
	struct ibv_ext_dmabuf_caps caps;

	return ibv_ext_query_dmabuf_caps(&device->context, &caps);
}

static void open_netlink(const struct mock_nl_device *devices, unsigned int num)
{
	mock.nl_closed = false;
	mock.nl_devices = devices;
	mock.num_nl_devices = num;
}

/* One ioctl to check netlink's answer, one for the caps. */
static void assert_found_by_netlink(uint32_t id)
{
	assert_int_equal(mock.num_ioctls, 2);
	assert_int_equal(mock.ioctls[0].method, MOCK_NO_SUCH_METHOD);
	assert_int_equal(mock.ioctls[0].length, 24);
	assert_int_equal(mock.ioctls[0].driver_id, id);
	assert_int_equal(mock.ioctls[1].method, UVERBS_METHOD_QUERY_DMABUF_CAPS);
	assert_int_equal(mock.ioctls[1].driver_id, id);
}

/* The ids from 0 up, after @before calls, then the caps. */
static void assert_found_by_trying(unsigned int before, uint32_t id)
{
	unsigned int i;

	assert_int_equal(mock.num_ioctls, before + id + 2);
	for (i = 0; i <= id; i++) {
		assert_int_equal(mock.ioctls[before + i].method, MOCK_NO_SUCH_METHOD);
		assert_int_equal(mock.ioctls[before + i].driver_id, i);
	}
	assert_int_equal(mock.ioctls[before + i].method, UVERBS_METHOD_QUERY_DMABUF_CAPS);
	assert_int_equal(mock.ioctls[before + i].driver_id, id);
}

static void netlink_bytes(void **state)
{
	struct mock_device *device = &mock.devices[0];
	const struct mock_nl_device devices[] = {
		{ 5, mock_encode_dev(makedev(231, 1000)), RDMA_DRIVER_MLX5, 0 },
		{ 0x0102, mock_encode_dev(device->rdev), RDMA_DRIVER_RXE, 0 },
	};
	static const uint8_t dump[] = {
		U32(16), U16(0x1401), U16(0x301), /* length, NLDEV GET, REQUEST and DUMP */
	};
	static const uint8_t get[] = {
		U32(36), U16(0x140f), U16(1), /* length, NLDEV GET_CHARDEV, REQUEST */
	};
	static const uint8_t attrs[] = {
		U16(8),	 U16(1),  U32(0x0102),				      /* DEV_INDEX */
		U16(11), U16(69), 'u',	       'v', 'e', 'r', 'b', 's', 0, 0, /* CHARDEV_TYPE */
	};

	(void)state;
	open_netlink(devices, 2);
	assert_int_equal(query(device), 0);
	assert_found_by_netlink(RDMA_DRIVER_RXE);
	assert_int_equal(mock.num_nl_requests, 3);
	assert_int_equal(mock.nl_request_length[0], 16);
	assert_memory_equal(mock.nl_requests[0], dump, sizeof(dump));
	assert_int_equal(mock.nl_request_length[2], 36);
	assert_memory_equal(mock.nl_requests[2], get, sizeof(get));
	assert_memory_equal(mock.nl_requests[2] + 16, attrs, sizeof(attrs));
}

static void netlink_large_minor(void **state)
{
	struct mock_device *device = &mock.devices[0];
	struct mock_nl_device nl = { .index = 1, .driver_id = RDMA_DRIVER_RXE };

	(void)state;
	device->rdev = makedev(511, 0xabcde);
	nl.chardev = 0xabc1ffde;
	open_netlink(&nl, 1);
	assert_int_equal(query(device), 0);
	assert_found_by_netlink(RDMA_DRIVER_RXE);
}

static void netlink_skips_what_fails(void **state)
{
	struct mock_device *device = &mock.devices[0];
	const struct mock_nl_device devices[] = {
		{ 1, 0, 0, EINVAL }, /* removed between the two requests */
		{ 2, mock_encode_dev(device->rdev), RDMA_DRIVER_RXE, 0 },
	};

	(void)state;
	open_netlink(devices, 2);
	assert_int_equal(query(device), 0);
	assert_found_by_netlink(RDMA_DRIVER_RXE);
}

static void netlink_closed(void **state)
{
	(void)state;
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_found_by_trying(0, RDMA_DRIVER_RXE);
}

static void netlink_finds_nothing(void **state)
{
	const struct mock_nl_device other = { 1, mock_encode_dev(makedev(231, 1000)), 1, 0 };
	const struct mock_nl_device untold = { 1, mock_encode_dev(mock.devices[0].rdev), -1, 0 };
	struct mock_device *second = mock_add_device(RDMA_DRIVER_EFA);

	(void)state;
	open_netlink(&untold, 1);
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_found_by_trying(0, RDMA_DRIVER_RXE);

	/* a device of another network namespace is not listed */
	mock.num_ioctls = 0;
	open_netlink(&other, 1);
	assert_int_equal(query(second), 0);
	assert_found_by_trying(0, RDMA_DRIVER_EFA);
}

static void netlink_fails(void **state)
{
	const struct mock_nl_device device = { 1, mock_encode_dev(mock.devices[0].rdev), 14, 0 };

	(void)state;
	open_netlink(&device, 1);
	mock.nl_dump_err = EPERM;
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_found_by_trying(0, RDMA_DRIVER_RXE);

	mock.nl_dump_err = 0;
	mock.nl_send_errno = ECONNREFUSED;
	mock.num_ioctls = 0;
	assert_int_equal(query(mock_add_device(RDMA_DRIVER_EFA)), 0);
	assert_found_by_trying(0, RDMA_DRIVER_EFA);
}

static void netlink_short_attributes(void **state)
{
	static const uint16_t types[] = { RDMA_NLDEV_ATTR_DEV_INDEX, RDMA_NLDEV_ATTR_CHARDEV,
					  RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct mock_device *device = mock_add_device(RDMA_DRIVER_EFA);
		const struct mock_nl_device nl = { 1, mock_encode_dev(device->rdev),
						   RDMA_DRIVER_EFA, 0 };

		open_netlink(&nl, 1);
		mock.nl_short_attr = types[i];
		mock.num_ioctls = 0;
		assert_int_equal(query(device), 0);
		assert_found_by_trying(0, RDMA_DRIVER_EFA);
	}
}

/* The device at the end of a long list is found by trying. */
static void netlink_many_devices(void **state)
{
	static struct mock_nl_device devices[300];
	unsigned int i;

	(void)state;
	for (i = 0; i < 300; i++)
		devices[i] = (struct mock_nl_device){ .index = i, .driver_id = -1 };
	devices[299].driver_id = RDMA_DRIVER_RXE;
	devices[299].chardev = mock_encode_dev(mock.devices[0].rdev);
	open_netlink(devices, 300);
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_int_equal(mock.num_nl_requests, 1 + 256);
	assert_found_by_trying(0, RDMA_DRIVER_RXE);
}

/* Netlink tells of the device that took a removed one's number. */
static void netlink_tells_of_another(void **state)
{
	const struct mock_nl_device nl = { 1, mock_encode_dev(mock.devices[0].rdev),
					   RDMA_DRIVER_MLX5, 0 };

	(void)state;
	open_netlink(&nl, 1);
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_int_equal(mock.ioctls[0].driver_id, RDMA_DRIVER_MLX5);
	assert_found_by_trying(1, RDMA_DRIVER_RXE);
}

static void unknown_driver(void **state)
{
	(void)state;
	mock.devices[0].driver_id = 64;
	assert_int_equal(query(&mock.devices[0]), EOPNOTSUPP);
	assert_int_equal(mock.num_ioctls, 64);
}

/* A character device of another kind is asked once, not once for each id. */
static void no_uverbs_device(void **state)
{
	(void)state;
	mock.ioctl_err = ENOTTY;
	assert_int_equal(query(&mock.devices[0]), EOPNOTSUPP);
	assert_int_equal(mock.num_ioctls, 1);
}

/* An id just found is right, so EINVAL needs no second thought. */
static void fresh_id_is_not_doubted(void **state)
{
	(void)state;
	mock.caps.err = EINVAL;
	assert_int_equal(query(&mock.devices[0]), EOPNOTSUPP);
	assert_found_by_trying(0, RDMA_DRIVER_RXE);
}

static void last_driver(void **state)
{
	(void)state;
	mock.devices[0].driver_id = 63;
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_found_by_trying(0, 63);
}

static void id_is_remembered(void **state)
{
	(void)state;
	assert_int_equal(query(&mock.devices[0]), 0);
	mock.num_ioctls = 0;
	assert_int_equal(query(&mock.devices[0]), 0);
	assert_int_equal(mock.num_ioctls, 1);
}

/* The number now belongs to another driver's device. */
static void stale_id(void **state)
{
	struct mock_device *device = &mock.devices[0];

	(void)state;
	assert_int_equal(query(device), 0);
	device->driver_id = RDMA_DRIVER_SIW;
	mock.num_ioctls = 0;
	assert_int_equal(query(device), 0);
	/* refused, checked, found again */
	assert_int_equal(mock.ioctls[0].driver_id, RDMA_DRIVER_RXE);
	assert_int_equal(mock.ioctls[1].driver_id, RDMA_DRIVER_RXE);
	assert_found_by_trying(2, RDMA_DRIVER_SIW);

	mock.num_ioctls = 0;
	assert_int_equal(query(device), 0);
	assert_int_equal(mock.num_ioctls, 1);

	/* only once: a device that refuses every id is given up */
	device->driver_id = 1000;
	mock.num_ioctls = 0;
	assert_int_equal(query(device), EOPNOTSUPP);
	assert_int_equal(mock.num_ioctls, 2 + 64);
}

/* Descriptors of a removed device and of its successor, open at once. */
static void two_devices_with_one_number(void **state)
{
	struct mock_device *old = &mock.devices[0];
	struct mock_device *new = mock_add_device(RDMA_DRIVER_SIW);
	unsigned int i;

	(void)state;
	new->rdev = old->rdev;
	for (i = 0; i < 3; i++) {
		assert_int_equal(query(old), 0);
		mock.num_ioctls = 0;
		assert_int_equal(query(new), 0);
		mock.num_ioctls = 0;
	}
}

/* Minors and majors that differ in high bits only. */
static void devices_with_similar_numbers(void **state)
{
	static const struct {
		unsigned int major, minor;
	} others[] = { { 231, 4096 }, { 231, 65536 }, { 232, 0 } };
	struct mock_device *first = &mock.devices[0];
	struct mock_device *second = mock_add_device(RDMA_DRIVER_EFA);
	unsigned int i;

	(void)state;
	assert_int_equal(query(first), 0);
	for (i = 0; i < 3; i++) {
		second->rdev = makedev(others[i].major, minor(first->rdev) + others[i].minor);
		mock.num_ioctls = 0;
		assert_int_equal(query(second), 0);
		/* not with the other's id */
		assert_found_by_trying(0, RDMA_DRIVER_EFA);
		mock.num_ioctls = 0;
		assert_int_equal(query(first), 0);
		assert_int_equal(mock.num_ioctls, 1);
		assert_int_equal(mock.ioctls[0].driver_id, RDMA_DRIVER_RXE);
	}
}

/* Whatever cannot be allocated, the id is found and nothing leaks. */
static void allocation_fails(void **state)
{
	unsigned int fail = 0, allocs;

	(void)state;
	do {
		struct mock_device *device = &mock.devices[0];
		const struct mock_nl_device nl = { 1, mock_encode_dev(device->rdev),
						   RDMA_DRIVER_RXE, 0 };

		open_netlink(&nl, 1);
		mock.fail_alloc = ++fail;
		mock.num_allocs = 0;
		mock.num_ioctls = 0;
		assert_int_equal(query(device), 0);
		allocs = mock.num_allocs;
		if (fail <= 4)
			assert_found_by_trying(0, RDMA_DRIVER_RXE);
		else
			assert_found_by_netlink(RDMA_DRIVER_RXE);
		mock_teardown(NULL);
		mock_setup(NULL);
	} while (allocs >= fail);
	/* the socket, two messages, one attribute, what is remembered; and then none failed */
	assert_int_equal(fail, 6);
}

#define NUM_THREADS 8
#define NUM_ROUNDS 500

static _Atomic unsigned int failures;

static void *query_often(void *arg)
{
	struct mock_device *devices = arg;
	unsigned int i;

	for (i = 0; i < NUM_ROUNDS; i++)
		if (query(&devices[i % MOCK_MAX_DEVICES]))
			atomic_fetch_add(&failures, 1);
	return NULL;
}

/*
 * Four devices, two of them with one number, asked by all threads at once: every
 * call must see its own device's id.
 */
static void concurrent_callers(void **state)
{
	struct mock_nl_device nl[3];
	pthread_t threads[NUM_THREADS];
	unsigned int i;

	(void)state;
	mock_add_device(RDMA_DRIVER_EFA);
	mock_add_device(RDMA_DRIVER_SIW);
	mock_add_device(RDMA_DRIVER_MLX5);
	mock.devices[2].rdev = mock.devices[0].rdev; /* one number, another driver */
	mock.devices[3].rdev = makedev(231, minor(mock.devices[0].rdev) + 65536);
	for (i = 0; i < 3; i++)
		nl[i] = (struct mock_nl_device){ i, mock_encode_dev(mock.devices[i + 1].rdev),
						 mock.devices[i + 1].driver_id, 0 };
	open_netlink(nl, 3);
	for (i = 0; i < NUM_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, query_often, mock.devices), 0);
	for (i = 0; i < NUM_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(netlink_bytes),
		TEST(netlink_large_minor),
		TEST(netlink_skips_what_fails),
		TEST(netlink_closed),
		TEST(netlink_finds_nothing),
		TEST(netlink_fails),
		TEST(netlink_many_devices),
		TEST(netlink_tells_of_another),
		TEST(netlink_short_attributes),
		TEST(unknown_driver),
		TEST(no_uverbs_device),
		TEST(fresh_id_is_not_doubted),
		TEST(last_driver),
		TEST(id_is_remembered),
		TEST(stale_id),
		TEST(two_devices_with_one_number),
		TEST(devices_with_similar_numbers),
		TEST(allocation_fails),
		TEST(concurrent_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
