// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>

#include "area.h"
#include "test.h"

/* A xorshift generator: no two pages and no two seeds alike. */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void cpu_begin(const struct area *area, enum dmabuf_cpu_access access)
{
	if (dmabuf_cpu_begin(area->buf, access))
		fail_msg("%s", dmabuf_error());
}

static void cpu_end(const struct area *area, enum dmabuf_cpu_access access)
{
	if (dmabuf_cpu_end(area->buf, access))
		fail_msg("%s", dmabuf_error());
}

void area_init(struct area *area, struct dmabuf *buf, uint32_t seed)
{
	uint32_t state = seed * 2654435761U + 1;
	size_t i;

	area->buf = buf;
	area->expected = malloc(buf->size);
	assert_non_null(area->expected);
	for (i = 0; i < buf->size; i += sizeof(state)) {
		next_random(&state);
		memcpy(area->expected + i, &state, sizeof(state));
	}
	cpu_begin(area, DMABUF_CPU_WRITE);
	memcpy(buf->map, area->expected, buf->size);
	cpu_end(area, DMABUF_CPU_WRITE);
}

void area_free(struct area *area)
{
	free(area->expected);
	area->expected = NULL;
}

void area_expect_copy(struct area *to, uint64_t to_offset, const struct area *from,
		      uint64_t from_offset, uint64_t length)
{
	memmove(to->expected + to_offset, from->expected + from_offset, length);
}

void area_check(const struct area *area, const char *what)
{
	const uint8_t *map = area->buf->map;
	size_t i = 0;

	cpu_begin(area, DMABUF_CPU_READ);
	if (memcmp(map, area->expected, area->buf->size))
		while (map[i] == area->expected[i])
			i++;
	else
		i = area->buf->size;
	cpu_end(area, DMABUF_CPU_READ);
	if (i < area->buf->size)
		fail_msg("%s: byte %#zx is %#x, expected %#x", what, i, map[i], area->expected[i]);
}

uint64_t area_get_u64(const struct area *area, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, area->expected + offset, sizeof(value));
	return value;
}

void area_expect_u64(struct area *area, uint64_t offset, uint64_t value)
{
	memcpy(area->expected + offset, &value, sizeof(value));
}
