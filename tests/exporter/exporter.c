// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exporter.h"

int exporter_load(const char *path)
{
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		err = errno;
	close(fd);
	return err;
}

int exporter_unload(void)
{
	return syscall(SYS_delete_module, DMABUF_TEST_NAME, O_NONBLOCK) ? errno : 0;
}

int exporter_open(void)
{
	return open(DMABUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
}

int exporter_create(int dev, const struct dmabuf_test_create *args)
{
	return ioctl(dev, DMABUF_TEST_CREATE, args);
}

static int command(int dev, unsigned long cmd, void *args)
{
	return ioctl(dev, cmd, args) ? errno : 0;
}

static int simple_command(int dev, unsigned long cmd, unsigned long arg)
{
	return ioctl(dev, cmd, arg) ? errno : 0;
}

static int behave(int dev, struct dmabuf_test_behave args)
{
	return command(dev, DMABUF_TEST_BEHAVE, &args);
}

int exporter_behave(int dev, int fd, enum dmabuf_test_op op, unsigned int count, int err,
		    unsigned int delay_ms)
{
	return behave(dev, (struct dmabuf_test_behave){
				   .fd = fd,
				   .op = op,
				   .count = count,
				   .error = err,
				   .delay_ms = delay_ms,
			   });
}

int exporter_behave_interruptible(int dev, int fd, enum dmabuf_test_op op, unsigned int count,
				  int err, unsigned int delay_ms)
{
	return behave(dev, (struct dmabuf_test_behave){
				   .fd = fd,
				   .op = op,
				   .count = count,
				   .error = err,
				   .delay_ms = delay_ms,
				   .interruptible = 1,
			   });
}

int exporter_move(int dev, int fd, enum dmabuf_test_memory memory)
{
	struct dmabuf_test_move args = { .fd = fd, .memory = memory };

	return command(dev, DMABUF_TEST_MOVE, &args);
}

int exporter_force_move(int dev, int fd, enum dmabuf_test_memory memory)
{
	struct dmabuf_test_move args = { .fd = fd, .memory = memory, .force = 1 };

	return command(dev, DMABUF_TEST_MOVE, &args);
}

int exporter_free_old(int dev, int fd)
{
	return simple_command(dev, DMABUF_TEST_FREE_OLD, fd);
}

int exporter_revoke(int dev, int fd, unsigned int timeout_ms, struct dmabuf_test_revoke *result)
{
	*result = (struct dmabuf_test_revoke){ .fd = fd, .timeout_ms = timeout_ms };
	return command(dev, DMABUF_TEST_REVOKE, result);
}

int exporter_unrevoke(int dev, int fd)
{
	return simple_command(dev, DMABUF_TEST_UNREVOKE, fd);
}

int exporter_fill(int dev, int fd, unsigned int age, uint64_t offset, uint64_t length,
		  uint8_t value)
{
	struct dmabuf_test_memory_range args = {
		.fd = fd,
		.age = age,
		.offset = offset,
		.length = length,
		.value = value,
	};

	return command(dev, DMABUF_TEST_FILL, &args);
}

int exporter_check(int dev, int fd, unsigned int age, uint64_t offset, uint64_t length,
		   uint8_t value, struct exporter_difference *difference)
{
	struct dmabuf_test_memory_range args = {
		.fd = fd,
		.age = age,
		.offset = offset,
		.length = length,
		.value = value,
	};
	int err = command(dev, DMABUF_TEST_CHECK, &args);

	difference->any = !err && args.found_offset != UINT64_MAX;
	difference->offset = args.found_offset;
	difference->found = args.found;
	return err;
}

int exporter_fence(int dev, int fd, unsigned int delay_ms)
{
	struct dmabuf_test_fence args = { .fd = fd, .delay_ms = delay_ms };

	return command(dev, DMABUF_TEST_FENCE, &args);
}

int exporter_signal(int dev, int fd)
{
	return simple_command(dev, DMABUF_TEST_SIGNAL, fd);
}

int exporter_counters(int dev, int fd, struct dmabuf_test_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	counters->fd = fd;
	return command(dev, DMABUF_TEST_COUNTERS, counters);
}

int exporter_delay(int dev, const char *function, unsigned int delay_us)
{
	struct dmabuf_test_delay args = { .delay_us = delay_us };

	if (strlen(function) >= sizeof(args.function))
		return ENAMETOOLONG;
	strcpy(args.function, function);
	return command(dev, DMABUF_TEST_DELAY, &args);
}

int exporter_delayed(int dev, struct dmabuf_test_delayed *delayed)
{
	return command(dev, DMABUF_TEST_DELAYED, delayed);
}

int exporter_attach(int dev, int fd, unsigned int flags)
{
	struct dmabuf_test_attach args = { .fd = fd, .flags = flags };

	return command(dev, DMABUF_TEST_ATTACH, &args);
}

int exporter_step(int dev, enum dmabuf_test_step step)
{
	return simple_command(dev, DMABUF_TEST_STEP, step);
}

int exporter_importer(int dev, struct dmabuf_test_importer *state)
{
	return command(dev, DMABUF_TEST_IMPORTER, state);
}

int exporter_poke(int dev, uint64_t offset, uint64_t length, uint8_t value)
{
	struct dmabuf_test_poke args = { .offset = offset, .length = length, .value = value };

	return command(dev, DMABUF_TEST_POKE, &args);
}
