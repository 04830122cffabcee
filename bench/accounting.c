// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What a pinned registration pays for the charge against RLIMIT_MEMLOCK. A plain
 * one of a udmabuf on rxe does all the same but that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "table.h"

static const size_t sizes[] = { 4 * KIB, MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB };

/* By the access bit, so that the library does the same for both. */
static double measure_one(const struct bench *bench, const struct memory *memory, bool charged)
{
	int access = IBV_ACCESS_LOCAL_WRITE | (charged ? IBV_EXT_ACCESS_DMABUF_PINNED : 0);
	double start, time;
	struct ibv_mr *mr;

	start = now_ns();
	mr = ibv_reg_dmabuf_mr(bench->pd, 0, memory->size, (uintptr_t)memory->map,
			       memory->udmabuf.fd, access);
	time = now_ns() - start;
	if (!mr)
		die("ibv_reg_dmabuf_mr: %s", strerror(errno));
	deregister(mr);
	return time;
}

/*
 * The charge is a number, whatever the size. So it is measured where it shows,
 * with the smallest buffer, and set against the registration of each size. The
 * note has the difference at that size.
 */
static void add_row(size_t size, struct estimate charge, const struct samples *plain,
		    const struct samples *charged)
{
	struct estimate difference = estimate_difference(charged, plain);
	double whole = summarise(plain).median;
	struct row row = {
		.kind = kind_names[PINNED_UDMABUF],
		.value = summarise(charged),
		.has_ratio = true,
		.ratio = {
			.median = charge.median / whole,
			.low = charge.low / whole,
			.high = charge.high / whole,
		},
		.figure = FIGURE_AT_MOST,
		.bound = 0.01,
	};

	snprintf(row.what, sizeof(row.what), "register %s", size_str(size));
	snprintf(row.note, sizeof(row.note), "difference: %.2f us (%.2f - %.2f)",
		 difference.median / 1e3, difference.low / 1e3, difference.high / 1e3);
	table_add(&row);
}

void bench_accounting(const struct bench *bench)
{
	struct samples plain = {}, charged = {};
	struct estimate charge = {};
	unsigned int round, n;
	struct memory memory;
	size_t i;

	table_group("accounting", "the charge to the registration without it");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i] > memory_available() / 3 * 2)
			break;
		memory_alloc(&memory, sizes[i], false);
		n = (i ? 2 : 16) * rounds(bench, sizes[i]);
		for (round = 0; round < n; round++) {
			bool first = round % 2;
			double time = measure_one(bench, &memory, first);

			samples_add(first ? &charged : &plain, time);
			time = measure_one(bench, &memory, !first);
			samples_add(first ? &plain : &charged, time);
		}
		memory_free(&memory);
		if (!i)
			charge = estimate_difference(&charged, &plain);
		add_row(sizes[i], charge, &plain, &charged);
		samples_free(&plain);
		samples_free(&charged);
	}
}
