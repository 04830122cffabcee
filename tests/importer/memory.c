// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>
#include <sys/mman.h>

#include "common.h"
#include "memory.h"

void memory_pattern(uint8_t *to, size_t length)
{
	static uint32_t x = 1;
	size_t i;

	for (i = 0; i < length; i++) {
		x = x * 1664525 + 1013904223;
		to[i] = x >> 24;
	}
}

void memory_open(struct memory *mem, int fd, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	size_t i;

	if (map == MAP_FAILED)
		fail_msg("mmap: %s", strerrorname(errno));
	*mem = (struct memory){ .fd = fd, .size = size, .map = map, .expected = malloc(size) };
	assert_non_null(mem->expected);
	memory_pattern(mem->expected, size);
	for (i = 0; i < size; i++)
		mem->map[i] = mem->expected[i];
}

void memory_close(struct memory *mem)
{
	free(mem->expected);
	munmap((void *)mem->map, mem->size);
}

void memory_check(const struct memory *mem, const char *when)
{
	size_t i;

	for (i = 0; i < mem->size; i++)
		if (mem->map[i] != mem->expected[i])
			fail_msg("%s: byte %#zx of the dma-buf is %#x, expected %#x", when, i,
				 mem->map[i], mem->expected[i]);
}
