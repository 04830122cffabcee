// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <endian.h>
#include <string.h>

#include "pattern.h"

/* A bijection of 64-bit words that scatters neighbouring inputs (splitmix64's). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return x;
}

uint64_t pattern_key(uint64_t seed, uint64_t seq)
{
	return mix(mix(seed) + seq);
}

/* As it lies in memory: the same bytes on all machines */
static uint64_t word(uint64_t key, size_t index)
{
	return htole64(mix(key + index * 0x9e3779b97f4a7c15ULL));
}

void pattern_fill(void *buf, size_t len, uint64_t key)
{
	unsigned char *p = buf;
	size_t i = 0;
	uint64_t w;

	for (; len >= sizeof(w); len -= sizeof(w), p += sizeof(w)) {
		w = word(key, i++);
		memcpy(p, &w, sizeof(w));
	}
	w = word(key, i);
	memcpy(p, &w, len);
}

static size_t check_word(const unsigned char *found, size_t len, uint64_t w, size_t offset,
			 size_t wrong_before, struct pattern_mismatch *first)
{
	unsigned char expected[sizeof(w)];
	size_t wrong = 0;
	size_t i;

	if (!memcmp(found, &w, len))
		return 0;
	memcpy(expected, &w, sizeof(w));
	for (i = 0; i < len; i++) {
		if (found[i] == expected[i])
			continue;
		if (!wrong++ && !wrong_before && first) {
			first->offset = offset + i;
			first->expected = expected[i];
			first->found = found[i];
		}
	}
	return wrong;
}

size_t pattern_check(const void *buf, size_t len, uint64_t key, struct pattern_mismatch *first)
{
	const unsigned char *p = buf;
	size_t wrong = 0;
	size_t done;
	size_t n;

	for (done = 0; done < len; done += n) {
		n = len - done < sizeof(uint64_t) ? len - done : sizeof(uint64_t);
		wrong += check_word(p + done, n, word(key, done / sizeof(uint64_t)), done, wrong,
				    first);
	}
	return wrong;
}
