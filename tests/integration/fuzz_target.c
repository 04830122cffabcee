// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <unistd.h>

#include "exporter.h"
#include "fixture.h"
#include "fuzz_target.h"
#include "test.h"

static struct fuzz_buffer *add_buffer(struct fuzz_target *t, int fd, uint64_t size)
{
	struct fuzz_buffer *buffer = &t->buffers[t->num_buffers];

	assert_true(fd >= 0);
	assert_true(t->num_buffers++ < ARRAY_SIZE(t->buffers));
	*buffer = (struct fuzz_buffer){ .fd = fd, .size = size };
	return buffer;
}

/* Device memory there may be or not. */
static void add_test_buffer(struct fuzz_target *t, struct dmabuf_test_create args)
{
	struct fuzz_buffer *buffer;
	int fd;

	/* Each vunmap interrupts all CPUs, which takes long in a virtual machine. */
	args.flags |= DMABUF_TEST_KEEP_VMAP;
	fd = exporter_create(t->exporter, &args);

	if (fd < 0 && args.memory != DMABUF_TEST_SYSTEM) {
		assert_errno(errno, ENODEV, "buffer in device memory");
		return;
	}
	buffer = add_buffer(t, fd, args.size);
	buffer->tested = true;
	buffer->revoking = args.mode == DMABUF_TEST_REVOKING;
	buffer->moving = args.mode == DMABUF_TEST_DYNAMIC || args.mode == DMABUF_TEST_MIGRATING;
}

static void add_test_buffers(struct fuzz_target *t)
{
	static const struct dmabuf_test_create kinds[] = {
		{
			.mode = DMABUF_TEST_REVOKING,
			.size = 4 * PAGE,
		},
		{
			.mode = DMABUF_TEST_REVOKING,
			.size = 8 * PAGE,
			.segment = PAGE,
		},
		{
			.mode = DMABUF_TEST_REVOKING,
			.size = 4 * PAGE,
			.memory = DMABUF_TEST_DEVICE_MEMORY,
		},
		{
			.mode = DMABUF_TEST_MIGRATING,
			.size = 4 * PAGE,
			.move_delay_ms = 1,
		},
		{
			.mode = DMABUF_TEST_DYNAMIC,
			.size = 4 * PAGE,
		},
		{
			.mode = DMABUF_TEST_STATIC,
			.size = 4 * PAGE,
			.memory = DMABUF_TEST_MIXED_MEMORY,
			.segment = PAGE,
		},
		{
			.mode = DMABUF_TEST_STATIC,
			.size = 4 * PAGE,
			.flags = DMABUF_TEST_REQUIRE_P2P,
		},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		add_test_buffer(t, kinds[i]);
}

void fuzz_target_setup(struct fuzz_target *t)
{
	size_t i;

	*t = (struct fuzz_target){ .exporter = exporter_open() };
	assert_int_equal(pthread_rwlock_init(&t->lock, NULL), 0);
	if (dmabuf_alloc_udmabuf(&t->memory[0], 16 * PAGE, 0) ||
	    dmabuf_alloc_heap(&t->memory[1], "system", 16 * PAGE, O_RDWR) ||
	    dmabuf_alloc_heap(&t->memory[2], "system", 4 * PAGE, O_RDONLY))
		fail_msg("%s", dmabuf_error());
	for (i = 0; i < ARRAY_SIZE(t->memory); i++)
		add_buffer(t, t->memory[i].fd, t->memory[i].size);
	if (t->exporter >= 0)
		add_test_buffers(t);
}

static void device_open(struct fuzz_device *device)
{
	device->context = open_device_named(device->name);
	if (!device->context)
		fail_msg("cannot open %s: %s", device->name, strerror(errno));
	device->pd = ibv_alloc_pd(device->context);
	assert_non_null(device->pd);
	assert_int_equal(fcntl(device->context->async_fd, F_SETFL, O_NONBLOCK), 0);
	device->replaced = false;
}

/* The PD may have MRs, or have gone with its device. */
static void device_close(struct fuzz_device *device)
{
	ibv_dealloc_pd(device->pd);
	assert_int_equal(ibv_close_device(device->context), 0);
}

void fuzz_target_add_device(struct fuzz_target *t, const char *name,
			    const struct fuzz_device_ops *ops)
{
	struct fuzz_device *device = &t->devices[t->num_devices];

	assert_true(t->num_devices++ < ARRAY_SIZE(t->devices));
	device->name = name;
	device->ops = ops;
	assert_int_equal(pthread_mutex_init(&device->replacing, NULL), 0);
	device_open(device);
}

void fuzz_target_teardown(struct fuzz_target *t)
{
	unsigned int i;

	for (i = 0; i < t->num_devices; i++) {
		device_close(&t->devices[i]);
		pthread_mutex_destroy(&t->devices[i].replacing);
	}
	for (i = 0; i < t->num_buffers; i++) {
		struct dmabuf_test_counters counters;

		if (!t->buffers[i].tested)
			continue;
		assert_errno(exporter_counters(t->exporter, t->buffers[i].fd, &counters), 0,
			     "counters");
		assert_true(exporter_idle(&counters));
		close(t->buffers[i].fd);
	}
	for (i = 0; i < ARRAY_SIZE(t->memory); i++)
		dmabuf_free(&t->memory[i]);
	if (t->exporter >= 0)
		close(t->exporter);
	pthread_rwlock_destroy(&t->lock);
}

struct fuzz_device *fuzz_device_get(struct fuzz_target *t, unsigned int number)
{
	struct fuzz_device *device = &t->devices[number];

	for (;;) {
		pthread_rwlock_rdlock(&t->lock);
		if (!device->replaced)
			return device;
		pthread_rwlock_unlock(&t->lock);
		pthread_rwlock_wrlock(&t->lock);
		if (device->replaced) {
			device_close(device);
			device_open(device);
		}
		pthread_rwlock_unlock(&t->lock);
	}
}

void fuzz_device_put(struct fuzz_target *t)
{
	pthread_rwlock_unlock(&t->lock);
}

static int lock_device(struct fuzz_device *device)
{
	if (pthread_mutex_trylock(&device->replacing))
		return EBUSY;
	if (!device->replaced)
		return 0;
	pthread_mutex_unlock(&device->replacing);
	return EBUSY;
}

/* Other threads may be in the middle of calls, which is the point of it. */
int fuzz_device_replace(struct fuzz_device *device)
{
	int err = lock_device(device);

	if (err)
		return err;
	err = device->ops->replace();
	if (!err)
		device->replaced = true;
	pthread_mutex_unlock(&device->replacing);
	return err;
}

int fuzz_device_damage(struct fuzz_device *device, unsigned int way)
{
	int err = lock_device(device);

	if (err)
		return err;
	err = device->ops->damage(way);
	pthread_mutex_unlock(&device->replacing);
	return err;
}
