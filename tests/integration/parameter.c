// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <unistd.h>

#include "file.h"
#include "parameter.h"
#include "test.h"

#define PATH_SIZE 128

static const char *path_of(const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/sys/module/ib_uverbs/parameters/%s", name);
	return path;
}

int parameter_write(const char *name, const char *value)
{
	char path[PATH_SIZE];

	return file_write(path_of(name, path), value);
}

int parameter_read(const char *name, char *value, size_t size)
{
	char path[PATH_SIZE];
	ssize_t length;
	int fd, err;

	fd = open(path_of(name, path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	length = read(fd, value, size - 1);
	err = length < 0 ? errno : 0;
	value[err ? 0 : length] = '\0';
	close(fd);
	return err;
}

void parameter_assert(const char *name, const char *value)
{
	char text[64], expected[64];

	assert_errno(parameter_read(name, text, sizeof(text)), 0, "%s", name);
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
