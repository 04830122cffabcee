// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "child.h"
#include "fixture.h"

#define NOBODY 65534

struct complaint *complaint;

int child_group_setup(void **state)
{
	(void)state;
	complaint = mmap(NULL, sizeof(*complaint), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return complaint == MAP_FAILED;
}

void in_child(void (*body)(struct ibv_pd *pd, struct dmabuf *buf), struct dmabuf *buf)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct ibv_context *context = open_device();
		struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;

		child_check(pd, "no device");
		body(pd, buf);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		fail_msg("in the child: %s", complaint->text);
	assert_int_equal(status, 0);
}

void become_limited(size_t limit)
{
	struct rlimit rlimit = { .rlim_cur = limit, .rlim_max = limit };

	child_check(!setrlimit(RLIMIT_MEMLOCK, &rlimit), "setrlimit");
	child_check(!setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
}
