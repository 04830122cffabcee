/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Who pins what: the regions of a process over one dma-buf on one device are one pin, and the
 * process pays for a dma-buf once, on however many devices.
 */
#ifndef PINS_H
#define PINS_H

#include "regions.h"
#include "system.h"

struct pin {
	/* the first; charged: the most of all; placement, revocable: "" if they differ */
	struct region region;
	unsigned int num_regions;
	unsigned int num_revoked;
	uint64_t length; /* of all regions */
};

struct payer {
	struct process process;
	unsigned int num_buffers;
	uint64_t charged;
};

struct pins {
	struct pin *pins; /* the highest charge first */
	size_t num_pins;
	struct payer *payers; /* likewise */
	size_t num_payers;
	uint64_t charged; /* of all processes */
};

/* Returns 0 or ENOMEM. The list is sorted. */
int pins_make(struct pins *pins, struct region_list *list);
void pins_free(struct pins *pins);

#endif /* PINS_H */
