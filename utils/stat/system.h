/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the rest of the system tells of processes.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdint.h>

struct process {
	uint32_t pid;
	char user[33];		/* or the number; empty if the process has ended */
	char command[16];	/* likewise */
	uint64_t pinned;	/* VmPin in bytes: of ordinary regions, too */
	uint64_t memlock_limit; /* RLIMIT_MEMLOCK in bytes; UINT64_MAX: none */
};

void process_read(struct process *process, uint32_t pid);

#endif /* SYSTEM_H */
