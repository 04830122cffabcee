// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Data through dma-buf MRs, looked at byte by byte through the exporter's own
 * mapping, with everything around it.
 */
#include <unistd.h>

#include "area.h"
#include "fixture.h"
#include "rc_pair.h"
#include "test.h"

#define assert_status(status, expected, ...)                                       \
	do {                                                                       \
		int status_ = (status), expected_ = (expected);                    \
                                                                                   \
		if (status_ != expected_) {                                        \
			print_error(__VA_ARGS__);                                  \
			print_error(": %s, expected %s\n", rc_status_str(status_), \
				    rc_status_str(expected_));                     \
			fail();                                                    \
		}                                                                  \
	} while (0)

/* A region and what is in the buffer that it is a part of */
struct side {
	struct area area;
	struct ibv_mr *mr;
	uint64_t offset;
	uint64_t length;
	uint64_t iova;
};

static void side_register(struct side *side, struct fixture *f, struct dmabuf *buf, uint64_t offset,
			  uint64_t length, uint64_t iova, int access)
{
	static uint32_t seed;

	area_init(&side->area, buf, ++seed);
	side->mr = register_pinned(f->pd, buf, offset, length, iova, access);
	side->offset = offset;
	side->length = length;
	side->iova = iova;
}

static void side_release(struct side *side)
{
	deregister(side->mr);
	area_free(&side->area);
}

/* @at: counted from the region's start */
static struct rc_bytes local(const struct side *side, uint64_t at, uint32_t length)
{
	return (struct rc_bytes){ .addr = side->iova + at,
				  .length = length,
				  .key = side->mr->lkey };
}

static void check_sides(const struct side *a, const struct side *b, const char *what)
{
	area_check(&a->area, what);
	area_check(&b->area, what);
}

static void expect_transfer(struct side *to, uint64_t to_at, const struct side *from,
			    uint64_t from_at, uint64_t length)
{
	area_expect_copy(&to->area, to->offset + to_at, &from->area, from->offset + from_at,
			 length);
}

static void transfer_all_ways(struct rc_pair *pair, struct side *a, struct side *b, uint64_t at,
			      uint32_t length)
{
	uint64_t back = b->length - length - at % 64;
	int status, received;
	char what[128];

	snprintf(what, sizeof(what), "%u bytes at %#" PRIx64, length, at);

	status = rc_write(pair, local(a, at, length), b->iova + back, b->mr->rkey);
	assert_status(status, IBV_WC_SUCCESS, "write, %s", what);
	expect_transfer(b, back, a, at, length);

	/* One byte further, so that it is not what is there already. */
	status = rc_read(pair, local(a, at, length), b->iova + back - 1, b->mr->rkey);
	assert_status(status, IBV_WC_SUCCESS, "read, %s", what);
	expect_transfer(a, at, b, back - 1, length);

	status = rc_send(pair, local(b, at, length), local(a, at + 1, length), &received);
	assert_status(status, IBV_WC_SUCCESS, "send, %s", what);
	assert_status(received, IBV_WC_SUCCESS, "receive, %s", what);
	expect_transfer(a, at + 1, b, at, length);

	check_sides(a, b, what);
}

#define REGION (32 * PAGE)
#define GUARD (3 * PAGE)
#define MAX_SHIFT (PAGE + 1)

static void test_sizes(enum exporter from, enum exporter to, struct fixture *f)
{
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;
	unsigned int mtu;
	size_t i, j;

	mtu = rc_pair_mtu(pair);
	side_register(&a, f, fixture_buffer(f, from, REGION + 2 * GUARD), GUARD + 5, REGION,
		      0x7f0000000000 + 5, ACCESS_ALL);
	side_register(&b, f, fixture_buffer(f, to, REGION + 2 * GUARD), GUARD - 1, REGION, PAGE - 1,
		      ACCESS_ALL);

	const uint32_t sizes[] = {
		1,	  2,	       7,	 8,	      mtu - 1,
		mtu,	  mtu + 1,     2 * mtu,	 PAGE - 1,    PAGE,
		PAGE + 1, 2 * mtu + 1, 3 * PAGE, 5 * mtu + 3, REGION - MAX_SHIFT - 64,
	};
	const uint64_t starts[] = { 0, 1, PAGE - 6, PAGE, mtu - 1 };

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < ARRAY_SIZE(starts); j++)
			transfer_all_ways(pair, &a, &b, starts[j], sizes[i]);

	side_release(&a);
	side_release(&b);
}

static void sizes_heap_to_udmabuf(void **state)
{
	test_sizes(SYSTEM_HEAP, UDMABUF, *state);
}

static void sizes_udmabuf_to_heap(void **state)
{
	test_sizes(UDMABUF, SYSTEM_HEAP, *state);
}

/* A long message over a region that is no multiple of anything. */
static void one_large_message(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;
	uint32_t length = 4 * MIB + 12345;
	int status;

	side_register(&a, f, fixture_buffer(f, UDMABUF, 8 * MIB), 777, length, 777, ACCESS_ALL);
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, 8 * MIB), MIB + 1, length, 1,
		      ACCESS_ALL);
	status = rc_write(pair, local(&a, 0, length), b.iova, b.mr->rkey);
	assert_status(status, IBV_WC_SUCCESS, "write");
	expect_transfer(&b, 0, &a, 0, length);
	check_sides(&a, &b, "a long write");
	side_release(&a);
	side_release(&b);
}

static void first_and_last_byte(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	enum exporter exporter;
	struct side a, b;
	int status;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		side_register(&a, f, fixture_buffer(f, exporter, PAGE), 0, PAGE, 0, ACCESS_ALL);
		/* the region starts with the buffer's first byte and ends with its last */
		side_register(&b, f, fixture_buffer(f, exporter, 2 * PAGE), 0, 2 * PAGE, 0,
			      ACCESS_ALL);
		status = rc_write(pair, local(&a, 0, 1), b.iova, b.mr->rkey);
		assert_status(status, IBV_WC_SUCCESS, "first byte");
		expect_transfer(&b, 0, &a, 0, 1);
		status = rc_write(pair, local(&a, PAGE - 1, 1), b.iova + 2 * PAGE - 1, b.mr->rkey);
		assert_status(status, IBV_WC_SUCCESS, "last byte");
		expect_transfer(&b, 2 * PAGE - 1, &a, PAGE - 1, 1);
		check_sides(&a, &b, "first and last byte");
		side_release(&a);
		side_release(&b);
	}
}

enum verb {
	WRITE,
	READ,
	FETCH_ADD,
	NUM_VERBS,
};

static const char *const verb_names[] = {
	[WRITE] = "write",
	[READ] = "read",
	[FETCH_ADD] = "fetch and add",
};

static int execute(struct rc_pair *pair, enum verb verb, struct rc_bytes from, uint64_t at,
		   uint32_t rkey)
{
	switch (verb) {
	case WRITE:
		return rc_write(pair, from, at, rkey);
	case READ:
		return rc_read(pair, from, at, rkey);
	default:
		from.length = sizeof(uint64_t);
		return rc_fetch_add(pair, from, at, rkey, 1);
	}
}

/* The remote side has to refuse, and nothing may have changed on either. */
static void expect_remote_refusal(struct rc_pair *pair, enum verb verb, const struct side *a,
				  uint32_t length, const struct side *b, uint64_t addr,
				  uint32_t rkey, const char *what)
{
	int status = execute(pair, verb, local(a, 0, length), addr, rkey);

	assert_status(status, IBV_WC_REM_ACCESS_ERR, "%s, %s", verb_names[verb], what);
	check_sides(a, b, what);
	assert_errno(rc_pair_reset(pair), 0, "connecting again");
}

/* Between both regions' first bytes */
static void expect_success(struct rc_pair *pair, enum verb verb, struct side *a, uint32_t length,
			   struct side *b)
{
	uint64_t old = area_get_u64(&b->area, b->offset);
	int status = execute(pair, verb, local(a, 0, length), b->iova, b->mr->rkey);

	assert_status(status, IBV_WC_SUCCESS, "%s, within the region's rights", verb_names[verb]);
	switch (verb) {
	case WRITE:
		expect_transfer(b, 0, a, 0, length);
		break;
	case READ:
		expect_transfer(a, 0, b, 0, length);
		break;
	default:
		area_expect_u64(&a->area, a->offset, old);
		area_expect_u64(&b->area, b->offset, old + 1);
	}
	check_sides(a, b, "within the region's rights");
}

static void beyond_the_region(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;
	enum verb verb;
	size_t i;

	side_register(&a, f, fixture_buffer(f, UDMABUF, REGION), 0, REGION, 0, ACCESS_ALL);
	/* inside of its buffer, so that the bytes next to it are real ones */
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, REGION), 8 * PAGE, 8 * PAGE,
		      1024 * PAGE, ACCESS_ALL);

	const struct {
		const char *what;
		uint64_t at; /* from the region's start; may be negative */
		uint32_t length;
	} cases[] = {
		{ "the last byte and eight more", 8 * PAGE - 8, 16 },
		{ "one byte too long in one packet", 8 * PAGE - 63, 64 },
		{ "one byte too long in many packets", 8 * PAGE - 5000, 5001 },
		{ "longer than the region", 0, 8 * PAGE + 1 },
		{ "after the region", 8 * PAGE, 8 },
		{ "the page after the next", 10 * PAGE, 8 },
		{ "before the region", -8, 8 },
		{ "from before the region into it", -8, 16 },
		{ "far away", 1ULL << 40, 8 },
		{ "at the end of the address space", -1024 * PAGE - 1024, 1024 },
		{ "over the end of the address space", -1024 * PAGE - 1024, 2048 },
		{ "around the end of the address space", -1024 * PAGE - 8, REGION },
	};

	for (verb = 0; verb < NUM_VERBS; verb++) {
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			/* an atomic has eight bytes, and these lie in the region */
			if (verb == FETCH_ADD && cases[i].at < b.length)
				continue;
			expect_remote_refusal(pair, verb, &a, cases[i].length, &b,
					      b.iova + cases[i].at, b.mr->rkey, cases[i].what);
		}
	}
	side_release(&a);
	side_release(&b);
}

/* With iova 0 an address that wraps around is the byte before the region. */
static void around_the_address_space(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;
	enum verb verb;
	uint32_t length;

	side_register(&a, f, fixture_buffer(f, UDMABUF, REGION), 0, REGION, 0, ACCESS_ALL);
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, REGION), 8 * PAGE, 8 * PAGE, 0,
		      ACCESS_ALL);
	for (verb = 0; verb < NUM_VERBS; verb++)
		for (length = 8; length <= 4096; length *= 8)
			expect_remote_refusal(pair, verb, &a, length, &b, -(uint64_t)length,
					      b.mr->rkey, "wrapping to iova 0");
	side_release(&a);
	side_release(&b);
}

/* A region may end with the last address there is. */
static void up_to_the_end_of_the_address_space(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;

	side_register(&a, f, fixture_buffer(f, UDMABUF, REGION), 0, REGION, 0, ACCESS_ALL);
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, REGION), 8 * PAGE, 8 * PAGE, -8 * PAGE,
		      ACCESS_ALL);
	transfer_all_ways(pair, &a, &b, 0, 6 * PAGE);
	assert_status(rc_write(pair, local(&a, 0, 64), b.iova + 8 * PAGE - 64, b.mr->rkey),
		      IBV_WC_SUCCESS, "the last bytes");
	expect_transfer(&b, 8 * PAGE - 64, &a, 0, 64);
	expect_remote_refusal(pair, WRITE, &a, 65, &b, b.iova + 8 * PAGE - 64, b.mr->rkey,
			      "over the end of the address space");
	expect_remote_refusal(pair, WRITE, &a, 8, &b, 0, b.mr->rkey, "address 0");
	side_release(&a);
	side_release(&b);
}

static void wrong_keys_and_rights(void **state)
{
	static const struct {
		int access;
		bool allowed[NUM_VERBS];
	} cases[] = {
		{ 0, { false, false, false } },
		{ IBV_ACCESS_LOCAL_WRITE, { false, false, false } },
		{ IBV_ACCESS_REMOTE_READ, { [READ] = true } },
		{ IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, { [WRITE] = true } },
		{ IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC, { [FETCH_ADD] = true } },
	};
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;
	uint32_t old_key;
	enum verb verb;
	size_t i;

	side_register(&a, f, fixture_buffer(f, UDMABUF, PAGE), 0, PAGE, 0, ACCESS_ALL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, PAGE), 0, PAGE, 0,
			      cases[i].access);
		for (verb = 0; verb < NUM_VERBS; verb++) {
			if (cases[i].allowed[verb])
				expect_success(pair, verb, &a, 64, &b);
			else
				expect_remote_refusal(pair, verb, &a, 64, &b, b.iova, b.mr->rkey,
						      "not in the region's rights");
		}
		old_key = b.mr->rkey;
		deregister(b.mr);
		for (verb = 0; verb < NUM_VERBS; verb++)
			expect_remote_refusal(pair, verb, &a, 64, &b, b.iova, old_key,
					      "deregistered");
		area_free(&b.area);
	}
	side_release(&a);
}

static void expect_local_refusal(struct rc_pair *pair, int status, const struct side *a,
				 const struct side *b, const char *what)
{
	if (status <= IBV_WC_SUCCESS || status == IBV_WC_WR_FLUSH_ERR)
		fail_msg("%s: %s", what, rc_status_str(status));
	check_sides(a, b, what);
	assert_errno(rc_pair_reset(pair), 0, "connecting again");
}

static void local_side_beyond_the_region(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	int status, received;
	struct side a, b, read_only;

	side_register(&a, f, fixture_buffer(f, UDMABUF, 4 * PAGE), PAGE, PAGE, 0, ACCESS_ALL);
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, 4 * PAGE), 0, 4 * PAGE, 0, ACCESS_ALL);
	side_register(&read_only, f, fixture_buffer(f, SYSTEM_HEAP, PAGE), 0, PAGE, 0, 0);

	status = rc_write(pair, local(&a, PAGE - 8, 16), b.iova, b.mr->rkey);
	expect_local_refusal(pair, status, &a, &b, "write from beyond the region");
	status = rc_read(pair, local(&a, PAGE - 8, 16), b.iova, b.mr->rkey);
	expect_local_refusal(pair, status, &a, &b, "read to beyond the region");
	status = rc_send(pair, local(&b, 0, 16), local(&a, PAGE - 8, 16), &received);
	assert_int_not_equal(received, IBV_WC_SUCCESS);
	expect_local_refusal(pair, status, &a, &b, "receive beyond the region");
	status = rc_read(pair, local(&read_only, 0, 16), b.iova, b.mr->rkey);
	expect_local_refusal(pair, status, &read_only, &b, "read without local write");
	status = rc_send(pair, local(&b, 0, 16), local(&read_only, 0, 16), &received);
	assert_int_not_equal(received, IBV_WC_SUCCESS);
	expect_local_refusal(pair, status, &read_only, &b, "receive without local write");

	/* What it may do is to be read from. */
	status = rc_write(pair, local(&read_only, 0, 16), b.iova, b.mr->rkey);
	assert_status(status, IBV_WC_SUCCESS, "write from a region without local write");
	expect_transfer(&b, 0, &read_only, 0, 16);
	check_sides(&read_only, &b, "write from a region without local write");

	side_release(&a);
	side_release(&b);
	side_release(&read_only);
}

static void atomics(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	enum exporter exporter;
	struct side a, b;
	uint64_t old;
	int status;
	/* the first and the last eight bytes, and some in the middle */
	const uint64_t at[] = { 0, 2 * PAGE - 8, PAGE - 8, PAGE };
	size_t i;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		side_register(&a, f, fixture_buffer(f, UDMABUF, PAGE), 0, PAGE, 0, ACCESS_ALL);
		side_register(&b, f, fixture_buffer(f, exporter, 4 * PAGE), PAGE, 2 * PAGE,
			      16 * PAGE, ACCESS_ALL);
		for (i = 0; i < ARRAY_SIZE(at); i++) {
			uint64_t offset = b.offset + at[i];

			old = area_get_u64(&b.area, offset);
			status = rc_fetch_add(pair, local(&a, 0, 8), b.iova + at[i], b.mr->rkey,
					      ~0ULL - 5);
			assert_status(status, IBV_WC_SUCCESS, "fetch and add");
			area_expect_u64(&a.area, 0, old);
			area_expect_u64(&b.area, offset, old + (~0ULL - 5));
			check_sides(&a, &b, "fetch and add");

			old = area_get_u64(&b.area, offset);
			status = rc_compare_swap(pair, local(&a, 8, 8), b.iova + at[i], b.mr->rkey,
						 old + 1, 0x1122334455667788);
			assert_status(status, IBV_WC_SUCCESS, "compare and swap");
			area_expect_u64(&a.area, 8, old);
			check_sides(&a, &b, "compare and swap of another value");

			status = rc_compare_swap(pair, local(&a, 16, 8), b.iova + at[i], b.mr->rkey,
						 old, 0x1122334455667788);
			assert_status(status, IBV_WC_SUCCESS, "compare and swap");
			area_expect_u64(&a.area, 16, old);
			area_expect_u64(&b.area, offset, 0x1122334455667788);
			check_sides(&a, &b, "compare and swap");
		}
		side_release(&a);
		side_release(&b);
	}
}

/*
 * The library refuses an atomic on an address that is no multiple of eight; so
 * has the other side, where the offset in the page and the key decide.
 */
static void atomics_beyond_the_region(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct side a, b;

	side_register(&a, f, fixture_buffer(f, UDMABUF, PAGE), 0, PAGE, 0, ACCESS_ALL);
	/* four bytes short of the last eight */
	side_register(&b, f, fixture_buffer(f, SYSTEM_HEAP, 2 * PAGE), 0, PAGE - 4, 0, ACCESS_ALL);
	expect_remote_refusal(pair, FETCH_ADD, &a, 8, &b, b.iova + PAGE - 8, b.mr->rkey,
			      "half in the region");
	expect_remote_refusal(pair, FETCH_ADD, &a, 8, &b, b.iova + PAGE, b.mr->rkey,
			      "after the region");
	side_release(&a);
	side_release(&b);
}

/* Plain ibv_reg_dmabuf_mr(), without this project's library. */
static void plain_registration(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	enum exporter exporter;
	struct side a, b;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		side_register(&a, f, fixture_buffer(f, UDMABUF, 8 * PAGE), 0, 8 * PAGE, 0,
			      ACCESS_ALL);
		b = (struct side){ .offset = PAGE + 3, .length = 6 * PAGE, .iova = 3 };
		area_init(&b.area, fixture_buffer(f, exporter, 8 * PAGE), 99);
		b.mr = ibv_reg_dmabuf_mr(f->pd, b.offset, b.length, b.iova, b.area.buf->fd,
					 ACCESS_ALL);
		assert_non_null(b.mr);
		transfer_all_ways(pair, &a, &b, 11, 2 * PAGE);
		side_release(&a);
		side_release(&b);
	}
}

/* Neither the descriptor nor a mapping is needed once the region exists. */
static void region_outlives_descriptor_and_mapping(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf only, *kept;
	struct side a, b;
	struct area seen;
	int status, fd;

	side_register(&a, f, fixture_buffer(f, UDMABUF, 4 * PAGE), 0, 4 * PAGE, 0, ACCESS_ALL);

	/* closed, but still mapped, so that the data can be looked at */
	kept = fixture_buffer(f, SYSTEM_HEAP, 4 * PAGE);
	side_register(&b, f, kept, 0, 4 * PAGE, 0, ACCESS_ALL);
	fd = kept->fd;
	kept->fd = -1; /* for the CPU's accesses there is nothing to bracket on x86 */
	assert_int_equal(close(fd), 0);
	transfer_all_ways(pair, &a, &b, 100, PAGE);
	side_release(&b);

	/* closed and unmapped: only the region is left */
	assert_int_equal(dmabuf_alloc_udmabuf(&only, 4 * PAGE, 0), 0);
	area_init(&seen, &only, 5);
	b.mr = register_all(f->pd, &only);
	dmabuf_free(&only);
	status = rc_read(pair, local(&a, 0, 4 * PAGE), 0, b.mr->rkey);
	assert_status(status, IBV_WC_SUCCESS, "read of a buffer that only the region keeps");
	area_expect_copy(&a.area, 0, &seen, 0, 4 * PAGE);
	area_check(&a.area, "read of a buffer that only the region keeps");
	deregister(b.mr);
	area_free(&seen);
	side_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sizes_heap_to_udmabuf),
		TEST(sizes_udmabuf_to_heap),
		TEST(one_large_message),
		TEST(first_and_last_byte),
		TEST(beyond_the_region),
		TEST(around_the_address_space),
		TEST(up_to_the_end_of_the_address_space),
		TEST(wrong_keys_and_rights),
		TEST(local_side_beyond_the_region),
		TEST(atomics),
		TEST(atomics_beyond_the_region),
		TEST(plain_registration),
		TEST(region_outlives_descriptor_and_mapping),
	};

	return cmocka_run_group_tests_name("data path", tests, NULL, NULL);
}
