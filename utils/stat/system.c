// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "first_line.h"
#include "system.h"

static FILE *open_of_process(uint32_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, name);
	return fopen(path, "re");
}

static void read_status(struct process *process)
{
	FILE *file = open_of_process(process->pid, "status");
	char line[256];
	uint64_t kib;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %" SCNu64 " kB", &kib) == 1)
			process->pinned = kib * 1024;
	if (file)
		fclose(file);
}

static void read_limit(struct process *process)
{
	FILE *file = open_of_process(process->pid, "limits");
	char line[256];

	process->memlock_limit = UINT64_MAX;
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Max locked memory %" SCNu64, &process->memlock_limit);
	if (file)
		fclose(file);
}

static void read_user(struct process *process)
{
	struct passwd *user;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32, process->pid);
	if (stat(path, &st))
		return;
	user = getpwuid(st.st_uid);
	if (user)
		snprintf(process->user, sizeof(process->user), "%s", user->pw_name);
	else
		snprintf(process->user, sizeof(process->user), "%u", st.st_uid);
}

void process_read(struct process *process, uint32_t pid)
{
	*process = (struct process){ .pid = pid };
	first_line(process->command, sizeof(process->command), "/proc/%" PRIu32 "/comm", pid);
	read_user(process);
	read_status(process);
	read_limit(process);
}
