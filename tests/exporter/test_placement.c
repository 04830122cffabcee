// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Where the memory is: regions that accept device memory only, and what the
 * kernel says of the others.
 */
#include <unistd.h>

#include "common.h"
#include "rdma_tool.h"

#define SIZE RDMA_TEST_SIZE

#define REQUIRE_P2P IBV_EXT_DMABUF_PIN_REQUIRE_P2P
#define ALLOW_REVOKE IBV_EXT_DMABUF_PIN_ALLOW_REVOKE

static int create_in(struct state *s, enum dmabuf_test_mode mode, enum dmabuf_test_memory memory,
		     uint32_t flags)
{
	return create_args(s, (struct dmabuf_test_create){
				      .mode = mode,
				      .memory = memory,
				      .flags = flags,
				      .size = SIZE,
			      });
}

static struct ibv_ext_dmabuf_report probe(struct rdma *r, int fd)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = r->pin_flags,
		.length = r->size,
		.fd = fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;

	OK(ibv_ext_probe_dmabuf(r->pd, &attr, &report));
	return report;
}

static struct ibv_mr *register_with(struct rdma *r, int fd, uint32_t pin_flags)
{
	r->pin_flags = pin_flags;
	return rdma_register(r, fd);
}

static void check_info(struct ibv_mr *mr, enum ibv_ext_dmabuf_state state,
		       enum ibv_ext_dmabuf_placement placement)
{
	struct ibv_ext_dmabuf_mr_info info;

	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	assert_int_equal(info.state, state);
	assert_int_equal(info.placement, placement);
}

#define CHECK_LIVE(mr, where) \
	check_info(mr, IBV_EXT_DMABUF_STATE_LIVE, IBV_EXT_DMABUF_PLACEMENT_##where)

/* The probe and the registration fail, the latter with the same errno and report. */
static void expect_refused(struct state *s, int fd, enum dmabuf_test_mode mode,
			   enum ibv_ext_dmabuf_reason reason)
{
	struct rdma *r = &s->rdma;
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = r->size,
		.fd = fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;
	struct dmabuf_test_counters before = counters(s, fd);
	enum ibv_ext_dmabuf_reason expected;
	struct usage usage;
	uint32_t consent;

	usage_read(&usage);
	for (consent = 0; consent <= ALLOW_REVOKE; consent += ALLOW_REVOKE) {
		r->pin_flags = attr.pin_flags = REQUIRE_P2P | consent;
		report = probe(r, fd);
		assert_errno(report.err, EOPNOTSUPP, "probe");
		expected = needs_consent(mode) && !consent ?
				   IBV_EXT_DMABUF_REASON_EXPORTER_NEEDS_REVOKE :
				   reason;
		assert_int_equal(report.reason, expected);
		assert_null(ibv_ext_reg_dmabuf_mr(r->pd, &attr, &report));
		assert_errno(errno, EOPNOTSUPP, "registration");
		assert_errno(report.err, EOPNOTSUPP, "report");
		assert_int_equal(report.reason, expected);
	}
	assert_usage(&usage, "after a refusal");
	assert_held_as(s, fd, &before);
}

/* The exporter was not asked for anything but to attach. */
static void assert_undisturbed(struct state *s, int fd, const struct dmabuf_test_counters *before)
{
	struct dmabuf_test_counters after = counters(s, fd);

	assert_int_equal(after.memory, before->memory);
	assert_int_equal(after.count[DMABUF_TEST_PINS], before->count[DMABUF_TEST_PINS]);
	assert_int_equal(after.count[DMABUF_TEST_MAPS], before->count[DMABUF_TEST_MAPS]);
	assert_int_equal(after.count[DMABUF_TEST_VMAPS], before->count[DMABUF_TEST_VMAPS]);
	assert_int_equal(after.count[DMABUF_TEST_MOVES], before->count[DMABUF_TEST_MOVES]);
	assert_int_equal(after.count[DMABUF_TEST_NOTIFIES], before->count[DMABUF_TEST_NOTIFIES]);
}

/* Every byte lands where it should, none beside it, and all come back. */
static void check_transfers(struct state *s, int fd, struct ibv_mr *mr)
{
	struct rdma *r = &s->rdma;
	static const struct {
		uint64_t at;
		uint32_t length;
	} writes[] = { { PAGE + 3, 2 * PAGE + 5 }, { SIZE - 1, 1 }, { 5 * PAGE - 1, 2 } };
	static uint8_t expected[SIZE];
	struct rc_bytes local = { .addr = (uintptr_t)r->local, .key = r->local_mr->lkey };
	uint64_t from = 0;
	size_t i;

	memset(expected, 0x40, SIZE);
	assert_int_equal(rdma_write(r, mr, 0x40), IBV_WC_SUCCESS);
	assert_all(s, fd, 0, 0, SIZE, 0x40);

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		memset(r->local, 0x50 + i, SIZE);
		memset(expected + writes[i].at, 0x50 + i, writes[i].length);
		local.length = writes[i].length;
		assert_int_equal(rc_write(&r->pair, local, writes[i].at, mr->rkey), IBV_WC_SUCCESS);
		assert_all(s, fd, 0, writes[i].at, writes[i].length, 0x50 + i);
	}
	assert_all(s, fd, 0, 0, writes[0].at, 0x40);
	from = writes[0].at + writes[0].length;
	assert_all(s, fd, 0, from, writes[2].at - from, 0x40);
	from = writes[2].at + writes[2].length;
	assert_all(s, fd, 0, from, writes[1].at - from, 0x40);

	memset(r->local, 0, SIZE);
	local.length = SIZE;
	assert_int_equal(rc_read(&r->pair, local, 0, mr->rkey), IBV_WC_SUCCESS);
	assert_memory_equal(r->local, expected, SIZE);

	/* what the device put there meanwhile */
	OK(exporter_fill(s->dev, fd, 0, 0, SIZE, 0x77));
	memset(expected, 0x77, SIZE);
	assert_int_equal(rc_read(&r->pair, local, 0, mr->rkey), IBV_WC_SUCCESS);
	assert_memory_equal(r->local, expected, SIZE);
}

static void check_accepted(struct state *s, int fd, uint32_t pin_flags)
{
	struct rdma *r = &s->rdma;
	struct ibv_ext_dmabuf_report report;
	struct dmabuf_test_counters c;
	struct ibv_mr *mr;

	r->pin_flags = pin_flags;
	report = probe(r, fd);
	assert_errno(report.err, 0, "probe");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	assert_idle(s, fd);

	mr = rdma_register(r, fd);
	CHECK_LIVE(mr, DEVICE);
	check_transfers(s, fd, mr);
	c = counters(s, fd);
	assert_int_equal(c.memory, DMABUF_TEST_DEVICE_MEMORY);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 0);
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
}

static void test_device_memory(void **state)
{
	struct state *s = *state;
	size_t i;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	for (i = 0; i < NUM_MODES; i++) {
		fd = create_in(s, all_modes[i], DMABUF_TEST_DEVICE_MEMORY,
			       all_modes[i] == DMABUF_TEST_MIGRATING ? DMABUF_TEST_KEEP_P2P : 0);
		if (!needs_consent(all_modes[i]))
			check_accepted(s, fd, REQUIRE_P2P);
		check_accepted(s, fd, REQUIRE_P2P | ALLOW_REVOKE);
		close(fd);
	}
}

static void test_system_memory(void **state)
{
	struct state *s = *state;
	struct ibv_ext_dmabuf_report report;
	size_t i;
	int fd;

	for (i = 0; i < NUM_MODES; i++) {
		fd = create_in(s, all_modes[i], DMABUF_TEST_SYSTEM, 0);
		expect_refused(s, fd, all_modes[i], IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
		assert_idle(s, fd);

		s->rdma.pin_flags = needs_consent(all_modes[i]) ? ALLOW_REVOKE : 0;
		report = probe(&s->rdma, fd);
		assert_errno(report.err, 0, "probe");
		assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
		assert_idle(s, fd);
		close(fd);
	}
}

/* An exporter that says no at attach is not made to migrate anything. */
static void no_path(struct state *s, enum dmabuf_test_memory memory)
{
	struct dmabuf_test_counters before;
	size_t i;
	int fd;

	for (i = 0; i < NUM_MODES; i++) {
		/* It is not asked for peer to peer. */
		if (all_modes[i] == DMABUF_TEST_STATIC)
			continue;
		fd = create_in(s, all_modes[i], memory, DMABUF_TEST_CLEAR_P2P);
		before = counters(s, fd);
		expect_refused(s, fd, all_modes[i], IBV_EXT_DMABUF_REASON_NO_P2P_PATH);
		assert_undisturbed(s, fd, &before);
		assert_idle(s, fd);
		close(fd);
	}
}

static void test_no_path_to_device_memory(void **state)
{
	if (!have_device_memory(*state))
		skip_because("no device with memory");
	no_path(*state, DMABUF_TEST_DEVICE_MEMORY);
}

static void test_no_path_to_system_memory(void **state)
{
	no_path(*state, DMABUF_TEST_SYSTEM);
}

/* The pin itself may be what takes the memory away from the device. */
static void test_migrated_by_the_pin(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	fd = create_in(s, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, 0);
	OK(exporter_fill(s->dev, fd, 0, 0, SIZE, 0x33));
	expect_refused(s, fd, DMABUF_TEST_MIGRATING, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	c = counters(s, fd);
	assert_int_equal(c.memory, DMABUF_TEST_SYSTEM);
	assert_all(s, fd, 0, 0, SIZE, 0x33);
	assert_idle(s, fd);
	close(fd);
}

/*
 * The pin is there already, made for a region without the requirement. Consent
 * or not decides which regions share a pin.
 */
static void join(struct state *s, enum dmabuf_test_memory memory, uint32_t flags,
		 enum ibv_ext_dmabuf_reason reason)
{
	struct dmabuf_test_counters before;
	struct ibv_mr *first, *second;
	uint32_t consent;
	int fd;

	for (consent = 0; consent <= ALLOW_REVOKE; consent += ALLOW_REVOKE) {
		fd = create_in(s, DMABUF_TEST_DYNAMIC, memory, flags);
		first = register_with(&s->rdma, fd, consent);
		before = counters(s, fd);
		if (reason) {
			s->rdma.pin_flags = REQUIRE_P2P | consent;
			assert_null(rdma_try_register(&s->rdma, fd));
			assert_errno(errno, EOPNOTSUPP, "second registration");
			assert_int_equal(probe(&s->rdma, fd).reason, reason);
			assert_undisturbed(s, fd, &before);
			expect_refused(s, fd, DMABUF_TEST_DYNAMIC, reason);
		} else {
			second = register_with(&s->rdma, fd, REQUIRE_P2P | consent);
			assert_undisturbed(s, fd, &before);
			CHECK_LIVE(second, DEVICE);
			OK(ibv_dereg_mr(second));
			/* the other way round */
			second = register_with(&s->rdma, fd, REQUIRE_P2P | consent);
			OK(ibv_dereg_mr(first));
			first = register_with(&s->rdma, fd, consent);
			assert_undisturbed(s, fd, &before);
			check_transfers(s, fd, second);
			OK(ibv_dereg_mr(second));
		}
		check_info(first, IBV_EXT_DMABUF_STATE_LIVE,
			   memory == DMABUF_TEST_SYSTEM ? IBV_EXT_DMABUF_PLACEMENT_SYSTEM :
							  IBV_EXT_DMABUF_PLACEMENT_DEVICE);
		check_transfers(s, fd, first);
		OK(ibv_dereg_mr(first));
		assert_idle(s, fd);
		close(fd);
	}
}

static void test_join_in_system_memory(void **state)
{
	join(*state, DMABUF_TEST_SYSTEM, 0, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
}

static void test_join_without_path(void **state)
{
	join(*state, DMABUF_TEST_SYSTEM, DMABUF_TEST_CLEAR_P2P, IBV_EXT_DMABUF_REASON_NO_P2P_PATH);
}

static void test_join_in_device_memory(void **state)
{
	if (!have_device_memory(*state))
		skip_because("no device with memory");
	join(*state, DMABUF_TEST_DEVICE_MEMORY, 0, IBV_EXT_DMABUF_REASON_NONE);
}

/* The memory moves before it is pinned; what counts is where it is then. */
static void test_moved_before(void **state)
{
	struct state *s = *state;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	fd = create_in(s, DMABUF_TEST_DYNAMIC, DMABUF_TEST_SYSTEM, 0);
	expect_refused(s, fd, DMABUF_TEST_DYNAMIC, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	OK(exporter_move(s->dev, fd, DMABUF_TEST_DEVICE_MEMORY));
	s->rdma.pin_flags = REQUIRE_P2P;
	assert_int_equal(probe(&s->rdma, fd).placement, IBV_EXT_DMABUF_PLACEMENT_DEVICE);
	OK(ibv_dereg_mr(rdma_register(&s->rdma, fd)));
	OK(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	expect_refused(s, fd, DMABUF_TEST_DYNAMIC, IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY);
	assert_idle(s, fd);
	close(fd);
}

/* A region that is gone is nowhere. */
static void test_revoked(void **state)
{
	struct state *s = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct dmabuf_test_revoke result;
	struct shown_mr shown;
	struct ibv_mr *mr;
	int fd;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	/* to tell it from the MR of ordinary memory */
	s->rdma.size = 3 * PAGE;
	fd = create_in(s, DMABUF_TEST_REVOKING, DMABUF_TEST_DEVICE_MEMORY, 0);
	mr = register_with(&s->rdma, fd, REQUIRE_P2P | ALLOW_REVOKE);
	rdma_tool_show_mr(s->rdma.size, SHOWN_TO_ADMIN, &shown);
	assert_string_equal(shown.state, "live");
	assert_string_equal(shown.placement, "device");
	assert_string_equal(shown.charged, "65536");
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.placement, IBV_EXT_DMABUF_PLACEMENT_UNKNOWN);
	rdma_tool_show_mr(s->rdma.size, SHOWN_TO_ADMIN, &shown);
	assert_string_equal(shown.mode, "pinned");
	assert_string_equal(shown.state, "revoked");
	assert_string_equal(shown.placement, "unknown");
	assert_string_equal(shown.charged, "0");
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
	close(fd);
}

/* Each process has a pin of its own, and both reach the same memory. */
static void in_second_process(int fd)
{
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;
	struct rdma r;

	rdma_setup(&r, SIZE);
	mr = register_with(&r, fd, REQUIRE_P2P);
	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	assert_int_equal(info.charged, SIZE);
	assert_int_equal(rdma_write(&r, mr, 0x66), IBV_WC_SUCCESS);
	/* The MR goes with the process. */
	_exit(0);
}

static void test_two_processes(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct rc_bytes local;
	struct ibv_mr *mr;
	pid_t pid;
	int fd, i;

	if (!have_device_memory(s))
		skip_because("no device with memory");
	fd = create_in(s, DMABUF_TEST_MIGRATING, DMABUF_TEST_DEVICE_MEMORY, DMABUF_TEST_KEEP_P2P);
	mr = register_with(&s->rdma, fd, REQUIRE_P2P);
	assert_int_equal(rdma_write(&s->rdma, mr, 0x22), IBV_WC_SUCCESS);

	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		in_second_process(fd);
	wait_for_child(pid);

	assert_all(s, fd, 0, 0, SIZE, 0x66);
	local = (struct rc_bytes){
		.addr = (uintptr_t)s->rdma.local,
		.length = SIZE,
		.key = s->rdma.local_mr->lkey,
	};
	assert_int_equal(rc_read(&s->rdma.pair, local, 0, mr->rkey), IBV_WC_SUCCESS);
	for (i = 0; i < (int)SIZE; i++)
		assert_int_equal(((uint8_t *)s->rdma.local)[i], 0x66);
	c = counters(s, fd);
	assert_int_equal(c.count[DMABUF_TEST_ATTACHES], 2);
	assert_int_equal(c.count[DMABUF_TEST_PINS], 2);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 1);
	assert_int_equal(c.count[DMABUF_TEST_MOVES], 0);
	CHECK_LIVE(mr, DEVICE);
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
	close(fd);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		RDMA_TEST(test_device_memory),
		RDMA_TEST(test_system_memory),
		RDMA_TEST(test_no_path_to_device_memory),
		RDMA_TEST(test_no_path_to_system_memory),
		RDMA_TEST(test_migrated_by_the_pin),
		RDMA_TEST(test_join_in_system_memory),
		RDMA_TEST(test_join_without_path),
		RDMA_TEST(test_join_in_device_memory),
		RDMA_TEST(test_moved_before),
		RDMA_TEST(test_revoked),
		RDMA_TEST(test_two_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
