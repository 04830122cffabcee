// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Each allocation and each copy from and to user space of a registration for DMA
 * is made to fail in turn; see tests/integration/fault_injection.c.
 */
#include <unistd.h>

#include "fault.h"
#include "importer.h"
#include "raw_ioctl.h"

#define SIZE (64 * PAGE)

/* No call here makes as many; a call that never comes through is a failure. */
#define MAX_FAULTS 1000

struct call {
	struct test *t;
	int fd;
	uint32_t access;
	bool probe;
};

/*
 * A call may also succeed in spite of the fault; it is undone then. A probe that
 * runs tells of a failure within.
 */
static int make_call(const struct call *c, struct raw_mr *mr)
{
	struct raw_region region = {
		.pd = c->t->pd->handle,
		.fd = c->fd,
		.offset = PAGE,
		.length = SIZE - PAGE,
		.access = IBV_ACCESS_LOCAL_WRITE | c->access,
	};
	struct ib_uverbs_dmabuf_probe probe;
	int err;

	if (c->probe) {
		err = raw_probe_dmabuf(c->t->context->cmd_fd, &region, &probe, sizeof(probe));
		if (err)
			return err;
		assert_int_equal(probe.reason, probe.err ? IB_UVERBS_DMABUF_REASON_NO_MEMORY :
							   IB_UVERBS_DMABUF_REASON_NONE);
		return probe.err;
	}
	return raw_reg_dmabuf_mr(c->t->context->cmd_fd, &region, mr);
}

static void sweep(struct test *t, enum dmabuf_test_mode mode, uint32_t access_bits, bool probe)
{
	struct call c = { .t = t, .access = access_bits, .probe = probe };
	unsigned int nth = 0, failed = 0;
	struct usage before;
	struct raw_mr mr;
	bool reached;
	int err, fault;

	faults_setup();
	c.fd = create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .size = SIZE,
					  .segment = PAGE,
				  });
	usage_read(&before);
	do {
		assert_int_not_equal(++nth, MAX_FAULTS);
		fault = fault_arm(nth);
		err = make_call(&c, &mr);
		reached = fault_disarm(fault);
		if (err && (!reached || (err != ENOMEM && err != EFAULT)))
			fail_msg("fault %u%s: %s", nth, reached ? "" : " not reached",
				 strerrorname(err));
		failed += err != 0;
		if (!err && !probe)
			OK(raw_dereg_mr(t->context->cmd_fd, mr.handle));
		assert_idle(&t->s, c.fd);
		assert_int_equal(hardware_counters(t).mrs, 0);
	} while (reached);
	assert_usage(&before, "after all faults");
	assert_true(failed > 5);
	print_message("%u faults, %u failures\n", nth - 1, failed);
	close(c.fd);
}

#define PINNED IBV_EXT_ACCESS_DMABUF_PINNED
#define REVOCABLE IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE

static void test_static(void **state)
{
	sweep(*state, DMABUF_TEST_STATIC, PINNED, false);
}

static void test_dynamic(void **state)
{
	sweep(*state, DMABUF_TEST_DYNAMIC, PINNED | REVOCABLE, false);
}

static void test_plain(void **state)
{
	sweep(*state, DMABUF_TEST_DYNAMIC, 0, false);
}

static void test_probe(void **state)
{
	sweep(*state, DMABUF_TEST_DYNAMIC, PINNED | REVOCABLE, true);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		IMPORTER_TEST(test_static),
		IMPORTER_TEST(test_dynamic),
		IMPORTER_TEST(test_plain),
		IMPORTER_TEST(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
