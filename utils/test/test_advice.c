// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <string.h>

#include "info/advice.h"
#include "unit.h"

#define LAST IBV_EXT_DMABUF_REASON_TIMED_OUT

static void every_reason(void **state)
{
	unsigned int reason, other;

	(void)state;
	for (reason = IBV_EXT_DMABUF_REASON_NONE + 1; reason <= LAST; reason++) {
		assert_non_null(reason_name(reason));
		assert_non_null(reason_advice(reason));
		for (other = 0; other < reason; other++)
			assert_string_not_equal(reason_name(reason), reason_name(other));
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(reason_name(IBV_EXT_DMABUF_REASON_NONE), "NONE");
	assert_string_equal(reason_name(IBV_EXT_DMABUF_REASON_MEMLOCK), "MEMLOCK");
	assert_non_null(strstr(reason_advice(IBV_EXT_DMABUF_REASON_MEMLOCK), "RLIMIT_MEMLOCK"));
}

static void beyond(void **state)
{
	(void)state;
	assert_null(reason_advice(IBV_EXT_DMABUF_REASON_NONE));
	assert_null(reason_advice(LAST + 1));
	assert_string_equal(reason_name(LAST + 1), "UNKNOWN");
	assert_string_equal(reason_name(-1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason),
		cmocka_unit_test(names),
		cmocka_unit_test(beyond),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
