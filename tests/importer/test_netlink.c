// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What RDMA netlink tells of regions for DMA while their exporter is busy. To find
 * out where the memory is takes the exporter's lock, so netlink never does; it
 * tells what the owner's query, or a region that has to be peer to peer, found.
 */
#include <unistd.h>

#include "importer.h"
#include "lock.h"
#include "rdma_netlink.h"

#define SIZE (16 * PAGE)

static void check_told(int fd, const char *placement)
{
	struct netlink_mr listed, one;
	struct rdma_netlink netlink;
	struct exporter_lock lock;
	int err;

	rdma_netlink_open(&netlink, EDU_IB_VERBS_DEVICE);
	OK(exporter_lock(&lock, fd));
	rdma_netlink_find_mr(&netlink, SIZE, &listed);
	err = rdma_netlink_get_mr(&netlink, listed.number, &one);
	assert_true(exporter_unlock(&lock));
	rdma_netlink_close(&netlink);

	assert_errno(err, 0, "one MR");
	assert_string_equal(listed.mode, "pinned");
	assert_string_equal(listed.state, "live");
	assert_string_equal(listed.placement, placement);
	assert_int_equal(listed.charged, SIZE);
	assert_true(listed.has_inode && listed.has_size);
	assert_string_equal(one.placement, placement);
}

static void told_while_busy(struct test *t, enum dmabuf_test_memory memory, uint32_t pin_flags,
			    const char *placement)
{
	struct ibv_mr *mr;
	int fd;

	fd = create_args(&t->s, (struct dmabuf_test_create){
					.mode = DMABUF_TEST_REVOKING,
					.memory = memory,
					.size = SIZE,
				});
	if (needs_consent(DMABUF_TEST_REVOKING))
		pin_flags |= ALLOW_REVOKE;
	mr = register_part(t, fd, 0, SIZE, 0, pin_flags);
	check_told(fd, pin_flags & REQUIRE_P2P ? placement : "unknown");
	mr_info(mr);
	check_told(fd, placement);
	OK(ibv_dereg_mr(mr));
	assert_idle(&t->s, fd);
	close(fd);
}

static void test_system_memory(void **state)
{
	told_while_busy(*state, DMABUF_TEST_SYSTEM, 0, "system");
	told_while_busy(*state, DMABUF_TEST_SYSTEM, ALLOW_REVOKE, "system");
}

static void test_device_memory(void **state)
{
	struct test *t = *state;

	if (!have_device_memory(&t->s))
		skip_because("no device memory");
	told_while_busy(t, DMABUF_TEST_DEVICE_MEMORY, 0, "device");
	told_while_busy(t, DMABUF_TEST_DEVICE_MEMORY, REQUIRE_P2P | ALLOW_REVOKE, "device");
	told_while_busy(t, DMABUF_TEST_MIXED_MEMORY, 0, "mixed");
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_system_memory),
		IMPORTER_TEST(test_device_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
