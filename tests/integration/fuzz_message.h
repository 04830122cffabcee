/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Messages of RDMA_VERBS_IOCTL, and the struct of the write() command, as they
 * should be and with something wrong.
 */
#ifndef FUZZ_MESSAGE_H
#define FUZZ_MESSAGE_H

#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "fixture.h"
#include "fuzz_random.h"
#include "raw_ioctl.h"

#define FUZZ_MAX_ATTRS 12

/* What the kernel is given pointers to; in two mappings, one of them read-only. */
struct fuzz_arena {
	union {
		uint8_t page[PAGE];
		struct {
			struct ib_uverbs_ioctl_hdr hdr;
			struct ib_uverbs_attr attrs[FUZZ_MAX_ATTRS];
		} message;
	};
	/* each longer than the length of an attribute can be */
	uint8_t slots[FUZZ_MAX_ATTRS][17 * PAGE];
	uint8_t memory[16 * PAGE];
	uint8_t guard[PAGE]; /* cannot be accessed */
};

enum fuzz_method {
	REGISTER_DMABUF,
	DEREGISTER,
	QUERY_MR,
	QUERY_CAPS,
	PROBE,
	QUERY_DMABUF_MR,
	WATCH,
	UNWATCH,
	REGISTER_MEMORY,
	NUM_METHODS,
};

/* What a call works with. Of each thread. */
struct fuzz_message {
	struct fuzz_random random;
	struct fuzz_arena *arena;
	const struct fuzz_arena *read_only;
	/* what the values of a good call are taken from */
	struct raw_region region;
	uint32_t handle;		   /* of an MR */
	int events;			   /* the descriptor of a context's events */
	uint8_t *canaries[FUZZ_MAX_ATTRS]; /* of each slot */
};

void fuzz_message_init(struct fuzz_message *m, uint64_t seed);
void fuzz_message_destroy(struct fuzz_message *m);

const char *fuzz_method_name(enum fuzz_method method);

/* In the arena; @spoilt: something is wrong with it, or likely so. */
void fuzz_message_build(struct fuzz_message *m, enum fuzz_method method, bool spoilt);
/* 0 or an errno value */
int fuzz_message_send(struct fuzz_message *m, int cmd_fd, bool spoilt);
/* Whether the kernel wrote only what it was told that it may. */
bool fuzz_message_intact(const struct fuzz_message *m);

void fuzz_fill_reg_mr(struct fuzz_message *m, struct ib_uverbs_reg_mr *cmd);
void fuzz_spoil_reg_mr(struct fuzz_message *m, struct ib_uverbs_reg_mr *cmd);

uint64_t fuzz_wild_value(struct fuzz_message *m);
uint64_t fuzz_bad_pointer(struct fuzz_message *m);

#endif /* FUZZ_MESSAGE_H */
