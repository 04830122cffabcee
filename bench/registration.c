// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The first registration of a buffer, with nothing registered before, and its
 * deregistration.
 */
#include <stdio.h>

#include "bench.h"
#include "table.h"

static const size_t sizes[] = { 4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB };

#define NUM_SIZES ARRAY_SIZE(sizes)

/* From where on a registration is to be much faster */
#define LARGE (64 * MIB)

struct result {
	size_t size;
	struct samples reg[NUM_KINDS];
	struct samples dereg[NUM_KINDS];
};

static void measure_one(const struct bench *bench, const struct memory *memory, enum kind kind,
			struct result *result)
{
	double start, registered, end;
	struct ibv_mr *mr;

	start = now_ns();
	mr = register_region(bench, memory, kind, 0, memory->size);
	registered = now_ns();
	deregister(mr);
	end = now_ns();
	samples_add(&result->reg[kind], registered - start);
	samples_add(&result->dereg[kind], end - registered);
}

static void measure(const struct bench *bench, struct result *result)
{
	unsigned int round, n = rounds(bench, result->size);
	struct memory memory;
	unsigned int order[NUM_KINDS];
	unsigned int i;

	memory_alloc(&memory, result->size, true);
	for (round = 0; round < n; round++) {
		shuffle(order, NUM_KINDS);
		for (i = 0; i < NUM_KINDS; i++)
			measure_one(bench, &memory, order[i], result);
	}
	memory_free(&memory);
}

static void add_rows(const char *what, const struct samples *of_kinds, size_t size, bool faster)
{
	enum kind kind;

	for (kind = 0; kind < NUM_KINDS; kind++) {
		struct row row = {
			.kind = kind_names[kind],
			.value = summarise(&of_kinds[kind]),
			.has_ratio = kind != ORDINARY,
		};

		snprintf(row.what, sizeof(row.what), "%s %s", what, size_str(size));
		if (row.has_ratio)
			row.ratio = estimate_ratio(&of_kinds[kind], &of_kinds[ORDINARY]);
		if (kind == PINNED_UDMABUF || kind == PINNED_HEAP) {
			row.figure = FIGURE_AT_MOST;
			row.bound = faster ? 0.3 : kind == PINNED_UDMABUF ? 1 : 1.2;
		}
		table_add(&row);
	}
}

void bench_registration(const struct bench *bench)
{
	struct result results[NUM_SIZES] = {};
	size_t i, count = 0;
	enum kind kind;

	table_group("first registration", "to ibv_reg_mr() of as many bytes");
	for (i = 0; i < NUM_SIZES; i++) {
		/* Both buffers, and room to work */
		if (sizes[i] > memory_available() / 5 * 2)
			break;
		results[i].size = sizes[i];
		measure(bench, &results[i]);
		count++;
	}
	for (i = 0; i < count; i++)
		add_rows("register", results[i].reg, results[i].size, results[i].size >= LARGE);
	table_group("deregistration", "to that of the ordinary MR");
	for (i = 0; i < count; i++)
		add_rows("deregister", results[i].dereg, results[i].size, false);

	for (i = 0; i < count; i++)
		for (kind = 0; kind < NUM_KINDS; kind++) {
			samples_free(&results[i].reg[kind]);
			samples_free(&results[i].dereg[kind]);
		}
}
