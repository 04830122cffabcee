/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A dma-buf as the CPU sees it, and what it should hold, byte by byte.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory {
	int fd; /* of the dma-buf */
	size_t size;
	volatile uint8_t *map;
	uint8_t *expected;
};

/* Fills it; no two bytes near each other are equal for long. Fails the test if it cannot. */
void memory_open(struct memory *mem, int fd, size_t size);
void memory_close(struct memory *mem);

/* Bytes that were not used before */
void memory_pattern(uint8_t *to, size_t length);

/* Fails the test at the first byte that is not as expected. */
void memory_check(const struct memory *mem, const char *when);

#endif /* MEMORY_H */
