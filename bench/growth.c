// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Does a registration take longer, the more is registered already?
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "table.h"

/* Many dma-bufs, so that their number grows with the bytes */
#define CHUNK MIB
#define MOST_CHUNKS 1024
/* None, a quarter, ... all registered */
#define LEVELS 5
/* Registrations at each level of a round, of which the fastest counts */
#define TRIES 5

static const enum kind kinds[] = { ORDINARY, PLAIN_UDMABUF, PINNED_UDMABUF };

struct result {
	struct samples at[LEVELS];
	struct samples slope; /* of a round, from nothing to all, relative to nothing */
};

static double measure(const struct bench *bench, const struct memory *memory, enum kind kind)
{
	double start, best = 0;
	struct ibv_mr *mr;
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		double time;

		start = now_ns();
		mr = register_region(bench, memory, kind, 0, memory->size);
		time = now_ns() - start;
		deregister(mr);
		if (!i || time < best)
			best = time;
	}
	return best;
}

/* Of the line through the times of a round; least squares. */
static double slope(const double *times)
{
	double mean_x = (LEVELS - 1) / 2.0, mean_y = 0, xy = 0, xx = 0;
	unsigned int i;

	for (i = 0; i < LEVELS; i++)
		mean_y += times[i] / LEVELS;
	for (i = 0; i < LEVELS; i++) {
		xy += (i - mean_x) * (times[i] - mean_y);
		xx += (i - mean_x) * (i - mean_x);
	}
	return xy / xx * (LEVELS - 1) / times[0];
}

/* Up in half of the rounds, down in the others: time that passes is no growth. */
static void measure_round(const struct bench *bench, const struct memory *chunks, size_t count,
			  const struct memory *probe, enum kind kind, bool down,
			  struct ibv_mr **mrs, struct result *result)
{
	double times[LEVELS];
	size_t registered = 0, wanted;
	unsigned int i, level;

	for (i = 0; i < LEVELS; i++) {
		level = down ? LEVELS - 1 - i : i;
		wanted = count * level / (LEVELS - 1);
		for (; registered < wanted; registered++)
			mrs[registered] =
				register_region(bench, &chunks[registered], kind, 0, CHUNK);
		while (registered > wanted)
			deregister(mrs[--registered]);
		times[level] = measure(bench, probe, kind);
	}
	while (registered)
		deregister(mrs[--registered]);

	for (level = 0; level < LEVELS; level++)
		samples_add(&result->at[level], times[level]);
	samples_add(&result->slope, slope(times));
}

static void add_rows(enum kind kind, size_t count, const struct result *result)
{
	unsigned int level;
	struct row row;

	for (level = 0; level < LEVELS; level++) {
		row = (struct row){
			.kind = kind_names[kind],
			.value = summarise(&result->at[level]),
			.has_ratio = level > 0,
		};
		snprintf(row.what, sizeof(row.what), "register %s beside %s", size_str(CHUNK),
			 size_str(CHUNK * count * level / (LEVELS - 1)));
		if (row.has_ratio)
			row.ratio = estimate_ratio(&result->at[level], &result->at[0]);
		table_add(&row);
	}

	row = (struct row){
		.kind = kind_names[kind],
		.unit = UNIT_PERCENT,
		.value = summarise(&result->slope),
		.has_ratio = true,
		.ratio = estimate(&result->slope),
		.note = "ratio: growth from nothing to all",
	};
	row.value.quartile1 *= 100;
	row.value.median *= 100;
	row.value.quartile3 *= 100;
	row.value.min *= 100;
	row.value.max *= 100;
	snprintf(row.what, sizeof(row.what), "slope");
	if (kind == PINNED_UDMABUF)
		row.figure = FIGURE_NO_GROWTH;
	table_add(&row);
}

void bench_growth(const struct bench *bench)
{
	struct result results[ARRAY_SIZE(kinds)] = {};
	unsigned int round, n = bench->quick ? 10 : 40;
	unsigned int order[ARRAY_SIZE(kinds)];
	size_t count = MOST_CHUNKS, i, j;
	struct memory *chunks, probe;
	struct ibv_mr **mrs;

	table_group("registration beside what is registered", "to that with nothing registered");
	while (count * CHUNK > memory_available() / 2)
		count /= 2;
	chunks = calloc(count, sizeof(*chunks));
	mrs = calloc(count, sizeof(*mrs));
	if (!chunks || !mrs)
		die("no memory");
	for (i = 0; i < count; i++)
		memory_alloc(&chunks[i], CHUNK, false);
	memory_alloc(&probe, CHUNK, false);

	for (round = 0; round < n; round++) {
		shuffle(order, ARRAY_SIZE(kinds));
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			j = order[i];
			measure_round(bench, chunks, count, &probe, kinds[j], round % 2, mrs,
				      &results[j]);
		}
	}

	memory_free(&probe);
	for (i = 0; i < count; i++)
		memory_free(&chunks[i]);
	free(chunks);
	free(mrs);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		add_rows(kinds[i], count, &results[i]);
		for (j = 0; j < LEVELS; j++)
			samples_free(&results[i].at[j]);
		samples_free(&results[i].slope);
	}
}
