// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Many regions over one dma-buf. However long it takes to revoke them, a device
 * that obeys is not stopped; and their number is bounded.
 */
#include <stdlib.h>
#include <unistd.h>

#include "importer.h"
#include "kernel.h"

#define SIZE (16 * PAGE)
/* As the kernel's documentation has it */
#define MAX_REGIONS 4096
#define MORE_REGIONS (MAX_REGIONS + 8)

static int create_mode(struct test *t, enum dmabuf_test_mode mode)
{
	return create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .size = SIZE,
					  .segment = PAGE,
				  });
}

/* Slices that overlap, each at an address of its own */
static struct ibv_mr *try_register_slice(struct test *t, int fd, unsigned int i, uint32_t flags)
{
	uint64_t offset = i % SIZE, iova = i * SIZE + offset % PAGE;

	return try_register_part(t, fd, offset, 1, iova, flags);
}

static struct ibv_mr **register_slices(struct test *t, int fd, unsigned int num, uint32_t flags)
{
	struct ibv_mr **mrs = calloc(num, sizeof(struct ibv_mr *));
	unsigned int i;

	assert_non_null(mrs);
	for (i = 0; i < num; i++) {
		mrs[i] = try_register_slice(t, fd, i, flags);
		if (!mrs[i])
			fail_msg("registration %u: %s", i, strerrorname(errno));
	}
	return mrs;
}

static void deregister_slices(struct ibv_mr **mrs, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++)
		OK(ibv_dereg_mr(mrs[i]));
	free(mrs);
}

/* All are revoked by a command each, and the device goes on with other memory. */
static void check_revoke(struct test *t, unsigned int num)
{
	int fd = create_mode(t, DMABUF_TEST_REVOKING);
	struct edu_ib_counters before = hardware_counters(t), now;
	struct ibv_mr **mrs = register_slices(t, fd, num, ALLOW_REVOKE), *mr;
	uint8_t byte = 0x42;
	unsigned int i;

	take_back(t, fd);
	now = hardware_counters(t);
	assert_int_equal(now.callbacks, before.callbacks + num);
	assert_int_equal(now.stops, before.stops);
	assert_int_equal(now.bus_master, 1);
	for (i = 0; i < num; i++)
		assert_true(hardware_info(t, mrs[i]).revoked);
	FAILS(edu_write(t->edu, mrs[0]->lkey, 0, &byte, 1), EFAULT);
	assert_all(&t->s, fd, 0, 0, SIZE, POISON);
	deregister_slices(mrs, num);
	assert_idle(&t->s, fd);
	close(fd);

	fd = create_mode(t, DMABUF_TEST_DYNAMIC);
	mr = register_part(t, fd, 0, SIZE, 0, ALLOW_REVOKE);
	OK(edu_write(t->edu, mr->lkey, 0, &byte, 1));
	assert_all(&t->s, fd, 0, 0, 1, byte);
	OK(ibv_dereg_mr(mr));
	close(fd);
}

/* In all more than ten seconds, which once was the limit for all regions together. */
static void test_slow_commands(void **state)
{
	OK(edu_set("delay", "0,10,0"));
	check_revoke(*state, 1200);
}

static void test_thousands(void **state)
{
	check_revoke(*state, MAX_REGIONS);
}

static void check_full(struct test *t, int fd, uint32_t flags)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = flags,
		.length = 1,
		.fd = fd,
		.access = IBV_ACCESS_LOCAL_WRITE,
	};
	struct ibv_ext_dmabuf_report report;

	assert_null(ibv_ext_reg_dmabuf_mr(t->pd, &attr, &report));
	assert_errno(errno, ENOSPC, "registration of one too many");
	assert_int_equal(report.err, ENOSPC);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_LIMIT);
	report = probe_part(t, fd, 0, 1, 0, flags);
	assert_errno(report.err, ENOSPC, "probe of one too many");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_DEVICE_LIMIT);
}

static void test_limit(void **state)
{
	struct test *t = *state;
	int fd = create_mode(t, DMABUF_TEST_DYNAMIC), other;
	/* With and without consent, if they are revoked alike */
	uint32_t least = kernel_least_consent();
	struct ibv_mr **mrs = register_slices(t, fd, MAX_REGIONS, least), *mr;

	check_full(t, fd, least);
	check_full(t, fd, ALLOW_REVOKE);

	/* That is the limit of one buffer, and not for good. */
	other = create_mode(t, DMABUF_TEST_DYNAMIC);
	mr = register_part(t, other, 0, SIZE, 0, ALLOW_REVOKE);
	OK(ibv_dereg_mr(mr));
	close(other);
	OK(ibv_dereg_mr(mrs[17]));
	mrs[17] = try_register_slice(t, fd, 17, ALLOW_REVOKE);
	assert_non_null(mrs[17]);
	check_full(t, fd, ALLOW_REVOKE);

	deregister_slices(mrs, MAX_REGIONS);
	assert_idle(&t->s, fd);
	close(fd);
}

static void check_more(struct test *t, enum dmabuf_test_mode mode)
{
	int fd = create_mode(t, mode);
	struct ibv_mr **mrs = register_slices(t, fd, MORE_REGIONS, 0);

	assert_int_equal(hardware_counters(t).mrs, MORE_REGIONS);
	deregister_slices(mrs, MORE_REGIONS);
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_static_exporter(void **state)
{
	check_more(*state, DMABUF_TEST_STATIC);
}

static void test_device_that_cannot_revoke(void **state)
{
	OK(edu_set("allow_revoke", "0"));
	importer_rebind(*state);
	check_more(*state, DMABUF_TEST_DYNAMIC);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_slow_commands),
		IMPORTER_TEST(test_thousands),
		IMPORTER_TEST(test_limit),
		IMPORTER_TEST(test_static_exporter),
		REBIND_TEST(test_device_that_cannot_revoke),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
