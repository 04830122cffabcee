// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The kernel's rule for pinned memory, followed from outside: nobody may pin
 * with a limit of 0, the pages pinned may not exceed the limit, and
 * CAP_IPC_LOCK exempts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <linux/capability.h>

#include "ext.h"

struct process {
	uint64_t cap_eff;
	uint64_t pinned; /* bytes */
};

static bool read_process(struct process *process)
{
	bool have_cap = false, have_pinned = false;
	char line[256];
	FILE *status;

	status = fopen("/proc/self/status", "re");
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status)) {
		if (sscanf(line, "CapEff: %" SCNx64, &process->cap_eff) == 1)
			have_cap = true;
		else if (sscanf(line, "VmPin: %" SCNu64, &process->pinned) == 1)
			have_pinned = true;
	}
	fclose(status);
	process->pinned *= 1024;
	return have_cap && have_pinned;
}

enum ext_memlock ext_memlock_check(uint64_t bytes)
{
	struct process process;
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return EXT_MEMLOCK_UNKNOWN;
	if (limit.rlim_cur == RLIM_INFINITY)
		return EXT_MEMLOCK_ALLOWS;
	if (!read_process(&process))
		return EXT_MEMLOCK_UNKNOWN;

	if (bytes <= limit.rlim_cur && process.pinned <= limit.rlim_cur - bytes)
		return EXT_MEMLOCK_ALLOWS;
	/*
	 * Over the limit. Undecided are a capability, which counts only if the
	 * process has it in the initial user namespace, and a buffer that may
	 * be part of what is pinned already and is then not charged again.
	 */
	if (process.cap_eff & 1ULL << CAP_IPC_LOCK)
		return EXT_MEMLOCK_UNKNOWN;
	if (bytes <= limit.rlim_cur && process.pinned >= bytes)
		return EXT_MEMLOCK_UNKNOWN;
	return EXT_MEMLOCK_REFUSES;
}
