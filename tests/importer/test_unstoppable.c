// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A device that cannot stop access to an MR before it is deregistered.
 */
#include <poll.h>
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

/* The exporter breaks its word. All that is left is to cut the device off. */
static void check_broken_word(struct test *t, bool move)
{
	struct dmabuf_test_create args = {
		.mode = move ? DMABUF_TEST_DYNAMIC : DMABUF_TEST_REVOKING,
		.size = SIZE,
	};
	int fd = create_args(&t->s, args), other, i;
	struct pollfd async = { .fd = t->context->async_fd, .events = POLLIN };
	struct ibv_async_event event;
	struct dmabuf_test_revoke result;
	struct ibv_mr *mrs[2], *mr;
	uint8_t bytes[PAGE];

	for (i = 0; i < 2; i++)
		mrs[i] = register_part(t, fd, 0, SIZE, 0, 0);
	assert_int_equal(hardware_counters(t).bus_master, 1);
	if (move) {
		OK(exporter_force_move(t->s.dev, fd, DMABUF_TEST_SYSTEM));
	} else {
		OK(exporter_revoke(t->s.dev, fd, 5000, &result));
		assert_int_equal(result.result,
				 DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
		assert_int_equal(result.pinned, 0);
	}
	assert_int_equal(hardware_counters(t).bus_master, 0);
	assert_int_equal(poll(&async, 1, 10000), 1);
	assert_int_equal(ibv_get_async_event(t->context, &event), 0);
	assert_int_equal(event.event_type, IBV_EVENT_DEVICE_FATAL);
	ibv_ack_async_event(&event);
	assert_int_equal(mr_info(mrs[0]).state, IBV_EXT_DMABUF_STATE_REVOKED);

	/* The device knows nothing of all that. */
	assert_int_equal(hardware_info(t, mrs[0]).revoked, 0);
	memset(bytes, 0x11, sizeof(bytes));
	OK(edu_write(t->edu, mrs[0]->lkey, 0, bytes, sizeof(bytes)));
	OK(edu_write(t->edu, mrs[1]->lkey, SIZE - PAGE, bytes, sizeof(bytes)));
	assert_all(&t->s, fd, move, 0, SIZE, POISON);

	other = create(&t->s, DMABUF_TEST_STATIC, SIZE);
	assert_null(try_register_part(t, other, 0, SIZE, 0, 0));
	assert_errno(errno, EIO, "registration");
	for (i = 0; i < 2; i++)
		OK(ibv_dereg_mr(mrs[i]));
	assert_idle(&t->s, fd);

	importer_reload(t);
	mr = register_part(t, other, 0, SIZE, 0, 0);
	OK(edu_write(t->edu, mr->lkey, 0, bytes, sizeof(bytes)));
	assert_all(&t->s, other, 0, 0, sizeof(bytes), 0x11);
	OK(ibv_dereg_mr(mr));
	close(other);
	close(fd);
}

static void test_revoke(void **state)
{
	check_broken_word(*state, false);
}

static void test_move(void **state)
{
	check_broken_word(*state, true);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_no_consent_taken),
		IMPORTER_TEST(test_data),
		IMPORTER_TEST(test_revoke),
		IMPORTER_TEST(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "allow_revoke=0", run);
}
