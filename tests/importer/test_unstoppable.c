// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A device that cannot stop access to an MR before it is deregistered.
 */
#include <unistd.h>

#include "importer.h"

#define SIZE (4 * PAGE)

static void test_no_consent_taken(void **state)
{
	struct test *t = *state;
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_caps caps;

	OK(ibv_ext_query_dmabuf_caps(t->context, &caps));
	assert_int_equal(caps.access_flags,
			 IBV_EXT_ACCESS_DMABUF_PINNED | IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P);
	assert_null(try_register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE));
	assert_errno(errno, EOPNOTSUPP, "registration");
	report = probe_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	assert_int_equal(report.err, EOPNOTSUPP);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT);
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_data(void **state)
{
	struct test *t = *state;
	int fd = create(&t->s, DMABUF_TEST_DYNAMIC, SIZE);
	struct ibv_mr *mr = register_part(t, fd, 0, SIZE, 0, 0);
	struct memory mem;

	assert_false(mr_info(mr).flags & IBV_EXT_DMABUF_MR_REVOCABLE);
	memory_open(&mem, fd, SIZE);
	check_write(t, &mem, mr, 0, 0, PAGE - 1, 2);
	FAILS(exporter_move(t->s.dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(ibv_dereg_mr(mr));
	memory_close(&mem);
	assert_idle(&t->s, fd);
	close(fd);
}

/* The exporter breaks its word. All that is left is to stop the device. */
static void check_broken_word(struct test *t, bool move, enum edu_ib_stop_op stop_op)
{
	struct dmabuf_test_create args = {
		.mode = move ? DMABUF_TEST_DYNAMIC : DMABUF_TEST_REVOKING,
		.size = SIZE,
	};
	struct edu_ib_counters before, now;
	struct ibv_mr *mrs[2], *mr;
	uint8_t bytes[PAGE];
	int fd, other, i;

	OK(edu_set_number("stop_op", stop_op));
	importer_rebind(t);
	fd = create_args(&t->s, args);
	for (i = 0; i < 2; i++)
		mrs[i] = register_part(t, fd, 0, SIZE, 0, 0);
	before = hardware_counters(t);
	assert_int_equal(before.bus_master, 1);
	if (move)
		OK(exporter_force_move(t->s.dev, fd, DMABUF_TEST_SYSTEM));
	else
		take_back(t, fd);
	now = hardware_counters(t);
	/* One is enough for all. */
	assert_int_equal(now.callbacks, before.callbacks + 1);
	if (stop_op == EDU_IB_STOP_NONE) {
		assert_int_equal(now.bus_master, 0);
	} else {
		assert_int_equal(now.stops, before.stops + 1);
		assert_int_equal(now.keys, 0);
	}
	expect_fatal_event(t);
	assert_int_equal(mr_info(mrs[0]).state, IBV_EXT_DMABUF_STATE_REVOKED);
	memset(bytes, 0x11, sizeof(bytes));
	/* It knows the keys, or not. Nothing comes of it. */
	edu_write(t->edu, mrs[0]->lkey, 0, bytes, sizeof(bytes));
	edu_write(t->edu, mrs[1]->lkey, SIZE - PAGE, bytes, sizeof(bytes));
	assert_all(&t->s, fd, move, 0, SIZE, POISON);

	other = create(&t->s, DMABUF_TEST_STATIC, SIZE);
	assert_null(try_register_part(t, other, 0, SIZE, 0, 0));
	assert_errno(errno, EIO, "registration");
	for (i = 0; i < 2; i++)
		OK(ibv_dereg_mr(mrs[i]));
	assert_idle(&t->s, fd);

	/* Without the operation the core resets the function. */
	wait_until(hardware_counters(t).resets != before.resets);
	importer_rebind(t);
	mr = register_part(t, other, 0, SIZE, 0, 0);
	OK(edu_write(t->edu, mr->lkey, 0, bytes, sizeof(bytes)));
	assert_all(&t->s, other, 0, 0, sizeof(bytes), 0x11);
	OK(ibv_dereg_mr(mr));
	assert_all(&t->s, fd, move, 0, SIZE, POISON);
	close(other);
	close(fd);
}

static void test_revoke(void **state)
{
	check_broken_word(*state, false, EDU_IB_STOP_RESETS);
	check_broken_word(*state, false, EDU_IB_STOP_NONE);
}

static void test_move(void **state)
{
	check_broken_word(*state, true, EDU_IB_STOP_RESETS);
	check_broken_word(*state, true, EDU_IB_STOP_NONE);
}

static int unstoppable_setup(void **state)
{
	int err = importer_bind_and_setup(state);

	OK(edu_set("allow_revoke", "0"));
	importer_rebind(*state);
	return err;
}

#define UNSTOPPABLE(function) \
	cmocka_unit_test_setup_teardown(function, unstoppable_setup, importer_teardown_and_bind)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		UNSTOPPABLE(test_no_consent_taken),
		UNSTOPPABLE(test_data),
		UNSTOPPABLE(test_revoke),
		UNSTOPPABLE(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
