// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The library remembers what it knows of a device by the device's node. Here is
 * what that saves, and that the kernel's nodes come and go with their devices.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rdma/rdma_user_ioctl_cmds.h>

#include "fixture.h"
#include "test.h"

#define OTHER "rxe_node"
#define NETDEV "dummy_node"

static unsigned int num_ioctls;

/* The libraries find this one before libc's. */
__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	num_ioctls += request == RDMA_VERBS_IOCTL;
	return syscall(SYS_ioctl, fd, request, arg);
}

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void add_device(void)
{
	run("rdma link add " OTHER " type rxe netdev " NETDEV);
}

static void delete_device(void)
{
	run("rdma link delete " OTHER);
}

static unsigned int ioctls_of_registration(struct ibv_pd *pd, const struct dmabuf *buf)
{
	struct ibv_mr *mr;
	unsigned int num;

	num_ioctls = 0;
	mr = ibv_reg_dmabuf_mr_pinned(pd, 0, buf->size, 0, buf->fd, ACCESS_ALL, 0);
	num = num_ioctls;
	assert_non_null(mr);
	deregister(mr);
	return num;
}

static void one_ioctl(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_context *context;
	struct ibv_pd *pd;
	int round;

	ioctls_of_registration(f->pd, buf);
	assert_int_equal(ioctls_of_registration(f->pd, buf), 1);

	/* Another device is asked, also one that comes back under its name. */
	run("ip link add " NETDEV " type dummy && ip link set " NETDEV " up");
	for (round = 0; round < 3; round++) {
		add_device();
		context = open_device_named(OTHER);
		assert_non_null(context);
		pd = ibv_alloc_pd(context);
		assert_non_null(pd);
		assert_true(ioctls_of_registration(pd, buf) > 1);
		assert_int_equal(ioctls_of_registration(pd, buf), 1);
		assert_int_equal(ioctls_of_registration(f->pd, buf), 1);
		assert_int_equal(ibv_dealloc_pd(pd), 0);
		assert_int_equal(ibv_close_device(context), 0);
		delete_device();
	}
	run("ip link delete " NETDEV);
}

/* A descriptor of the device's node that does not open the device. */
static int open_node(void)
{
	DIR *dir = opendir("/sys/class/infiniband_verbs");
	struct dirent *entry;
	char path[300] = "";
	int fd;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char name[300], ibdev[64] = "";
		FILE *file;

		snprintf(name, sizeof(name), "/sys/class/infiniband_verbs/%s/ibdev", entry->d_name);
		file = fopen(name, "re");
		if (!file)
			continue;
		if (fscanf(file, "%63s", ibdev) == 1 && !strcmp(ibdev, OTHER))
			snprintf(path, sizeof(path), "/dev/infiniband/%s", entry->d_name);
		fclose(file);
	}
	closedir(dir);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerrorname(errno));
	return fd;
}

static void nodes(void **state)
{
	struct stat first, now, second;
	int fd, round;

	(void)state;
	run("ip link add " NETDEV " type dummy && ip link set " NETDEV " up");
	add_device();
	for (round = 0; round < 3; round++) {
		fd = open_node();
		assert_int_equal(fstat(fd, &first), 0);
		assert_int_equal(first.st_nlink, 1);
		delete_device();
		assert_int_equal(fstat(fd, &now), 0);
		assert_int_equal(now.st_nlink, 0);

		add_device();
		assert_int_equal(fstat(fd, &now), 0);
		assert_int_equal(now.st_nlink, 0);
		close(fd);
		fd = open_node();
		assert_int_equal(fstat(fd, &second), 0);
		assert_true(second.st_rdev == first.st_rdev);
		if (second.st_ino == first.st_ino &&
		    second.st_ctim.tv_sec == first.st_ctim.tv_sec &&
		    second.st_ctim.tv_nsec == first.st_ctim.tv_nsec)
			fail_msg("the new device has the old one's node");
		close(fd);
	}
	delete_device();
	run("ip link delete " NETDEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_ioctl),
		TEST(nodes),
	};

	return cmocka_run_group_tests_name("device_node", tests, NULL, NULL);
}
