// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What a responder makes of requests that no verb can be made to send at a time
 * of the test's choice: duplicates, and those that libibverbs does not have.
 */
#include <unistd.h>

#include "fixture.h"
#include "peer.h"
#include "test.h"
#include "window.h"

#define IOVA 0x100000UL
#define SIZE (4 * PAGE)

/* The window, where there is one */
#define START PAGE
#define LENGTH PAGE

#define ACCESS_FLUSH_GLOBAL (1 << 8)
#define MW_ACCESS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | ACCESS_FLUSH_GLOBAL)

struct wire {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct rc_pair pair;
	struct window window;
};

static uint8_t memory[SIZE] __attribute__((aligned(4096)));
static uint8_t expected[SIZE];

static const char *reason;

static void free_window(struct wire *w)
{
	if (w->window.mw)
		window_free(&w->window);
	w->window.mw = NULL;
}

/* A device's GIDs appear a moment after it. */
static void create_pair(struct wire *w)
{
	int tries = 200;
	int err;

	while ((err = rc_pair_create(&w->pair, w->pd)) == ENOENT && --tries)
		usleep(50000);
	assert_errno(err, 0, "RC pair");
}

static int wire_setup(void **state)
{
	struct wire *w;

	if (reason)
		return 0;
	w = calloc(1, sizeof(*w));
	assert_non_null(w);
	*state = w;
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = i * 31 + i / 251;
	memcpy(expected, memory, SIZE);
	w->context = open_device_named(PEER_DEVICE);
	assert_non_null(w->context);
	w->pd = ibv_alloc_pd(w->context);
	assert_non_null(w->pd);
	w->mr = ibv_reg_mr_iova(w->pd, memory, SIZE, IOVA,
				ACCESS_ALL | IBV_ACCESS_MW_BIND | ACCESS_FLUSH_GLOBAL);
	assert_non_null(w->mr);
	create_pair(w);
	assert_errno(peer_connect(&w->pair), 0, "connection");
	return 0;
}

static int wire_teardown(void **state)
{
	struct wire *w = *state;

	if (reason)
		return 0;
	free_window(w);
	rc_pair_destroy(&w->pair);
	ibv_dereg_mr(w->mr);
	ibv_dealloc_pd(w->pd);
	ibv_close_device(w->context);
	free(w);
	return 0;
}

static void skip_without_peer(void)
{
	if (reason)
		skip_because("%s", reason);
}

static void bind(struct wire *w, enum window_kind kind)
{
	assert_int_equal(window_bind(&w->window, kind, &w->pair, w->mr, IOVA + START, LENGTH,
				     MW_ACCESS),
			 IBV_WC_SUCCESS);
}

/* The address of a window's byte in a request */
static uint64_t address(const struct wire *w, int64_t at)
{
	return (w->window.kind == ZERO_BASED ? 0 : IOVA + START) + at;
}

static void send_read(struct wire *w, uint32_t psn, uint64_t addr, uint32_t length, uint32_t rkey)
{
	peer_send(&w->pair, &(struct peer_request){
				    .opcode = PEER_READ,
				    .psn = psn,
				    .addr = addr,
				    .length = length,
				    .rkey = rkey,
			    });
}

/* All of a read's answer, whose data are the region's at @offset. */
static void expect_data(uint32_t psn, uint64_t offset, uint32_t length)
{
	struct peer_answer answer;
	uint32_t got = 0;

	do {
		peer_receive(&answer);
		if (answer.opcode == PEER_ACK)
			fail_msg("syndrome %#x instead of the byte %u of %u", answer.syndrome, got,
				 length);
		assert_int_equal(answer.psn, psn++);
		assert_true(got + answer.length <= length);
		assert_memory_equal(answer.payload, memory + offset + got, answer.length);
		got += answer.length;
	} while (got < length);
	assert_true(answer.opcode == PEER_READ_LAST || answer.opcode == PEER_READ_ONLY);
}

/* And the connection with the peer is made anew. */
static void expect_refusal(struct wire *w, uint32_t psn)
{
	struct peer_answer answer;

	peer_receive(&answer);
	if (answer.opcode != PEER_ACK)
		fail_msg("opcode %#x instead of a NAK", answer.opcode);
	assert_int_equal(answer.syndrome, PEER_NAK_REMOTE_ACCESS);
	assert_int_equal(answer.psn, psn);
	assert_errno(peer_connect(&w->pair), 0, "connection");
}

/* One that was carried out */
static void expect_answer(uint32_t psn, enum peer_opcode opcode)
{
	struct peer_answer answer;

	peer_receive(&answer);
	assert_int_equal(answer.opcode, opcode);
	assert_int_equal(answer.psn, psn);
	assert_int_equal(answer.syndrome >> 5, 0);
	assert_int_equal(answer.length, 0);
}

static void test_duplicate_read(void **state)
{
	struct wire *w = *state;

	skip_without_peer();
	for (enum window_kind kind = 0; kind < NUM_WINDOW_KINDS; kind++) {
		bind(w, kind);
		send_read(w, 0, address(w, 0), LENGTH, w->window.rkey);
		expect_data(0, START, LENGTH);
		/* none of the answers arrived, or only the first */
		send_read(w, 0, address(w, 0), LENGTH, w->window.rkey);
		expect_data(0, START, LENGTH);
		send_read(w, 1, address(w, PEER_MTU), LENGTH - PEER_MTU, w->window.rkey);
		expect_data(1, START + PEER_MTU, LENGTH - PEER_MTU);
		/* and goes on */
		send_read(w, LENGTH / PEER_MTU, address(w, 16), 32, w->window.rkey);
		expect_data(LENGTH / PEER_MTU, START + 16, 32);
		free_window(w);
		assert_errno(peer_connect(&w->pair), 0, "connection");
	}
}

/* The second duplicate is of the first one's length, and behind the window. */
static void test_duplicate_read_beyond(void **state)
{
	struct wire *w = *state;

	skip_without_peer();
	for (enum window_kind kind = 0; kind < NUM_WINDOW_KINDS; kind++) {
		bind(w, kind);
		send_read(w, 0, address(w, 0), LENGTH, w->window.rkey);
		expect_data(0, START, LENGTH);
		send_read(w, 1, address(w, PEER_MTU), LENGTH - PEER_MTU, w->window.rkey);
		expect_data(1, START + PEER_MTU, LENGTH - PEER_MTU);
		send_read(w, 1, address(w, 2 * PEER_MTU), LENGTH - PEER_MTU, w->window.rkey);
		expect_refusal(w, 1);
		free_window(w);
	}
}

/* The window is another one by then, under the same key. */
static void test_duplicate_read_after_move(void **state)
{
	struct wire *w = *state;

	skip_without_peer();
	for (enum window_kind kind = TYPE_2; kind < NUM_WINDOW_KINDS; kind++) {
		bind(w, kind);
		send_read(w, 0, address(w, 0), LENGTH, w->window.rkey);
		expect_data(0, START, LENGTH);
		window_move(&w->window, &w->pair, w->mr, IOVA + START + LENGTH, LENGTH, MW_ACCESS);
		send_read(w, 0, address(w, 0), LENGTH, w->window.rkey);
		expect_refusal(w, 0);
		free_window(w);
	}
}

/* Of a read with data behind a request without any, and the other way round */
static void test_duplicate_read_and_length(void **state)
{
	struct peer_request write = { .opcode = PEER_WRITE_ONLY, .psn = 1, .payload = "" };
	struct wire *w = *state;

	skip_without_peer();
	send_read(w, 0, IOVA, 100, w->mr->rkey);
	expect_data(0, 0, 100);
	peer_send(&w->pair, &write);
	expect_answer(1, PEER_ACK);
	send_read(w, 0, IOVA, 100, w->mr->rkey);
	expect_data(0, 0, 100);

	assert_errno(peer_connect(&w->pair), 0, "connection");
	send_read(w, 0, 0, 0, 0);
	expect_answer(0, PEER_READ_ONLY);
	write.rkey = w->mr->rkey;
	write.addr = IOVA;
	write.length = write.payload_length = 4;
	write.payload = memory + 4;
	memcpy(expected, memory + 4, 4);
	peer_send(&w->pair, &write);
	expect_answer(1, PEER_ACK);
	send_read(w, 0, 0, 0, 0);
	expect_answer(0, PEER_READ_ONLY);
	assert_memory_equal(memory, expected, SIZE);
}

/* Operations on eight bytes that libibverbs may lack */
static void access_window(struct wire *w, enum peer_opcode opcode)
{
	static const struct {
		int64_t at;
		bool inside;
	} accesses[] = {
		{ 0, true },	   { LENGTH - 8, true }, { -8, false },
		{ LENGTH, false }, { -START, false },	 { -START - 8, false },
	};
	uint64_t value = 0x0123456789abcdef;

	for (enum window_kind kind = 0; kind < NUM_WINDOW_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
			struct peer_request request = {
				.opcode = opcode,
				.length = sizeof(value),
				.payload = &value,
			};
			bind(w, kind);
			value++;
			request.addr = address(w, accesses[i].at);
			request.rkey = w->window.rkey;
			if (opcode == PEER_ATOMIC_WRITE)
				request.payload_length = sizeof(value);
			peer_send(&w->pair, &request);
			if (!accesses[i].inside) {
				expect_refusal(w, 0);
			} else {
				if (opcode == PEER_ATOMIC_WRITE)
					memcpy(expected + START + accesses[i].at, &value,
					       sizeof(value));
				expect_answer(0, PEER_READ_ONLY);
				assert_errno(peer_connect(&w->pair), 0, "connection");
			}
			assert_memory_equal(memory, expected, SIZE);
			free_window(w);
		}
	}
}

static void test_atomic_write(void **state)
{
	skip_without_peer();
	access_window(*state, PEER_ATOMIC_WRITE);
}

static void test_flush(void **state)
{
	skip_without_peer();
	access_window(*state, PEER_FLUSH);
}

#define WIRE_TEST(function) cmocka_unit_test_setup_teardown(function, wire_setup, wire_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIRE_TEST(test_duplicate_read),
		WIRE_TEST(test_duplicate_read_beyond),
		WIRE_TEST(test_duplicate_read_after_move),
		WIRE_TEST(test_duplicate_read_and_length),
		WIRE_TEST(test_atomic_write),
		WIRE_TEST(test_flush),
	};
	int err = peer_open();
	int failed;

	if (err == ENODEV)
		reason = "this kernel has no TAP devices";
	else if (err) {
		fprintf(stderr, "peer: %s\n", strerrorname(err));
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (!reason)
		peer_close();
	return failed;
}
