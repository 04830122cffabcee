// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <unistd.h>

#include "parameter.h"
#include "test.h"

static int open_parameter(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/ib_uverbs/parameters/%s", name);
	return open(path, flags | O_CLOEXEC);
}

int parameter_write(const char *name, const char *value)
{
	int fd = open_parameter(name, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, value, strlen(value)) < 0)
		err = errno;
	close(fd);
	return err;
}

void parameter_assert(const char *name, const char *value)
{
	char text[64] = "", expected[64];
	int fd = open_parameter(name, O_RDONLY);

	if (fd < 0)
		fail_msg("%s: %s", name, strerrorname(errno));
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	snprintf(expected, sizeof(expected), "%s\n", value);
	assert_string_equal(text, expected);
}

void parameter_set(const char *name, const char *value)
{
	assert_errno(parameter_write(name, value), 0, "%s to %s", value, name);
	parameter_assert(name, value);
}

void parameters_reset(void)
{
	parameter_set(PIN_POLICY, "on");
	parameter_set(CHARGE_ALL, "N");
}
