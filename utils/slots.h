/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * How the buffer is cut up. Its first half is sent from, its second half is
 * received into. Each half holds the messages of one batch, each followed by
 * guard bytes that nobody may write.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define SLOTS_GUARD 64

struct slots {
	size_t size;	 /* of a message */
	size_t stride;	 /* from a message to the next */
	size_t rx_start; /* offset of the half that is received into */
	size_t total;	 /* bytes in use, both halves */
	unsigned int batch;
};

struct slots_result {
	uint64_t verified;	/* message bytes looked at */
	uint64_t wrong;		/* of these */
	uint64_t guard_written; /* bytes outside the messages that changed */
	/* the first wrong byte: message, offset in it, and a sentence */
	char first[160];
};

/*
 * Cut up @bytes, or as much as @batch messages need if @bytes is 0, for at most
 * @batch messages. Returns 0, or ENOSPC if @bytes do not hold one message.
 */
int slots_init(struct slots *s, size_t size, unsigned int batch, size_t bytes);

static inline size_t slots_tx(const struct slots *s, unsigned int slot)
{
	return slot * s->stride;
}

static inline size_t slots_rx(const struct slots *s, unsigned int slot)
{
	return s->rx_start + slot * s->stride;
}

/* Once, before the first message arrives. */
void slots_fill_guards(const struct slots *s, void *map);
/* Messages @seq to @seq + @count - 1 into the first slots to send from. */
void slots_fill(const struct slots *s, void *map, uint64_t seed, uint64_t seq, unsigned int count);
/* Adds to @result what was found in the first @count slots received into. */
void slots_check(const struct slots *s, const void *map, uint64_t seed, uint64_t seq,
		 unsigned int count, struct slots_result *result);

#endif /* SLOTS_H */
