// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Reasons in words: one for each value of the uAPI, and one for all others.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "mock.h"

#define LAST IB_UVERBS_DMABUF_REASON_TIMED_OUT

static const char *str(int reason)
{
	return ibv_ext_dmabuf_reason_str((enum ibv_ext_dmabuf_reason)reason);
}

static void every_reason_is_told(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i <= LAST; i++) {
		assert_non_null(str(i));
		assert_true(strlen(str(i)) > 0);
		assert_null(strpbrk(str(i), "\n."));
		assert_string_not_equal(str(i), "unknown reason");
		for (j = 0; j < i; j++)
			assert_string_not_equal(str(i), str(j));
	}
}

static void unknown_reasons(void **state)
{
	static const int unknown[] = { LAST + 1, 1000, INT_MAX, -1, INT_MIN };
	unsigned int i;

	(void)state;
	errno = 5;
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_string_equal(str(unknown[i]), "unknown reason");
	assert_int_equal(errno, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_told),
		cmocka_unit_test(unknown_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
