// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edu.h"
#include "file.h"

#define DRIVER "/sys/bus/pci/drivers/" EDU_IB_NAME

int edu_load(const char *path, const char *parameters)
{
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, parameters, 0))
		err = errno;
	close(fd);
	return err;
}

int edu_unload(void)
{
	return syscall(SYS_delete_module, EDU_IB_NAME, O_NONBLOCK) ? errno : 0;
}

int edu_set(const char *parameter, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/" EDU_IB_NAME "/parameters/%s", parameter);
	return file_write(path, value);
}

int edu_set_number(const char *parameter, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return edu_set(parameter, text);
}

int edu_reset_parameters(void)
{
	static const struct {
		const char *name, *value;
	} defaults[] = {
		{ "allow_revoke", "1" },
		{ "stop_op", "1" },
		{ "importers", "1" },
		{ "probe_reset", "0" },
		{ "plain_revocable", "0" },
		{ "pause", "0" },
		{ "command_limit", "30000" },
		{ "delay", "0,0,0" },
		{ "fail", "0" },
		{ "hang", "0" },
		{ "skip", "0" },
	};
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sizeof(defaults) / sizeof(defaults[0]); i++)
		err = edu_set(defaults[i].name, defaults[i].value);
	return err;
}

int edu_open(void)
{
	return open(EDU_IB_DEVICE, O_RDWR | O_CLOEXEC);
}

static int command(int dev, unsigned long cmd, void *args)
{
	return ioctl(dev, cmd, args) ? errno : 0;
}

static int transfer(int dev, struct edu_ib_transfer args)
{
	return command(dev, EDU_IB_TRANSFER, &args);
}

int edu_read(int dev, uint32_t key, uint64_t iova, void *to, size_t length)
{
	return transfer(dev, (struct edu_ib_transfer){
				     .addr = (uintptr_t)to,
				     .iova = iova,
				     .length = length,
				     .key = key,
			     });
}

int edu_write(int dev, uint32_t key, uint64_t iova, const void *from, size_t length)
{
	return transfer(dev, (struct edu_ib_transfer){
				     .addr = (uintptr_t)from,
				     .iova = iova,
				     .length = length,
				     .key = key,
				     .write = 1,
			     });
}

int edu_mr_info(int dev, uint32_t key, struct edu_ib_mr_info *info)
{
	memset(info, 0, sizeof(*info));
	info->key = key;
	return command(dev, EDU_IB_MR_INFO, info);
}

int edu_counters(int dev, struct edu_ib_counters *counters)
{
	return command(dev, EDU_IB_COUNTERS, counters);
}

/* The address of the one device that the driver has; it is the same ever after. */
static const char *address(void)
{
	static char found[32];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(DRIVER);
	while (dir && (entry = readdir(dir)))
		if (strchr(entry->d_name, ':') && strlen(entry->d_name) < sizeof(found))
			strcpy(found, entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

int edu_unbind(void)
{
	return file_write(DRIVER "/unbind", address());
}

int edu_bind(void)
{
	return file_write(DRIVER "/bind", address());
}

/* A file of the PCI function. */
static int write_function_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address(), name);
	return file_write(path, text);
}

int edu_reset_function(void)
{
	return write_function_file("reset", "1");
}

int edu_allow_reset(bool allow)
{
	/* As the only device on its bus it is reset with that. */
	return write_function_file("reset_method", allow ? "bus" : "\n");
}
