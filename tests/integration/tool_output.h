/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What a tool of this project prints, and the members of its JSON. A member that is
 * missing fails the test.
 */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

/* Runs a shell command; returns its exit status. Its stderr is lost. */
__attribute__((format(printf, 3, 4))) int tool_run(char *output, size_t size, const char *command,
						   ...);

/* What a command with that exit status prints; to be released with json_object_put(). */
__attribute__((format(printf, 2, 3))) struct json_object *tool_json(int status, const char *command,
								    ...);

struct json_object *json_member(struct json_object *object, const char *key);
uint64_t json_number(struct json_object *object, const char *key);
const char *json_string(struct json_object *object, const char *key); /* NULL for null */

#endif /* TOOL_OUTPUT_H */
