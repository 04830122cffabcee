// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A second context on the file of the first, as another process would have it:
 * its PD and MR are the first one's, its QPs and CQs its own.
 */
#include <unistd.h>

#include "fixture.h"
#include "test.h"

static void test_import(void **state)
{
	static uint8_t buffer[2 * PAGE];
	struct fixture *f = *state;
	struct ibv_mr *mr = ibv_reg_mr(f->pd, buffer, sizeof(buffer),
				       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	struct rc_bytes from = { .addr = (uintptr_t)buffer, .length = PAGE };
	struct ibv_context *context;
	struct ibv_mr *imported_mr;
	struct ibv_pd *pd;
	int err;

	assert_non_null(mr);
	context = ibv_import_device(dup(f->context->cmd_fd));
	if (!context)
		fail_msg("import: %s", strerrorname(errno));
	assert_true(context->num_comp_vectors >= 1);
	pd = ibv_import_pd(context, f->pd->handle);
	assert_non_null(pd);
	imported_mr = ibv_import_mr(pd, mr->handle);
	assert_non_null(imported_mr);
	assert_int_equal(imported_mr->lkey, mr->lkey);
	assert_int_equal(imported_mr->rkey, mr->rkey);
	assert_int_equal(imported_mr->length, mr->length);

	memset(buffer, 0x33, PAGE);
	from.key = imported_mr->lkey;
	err = rc_pair_create(&f->pair, pd);
	assert_errno(err, 0, "QPs in the imported PD");
	assert_int_equal(rc_write(&f->pair, from, (uintptr_t)buffer + PAGE, imported_mr->rkey),
			 IBV_WC_SUCCESS);
	assert_memory_equal(buffer, buffer + PAGE, PAGE);
	rc_pair_destroy(&f->pair);

	ibv_unimport_mr(imported_mr);
	ibv_unimport_pd(pd);
	assert_errno(ibv_close_device(context), 0, "imported context");
	/* theirs are still there */
	deregister(mr);
}

static void test_handles_of_nothing(void **state)
{
	struct fixture *f = *state;

	assert_null(ibv_import_mr(f->pd, 0x7fff));
	assert_errno(errno, ENOENT, "MR");
	assert_null(ibv_import_device(-1));
	assert_errno(errno, EINVAL, "device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_import),
		TEST(test_handles_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
