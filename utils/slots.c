// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "pattern.h"
#include "slots.h"

#define GUARD_SEED 0x6775617264ULL

int slots_init(struct slots *s, size_t size, unsigned int batch, size_t bytes)
{
	size_t room = bytes / 2;

	s->size = size;
	/* messages start away from page boundaries, each at another place in its page */
	s->stride = (size + SLOTS_GUARD - 1) / SLOTS_GUARD * SLOTS_GUARD + SLOTS_GUARD;
	s->batch = batch;
	if (bytes) {
		if (room < s->stride)
			return ENOSPC;
		if (room / s->stride < batch)
			s->batch = room / s->stride;
		/* spread over all of a buffer that is larger than needed */
		s->stride = room / s->batch / SLOTS_GUARD * SLOTS_GUARD;
	}
	s->rx_start = s->batch * s->stride;
	s->total = 2 * s->rx_start;
	return 0;
}

static size_t guard(const struct slots *s, unsigned int slot)
{
	return slots_rx(s, slot) + s->size;
}

void slots_fill_guards(const struct slots *s, void *map)
{
	unsigned int i;

	for (i = 0; i < s->batch; i++)
		pattern_fill((char *)map + guard(s, i), SLOTS_GUARD, pattern_key(GUARD_SEED, i));
}

void slots_fill(const struct slots *s, void *map, uint64_t seed, uint64_t seq, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		pattern_fill((char *)map + slots_tx(s, i), s->size, pattern_key(seed, seq + i));
}

void slots_check(const struct slots *s, const void *map, uint64_t seed, uint64_t seq,
		 unsigned int count, struct slots_result *result)
{
	struct pattern_mismatch m;
	const char *where;
	uint64_t wrong;
	unsigned int i;

	for (i = 0; i < count; i++) {
		where = NULL;
		wrong = pattern_check((const char *)map + slots_rx(s, i), s->size,
				      pattern_key(seed, seq + i), &m);
		result->verified += s->size;
		result->wrong += wrong;
		if (wrong) {
			where = "in";
		} else {
			wrong = pattern_check((const char *)map + guard(s, i), SLOTS_GUARD,
					      pattern_key(GUARD_SEED, i), &m);
			result->guard_written += wrong;
			if (wrong)
				where = "after";
		}
		if (where && !result->first[0])
			snprintf(result->first, sizeof(result->first),
				 "%s message %" PRIu64
				 ", slot %u, byte %zu: expected %02x, found %02x",
				 where, seq + i, i, m.offset, m.expected, m.found);
	}
}
