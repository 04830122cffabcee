/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The addresses of the kernel's code that all threads together have reached.
 */
#ifndef COVERAGE_H
#define COVERAGE_H

#include <stdint.h>

/* Of these addresses, how many are new */
unsigned int coverage_add(const uint64_t *pcs, uint64_t num);
unsigned int coverage_size(void);
/* One in each line, in hexadecimal digits */
void coverage_save(const char *path);

#endif /* COVERAGE_H */
