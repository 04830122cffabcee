// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_stat shows what this process has, once, and nothing when it has gone.
 */
#include <json-c/json.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "parameter.h"
#include "test.h"

/* STAT_TOOL: its path in the build tree */

static int run_tool(const char *arguments, char *output, size_t size)
{
	char command[512];
	FILE *pipe;
	size_t n;
	int status;

	snprintf(command, sizeof(command), "%s %s 2>/dev/null", STAT_TOOL, arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(output, 1, size - 1, pipe);
	output[n] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct json_object *stat_json(const char *arguments)
{
	static char output[65536];
	struct json_object *object;

	assert_int_equal(run_tool(arguments, output, sizeof(output)), 0);
	object = json_tokener_parse(output);
	if (!object)
		fail_msg("no JSON: %s", output);
	return object;
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
	return value;
}

static uint64_t number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

static const char *string(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

/* The one in a list whose number is that; NULL if there is none, and there are no two. */
static struct json_object *find(struct json_object *list, const char *key, uint64_t value)
{
	struct json_object *found = NULL;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *object = json_object_array_get_idx(list, i);

		if (number(object, key) != value)
			continue;
		assert_null(found);
		found = object;
	}
	return found;
}

static uint64_t inode_of(const struct ibv_mr *mr)
{
	struct ibv_ext_dmabuf_mr_info info;

	assert_errno(ibv_ext_query_dmabuf_mr((struct ibv_mr *)mr, &info), 0, "query");
	return info.dmabuf_inode;
}

static void check_pin(struct json_object *pin, const char *exporter, size_t size,
		      unsigned int regions, size_t length, size_t charged)
{
	assert_non_null(pin);
	assert_int_equal(number(pin, "pid"), getpid());
	assert_string_equal(string(pin, "device"), DEVICE);
	assert_string_equal(string(pin, "exporter"), exporter);
	assert_string_equal(string(pin, "placement"), "system");
	assert_int_equal(number(pin, "size"), size);
	assert_int_equal(number(pin, "regions"), regions);
	assert_int_equal(number(pin, "revoked_regions"), 0);
	assert_int_equal(number(pin, "length"), length);
	assert_int_equal(number(pin, "charged"), charged);
}

static void pins(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *large = fixture_buffer(f, UDMABUF, 64 * PAGE);
	struct dmabuf *small = fixture_buffer(f, SYSTEM_HEAP, 16 * PAGE);
	struct ibv_mr *whole = register_all(f->pd, large);
	struct ibv_mr *part = register_pinned(f->pd, large, PAGE, PAGE, PAGE, ACCESS_ALL);
	struct ibv_mr *plain = ibv_reg_dmabuf_mr(f->pd, 0, small->size, 0, small->fd, ACCESS_ALL);
	struct json_object *all, *process;

	assert_non_null(plain);
	all = stat_json("--json " DEVICE);
	assert_string_equal(string(all, "policy"), "on");
	/* With or without the flag of a module that was rebuilt */
	assert_non_null(member(member(all, "modules"), "rdma_rxe"));
	assert_int_equal(json_object_array_length(member(all, "pins")), 2);
	check_pin(find(member(all, "pins"), "inode", inode_of(whole)), "udmabuf", 64 * PAGE, 2,
		  65 * PAGE, 64 * PAGE);
	check_pin(find(member(all, "pins"), "inode", inode_of(plain)), "system", 16 * PAGE, 1,
		  16 * PAGE, 0);
	/* The highest charge first */
	assert_int_equal(number(json_object_array_get_idx(member(all, "pins"), 0), "inode"),
			 inode_of(whole));

	process = find(member(all, "processes"), "pid", getpid());
	assert_non_null(process);
	assert_string_equal(string(process, "user"), "root");
	assert_string_equal(string(process, "command"), "integration-sta");
	assert_int_equal(number(process, "buffers"), 2);
	assert_int_equal(number(process, "charged"), 64 * PAGE);
	assert_true(number(process, "pinned") >= 64 * PAGE);
	assert_int_equal(number(all, "charged"), 64 * PAGE);
	json_object_put(all);

	deregister(plain);
	deregister(part);
	deregister(whole);
	all = stat_json("--json");
	assert_int_equal(json_object_array_length(member(all, "pins")), 0);
	assert_int_equal(json_object_array_length(member(all, "processes")), 0);
	assert_int_equal(number(all, "charged"), 0);
	json_object_put(all);
}

static void settings(void **state)
{
	struct json_object *all;

	(void)state;
	assert_errno(parameter_write(PIN_POLICY, "revocable"), 0, "policy");
	assert_errno(parameter_write(CHARGE_ALL, "Y"), 0, "charge all");
	all = stat_json("-j");
	assert_string_equal(string(all, "policy"), "revocable");
	assert_true(json_object_get_boolean(member(all, "charge_all")));
	json_object_put(all);
	parameters_reset();
}

static void tables(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_all(f->pd, fixture_buffer(f, UDMABUF, 64 * PAGE));
	char output[65536], expected[64];

	assert_int_equal(run_tool("", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "policy: on; charge all: no\n"));
	assert_non_null(strstr(output, " udmabuf "));
	snprintf(expected, sizeof(expected), "charged in all: %lu bytes\n", 64 * PAGE);
	assert_non_null(strstr(output, expected));
	deregister(mr);
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_all(f->pd, fixture_buffer(f, UDMABUF, PAGE));
	char output[4096];

	assert_int_equal(run_tool("--watch 0", output, sizeof(output)), 2);
	assert_int_equal(run_tool("--watch -1", output, sizeof(output)), 2);
	assert_int_equal(run_tool("--unknown", output, sizeof(output)), 2);
	assert_int_equal(run_tool(DEVICE " " DEVICE, output, sizeof(output)), 2);
	assert_int_equal(run_tool("no_device", output, sizeof(output)), 1);
	assert_string_equal(output, "");
	assert_int_equal(run_tool("--help", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "usage: "));
	/* Not even part of it */
	snprintf(output, sizeof(output), "setpriv --reuid 65534 --clear-groups %s --json",
		 STAT_TOOL);
	assert_int_equal(WEXITSTATUS(system(output)), 1);
	deregister(mr);
}

static int group_teardown(void **state)
{
	(void)state;
	parameters_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pins),
		TEST(settings),
		TEST(tables),
		TEST(refusals),
	};

	return cmocka_run_group_tests_name("stat", tests, NULL, group_teardown);
}
