// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pins.h"

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By process and dma-buf, and then by device: what is a pin stands together, what is paid too. */
static int compare_regions(const void *first, const void *second)
{
	const struct region *a = first, *b = second;
	int order = compare_u64(a->pid, b->pid);

	if (!order)
		order = compare_u64(a->inode, b->inode);
	if (!order)
		order = strcmp(a->device, b->device);
	return order ? order : compare_u64(a->number, b->number);
}

static bool same_buffer(const struct region *a, const struct region *b)
{
	return a->pid == b->pid && a->inode == b->inode;
}

static void add_to_pin(struct pin *pin, const struct region *region)
{
	if (!pin->num_regions++)
		pin->region = *region;
	if (strcmp(pin->region.placement, region->placement))
		pin->region.placement[0] = '\0';
	if (strcmp(pin->region.revocable, region->revocable))
		pin->region.revocable[0] = '\0';
	if (region->charged > pin->region.charged)
		pin->region.charged = region->charged;
	pin->num_revoked += !strcmp(region->state, "revoked");
	pin->length += region->length;
}

/* @regions: sorted */
static void make_pins(struct pins *pins, const struct region *regions, size_t num)
{
	struct pin *pin = NULL;
	size_t i;

	for (i = 0; i < num; i++) {
		if (!pin || !same_buffer(&pin->region, &regions[i]) ||
		    strcmp(pin->region.device, regions[i].device))
			pin = &pins->pins[pins->num_pins++];
		add_to_pin(pin, &regions[i]);
	}
}

/* The pins are still sorted as the regions were. */
static void make_payers(struct pins *pins)
{
	const struct pin *before = NULL, *pin;
	struct payer *payer = NULL;
	uint64_t charged = 0;
	size_t i;

	for (i = 0; i < pins->num_pins; i++) {
		pin = &pins->pins[i];
		if (!payer || payer->process.pid != pin->region.pid) {
			payer = &pins->payers[pins->num_payers++];
			process_read(&payer->process, pin->region.pid);
		}
		/* Of a buffer on several devices the highest charge counts, once. */
		if (!before || !same_buffer(&before->region, &pin->region)) {
			payer->num_buffers++;
			charged = 0;
		}
		if (pin->region.charged > charged) {
			payer->charged += pin->region.charged - charged;
			pins->charged += pin->region.charged - charged;
			charged = pin->region.charged;
		}
		before = pin;
	}
}

static int compare_pins(const void *first, const void *second)
{
	const struct pin *a = first, *b = second;
	int order = compare_u64(b->region.charged, a->region.charged);

	return order ? order : compare_regions(&a->region, &b->region);
}

static int compare_payers(const void *first, const void *second)
{
	const struct payer *a = first, *b = second;
	int order = compare_u64(b->charged, a->charged);

	return order ? order : compare_u64(a->process.pid, b->process.pid);
}

int pins_make(struct pins *pins, struct region_list *list)
{
	*pins = (struct pins){};
	if (!list->num)
		return 0;
	pins->pins = calloc(list->num, sizeof(*pins->pins));
	pins->payers = calloc(list->num, sizeof(*pins->payers));
	if (!pins->pins || !pins->payers) {
		pins_free(pins);
		return ENOMEM;
	}
	qsort(list->regions, list->num, sizeof(*list->regions), compare_regions);
	make_pins(pins, list->regions, list->num);
	make_payers(pins);
	qsort(pins->pins, pins->num_pins, sizeof(*pins->pins), compare_pins);
	qsort(pins->payers, pins->num_payers, sizeof(*pins->payers), compare_payers);
	return 0;
}

void pins_free(struct pins *pins)
{
	free(pins->pins);
	free(pins->payers);
	*pins = (struct pins){};
}
