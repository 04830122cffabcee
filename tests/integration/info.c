// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_info shows what a device can do, how a registration would go, and what a
 * registration then does.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fixture.h"
#include "parameter.h"
#include "test.h"
#include "tool_output.h"

/* INFO_TOOL: its path in the build tree */

#define LIMITED "prlimit --memlock=%lu setpriv --reuid 65534 --clear-groups " INFO_TOOL

static struct json_object *device_of(struct json_object *all)
{
	struct json_object *devices = json_member(all, "devices");
	struct json_object *device;

	assert_int_equal(json_object_array_length(devices), 1);
	device = json_object_array_get_idx(devices, 0);
	assert_string_equal(json_string(device, "device"), DEVICE);
	assert_null(json_string(device, "error"));
	return device;
}

static void check_capabilities(struct json_object *device)
{
	static const char *const expected[] = { "pinned", "require-p2p", "allow-revoke" };
	struct json_object *list = json_member(device, "capabilities");
	size_t i;

	assert_int_equal(json_object_array_length(list), ARRAY_SIZE(expected));
	for (i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(json_object_get_string(json_object_array_get_idx(list, i)),
				    expected[i]);
}

static void check_refused(struct json_object *all, const char *reason, int err)
{
	struct json_object *device = device_of(all);

	check_capabilities(device);
	assert_string_equal(json_string(device, "reason"), reason);
	assert_errno(json_number(device, "errno"), err, "%s", reason);
	assert_non_null(json_string(device, "advice"));
	json_object_put(all);
}

static void devices(void **state)
{
	struct json_object *all = tool_json(0, INFO_TOOL " --json");
	struct json_object *device = device_of(all);

	(void)state;
	check_capabilities(device);
	assert_string_equal(json_string(device, "reason"), "NONE");
	assert_null(json_string(device, "advice"));
	assert_null(json_string(device, "registration"));
	assert_null(json_string(all, "dmabuf"));
	assert_string_equal(json_string(all, "policy"), "on");
	assert_non_null(json_string(all, "kernel"));
	json_object_put(all);
}

static void check_registration(const char *arguments, const char *exporter, size_t size,
			       size_t charge)
{
	struct json_object *all = tool_json(0, INFO_TOOL " --json %s " DEVICE, arguments);
	struct json_object *dmabuf = json_member(all, "dmabuf");
	struct json_object *device = device_of(all);
	struct json_object *registration = json_member(device, "registration");

	assert_string_equal(json_string(dmabuf, "exporter"), exporter);
	assert_int_equal(json_number(dmabuf, "size"), size);
	assert_true(json_number(dmabuf, "inode") > 0);
	assert_string_equal(json_string(device, "reason"), "NONE");
	assert_non_null(registration);
	assert_string_equal(json_string(registration, "placement"), "system");
	assert_true(json_object_get_boolean(json_member(registration, "cpu_access")));
	assert_int_equal(json_number(registration, "charge"), charge);
	json_object_put(all);
}

static void new_buffers(void **state)
{
	(void)state;
	check_registration("--exporter udmabuf", "udmabuf", 65536, 65536);
	check_registration("-x heap -s 1M", "system", MIB, MIB);
	check_registration("-x heap:system -s 5000 -r", "system", 2 * PAGE, 2 * PAGE);
}

/* popen()'s child inherits it: without O_CLOEXEC */
static void open_buffers(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 16 * PAGE);
	struct ibv_mr *mr = register_all(f->pd, buf);
	int fd = fcntl(buf->fd, F_DUPFD, 0);
	char arguments[64];

	assert_true(fd >= 0);
	snprintf(arguments, sizeof(arguments), "--fd %d", fd);
	check_registration(arguments, "udmabuf", 16 * PAGE, 16 * PAGE);
	snprintf(arguments, sizeof(arguments), "--fd %d:%d", getpid(), buf->fd);
	check_registration(arguments, "udmabuf", 16 * PAGE, 16 * PAGE);
	close(fd);
	deregister(mr);
}

static void reasons(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_read_only_buffer(f, PAGE);
	int fd = fcntl(buf->fd, F_DUPFD, 0);

	check_refused(tool_json(3, INFO_TOOL " -jPx udmabuf"), "IN_SYSTEM_MEMORY", EOPNOTSUPP);
	check_refused(tool_json(3, LIMITED " -jrf %d", 0UL, fd), "MEMLOCK", EPERM);
	check_refused(tool_json(3, INFO_TOOL " -jf %d:%d", getpid(), buf->fd), "READ_ONLY_FD",
		      EACCES);
	json_object_put(tool_json(0, INFO_TOOL " -jrf %d:%d", getpid(), buf->fd));
	check_refused(tool_json(3, INFO_TOOL " -js 5K -f %d:%d", getpid(), buf->fd), "BAD_RANGE",
		      EINVAL);
	close(fd);
}

/* Every registration fails, so no dma-buf is needed to find it out. */
static void policy(void **state)
{
	(void)state;
	parameter_set(PIN_POLICY, "off");
	check_refused(tool_json(3, INFO_TOOL " -j"), "POLICY", EPERM);
	check_refused(tool_json(3, INFO_TOOL " -jx udmabuf"), "POLICY", EPERM);
	parameter_set(PIN_POLICY, "revocable");
	check_refused(tool_json(3, INFO_TOOL " -jx udmabuf"), "POLICY", EPERM);
}

static void text(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL), 0);
	assert_non_null(strstr(output, "\n" DEVICE ": pinned, require-p2p, allow-revoke\n"));
	assert_null(strstr(output, "would"));

	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x udmabuf"), 0);
	assert_non_null(strstr(output, "would be registered: placement system"));
	assert_non_null(strstr(output, "charge 65536 bytes"));

	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x udmabuf -P"), 3);
	assert_non_null(strstr(output, "(IN_SYSTEM_MEMORY, "));
	assert_non_null(strstr(output, "accelerator"));
}

static void refusals(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " --unknown"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " one two"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x heap:/dev/null"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x udmabuf -s 0"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x udmabuf -f 3"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " --require-p2p"), 2);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " no_device"), 1);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -x heap:none"), 1);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -f 3:"), 1);
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " -f 0 </dev/null"), 1);
	assert_string_equal(output, "");
	assert_int_equal(tool_run(output, sizeof(output), INFO_TOOL " --help"), 0);
	assert_non_null(strstr(output, "usage: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(devices),		 TEST(new_buffers), TEST(open_buffers), TEST(reasons),
		PARAMETERS_TEST(policy), TEST(text),	    TEST(refusals),
	};

	return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
