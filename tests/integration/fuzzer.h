/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A thread that makes random calls of the methods for dma-bufs and of both ways to
 * register memory, most of them with something wrong, straight to the kernel; and
 * does meanwhile what exporters and administrators do.
 *
 * Calls come in programs, of which each starts with nothing and leaves nothing
 * behind. Their random numbers can be recorded and played again.
 */
#ifndef FUZZER_H
#define FUZZER_H

#include "fuzz_message.h"
#include "fuzz_target.h"

enum fuzz_operation {
	/* enum fuzz_method, by a message, and */
	REGISTER_BY_WRITE = NUM_METHODS,
	REVOKE,
	UNREVOKE,
	MOVE,
	FENCE,
	BEHAVE,
	READ_EVENTS,
	SHOW,
	POLICY,
	LIMITS,
	DAMAGE_DEVICE,
	REPLACE_DEVICE,
	NUM_OPERATIONS,
};

const char *fuzz_operation_name(unsigned int operation);

#define FUZZ_MAX_HANDLES 32

struct fuzzer {
	struct fuzz_target *target;
	struct fuzz_device *device; /* of this program */
	struct fuzz_message message;
	bool with_faults; /* some calls find no memory */
	int netlink;
	uint32_t handles[FUZZ_MAX_HANDLES];
	unsigned int num_handles;
	bool limited; /* has less than it started with */
	bool damaged; /* the device, by this thread */
	/* What became of it */
	unsigned long calls;
	unsigned long faults; /* that were reached */
	unsigned long done[NUM_OPERATIONS];
	unsigned long succeeded[NUM_OPERATIONS];
	char complaint[160]; /* what the kernel did wrong, or empty */
};

/* @with_faults: after faults_setup() */
void fuzzer_init(struct fuzzer *f, struct fuzz_target *target, uint64_t seed, bool with_faults);
void fuzzer_destroy(struct fuzzer *f);

/* A program: a begin, calls, an end. All in one thread. */
void fuzzer_begin(struct fuzzer *f, struct fuzz_tape *tape);
void fuzzer_call(struct fuzzer *f, struct fuzz_tape *tape);
void fuzzer_end(struct fuzzer *f);

/* What some fuzzers did together, a line for each operation */
void fuzzers_print(const struct fuzzer *fuzzers, unsigned int num);

#endif /* FUZZER_H */
