// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A device with large pages only.
 */
#include <unistd.h>

#include "importer.h"

#define DEVICE_PAGE (64 * 1024)

static void test_too_small(void **state)
{
	struct test *t = *state;
	struct ibv_ext_dmabuf_report report;
	struct usage usage;
	int fd;

	if (have_iommu())
		skip_because("an IOMMU makes large pages of small ones");
	fd = create_args(&t->s, (struct dmabuf_test_create){
					.mode = DMABUF_TEST_DYNAMIC,
					.size = 4 * DEVICE_PAGE,
					.segment = PAGE,
				});
	usage_read(&usage);
	assert_null(try_register_part(t, fd, 0, 4 * DEVICE_PAGE, 0, 0));
	assert_errno(errno, EINVAL, "registration");
	report = probe_part(t, fd, 0, 4 * DEVICE_PAGE, 0, 0);
	assert_int_equal(report.err, EINVAL);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_PAGE_SIZE);
	assert_usage(&usage, "after a refusal");
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_large_enough(void **state)
{
	struct test *t = *state;
	int fd = create_args(&t->s, (struct dmabuf_test_create){
					    .mode = DMABUF_TEST_DYNAMIC,
					    .size = 4 * DEVICE_PAGE,
					    .segment = DEVICE_PAGE,
				    });
	struct ibv_ext_dmabuf_report report;
	struct memory mem;
	struct ibv_mr *mr;

	report = probe_part(t, fd, 0, 4 * DEVICE_PAGE, 0, 0);
	assert_int_equal(report.err, 0);
	assert_int_equal(report.page_size, DEVICE_PAGE);
	assert_idle(&t->s, fd);

	mr = register_part(t, fd, 0, 4 * DEVICE_PAGE, 0, 0);
	assert_int_equal(hardware_info(t, mr).page_size, DEVICE_PAGE);
	memory_open(&mem, fd, 4 * DEVICE_PAGE);
	check_write(t, &mem, mr, 0, 0, DEVICE_PAGE - 1, 2);
	memory_close(&mem);

	/* The same memory at an address that does not go with it */
	assert_null(try_register_part(t, fd, 0, 4 * DEVICE_PAGE, PAGE, 0));
	assert_errno(errno, EINVAL, "registration");
	report = probe_part(t, fd, 0, 4 * DEVICE_PAGE, PAGE, 0);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_PAGE_SIZE);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_too_small),
		IMPORTER_TEST(test_large_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "page_sizes=0x10000", run);
}
