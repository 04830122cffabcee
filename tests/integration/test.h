/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * cmocka, with the headers that it wants before its own, and what every test
 * program here uses.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Leave a test out and say why; with TEST_NO_SKIP in the environment that is a failure. */
#define skip_because(...)                                   \
	do {                                                \
		if (getenv("TEST_NO_SKIP"))                 \
			fail_msg(__VA_ARGS__);              \
		print_message("[ SKIPPING ] " __VA_ARGS__); \
		print_message("\n");                        \
		skip();                                     \
	} while (0)

/* The names of the two errno values are what one wants to read. */
#define assert_errno(err, expected, ...)                                       \
	do {                                                                   \
		int err_ = (err), expected_ = (expected);                      \
                                                                               \
		if (err_ != expected_) {                                       \
			print_error(__VA_ARGS__);                              \
			print_error(": %s, expected %s\n", strerrorname(err_), \
				    strerrorname(expected_));                  \
			fail();                                                \
		}                                                              \
	} while (0)

const char *strerrorname(int err);

#endif /* TEST_H */
