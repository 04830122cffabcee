// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_pin_run makes registrations of a program that does not ask for a pin pinned
 * ones: ibv_dmabuf_pingpong with plain regions. All else it leaves alone.
 */
#include <unistd.h>

#include "fixture.h"
#include "parameter.h"
#include "test.h"
#include "tool_output.h"

/* PIN_RUN_TOOL, PINGPONG_TOOL: their paths in the build tree */

#define SIZE 65536

/* The client's arguments are the server's. */
#define PINGPONG(runner, arguments)                                                        \
	runner " " PINGPONG_TOOL " " arguments " -n 20 -s 4096 --buffer=64K >&2 & " runner \
	       " " PINGPONG_TOOL " " arguments " -n 20 -s 4096 --buffer=64K --json "       \
	       "--wait=60 127.0.0.1; status=$?; wait $! && exit $status"

static void check_run(const char *command, uint64_t charged)
{
	struct json_object *result = tool_json(0, "%s", command);

	assert_int_equal(json_number(result, "wrong"), 0);
	assert_true(json_number(result, "verified") > 0);
	assert_string_equal(json_string(result, "mode"), "pinned");
	assert_int_equal(json_number(result, "charged"), charged);
	json_object_put(result);
}

/* On this device a plain region is pinned, too, but nobody pays for it. */
static void plain_registrations(void **state)
{
	(void)state;
	check_run(PINGPONG("", "--mr=plain"), 0);
	check_run(PINGPONG(PIN_RUN_TOOL, "--mr=plain"), SIZE);
	check_run(PINGPONG(PIN_RUN_TOOL, "--mr=plain -x heap"), SIZE);
	check_run(PINGPONG(PIN_RUN_TOOL " --allow-revoke", "--mr=plain"), SIZE);
}

static void other_registrations(void **state)
{
	struct json_object *result;

	(void)state;
	check_run(PINGPONG(PIN_RUN_TOOL, "--mr=pinned"), SIZE);
	result = tool_json(0, PINGPONG(PIN_RUN_TOOL " -P", "-x memfd"));
	assert_string_equal(json_string(result, "mode"), "ordinary");
	assert_int_equal(json_number(result, "wrong"), 0);
	json_object_put(result);
}

static int alone(const char *options, const char *arguments, char *output, size_t size)
{
	return tool_run(output, size, PIN_RUN_TOOL " %s " PINGPONG_TOOL " %s -n 1 127.0.0.1 2>&1",
			options, arguments);
}

static void require_p2p(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(alone("--require-p2p", "--mr=plain", output, sizeof(output)), 1);
	assert_non_null(strstr(output, strerror(EOPNOTSUPP)));
	assert_int_equal(alone("-P", "--mr=pinned", output, sizeof(output)), 1);
	assert_non_null(strstr(output, strerror(EOPNOTSUPP)));
}

static void policy(void **state)
{
	char output[4096];

	(void)state;
	parameter_set(PIN_POLICY, "revocable");
	assert_int_equal(alone("", "--mr=plain", output, sizeof(output)), 1);
	assert_non_null(strstr(output, strerror(EPERM)));
	check_run(PINGPONG(PIN_RUN_TOOL " -R", "--mr=plain"), SIZE);
}

static void commands(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL " sh -c 'echo -P; exit 7'"),
			 7);
	assert_string_equal(output, "-P\n");
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL " no-such-command"), 127);
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL " /"), 126);
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL), 125);
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL " --unknown true"), 125);
	assert_string_equal(output, "");
	assert_int_equal(tool_run(output, sizeof(output),
				  "LD_PRELOAD=libm.so.6 " PIN_RUN_TOOL " printenv LD_PRELOAD"),
			 0);
	assert_non_null(strstr(output, "/dmabuf_pin.so:libm.so.6\n"));
	assert_int_equal(tool_run(output, sizeof(output), PIN_RUN_TOOL " --help"), 0);
	assert_non_null(strstr(output, "usage: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_registrations),
		TEST(other_registrations),
		TEST(require_p2p),
		PARAMETERS_TEST(policy),
		TEST(commands),
	};

	return cmocka_run_group_tests_name("pin_run", tests, NULL, NULL);
}
