// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What a region costs the kernel: the difference that many of them make.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "table.h"
#include "timing.h"

#define REGIONS 10000
#define SLICE (64 * KIB)

static const enum kind kinds[] = { ORDINARY, PLAIN_UDMABUF, PINNED_UDMABUF };

/* What /proc/meminfo has of the kernel's own memory; in bytes. */
static double kernel_memory(void)
{
	static const char *const names[] = { "Slab:", "Percpu:", "VmallocUsed:", "PageTables:" };
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128], name[32];
	double sum = 0;
	size_t kib, i;

	if (!file)
		die("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %zu", name, &kib) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				sum += kib * KIB;
	}
	fclose(file);
	return sum;
}

/* Of all slab caches, what is in use of them; in bytes. */
static double slab_in_use(void)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	double sum = 0, active, size;
	char line[512];

	if (!file)
		die("/proc/slabinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %lf %*u %lf", &active, &size) == 2)
			sum += active * size;
	fclose(file);
	return sum;
}

static void measure(const struct bench *bench, const struct memory *memory, enum kind kind,
		    struct ibv_mr **mrs, struct samples *slab, struct samples *all)
{
	double slab_before, before;
	unsigned int i;

	slab_before = slab_in_use();
	before = kernel_memory();
	for (i = 0; i < REGIONS; i++)
		mrs[i] = register_region(bench, memory, kind, i * SLICE % memory->size, SLICE);
	samples_add(all, (kernel_memory() - before) / REGIONS);
	samples_add(slab, (slab_in_use() - slab_before) / REGIONS);
	while (i)
		deregister(mrs[--i]);
}

static void add_row(const char *what, enum kind kind, const struct samples *of_kind,
		    const struct samples *of_ordinary)
{
	struct row row = {
		.kind = kind_names[kind],
		.unit = UNIT_BYTES,
		.value = summarise(of_kind),
		.has_ratio = kind != ORDINARY,
	};

	snprintf(row.what, sizeof(row.what), "%s", what);
	if (row.has_ratio)
		row.ratio = estimate_ratio(of_kind, of_ordinary);
	table_add(&row);
}

void bench_memory(const struct bench *bench)
{
	struct samples slab[ARRAY_SIZE(kinds)] = {}, all[ARRAY_SIZE(kinds)] = {};
	struct ibv_mr **mrs = calloc(REGIONS, sizeof(*mrs));
	unsigned int round, n = bench->quick ? 3 : 9;
	unsigned int order[ARRAY_SIZE(kinds)];
	struct memory memory;
	size_t size = GIB;
	size_t i, j;

	if (!mrs)
		die("no memory");
	table_group("kernel memory of a region of 64 KiB", "to that of an ordinary MR");
	while (size > memory_available() / 2)
		size /= 2;
	memory_alloc(&memory, size, false);
	for (round = 0; round < n; round++) {
		shuffle(order, ARRAY_SIZE(kinds));
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			j = order[i];
			measure(bench, &memory, kinds[j], mrs, &slab[j], &all[j]);
		}
	}
	memory_free(&memory);
	free(mrs);

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		add_row("slab objects in use", kinds[i], &slab[i], &slab[0]);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		add_row("all kernel memory", kinds[i], &all[i], &all[0]);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		samples_free(&slab[i]);
		samples_free(&all[i]);
	}
}
