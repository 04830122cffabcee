// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_fork_init(3): the parent goes on after fork(), whatever the child does to
 * memory that the two share.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "test.h"

static void test_parent_goes_on(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = aligned_alloc(PAGE, 2 * PAGE);
	struct ibv_mr *mr;
	struct rc_bytes from = { .addr = (uintptr_t)buffer, .length = PAGE };
	uint8_t *beside = malloc(PAGE);
	pid_t pid;

	assert_true(buffer && beside);
	mr = ibv_reg_mr(f->pd, buffer, 2 * PAGE, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	assert_non_null(mr);
	from.key = mr->lkey;
	memset(buffer, 1, 2 * PAGE);
	fixture_pair(f);
	assert_int_equal(rc_write(&f->pair, from, (uintptr_t)buffer + PAGE, mr->rkey),
			 IBV_WC_SUCCESS);

	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		/* the child has its own copy of this, and nothing of the region */
		memset(beside, 2, PAGE);
		pause();
		_exit(0);
	}

	/* copied on write, and the region would be another page than the device's */
	memset(buffer, 3, PAGE);
	assert_int_equal(rc_write(&f->pair, from, (uintptr_t)buffer + PAGE, mr->rkey),
			 IBV_WC_SUCCESS);
	assert_memory_equal(buffer, buffer + PAGE, PAGE);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	/* and after it is gone */
	memset(buffer, 4, PAGE);
	assert_int_equal(rc_write(&f->pair, from, (uintptr_t)buffer + PAGE, mr->rkey),
			 IBV_WC_SUCCESS);
	assert_memory_equal(buffer, buffer + PAGE, PAGE);
	deregister(mr);
	free(beside);
	free(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parent_goes_on),
	};

	if (ibv_fork_init()) {
		fprintf(stderr, "ibv_fork_init() failed\n");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
