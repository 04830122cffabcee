/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Data that tells where it belongs. Every eight-byte word depends on the key
 * and on its place, so data that is stale, from another message, shifted,
 * swapped, repeated or zero is found.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>

struct pattern_mismatch {
	size_t offset; /* of the first wrong byte */
	uint8_t expected;
	uint8_t found;
};

/* @seed names the sender and the run, @seq the message. */
uint64_t pattern_key(uint64_t seed, uint64_t seq);
void pattern_fill(void *buf, size_t len, uint64_t key);
/* Returns the number of wrong bytes; @first, unless NULL, is set if there are any. */
size_t pattern_check(const void *buf, size_t len, uint64_t key, struct pattern_mismatch *first);

#endif /* PATTERN_H */
