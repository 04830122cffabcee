// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The check of the data must find every way in which data can be wrong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "slots.h"
#include "unit.h"

#define SEED 0x1234567890abcdefULL
#define LEN 4099

static unsigned char buf[LEN + 8];

static void check_accepts_what_fill_wrote(void **state)
{
	uint64_t key = pattern_key(SEED, 1);
	size_t len;

	(void)state;
	for (len = 0; len <= LEN; len += len < 40 ? 1 : 577) {
		memset(buf, 0xaa, sizeof(buf));
		pattern_fill(buf + 1, len, key);
		assert_int_equal(buf[0], 0xaa);
		assert_int_equal(buf[1 + len], 0xaa);
		assert_int_equal(pattern_check(buf + 1, len, key, NULL), 0);
	}
}

static void check_finds_each_single_byte(void **state)
{
	uint64_t key = pattern_key(SEED, 2);
	struct pattern_mismatch m;
	size_t i;

	(void)state;
	pattern_fill(buf, 67, key);
	for (i = 0; i < 67; i++) {
		buf[i] ^= 0x01;
		assert_int_equal(pattern_check(buf, 67, key, &m), 1);
		assert_int_equal(m.offset, i);
		assert_int_equal(m.found, buf[i]);
		assert_int_equal(m.expected, buf[i] ^ 0x01);
		buf[i] ^= 0x01;
	}
	assert_int_equal(pattern_check(buf, 67, key, NULL), 0);
}

/* The peer may be a machine of the other byte order. */
static void bytes_are_the_same_everywhere(void **state)
{
	static const unsigned char expected[] = { 0xe5, 0x05, 0x0b, 0x10, 0x1d, 0x16,
						  0x92, 0x56, 0xc1, 0x5c, 0x02, 0x89 };

	(void)state;
	pattern_fill(buf, sizeof(expected), 1);
	assert_memory_equal(buf, expected, sizeof(expected));
}

static void check_counts_and_names_the_first(void **state)
{
	uint64_t key = pattern_key(SEED, 3);
	struct pattern_mismatch m;

	(void)state;
	pattern_fill(buf, LEN, key);
	buf[4098] ^= 0xff;
	buf[100] ^= 0xff;
	buf[101] ^= 0xff;
	assert_int_equal(pattern_check(buf, LEN, key, &m), 3);
	assert_int_equal(m.offset, 100);
}

/* Nearly all bytes of data that is not the message's are wrong. */
static void assert_garbage(const void *data, size_t len, uint64_t key)
{
	assert_true(pattern_check(data, len, key, NULL) > len * 95 / 100);
}

static void check_finds_other_data(void **state)
{
	uint64_t key = pattern_key(SEED, 4);
	static unsigned char half[2048];
	unsigned int shift;

	(void)state;
	memset(buf, 0, LEN);
	assert_garbage(buf, LEN, key);
	memset(buf, 0xff, LEN);
	assert_garbage(buf, LEN, key);
	/* the message before, the other side, another run */
	pattern_fill(buf, LEN, pattern_key(SEED, 3));
	assert_garbage(buf, LEN, key);
	pattern_fill(buf, LEN, pattern_key(~SEED, 4));
	assert_garbage(buf, LEN, key);
	pattern_fill(buf, LEN, pattern_key(SEED + 1, 3));
	assert_garbage(buf, LEN, key);

	for (shift = 1; shift <= 8; shift++) {
		pattern_fill(buf, LEN, key);
		memmove(buf + shift, buf, LEN - shift);
		assert_garbage(buf, LEN, key);
	}
	/* two blocks changed places; one block twice */
	pattern_fill(buf, 4096, key);
	memcpy(half, buf, 2048);
	memcpy(buf, buf + 2048, 2048);
	assert_garbage(buf, 2048, key);
	memcpy(buf + 2048, half, 2048);
	assert_garbage(buf, 4096, key);
	pattern_fill(buf, 4096, key);
	memcpy(buf + 2048, buf, 2048);
	assert_true(pattern_check(buf, 4096, key, NULL) > 1900);
}

static void keys_differ(void **state)
{
	uint64_t keys[1000];
	unsigned int i;
	unsigned int j;

	(void)state;
	for (i = 0; i < 1000; i++)
		keys[i] = pattern_key(i / 500, i % 500);
	for (i = 0; i < 1000; i++)
		for (j = 0; j < i; j++)
			assert_true(keys[i] != keys[j]);
}

static void slots_fit(void **state)
{
	static const size_t sizes[] = { 1, 63, 64, 65, 4096, 100001 };
	struct slots s;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(slots_init(&s, sizes[i], 10, 0), 0);
		assert_int_equal(s.batch, 10);
		assert_true(s.stride >= sizes[i] + SLOTS_GUARD);
		assert_true(slots_tx(&s, 9) + s.stride <= slots_rx(&s, 0));
		assert_int_equal(slots_rx(&s, 9) + s.stride, s.total);

		assert_int_equal(slots_init(&s, sizes[i], 10, 1 << 20), 0);
		assert_true(s.batch >= 1 && s.batch <= 10);
		assert_true(s.stride >= sizes[i] + SLOTS_GUARD);
		assert_true(s.total <= 1 << 20);
		/* no more than one stride's rounding is unused on each side */
		assert_true(s.total + 2 * SLOTS_GUARD * s.batch >= 1 << 20);
	}
	assert_int_equal(slots_init(&s, 4096, 10, 8192), ENOSPC);
	assert_int_equal(slots_init(&s, 4096, 10, 2 * (4096 + 64)), 0);
	assert_int_equal(s.batch, 1);
}

struct memory {
	struct slots s;
	unsigned char *map;
	struct slots_result r;
};

#define COUNT 5U
#define SEQ 7U

/* What both sides' memory is after a batch that worked. */
static int setup(void **state)
{
	struct memory *m = calloc(1, sizeof(*m));
	unsigned int i;

	assert_non_null(m);
	assert_int_equal(slots_init(&m->s, 1000, COUNT, 0), 0);
	m->map = calloc(1, m->s.total);
	assert_non_null(m->map);
	slots_fill_guards(&m->s, m->map);
	slots_fill(&m->s, m->map, SEED, SEQ, COUNT);
	for (i = 0; i < COUNT; i++)
		memcpy(m->map + slots_rx(&m->s, i), m->map + slots_tx(&m->s, i), 1000);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct memory *m = *state;

	free(m->map);
	free(m);
	return 0;
}

static void check(struct memory *m)
{
	memset(&m->r, 0, sizeof(m->r));
	slots_check(&m->s, m->map, SEED, SEQ, COUNT, &m->r);
}

static void good_batch(void **state)
{
	struct memory *m = *state;

	check(m);
	assert_int_equal(m->r.verified, 5000);
	assert_int_equal(m->r.wrong, 0);
	assert_int_equal(m->r.guard_written, 0);
	assert_string_equal(m->r.first, "");
	/* results add up */
	slots_check(&m->s, m->map, SEED, SEQ, 2, &m->r);
	assert_int_equal(m->r.verified, 7000);
}

static void one_wrong_byte(void **state)
{
	struct memory *m = *state;

	m->map[slots_rx(&m->s, 3) + 17] ^= 0x80;
	check(m);
	assert_int_equal(m->r.verified, 5000);
	assert_int_equal(m->r.wrong, 1);
	assert_non_null(strstr(m->r.first, "in message 10, slot 3, byte 17:"));
}

static void lost_message(void **state)
{
	struct memory *m = *state;

	memset(m->map + slots_rx(&m->s, 2), 0, 1000);
	check(m);
	assert_true(m->r.wrong > 950);
	assert_non_null(strstr(m->r.first, "in message 9, slot 2, byte 0:"));
}

static void stale_batch(void **state)
{
	struct memory *m = *state;

	memset(&m->r, 0, sizeof(m->r));
	slots_check(&m->s, m->map, SEED, SEQ + COUNT, COUNT, &m->r);
	assert_true(m->r.wrong > 4750);
}

static void swapped_messages(void **state)
{
	struct memory *m = *state;

	memcpy(m->map + slots_rx(&m->s, 0), m->map + slots_tx(&m->s, 1), 1000);
	memcpy(m->map + slots_rx(&m->s, 1), m->map + slots_tx(&m->s, 0), 1000);
	check(m);
	assert_true(m->r.wrong > 1900);
}

static void own_data_instead_of_the_peers(void **state)
{
	struct memory *m = *state;

	memset(&m->r, 0, sizeof(m->r));
	slots_check(&m->s, m->map, SEED ^ 1, SEQ, COUNT, &m->r);
	assert_true(m->r.wrong > 4750);
}

static void message_too_long(void **state)
{
	struct memory *m = *state;

	m->map[slots_rx(&m->s, 4) + 1000] ^= 0x01;
	check(m);
	assert_int_equal(m->r.wrong, 0);
	assert_int_equal(m->r.guard_written, 1);
	assert_non_null(strstr(m->r.first, "after message 11, slot 4, byte 0:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_accepts_what_fill_wrote),
		cmocka_unit_test(check_finds_each_single_byte),
		cmocka_unit_test(bytes_are_the_same_everywhere),
		cmocka_unit_test(check_counts_and_names_the_first),
		cmocka_unit_test(check_finds_other_data),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(slots_fit),
		cmocka_unit_test_setup_teardown(good_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(one_wrong_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_message, setup, teardown),
		cmocka_unit_test_setup_teardown(stale_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(swapped_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(own_data_instead_of_the_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(message_too_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
