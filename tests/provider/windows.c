// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Memory windows give access to what they were bound to and to nothing else of
 * the region, are bound only inside of it, and end as they should.
 */
#include "fixture.h"
#include "test.h"
#include "window.h"

#define IOVA 0x100000UL
#define SIZE (4 * PAGE)

/* The window: all but the first and the last page */
#define START PAGE
#define LENGTH (2 * PAGE)

#define MW_ACCESS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static uint8_t memory[SIZE] __attribute__((aligned(4096)));
static uint8_t expected[SIZE];
static uint8_t local[SIZE], local_expected[SIZE];

static void fill(uint8_t *bytes, uint32_t seed)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (i + seed) * 31 + i / 251;
}

static void fill_all(void)
{
	static uint32_t seed;

	fill(memory, ++seed);
	fill(local, ++seed);
	memcpy(expected, memory, SIZE);
	memcpy(local_expected, local, SIZE);
}

static struct ibv_mr *register_memory(struct fixture *f, uint64_t iova)
{
	struct ibv_mr *mr =
		ibv_reg_mr_iova(f->pd, memory, SIZE, iova, ACCESS_ALL | IBV_ACCESS_MW_BIND);

	if (!mr)
		fail_msg("registration at %#" PRIx64 ": %s", iova, strerrorname(errno));
	return mr;
}

/* Operations on @length bytes of the region at @offset, and what they do when they succeed. */

static int do_write(struct rc_pair *pair, struct rc_bytes from, uint64_t to, uint32_t rkey)
{
	return rc_write(pair, from, to, rkey);
}

static void expect_write(uint64_t offset, uint32_t length)
{
	memcpy(expected + offset, local, length);
}

static int do_read(struct rc_pair *pair, struct rc_bytes to, uint64_t from, uint32_t rkey)
{
	return rc_read(pair, to, from, rkey);
}

static void expect_read(uint64_t offset, uint32_t length)
{
	memcpy(local_expected, expected + offset, length);
}

static int do_fetch_add(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey)
{
	return rc_fetch_add(pair, old, at, rkey, 3);
}

static void expect_fetch_add(uint64_t offset, uint32_t length)
{
	uint64_t value;

	memcpy(local_expected, expected + offset, length);
	memcpy(&value, expected + offset, sizeof(value));
	value += 3;
	memcpy(expected + offset, &value, sizeof(value));
}

/* What it compares with is not there, so it changes nothing but tells what is. */
static int do_compare_swap(struct rc_pair *pair, struct rc_bytes old, uint64_t at, uint32_t rkey)
{
	return rc_compare_swap(pair, old, at, rkey, 0, 1);
}

static const struct {
	const char *name;
	int (*act)(struct rc_pair *pair, struct rc_bytes bytes, uint64_t remote, uint32_t rkey);
	void (*expect)(uint64_t offset, uint32_t length);
	bool atomic;
} operations[] = {
	{ "write", do_write, expect_write, false },
	{ "read", do_read, expect_read, false },
	{ "fetch and add", do_fetch_add, expect_fetch_add, true },
	{ "compare and swap", do_compare_swap, expect_read, true },
};

/* From the window's start on */
static const struct {
	int64_t at;
	uint32_t length;
} ranges[] = {
	{ 0, LENGTH },
	{ 0, 16 },
	{ LENGTH - 8, 8 },
	{ 8, PAGE },
	/* in the region, and not in the window */
	{ -START, 16 },
	{ -8, 8 },
	{ -8, 16 },
	{ -START, SIZE },
	{ LENGTH - 8, 16 },
	/* only the last packet is outside */
	{ 0, LENGTH + 8 },
	{ LENGTH, 8 },
	{ LENGTH, PAGE },
	/* not in the region */
	{ LENGTH + PAGE, 8 },
	{ -START - 8, 8 },
	{ -START - 8, 16 },
};

struct setting {
	struct rc_pair *pair;
	struct ibv_mr *mr;
	struct ibv_mr *local_mr;
	enum window_kind kind;
};

/* Does an operation on @length bytes from @at on do what it should? */
static bool access_is_right(const struct setting *s, size_t operation, int64_t at, uint32_t length)
{
	bool inside = at >= 0 && (uint64_t)at + length <= LENGTH;
	int expect = inside ? IBV_WC_SUCCESS : IBV_WC_REM_ACCESS_ERR;
	uint64_t base = s->kind == ZERO_BASED ? 0 : IOVA + START;
	struct rc_bytes bytes = {
		.addr = (uintptr_t)local,
		.length = length,
		.key = s->local_mr->lkey,
	};
	struct window w;
	int status;

	fill_all();
	assert_int_equal(window_bind(&w, s->kind, s->pair, s->mr, IOVA + START, LENGTH, MW_ACCESS),
			 IBV_WC_SUCCESS);
	if (inside)
		operations[operation].expect(START + at, length);
	status = operations[operation].act(s->pair, bytes, base + at, w.rkey);
	window_free(&w);
	if (status != IBV_WC_SUCCESS)
		assert_errno(rc_pair_reset(s->pair), 0, "reset");
	if (status == expect && !memcmp(memory, expected, SIZE) &&
	    !memcmp(local, local_expected, SIZE))
		return true;
	print_error("%s of %u bytes at %" PRId64 ": %s, expected %s\n", operations[operation].name,
		    length, at, rc_status_str(status), rc_status_str(expect));
	return false;
}

static void access_window(void **state, enum window_kind kind)
{
	struct fixture *f = *state;
	struct setting s = {
		.pair = fixture_pair(f),
		.mr = register_memory(f, IOVA),
		.local_mr = ibv_reg_mr(f->pd, local, SIZE, IBV_ACCESS_LOCAL_WRITE),
		.kind = kind,
	};
	unsigned int failed = 0;

	assert_non_null(s.local_mr);
	for (size_t o = 0; o < ARRAY_SIZE(operations); o++) {
		for (size_t r = 0; r < ARRAY_SIZE(ranges); r++) {
			uint32_t length = operations[o].atomic ? 8 : ranges[r].length;

			failed += !access_is_right(&s, o, ranges[r].at, length);
		}
	}
	deregister(s.local_mr);
	deregister(s.mr);
	assert_int_equal(failed, 0);
}

static void test_access_type_1(void **state)
{
	access_window(state, TYPE_1);
}

static void test_access_type_2(void **state)
{
	access_window(state, TYPE_2);
}

static void test_access_zero_based(void **state)
{
	access_window(state, ZERO_BASED);
}

static void test_bind(void **state)
{
	static const struct {
		uint64_t iova; /* of the region */
		uint64_t addr, length;
		bool inside;
	} binds[] = {
		{ IOVA, IOVA, SIZE, true },
		{ IOVA, IOVA + SIZE - 1, 1, true },
		{ IOVA, IOVA - 1, 1, false },
		{ IOVA, IOVA - 1, SIZE, false },
		{ IOVA, IOVA + SIZE, 1, false },
		{ IOVA, IOVA + 1, SIZE, false },
		{ IOVA, IOVA, SIZE + 1, false },
		{ IOVA, 0, PAGE, false },
		/* the sum is past the end of the address space */
		{ IOVA, -PAGE, 2 * PAGE, false },
		{ IOVA, IOVA + PAGE, -PAGE, false },
		{ IOVA, IOVA, -1UL, false },
		/* a region that ends where the address space does */
		{ -SIZE, -SIZE, SIZE, true },
		{ -SIZE, -SIZE, PAGE, true },
		{ -SIZE, -PAGE, PAGE, true },
		{ -SIZE, -PAGE, PAGE + 1, false },
		{ -SIZE, 0, PAGE, false },
	};
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	unsigned int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(binds); i++) {
		struct ibv_mr *mr = register_memory(f, binds[i].iova);

		for (enum window_kind kind = 0; kind < NUM_WINDOW_KINDS; kind++) {
			int expect = binds[i].inside ? IBV_WC_SUCCESS : IBV_WC_MW_BIND_ERR;
			struct window w;
			int status = window_bind(&w, kind, pair, mr, binds[i].addr, binds[i].length,
						 MW_ACCESS);

			window_free(&w);
			if (status == expect)
				continue;
			print_error("%s, %#" PRIx64 " bytes at %#" PRIx64 ": %s, expected %s\n",
				    window_kinds[kind], binds[i].length, binds[i].addr,
				    rc_status_str(status), rc_status_str(expect));
			failed++;
		}
		deregister(mr);
	}
	assert_int_equal(failed, 0);
}

/* A window that no range is bound to any more, or yet */
static void test_invalidate_free(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *mr = register_memory(f, IOVA);
	struct window w;

	assert_int_equal(window_bind(&w, TYPE_2, pair, mr, IOVA, PAGE, MW_ACCESS), IBV_WC_SUCCESS);
	assert_int_equal(window_invalidate(&w, pair), IBV_WC_SUCCESS);
	assert_int_not_equal(window_invalidate(&w, pair), IBV_WC_SUCCESS);
	assert_errno(rc_pair_reset(pair), 0, "reset");
	window_free(&w);

	w.mw = ibv_alloc_mw(f->pd, IBV_MW_TYPE_2);
	assert_non_null(w.mw);
	w.rkey = w.mw->rkey;
	assert_int_not_equal(window_invalidate(&w, pair), IBV_WC_SUCCESS);
	assert_errno(rc_pair_reset(pair), 0, "reset");
	window_free(&w);
	deregister(mr);
}

/* Returns the status of the receive. */
static int send_with_invalidate(struct rc_pair *pair, uint32_t rkey)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND_WITH_INV,
		.send_flags = IBV_SEND_SIGNALED,
		.invalidate_rkey = rkey,
	};
	struct ibv_recv_wr recv = {}, *bad_recv;
	struct ibv_send_wr *bad;
	struct ibv_wc wc;
	int status;

	assert_errno(ibv_post_recv(pair->responder, &recv, &bad_recv), 0, "receive");
	assert_errno(ibv_post_send(pair->requester, &wr, &bad), 0, "send");
	status = rc_wait_receive(pair, &wc);
	if (status == IBV_WC_SUCCESS) {
		assert_int_equal(wc.wc_flags & (IBV_WC_WITH_INV | IBV_WC_IP_CSUM_OK),
				 IBV_WC_WITH_INV);
		assert_int_equal(wc.invalidated_rkey, rkey);
	}
	return status;
}

static void test_invalidate_free_by_peer(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *mr = register_memory(f, IOVA);
	struct window w;

	assert_int_equal(window_bind(&w, TYPE_2, pair, mr, IOVA, PAGE, MW_ACCESS), IBV_WC_SUCCESS);
	assert_int_equal(send_with_invalidate(pair, w.rkey), IBV_WC_SUCCESS);
	assert_int_equal(rc_wait(pair), IBV_WC_SUCCESS);
	assert_int_not_equal(send_with_invalidate(pair, w.rkey), IBV_WC_SUCCESS);
	assert_errno(rc_pair_reset(pair), 0, "reset");
	window_free(&w);
	deregister(mr);
}

/* The window is bound to the responder: nobody else can invalidate it. */
static void test_invalidate_of_other_qp(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *mr = register_memory(f, IOVA);
	struct rc_bytes bytes = { .addr = IOVA + PAGE, .length = 16, .key = mr->lkey };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_LOCAL_INV,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;
	struct window w;

	assert_int_equal(window_bind(&w, TYPE_2, pair, mr, IOVA, PAGE, MW_ACCESS), IBV_WC_SUCCESS);
	wr.invalidate_rkey = w.rkey;
	assert_errno(ibv_post_send(pair->requester, &wr, &bad), 0, "invalidation");
	assert_int_not_equal(rc_wait(pair), IBV_WC_SUCCESS);
	assert_errno(rc_pair_reset(pair), 0, "reset");
	assert_int_equal(rc_write(pair, bytes, IOVA, w.rkey), IBV_WC_SUCCESS);
	window_free(&w);
	deregister(mr);
}

/* A window whose QP is gone is there for nobody, and goes without it. */
static void test_qp_goes_first(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_memory(f, IOVA);
	struct rc_bytes bytes = { .addr = IOVA + PAGE, .length = 16, .key = mr->lkey };
	struct window w;

	fill_all();
	fixture_pair(f);
	assert_int_equal(window_bind(&w, TYPE_2, &f->pair, mr, IOVA, PAGE, MW_ACCESS),
			 IBV_WC_SUCCESS);
	rc_pair_destroy(&f->pair);
	fixture_pair(f);
	assert_int_equal(rc_write(&f->pair, bytes, IOVA, w.rkey), IBV_WC_REM_ACCESS_ERR);
	assert_memory_equal(memory, expected, SIZE);
	window_free(&w);
	deregister(mr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_access_type_1),	   TEST(test_access_type_2),
		TEST(test_access_zero_based),	   TEST(test_bind),
		TEST(test_invalidate_free),	   TEST(test_invalidate_free_by_peer),
		TEST(test_invalidate_of_other_qp), TEST(test_qp_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
