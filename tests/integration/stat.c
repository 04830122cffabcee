// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_stat shows what this process has, once, and nothing when it has gone.
 */
#include <unistd.h>

#include "fixture.h"
#include "kernel.h"
#include "parameter.h"
#include "test.h"
#include "tool_output.h"

/* STAT_TOOL: its path in the build tree */

/* The one in a list whose number is that; NULL if there is none, and there are no two. */
static struct json_object *find(struct json_object *list, const char *key, uint64_t value)
{
	struct json_object *found = NULL;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *object = json_object_array_get_idx(list, i);

		if (json_number(object, key) != value)
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
	assert_int_equal(json_number(pin, "pid"), getpid());
	assert_string_equal(json_string(pin, "device"), DEVICE);
	assert_string_equal(json_string(pin, "exporter"), exporter);
	assert_string_equal(json_string(pin, "placement"), "system");
	assert_string_equal(json_string(pin, "revocable"),
			    charged || !kernel_pins_by_consent() ? "no" : "yes");
	assert_int_equal(json_number(pin, "size"), size);
	assert_int_equal(json_number(pin, "regions"), regions);
	assert_int_equal(json_number(pin, "revoked_regions"), 0);
	assert_int_equal(json_number(pin, "length"), length);
	assert_int_equal(json_number(pin, "charged"), charged);
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
	all = tool_json(0, STAT_TOOL " --json " DEVICE);
	assert_string_equal(json_string(all, "policy"), "on");
	/* With or without the flag of a module that was rebuilt */
	assert_non_null(json_member(json_member(all, "modules"), "rdma_rxe"));
	assert_int_equal(json_object_array_length(json_member(all, "pins")), 2);
	check_pin(find(json_member(all, "pins"), "inode", inode_of(whole)), "udmabuf", 64 * PAGE, 2,
		  65 * PAGE, 64 * PAGE);
	check_pin(find(json_member(all, "pins"), "inode", inode_of(plain)), "system", 16 * PAGE, 1,
		  16 * PAGE, 0);
	/* The highest charge first */
	assert_int_equal(json_number(json_object_array_get_idx(json_member(all, "pins"), 0),
				     "inode"),
			 inode_of(whole));

	process = find(json_member(all, "processes"), "pid", getpid());
	assert_non_null(process);
	assert_string_equal(json_string(process, "user"), "root");
	assert_string_equal(json_string(process, "command"), "integration-sta");
	assert_int_equal(json_number(process, "buffers"), 2);
	assert_int_equal(json_number(process, "charged"), 64 * PAGE);
	assert_true(json_number(process, "pinned") >= 64 * PAGE);
	assert_int_equal(json_number(all, "charged"), 64 * PAGE);
	json_object_put(all);

	deregister(plain);
	deregister(part);
	deregister(whole);
	all = tool_json(0, STAT_TOOL " --json");
	assert_int_equal(json_object_array_length(json_member(all, "pins")), 0);
	assert_int_equal(json_object_array_length(json_member(all, "processes")), 0);
	assert_int_equal(json_number(all, "charged"), 0);
	json_object_put(all);
}

static void settings(void **state)
{
	struct json_object *all;

	(void)state;
	assert_errno(parameter_write(PIN_POLICY, "revocable"), 0, "policy");
	assert_errno(parameter_write(CHARGE_ALL, "Y"), 0, "charge all");
	all = tool_json(0, STAT_TOOL " -j");
	assert_string_equal(json_string(all, "policy"), "revocable");
	assert_true(json_object_get_boolean(json_member(all, "charge_all")));
	json_object_put(all);
	parameters_reset();
}

static void tables(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_all(f->pd, fixture_buffer(f, UDMABUF, 64 * PAGE));
	char output[65536], expected[64];

	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL), 0);
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

	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " --watch 0"), 2);
	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " --watch -1"), 2);
	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " --unknown"), 2);
	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " " DEVICE " " DEVICE), 2);
	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " no_device"), 1);
	assert_string_equal(output, "");
	assert_int_equal(tool_run(output, sizeof(output), STAT_TOOL " --help"), 0);
	assert_non_null(strstr(output, "usage: "));
	/* Not even part of it */
	assert_int_equal(tool_run(output, sizeof(output),
				  "setpriv --reuid 65534 --clear-groups " STAT_TOOL " --json"),
			 1);
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
