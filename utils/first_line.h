/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef FIRST_LINE_H
#define FIRST_LINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The first line of the file whose path is @format, such as one of sysfs. False, and an
 * empty @line, if it cannot be read.
 */
__attribute__((format(printf, 3, 4))) bool first_line(char *line, size_t size, const char *format,
						      ...);

#endif /* FIRST_LINE_H */
