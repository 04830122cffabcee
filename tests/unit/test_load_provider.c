// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * When and how the rxe provider is loaded.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"
#include "mock.h"

static int setup(void **state)
{
	unsetenv("RDMAV_DRIVERS");
	unsetenv("IBV_DRIVERS");
	return mock_setup(state);
}

static unsigned int loads(void)
{
	mock.num_dlopens = 0;
	ext_load_provider();
	return mock.num_dlopens;
}

static void by_absolute_path(void **state)
{
	(void)state;
	assert_int_equal(loads(), 1);
	assert_int_equal(mock.dlopen_path[0], '/');
	assert_string_equal(mock.dlopen_path, RXE_PROVIDER_PATH);
	assert_int_equal(mock.dlopen_flags, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static void not_beside_named_providers(void **state)
{
	(void)state;
	setenv("RDMAV_DRIVERS", "rxe", 1);
	assert_int_equal(loads(), 0);
	setenv("RDMAV_DRIVERS", "", 1);
	assert_int_equal(loads(), 0);
	unsetenv("RDMAV_DRIVERS");
	setenv("IBV_DRIVERS", "rxe", 1);
	assert_int_equal(loads(), 0);
	unsetenv("IBV_DRIVERS");
	assert_int_equal(loads(), 1);
}

static void not_with_raised_privileges(void **state)
{
	(void)state;
	mock.at_secure = 1;
	assert_int_equal(loads(), 0);
}

/* Not installed, or built for another libibverbs. */
static void failure_is_silent(void **state)
{
	(void)state;
	mock.dlopen_fails = true;
	assert_null(dlsym(RTLD_DEFAULT, "no such symbol")); /* leaves an error behind */
	assert_int_equal(loads(), 1);
	assert_null(dlerror());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_absolute_path),
		TEST(not_beside_named_providers),
		TEST(not_with_raised_privileges),
		TEST(failure_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
