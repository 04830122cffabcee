// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <sys/wait.h>

#include "test.h"
#include "tool_output.h"

static int run(char *output, size_t size, const char *command, va_list args)
{
	char line[512], quiet[544];
	FILE *pipe;
	size_t n;
	int status;

	vsnprintf(line, sizeof(line), command, args);
	snprintf(quiet, sizeof(quiet), "{ %s; } 2>/dev/null", line);
	pipe = popen(quiet, "r");
	assert_non_null(pipe);
	n = fread(output, 1, size - 1, pipe);
	output[n] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int tool_run(char *output, size_t size, const char *command, ...)
{
	va_list args;
	int status;

	va_start(args, command);
	status = run(output, size, command, args);
	va_end(args);
	return status;
}

struct json_object *tool_json(int status, const char *command, ...)
{
	static char output[65536];
	struct json_object *object;
	va_list args;
	int ended;

	va_start(args, command);
	ended = run(output, sizeof(output), command, args);
	va_end(args);
	if (ended != status)
		fail_msg("status %d, expected %d: %s", ended, status, output);
	object = json_tokener_parse(output);
	if (!object)
		fail_msg("no JSON: %s", output);
	return object;
}

struct json_object *json_member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
	return value;
}

uint64_t json_number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(json_member(object, key));
}

const char *json_string(struct json_object *object, const char *key)
{
	return json_object_get_string(json_member(object, key));
}
