/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A buffer with a copy of what ought to be in it. A test changes the copy as
 * the transfer should change the buffer; then all of both is compared, so that
 * a byte changed anywhere else is found too.
 */
#ifndef AREA_H
#define AREA_H

#include <stdint.h>

#include "dmabuf_alloc.h"

struct area {
	struct dmabuf *buf;
	uint8_t *expected;
};

/* Fill @buf with bytes that depend on @seed. */
void area_init(struct area *area, struct dmabuf *buf, uint32_t seed);
void area_free(struct area *area);

/* Expect in @to what is expected in @from. */
void area_expect_copy(struct area *to, uint64_t to_offset, const struct area *from,
		      uint64_t from_offset, uint64_t length);

/* Fails the test at the first byte that is not as expected. */
void area_check(const struct area *area, const char *what);

/* Look at or change eight bytes, in the buffer and in the copy. */
uint64_t area_get_u64(const struct area *area, uint64_t offset);
void area_expect_u64(struct area *area, uint64_t offset, uint64_t value);

#endif /* AREA_H */
