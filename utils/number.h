/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Numbers in the arguments of the tools. False if @arg is none, or is out of range.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_number(const char *arg, uint64_t min, uint64_t max, uint64_t *value);
bool parse_uint(const char *arg, unsigned int min, unsigned int max, unsigned int *value);

/* Bytes, at least 1; the suffixes K, M and G are powers of 1024. */
bool parse_size(const char *arg, size_t *value);

#endif /* NUMBER_H */
