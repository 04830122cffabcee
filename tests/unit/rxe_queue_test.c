// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The rings of the rxe provider, against a kernel played by the test: order,
 * full and empty, wrap-around, and headers that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "queue.h"

enum {
	SHIFT = 6,
	SLOTS = 8,
	MAP_SIZE = sizeof(struct rxe_queue_buf) + (SLOTS << SHIFT),
};

/* The exact size, so that a sanitizer sees any access past the mapping. */
static int setup(void **state)
{
	struct rxe_queue_buf *buf = calloc(1, MAP_SIZE);

	if (!buf)
		return -1;
	buf->log2_elem_size = SHIFT;
	buf->index_mask = SLOTS - 1;
	*state = buf;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static struct rxe_ring producer(struct rxe_queue_buf *buf)
{
	struct rxe_ring ring = {};

	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1 << SHIFT), 0);
	rxe_ring_resume_producer(&ring);
	return ring;
}

static struct rxe_ring consumer(struct rxe_queue_buf *buf)
{
	struct rxe_ring ring = {};

	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1 << SHIFT), 0);
	rxe_ring_resume_consumer(&ring);
	return ring;
}

static void fill(struct rxe_ring *ring, uint32_t value)
{
	uint32_t *slot = rxe_ring_reserve(ring);

	assert_non_null(slot);
	*slot = value;
	rxe_ring_advance(ring);
}

static uint32_t take(struct rxe_ring *ring)
{
	const uint32_t *slot = rxe_ring_peek(ring);
	uint32_t value;

	assert_non_null(slot);
	value = *slot;
	rxe_ring_advance(ring);
	return value;
}

/* What the kernel would do as the producer of completions */
static void kernel_complete(struct rxe_queue_buf *buf, uint32_t value)
{
	*(uint32_t *)(buf->data + ((size_t)buf->producer_index << SHIFT)) = value;
	buf->producer_index = (buf->producer_index + 1) & (SLOTS - 1);
}

static void test_attach_checks_geometry(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring = {};

	assert_int_equal(rxe_ring_attach(&ring, buf, sizeof(*buf) - 1, 1), EPROTO);
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE - 1, 1), EPROTO);
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, (1 << SHIFT) + 1), EPROTO);

	buf->index_mask = SLOTS;
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1), EPROTO);
	buf->index_mask = 2 * SLOTS - 1;
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1), EPROTO);
	buf->index_mask = UINT32_MAX;
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1), EPROTO);
	buf->index_mask = SLOTS - 1;
	buf->log2_elem_size = 32;
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1), EPROTO);
	buf->log2_elem_size = 31;
	assert_int_equal(rxe_ring_attach(&ring, buf, MAP_SIZE, 1), EPROTO);

	assert_null(ring.buf);
}

static void test_one_slot_holds_nothing(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring;

	buf->index_mask = 0;
	ring = producer(buf);
	assert_null(rxe_ring_reserve(&ring));
	ring = consumer(buf);
	assert_null(rxe_ring_peek(&ring));
}

static void test_producer_fills_all_but_one(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring = producer(buf);

	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < SLOTS - 1; i++)
			fill(&ring, i);
		assert_null(rxe_ring_reserve(&ring));
		rxe_ring_publish(&ring);
		assert_int_equal(buf->producer_index,
				 (buf->consumer_index + SLOTS - 1) & (SLOTS - 1));

		/* the kernel takes them all, and thereby moves the start of the next round */
		buf->consumer_index = buf->producer_index;
	}
}

static void test_nothing_is_visible_before_publish(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring = producer(buf);
	uint32_t start = ring.index;

	fill(&ring, 1);
	fill(&ring, 2);
	assert_int_equal(buf->producer_index, 0);

	rxe_ring_rewind(&ring, start);
	fill(&ring, 3);
	rxe_ring_publish(&ring);
	assert_int_equal(buf->producer_index, 1);
	assert_int_equal(*(uint32_t *)buf->data, 3);
}

static void test_consumer_reads_in_order(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring = consumer(buf);
	uint32_t value = 0;
	uint32_t expected = 0;

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 5; i++)
			kernel_complete(buf, value++);
		for (int i = 0; i < 5; i++)
			assert_int_equal(take(&ring), expected++);
		assert_null(rxe_ring_peek(&ring));
		rxe_ring_release(&ring);
		assert_int_equal(buf->consumer_index, buf->producer_index);
	}
}

static void test_resume_takes_over_from_kernel(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring;

	buf->producer_index = 5;
	buf->consumer_index = 3;
	ring = consumer(buf);
	assert_ptr_equal(rxe_ring_peek(&ring), buf->data + (3 << SHIFT));
	ring = producer(buf);
	assert_ptr_equal(rxe_ring_reserve(&ring), buf->data + (5 << SHIFT));
}

static bool is_odd(const void *slot, uint32_t key)
{
	return (*(const uint32_t *)slot & 1) == key;
}

static void test_drop_keeps_the_others_in_order(void **state)
{
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring ring;

	/* so that the entries wrap around */
	buf->producer_index = 5;
	buf->consumer_index = 5;
	ring = consumer(buf);
	for (uint32_t i = 0; i < 6; i++)
		kernel_complete(buf, i);

	rxe_ring_drop(&ring, is_odd, 1);
	assert_int_equal(take(&ring), 0);
	assert_int_equal(take(&ring), 2);
	assert_int_equal(take(&ring), 4);
	assert_null(rxe_ring_peek(&ring));

	kernel_complete(buf, 7);
	rxe_ring_drop(&ring, is_odd, 1);
	assert_null(rxe_ring_peek(&ring));
	assert_int_equal(buf->consumer_index, buf->producer_index);
}

/* Whatever stands in the shared header after attaching, slots stay in the mapping. */
static void test_scribbled_header_stays_in_bounds(void **state)
{
	static const uint32_t lies[] = { 8, 9, 0xff, 0x7fffffff, 0x80000000, UINT32_MAX };
	struct rxe_queue_buf *buf = *state;
	struct rxe_ring in = consumer(buf);
	struct rxe_ring out = producer(buf);

	buf->log2_elem_size = 31;
	buf->index_mask = UINT32_MAX;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const uint8_t *end = buf->data + (SLOTS << SHIFT);
		const uint8_t *slot;

		buf->producer_index = lies[i];
		buf->consumer_index = lies[i];
		for (int n = 0; n < 2 * SLOTS; n++) {
			slot = rxe_ring_peek(&in);
			if (slot) {
				assert_true(slot >= buf->data && slot + (1 << SHIFT) <= end);
				rxe_ring_advance(&in);
			}
			slot = rxe_ring_reserve(&out);
			if (slot) {
				assert_true(slot >= buf->data && slot + (1 << SHIFT) <= end);
				rxe_ring_advance(&out);
			}
		}
		rxe_ring_drop(&in, is_odd, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_attach_checks_geometry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_slot_holds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_producer_fills_all_but_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_visible_before_publish, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_consumer_reads_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume_takes_over_from_kernel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_drop_keeps_the_others_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_scribbled_header_stays_in_bounds, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
