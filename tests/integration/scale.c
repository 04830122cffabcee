// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Very many regions over one dma-buf, and one over each of very many.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "fixture.h"
#include "test.h"

#define REGIONS 10000
#define BUFFERS 1000
#define SIZE (256 * PAGE)

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec + (now.tv_nsec - start->tv_nsec) * 1e-9;
}

/* The same in each run */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void shuffle(struct ibv_mr **mrs, size_t num)
{
	uint32_t seed = 1;
	size_t i;

	for (i = num - 1; i; i--) {
		size_t j = next_random(&seed) % (i + 1);
		struct ibv_mr *mr = mrs[i];

		mrs[i] = mrs[j];
		mrs[j] = mr;
	}
}

static void regions_over_one_buffer(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, SIZE);
	struct ibv_mr **mrs = calloc(REGIONS, sizeof(*mrs));
	struct ibv_ext_dmabuf_mr_info info;
	struct timespec start;
	struct usage idle;
	uint32_t seed = 2;
	double registered;
	size_t i;

	assert_non_null(mrs);
	usage_read(&idle);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < REGIONS; i++) {
		uint64_t offset = next_random(&seed) % SIZE;
		uint64_t length = 1 + next_random(&seed) % (SIZE - offset);

		mrs[i] = register_pinned(f->pd, buf, offset, length, offset, ACCESS_ALL);
	}
	registered = seconds_since(&start);
	assert_held(&idle, REGIONS, 1, SIZE, "with all regions");

	shuffle(mrs, REGIONS);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < REGIONS - 1; i++)
		deregister(mrs[i]);
	print_message("%d regions registered in %.1f s, deregistered in %.1f s\n", REGIONS,
		      registered, seconds_since(&start));
	assert_held(&idle, 1, 1, SIZE, "with the last region");
	assert_errno(ibv_ext_query_dmabuf_mr(mrs[i], &info), 0, "query");
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_LIVE);
	deregister(mrs[i]);
	assert_held(&idle, 0, 0, 0, "after deregistration");
	free(mrs);
}

/* Each has two descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit = { .rlim_cur = 2 * BUFFERS + 100, .rlim_max = 2 * BUFFERS + 100 };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void one_region_over_each_buffer(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *bufs = calloc(BUFFERS, sizeof(*bufs));
	struct ibv_mr **mrs = calloc(BUFFERS, sizeof(*mrs));
	struct timespec start;
	struct usage idle;
	double registered;
	size_t i;

	assert_non_null(bufs);
	assert_non_null(mrs);
	raise_descriptor_limit();
	for (i = 0; i < BUFFERS; i++)
		if (dmabuf_alloc_udmabuf(&bufs[i], PAGE, 0))
			fail_msg("buffer %zu: %s", i, dmabuf_error());
	usage_read(&idle);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < BUFFERS; i++)
		mrs[i] = register_all(f->pd, &bufs[i]);
	registered = seconds_since(&start);
	assert_held(&idle, BUFFERS, BUFFERS, BUFFERS * PAGE, "with all regions");

	shuffle(mrs, BUFFERS);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < BUFFERS / 2; i++)
		deregister(mrs[i]);
	assert_held(&idle, BUFFERS / 2, BUFFERS / 2, BUFFERS / 2 * PAGE, "with half of them");
	for (; i < BUFFERS; i++)
		deregister(mrs[i]);
	print_message("%d buffers registered in %.1f s, deregistered in %.1f s\n", BUFFERS,
		      registered, seconds_since(&start));
	assert_held(&idle, 0, 0, 0, "after deregistration");
	for (i = 0; i < BUFFERS; i++)
		dmabuf_free(&bufs[i]);
	free(mrs);
	free(bufs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(regions_over_one_buffer),
		TEST(one_region_over_each_buffer),
	};

	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
