/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Random numbers that can be played again, as they were or partly changed: the
 * numbers behind a call are the call.
 */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#define FUZZ_TAPE_WORDS 64

/* What one call draws; draws beyond its length are random every time. */
struct fuzz_tape {
	uint32_t num;
	uint64_t words[FUZZ_TAPE_WORDS];
};

struct fuzz_random {
	uint64_t state;
	struct fuzz_tape *tape; /* or NULL */
	unsigned int pos;
};

/* splitmix64 */
static inline uint64_t fuzz_fresh(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* What is on the tape comes first. What comes after that is recorded while there is room. */
static inline uint64_t fuzz_next(struct fuzz_random *r)
{
	struct fuzz_tape *tape = r->tape;
	uint64_t word;

	if (tape && r->pos < tape->num)
		return tape->words[r->pos++];
	word = fuzz_fresh(&r->state);
	if (tape && r->pos < FUZZ_TAPE_WORDS) {
		tape->words[r->pos++] = word;
		tape->num = r->pos;
	}
	return word;
}

static inline unsigned int fuzz_below(struct fuzz_random *r, unsigned int limit)
{
	return fuzz_next(r) % limit;
}

static inline bool fuzz_one_in(struct fuzz_random *r, unsigned int n)
{
	return !fuzz_below(r, n);
}

#endif /* FUZZ_RANDOM_H */
