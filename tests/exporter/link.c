// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "link.h"
#include "test.h"

void link_netdev(char *name, size_t size)
{
	int fd = open("/sys/class/infiniband/" DEVICE "/parent", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	assert_true(fd >= 0);
	length = read(fd, name, size - 1);
	close(fd);
	assert_true(length > 1);
	name[length - 1] = '\0';
}

pid_t link_start_delete(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		execlp("rdma", "rdma", "link", "delete", DEVICE, NULL);
		_exit(127);
	}
	return pid;
}

void link_wait_for_delete(pid_t pid)
{
	wait_for_child(pid);
	assert_int_equal(access("/sys/class/infiniband/" DEVICE, F_OK), -1);
}

void link_add(const char *netdev)
{
	char command[128];

	snprintf(command, sizeof(command), "rdma link add " DEVICE " type rxe netdev %s", netdev);
	assert_int_equal(system(command), 0);
}
