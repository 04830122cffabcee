// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Where the memory is, by the addresses that the device has for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "importer.h"
#include "kallsyms.h"
#include "rdma_tool.h"

#define PAGES 16
#define SIZE (PAGES * PAGE)

static int create_in(struct test *t, enum dmabuf_test_mode mode, enum dmabuf_test_memory memory,
		     uint32_t flags)
{
	return create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .memory = memory,
					  .flags = flags,
					  .size = SIZE,
					  .segment = PAGE,
				  });
}

/* Segments of a page each; an IOMMU may join them. */
static void check_segments(uint64_t segments, uint64_t expected)
{
	if (have_iommu())
		assert_true(segments >= 1 && segments <= expected);
	else
		assert_int_equal(segments, expected);
}

/* A probe and a query of a part say the same, and it can be used. */
static void check_where(struct test *t, int fd, unsigned int first, unsigned int pages,
			uint32_t pin_flags, enum ibv_ext_dmabuf_placement placement)
{
	uint64_t offset = first * PAGE;
	size_t length = pages * PAGE;
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;

	report = probe_part(t, fd, offset, length, 0, pin_flags);
	assert_errno(report.err, 0, "probe");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.placement, placement);
	assert_false(report.flags & IBV_EXT_DMABUF_MR_CPU_ACCESS);
	assert_true(report.page_size >= PAGE);
	check_segments(report.dma_segments, pages);
	assert_idle(&t->s, fd);

	mr = register_part(t, fd, offset, length, 0, pin_flags);
	info = mr_info(mr);
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info.placement, placement);
	assert_false(info.flags & IBV_EXT_DMABUF_MR_CPU_ACCESS);
	check_segments(info.dma_segments, pages);
	/* An IOMMU's addresses are new ones each time. */
	if (!have_iommu())
		assert_int_equal(hardware_info(t, mr).page_size, report.page_size);
	OK(edu_write(t->edu, mr->lkey, length - 1, &first, 1));
	assert_all(&t->s, fd, 0, offset + length - 1, 1, first);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
}

/* The probe and the registration fail, and leave nothing. */
static void check_not_p2p(struct test *t, int fd, unsigned int first, unsigned int pages,
			  uint32_t consent, enum ibv_ext_dmabuf_reason reason)
{
	uint32_t flags = REQUIRE_P2P | consent;
	struct ibv_ext_dmabuf_report report;
	struct usage usage;

	usage_read(&usage);
	report = probe_part(t, fd, first * PAGE, pages * PAGE, 0, flags);
	assert_errno(report.err, EOPNOTSUPP, "probe");
	assert_int_equal(report.reason, reason);
	assert_null(try_register_part(t, fd, first * PAGE, pages * PAGE, 0, flags));
	assert_errno(errno, EOPNOTSUPP, "registration");
	assert_usage(&usage, "after a refusal");
}

static void test_system(void **state)
{
	struct test *t = *state;
	enum dmabuf_test_mode mode;
	uint32_t flags;
	int fd;

	for (mode = DMABUF_TEST_STATIC; mode <= DMABUF_TEST_REVOKING; mode++) {
		fd = create_in(t, mode, DMABUF_TEST_SYSTEM, 0);
		flags = needs_consent(mode) ? ALLOW_REVOKE : 0;
		check_where(t, fd, 1, PAGES - 2, flags, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
		check_not_p2p(t, fd, 0, 1, flags, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
		assert_idle(&t->s, fd);
		close(fd);
	}
}

static void test_others_exporters(void **state)
{
	struct test *t = *state;
	struct dmabuf udmabuf, heap;

	if (dmabuf_alloc_udmabuf(&udmabuf, SIZE, 0) ||
	    dmabuf_alloc_heap(&heap, "system", SIZE, O_RDWR))
		fail_msg("%s", dmabuf_error());
	check_not_p2p(t, udmabuf.fd, 0, PAGES, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	check_not_p2p(t, heap.fd, 0, PAGES, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	dmabuf_free(&udmabuf);
	dmabuf_free(&heap);
}

static void test_device(void **state)
{
	static const enum dmabuf_test_mode modes[] = { DMABUF_TEST_STATIC, DMABUF_TEST_DYNAMIC,
						       DMABUF_TEST_REVOKING };
	struct test *t = *state;
	unsigned int i;
	uint32_t flags;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		flags = needs_consent(modes[i]) ? ALLOW_REVOKE : 0;
		fd = create_in(t, modes[i], DMABUF_TEST_DEVICE_MEMORY, 0);
		check_where(t, fd, 0, PAGES, flags, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
		check_where(t, fd, 3, 5, REQUIRE_P2P | flags, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
		close(fd);
	}
}

static void test_mixed(void **state)
{
	struct test *t = *state;
	struct ibv_mr *whole, *part;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	fd = create_in(t, DMABUF_TEST_DYNAMIC, DMABUF_TEST_MIXED_MEMORY, 0);
	check_where(t, fd, 0, PAGES, 0, IBV_EXT_DMABUF_PLACEMENT_MIXED);
	check_where(t, fd, 0, PAGES / 2, 0, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	check_where(t, fd, PAGES / 2, PAGES / 2, REQUIRE_P2P, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	check_not_p2p(t, fd, 0, PAGES, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	check_not_p2p(t, fd, PAGES / 2 - 1, 2, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);

	/* Each region for itself, also while they share a pin */
	whole = register_part(t, fd, 0, SIZE, 0, 0);
	part = register_part(t, fd, SIZE / 2, SIZE / 2, 0, REQUIRE_P2P);
	assert_users(t, fd, 1, 1);
	check_not_p2p(t, fd, SIZE / PAGE / 2 - 1, 1, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	assert_int_equal(mr_info(part).placement, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	assert_int_equal(mr_info(whole).placement, IBV_EXT_DMABUF_PLACEMENT_MIXED);
	OK(ibv_dereg_mr(whole));
	OK(ibv_dereg_mr(part));
	close(fd);
}

/* Nothing is moved to find out. */
static void test_no_path(void **state)
{
	struct test *t = *state;
	enum ibv_ext_dmabuf_reason reason;
	struct kernel_symbol symbol;
	struct dmabuf_test_counters c;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	reason = kernel_symbol_find("pci_p2pdma_distance_many", &symbol) ?
			 IBV_EXT_DMABUF_REASON_NO_P2P_PATH :
			 IBV_EXT_DMABUF_REASON_NO_P2P_KERNEL;
	fd = create_in(t, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, DMABUF_TEST_CLEAR_P2P);
	check_not_p2p(t, fd, 0, PAGES, 0, reason);
	c = counters(&t->s, fd);
	assert_int_equal(c.memory, DMABUF_TEST_DEVICE_MEMORY);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 0);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 0);
	assert_idle(&t->s, fd);
	close(fd);
}

/* Where the pin brought it counts, not where it was. */
static void test_migration(void **state)
{
	struct test *t = *state;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	fd = create_in(t, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, 0);
	check_not_p2p(t, fd, 0, PAGES, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	close(fd);

	fd = create_in(t, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, DMABUF_TEST_KEEP_P2P);
	check_where(t, fd, 0, PAGES, REQUIRE_P2P, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	close(fd);
}

/* A revoked region is nowhere. */
static void test_revoked(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_revoke result;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *asked, *unasked;
	int fd;

	fd = create_in(t, DMABUF_TEST_REVOKING, DMABUF_TEST_SYSTEM, 0);
	asked = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	unasked = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	assert_int_equal(mr_info(asked).placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	info = mr_info(asked);
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_UNKNOWN);
	info = mr_info(unasked);
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_UNKNOWN);
	OK(ibv_dereg_mr(asked));
	OK(ibv_dereg_mr(unasked));
	close(fd);
}

/* What an administrator sees */
static void test_rdma_tool(void **state)
{
	struct test *t = *state;
	struct dmabuf_test_revoke result;
	struct shown_mr shown;
	struct ibv_mr *mr;
	int fd;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	fd = create_in(t, DMABUF_TEST_REVOKING, DMABUF_TEST_DEVICE_MEMORY, 0);
	mr = register_part(t, fd, PAGE, 3 * PAGE, 0, ALLOW_REVOKE);
	/* The tool shows what somebody found out. */
	mr_info(mr);
	rdma_tool_show_mr(3 * PAGE, SHOWN_TO_ADMIN, &shown);
	assert_string_equal(shown.mode, "pinned");
	assert_string_equal(shown.state, "live");
	assert_string_equal(shown.placement, "device");
	assert_string_equal(shown.charged, "65536");
	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	rdma_tool_show_mr(3 * PAGE, SHOWN_TO_ADMIN, &shown);
	assert_string_equal(shown.state, "revoked");
	assert_string_equal(shown.placement, "unknown");
	assert_string_equal(shown.charged, "0");
	OK(ibv_dereg_mr(mr));
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_system),  IMPORTER_TEST(test_others_exporters),
		IMPORTER_TEST(test_device),  IMPORTER_TEST(test_mixed),
		IMPORTER_TEST(test_no_path), IMPORTER_TEST(test_migration),
		IMPORTER_TEST(test_revoked), IMPORTER_TEST(test_rdma_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
