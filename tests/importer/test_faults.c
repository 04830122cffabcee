// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Each allocation and each copy from and to user space of a registration for DMA
 * is made to fail in turn; see tests/integration/fault_injection.c.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "importer.h"
#include "raw_ioctl.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define DEBUGFS "/sys/kernel/debug/"

#define SIZE (64 * PAGE)

/* No call here makes as many; a call that never comes through is a failure. */
#define MAX_FAULTS 1000

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail_msg("cannot write %s to %s: %s", value, path, strerrorname(errno));
	close(fd);
}

static int group_setup(void **state)
{
	(void)state;
	if (access(FAIL_NTH, F_OK) || access(DEBUGFS "failslab", F_OK))
		return 0;
	set(DEBUGFS "failslab/verbose", "0");
	set(DEBUGFS "failslab/ignore-gfp-wait", "N");
	set(DEBUGFS "fail_page_alloc/verbose", "0");
	/* The task's own copies fail as well. */
	if (!access(DEBUGFS "fail_usercopy", F_OK))
		set(DEBUGFS "fail_usercopy/verbose", "0");
	set(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	set(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	set(DEBUGFS "fail_page_alloc/min-order", "0");
	return 0;
}

struct call {
	struct test *t;
	int fd;
	uint32_t access;
	bool probe;
};

/* A call may also succeed in spite of the fault; it is undone then. */
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

	if (c->probe)
		return raw_probe_dmabuf(c->t->context->cmd_fd, &region, &probe, sizeof(probe));
	return raw_reg_dmabuf_mr(c->t->context->cmd_fd, &region, mr);
}

/* Returns the result; *reached tells whether something failed in the call. */
static int call_with_fault(const struct call *c, unsigned int nth, struct raw_mr *mr, bool *reached)
{
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	char text[16] = "";
	int err;

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%u", nth);
	assert_true(write(fd, text, strlen(text)) > 0);
	err = make_call(c, mr);
	memset(text, 0, sizeof(text));
	*reached = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (pwrite(fd, "0", 1, 0) != 1)
		assert_int_equal(errno, EFAULT);
	close(fd);
	return err;
}

static void sweep(struct test *t, enum dmabuf_test_mode mode, uint32_t access_bits, bool probe)
{
	struct call c = { .t = t, .access = access_bits, .probe = probe };
	unsigned int nth = 0, failed = 0;
	struct usage before;
	struct raw_mr mr;
	bool reached;
	int err;

	if (access(FAIL_NTH, F_OK))
		skip_because("this kernel has no fault injection");
	c.fd = create_args(&t->s, (struct dmabuf_test_create){
					  .mode = mode,
					  .size = SIZE,
					  .segment = PAGE,
				  });
	usage_read(&before);
	do {
		assert_int_not_equal(++nth, MAX_FAULTS);
		err = call_with_fault(&c, nth, &mr, &reached);
		failed += err != 0;
		if (!err && !probe)
			OK(raw_dereg_mr(t->context->cmd_fd, mr.handle));
		assert_idle(&t->s, c.fd);
		assert_int_equal(hardware_counters(t).mrs, 0);
	} while (reached);
	assert_usage(&before, "after all faults");
	assert_errno(err, 0, "without a fault");
	assert_true(probe || failed > 5);
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

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

int main(int argc, char **argv)
{
	return importer_main(argc, argv, "", run);
}
