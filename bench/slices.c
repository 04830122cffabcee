// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Slice after slice of one large dma-buf.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "table.h"

#define SLICE (64 * KIB)
#define SLICES 10000
/* How many registrations, from the nth on, count as the nth */
#define WINDOW 9

static const unsigned int nth[] = { 1, 10, 1000, SLICES };
static const enum kind kinds[] = { ORDINARY, PLAIN_UDMABUF, PINNED_UDMABUF };

struct result {
	/* The whole buffer, with nothing registered before */
	struct samples full;
	/* As many as of each nth: the full registration of the same round */
	struct samples full_for[ARRAY_SIZE(nth)];
	struct samples slice[ARRAY_SIZE(nth)];
};

static double measure_full(const struct bench *bench, const struct memory *memory, enum kind kind)
{
	double start = now_ns();
	struct ibv_mr *mr = register_region(bench, memory, kind, 0, memory->size);
	double time = now_ns() - start;

	deregister(mr);
	return time;
}

/* The first one makes the pin that all others share, the last few have no successors. */
static bool is_nth(unsigned int i, unsigned int n)
{
	if (n == 1)
		return i == 1;
	if (n == SLICES)
		return i <= n && i + WINDOW > n;
	return i >= n && i < n + WINDOW;
}

static void measure_round(const struct bench *bench, const struct memory *memory, enum kind kind,
			  struct ibv_mr **mrs, struct result *result)
{
	double full = measure_full(bench, memory, kind);
	double start, time;
	unsigned int i;
	size_t n;

	samples_add(&result->full, full);
	for (i = 1; i <= SLICES; i++) {
		/* A buffer with fewer slices has some of them registered again. */
		size_t offset = (i - 1) % (memory->size / SLICE) * SLICE;

		start = now_ns();
		mrs[i - 1] = register_region(bench, memory, kind, offset, SLICE);
		time = now_ns() - start;
		for (n = 0; n < ARRAY_SIZE(nth); n++)
			if (is_nth(i, nth[n])) {
				samples_add(&result->slice[n], time);
				samples_add(&result->full_for[n], full);
			}
	}
	/* The last goes first, so that the pin goes with the first slice. */
	while (--i)
		deregister(mrs[i - 1]);
}

static const char *ordinal(unsigned int n)
{
	return n == 1 ? "1st" : n == 10 ? "10th" : n == 1000 ? "1,000th" : "10,000th";
}

static void add_rows(enum kind kind, size_t size, const struct result *result)
{
	struct row row = { .kind = kind_names[kind], .value = summarise(&result->full) };
	size_t n;

	snprintf(row.what, sizeof(row.what), "all of %s", size_str(size));
	table_add(&row);
	for (n = 0; n < ARRAY_SIZE(nth); n++) {
		row = (struct row){
			.kind = kind_names[kind],
			.value = summarise(&result->slice[n]),
			.has_ratio = true,
			.ratio = estimate_ratio(&result->slice[n], &result->full_for[n]),
		};
		snprintf(row.what, sizeof(row.what), "%s slice of %s", ordinal(nth[n]),
			 size_str(SLICE));
		if (kind == PINNED_UDMABUF && nth[n] >= 1000) {
			row.figure = FIGURE_AT_MOST;
			row.bound = 0.001;
		}
		table_add(&row);
	}
}

void bench_slices(const struct bench *bench)
{
	struct result results[ARRAY_SIZE(kinds)] = {};
	struct ibv_mr **mrs = calloc(SLICES, sizeof(*mrs));
	unsigned int round, n = bench->quick ? 5 : 15;
	unsigned int order[ARRAY_SIZE(kinds)];
	struct memory memory;
	size_t size = GIB;
	size_t i, j;

	if (!mrs)
		die("no memory");
	table_group("slices of a large dma-buf", "to the first registration of all of it");
	while (size > memory_available() / 3 * 2)
		size /= 2;
	memory_alloc(&memory, size, false);
	for (round = 0; round < n; round++) {
		shuffle(order, ARRAY_SIZE(kinds));
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			j = order[i];
			measure_round(bench, &memory, kinds[j], mrs, &results[j]);
		}
	}
	memory_free(&memory);
	free(mrs);

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		add_rows(kinds[i], size, &results[i]);
		samples_free(&results[i].full);
		for (j = 0; j < ARRAY_SIZE(nth); j++) {
			samples_free(&results[i].slice[j]);
			samples_free(&results[i].full_for[j]);
		}
	}
}
