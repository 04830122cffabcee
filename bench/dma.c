// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Regions of a device that does DMA: QEMU's edu with tests/importer's driver. What
 * it registers without a request for a pin is the kernel's own
 * ib_umem_dmabuf_get_pinned(), which maps all of the dma-buf for each region.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "edu.h"
#include "table.h"

/* Each of the kernel's regions has a list of all its pages. */
#define SIZE (64 * MIB)
#define SLICE (64 * KIB)
#define SLICES 1000
/* How many registrations, up to the last, count as the last */
#define WINDOW 9

/* Atomics the device has not. */
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

enum way { KERNEL, PINNED, NUM_WAYS };

static const char *const way_names[NUM_WAYS] = {
	[KERNEL] = "plain udmabuf",
	[PINNED] = "pinned udmabuf",
};

struct result {
	struct samples first;
	struct samples slice;
};

static struct ibv_mr *register_part(struct ibv_pd *pd, const struct memory *memory, enum way way,
				    size_t offset, size_t length, struct samples *samples)
{
	const int fd = memory->udmabuf.fd;
	struct ibv_mr *mr;
	double start;

	start = now_ns();
	if (way == KERNEL)
		mr = ibv_reg_dmabuf_mr(pd, offset, length, 0, fd, ACCESS);
	else
		mr = ibv_reg_dmabuf_mr_pinned(pd, offset, length, 0, fd, ACCESS, 0);
	if (samples)
		samples_add(samples, now_ns() - start);
	if (!mr)
		die("%s: registration of %zu bytes at %#zx: %s", way_names[way], length, offset,
		    strerror(errno));
	return mr;
}

static void measure_first(struct ibv_pd *pd, const struct memory *memory, unsigned int rounds,
			  struct result results[])
{
	unsigned int order[NUM_WAYS];
	size_t i;

	while (rounds--) {
		shuffle(order, NUM_WAYS);
		for (i = 0; i < NUM_WAYS; i++)
			deregister(register_part(pd, memory, order[i], 0, SIZE,
						 &results[order[i]].first));
	}
}

static void measure_slices(struct ibv_pd *pd, const struct memory *memory, enum way way,
			   struct samples *samples)
{
	struct ibv_mr *mrs[SLICES];
	unsigned int i;

	for (i = 0; i < SLICES; i++)
		mrs[i] = register_part(pd, memory, way, i * SLICE % SIZE, SLICE,
				       i + WINDOW >= SLICES ? samples : NULL);
	while (i)
		deregister(mrs[--i]);
}

static void add_rows(const char *what, size_t size, const struct samples *kernel,
		     const struct samples *pinned, double bound)
{
	struct row row = { .kind = way_names[KERNEL], .value = summarise(kernel) };

	snprintf(row.what, sizeof(row.what), "%s %s", what, size_str(size));
	table_add(&row);
	row.kind = way_names[PINNED];
	row.value = summarise(pinned);
	row.has_ratio = true;
	row.ratio = estimate_ratio(pinned, kernel);
	row.figure = FIGURE_AT_MOST;
	row.bound = bound;
	table_add(&row);
}

void bench_dma(const struct bench *bench)
{
	struct result results[NUM_WAYS] = {};
	unsigned int round, n = bench->quick ? 1 : 3;
	struct ibv_context *context;
	struct memory memory;
	struct ibv_pd *pd;
	enum way way;

	if (!bench->importer)
		return;
	context = open_device(EDU_IB_VERBS_DEVICE);
	pd = alloc_pd(context);
	memory_alloc(&memory, SIZE, false);

	measure_first(pd, &memory, bench->quick ? 21 : 61, results);
	for (round = 0; round < n; round++)
		for (way = 0; way < NUM_WAYS; way++)
			measure_slices(pd, &memory, way, &results[way].slice);

	memory_free(&memory);
	ibv_dealloc_pd(pd);
	ibv_close_device(context);

	table_group("device that does DMA", "to the kernel's ib_umem_dmabuf_get_pinned()");
	add_rows("all of", SIZE, &results[KERNEL].first, &results[PINNED].first, 1);
	add_rows("1,000th slice of", SLICE, &results[KERNEL].slice, &results[PINNED].slice, 0.1);
	for (way = 0; way < NUM_WAYS; way++) {
		samples_free(&results[way].first);
		samples_free(&results[way].slice);
	}
}
