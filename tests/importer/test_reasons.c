// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Why a device that does DMA cannot register. On 6.12 dma-buf itself maps an
 * exporter without a pin operation when such a device attaches, so a map that fails
 * comes as an attach that fails; the reason is the map's all the same.
 */
#include <unistd.h>

#include "importer.h"
#include "kallsyms.h"
#include "raw_ioctl.h"

#define SIZE (4 * PAGE)

static int create_with(struct test *t, enum dmabuf_test_mode mode, uint32_t flags)
{
	return create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .flags = flags,
					  .size = SIZE,
				  });
}

/* The probe and the registration say the same, and leave nothing. */
static void expect(struct test *t, int fd, uint32_t pin_flags, int err,
		   enum ibv_ext_dmabuf_reason reason, const char *what)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = pin_flags,
		.length = SIZE,
		.fd = fd,
		.access = IBV_ACCESS_LOCAL_WRITE,
	};
	struct ibv_ext_dmabuf_report report;
	struct usage before;
	struct ibv_mr *mr;

	usage_read(&before);
	report = probe_part(t, fd, 0, SIZE, 0, pin_flags);
	assert_errno(report.err, err, "probe: %s", what);
	if (report.reason != reason)
		fail_msg("probe: %s: %s, expected: %s", what,
			 ibv_ext_dmabuf_reason_str(report.reason),
			 ibv_ext_dmabuf_reason_str(reason));
	assert_usage(&before, "after the probe");
	mr = ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report);
	assert_errno(mr ? 0 : errno, err, "registration: %s", what);
	assert_int_equal(report.reason, reason);
	if (mr)
		OK(ibv_dereg_mr(mr));
	assert_usage(&before, "after the registration");
	assert_idle(&t->s, fd);
}

static void expect_each(struct test *t, int fd, int err, enum ibv_ext_dmabuf_reason reason,
			const char *what)
{
	expect(t, fd, 0, err, reason, what);
	expect(t, fd, ALLOW_REVOKE, err, reason, what);
}

static enum ibv_ext_dmabuf_reason no_path(void)
{
	struct kernel_symbol symbol;

	return kernel_symbol_find("pci_p2pdma_distance_many", &symbol) ?
		       IBV_EXT_DMABUF_REASON_NO_P2P_PATH :
		       IBV_EXT_DMABUF_REASON_NO_P2P_KERNEL;
}

/* It lets the device attach, says that there is no path, and fails the map. */
static void test_no_path(void **state)
{
	static const enum dmabuf_test_mode modes[] = { DMABUF_TEST_STATIC, DMABUF_TEST_DYNAMIC };
	struct test *t = *state;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = create_with(t, modes[i], DMABUF_TEST_CLEAR_P2P | DMABUF_TEST_MAP_NEEDS_P2P);
		expect_each(t, fd, EPERM, no_path(), "a map without peer to peer");
		close(fd);
	}
	/* Where the exporter does not mind, neither does the device. */
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = create_with(t, modes[i], DMABUF_TEST_MAP_NEEDS_P2P);
		expect_each(t, fd, 0, IBV_EXT_DMABUF_REASON_NONE, "a map with peer to peer");
		close(fd);
	}
}

/* The region has to be peer to peer, and so it is said before the exporter is asked. */
static void test_required_path(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_counters c;
	int fd;

	fd = create_with(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_CLEAR_P2P | DMABUF_TEST_MAP_NEEDS_P2P);
	expect(t, fd, REQUIRE_P2P, EOPNOTSUPP, no_path(), "peer to peer");
	c = counters(&t->s, fd);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 0);
	close(fd);
}

static void expect_if_failing(struct test *t, int fd, enum dmabuf_test_op op, int err,
			      enum ibv_ext_dmabuf_reason reason)
{
	char what[64];

	snprintf(what, sizeof(what), "operation %d with %s", op, strerrorname(err));
	OK(exporter_behave(t->s.dev, fd, op, DMABUF_TEST_ALWAYS, err, 0));
	expect_each(t, fd, err, reason, what);
	OK(exporter_behave(t->s.dev, fd, op, 0, 0, 0));
}

static void test_failing_operations(void **state)
{
	static const struct {
		enum dmabuf_test_mode mode;
		enum dmabuf_test_op op;
		int err;
		enum ibv_ext_dmabuf_reason reason;
	} rows[] = {
#define ROW(mode, op, err, reason) \
	{ DMABUF_TEST_##mode, DMABUF_TEST_OP_##op, err, IBV_EXT_DMABUF_REASON_##reason }
		ROW(STATIC, ATTACH, EXDEV, EXPORTER_REFUSED_ATTACH),
		ROW(STATIC, ATTACH, EPERM, EXPORTER_REFUSED_ATTACH),
		/* It cannot take back what it never lent. */
		ROW(STATIC, ATTACH, ENODEV, EXPORTER_REFUSED_ATTACH),
		ROW(STATIC, ATTACH, ENOMEM, NO_MEMORY),
		ROW(STATIC, ATTACH, ETIMEDOUT, TIMED_OUT),
		ROW(STATIC, MAP, EINVAL, MAP_FAILED),
		ROW(STATIC, MAP, ENODEV, MAP_FAILED),
		ROW(STATIC, MAP, ENOMEM, NO_MEMORY),
		ROW(DYNAMIC, ATTACH, EXDEV, EXPORTER_REFUSED_ATTACH),
		ROW(DYNAMIC, ATTACH, ENODEV, REVOKED),
		ROW(DYNAMIC, PIN, EBUSY, EXPORTER_REFUSED_PIN),
		ROW(DYNAMIC, PIN, ENODEV, REVOKED),
		ROW(DYNAMIC, MAP, EINVAL, MAP_FAILED),
		ROW(DYNAMIC, MAP, EPERM, MAP_FAILED),
		ROW(DYNAMIC, MAP, ENODEV, REVOKED),
		ROW(REVOKING, PIN, ENODEV, REVOKED),
		ROW(DYNAMIC, MAP, ENOMEM, NO_MEMORY),
#undef ROW
	};
	struct test *t = *state;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fd = create_with(t, rows[i].mode, 0);
		expect_if_failing(t, fd, rows[i].op, rows[i].err, rows[i].reason);
		expect_each(t, fd, 0, IBV_EXT_DMABUF_REASON_NONE, "nothing");
		close(fd);
	}
}

/* Its callback cannot be reached without a pin operation, but the attach fails then. */
static void test_revoked_without_pin(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_revoke result;
	int fd;

	fd = create_with(t, DMABUF_TEST_REVOKING, DMABUF_TEST_NO_PIN);
	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	expect_each(t, fd, ENODEV, IBV_EXT_DMABUF_REASON_EXPORTER_REFUSED_ATTACH,
		    "memory that is gone");
	close(fd);
}

/* What the driver would only refuse is known to the probe, too. */
static void test_access(void **state)
{
	static const uint32_t bits[] = { IB_UVERBS_ACCESS_DMABUF_PINNED,
					 IB_UVERBS_ACCESS_DMABUF_PINNED |
						 IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE };
	struct test *t = *state;
	int fd = create_with(t, DMABUF_TEST_DYNAMIC, 0);
	struct raw_region region = { .pd = t->pd->handle, .fd = fd, .length = SIZE };
	struct ib_uverbs_dmabuf_probe probe;
	unsigned int i;
	struct raw_mr mr;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		region.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC | bits[i];
		OK(raw_probe_dmabuf(t->context->cmd_fd, &region, &probe, sizeof(probe)));
		assert_errno(probe.err, EOPNOTSUPP, "probe");
		assert_int_equal(probe.reason, IB_UVERBS_DMABUF_REASON_BAD_ACCESS);
		assert_errno(raw_reg_dmabuf_mr(t->context->cmd_fd, &region, &mr), EOPNOTSUPP,
			     "registration");
	}
	assert_int_equal(counters(&t->s, fd).count[DMABUF_TEST_ATTACHES], 0);

	/* Relaxed ordering is a hint, which a device need not take. */
	region.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING | bits[0];
	OK(raw_reg_dmabuf_mr(t->context->cmd_fd, &region, &mr));
	OK(raw_dereg_mr(t->context->cmd_fd, mr.handle));
	close(fd);
}

/* The device's limit, and then what is wrong with a region of just that size. */
static void test_largest_region(void **state)
{
	struct test *t = *state;
	int fd = create_with(t, DMABUF_TEST_DYNAMIC, 0);
	struct raw_region region = {
		.pd = t->pd->handle,
		.fd = fd,
		.length = EDU_IB_MAX_MR_SIZE,
		.access = IBV_ACCESS_LOCAL_WRITE | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	struct ib_uverbs_dmabuf_probe probe;
	struct raw_mr mr;
	int over;

	for (over = 0; over < 2; over++, region.length++) {
		OK(raw_probe_dmabuf(t->context->cmd_fd, &region, &probe, sizeof(probe)));
		assert_errno(probe.err, EINVAL, "probe");
		assert_int_equal(probe.reason, over ? IB_UVERBS_DMABUF_REASON_DEVICE_LIMIT :
						      IB_UVERBS_DMABUF_REASON_BAD_RANGE);
		assert_errno(raw_reg_dmabuf_mr(t->context->cmd_fd, &region, &mr), EINVAL,
			     "registration");
	}
	assert_int_equal(counters(&t->s, fd).count[DMABUF_TEST_ATTACHES], 0);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_no_path),
		IMPORTER_TEST(test_required_path),
		IMPORTER_TEST(test_failing_operations),
		IMPORTER_TEST(test_revoked_without_pin),
		IMPORTER_TEST(test_access),
		IMPORTER_TEST(test_largest_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
