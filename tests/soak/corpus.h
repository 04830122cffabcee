/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Programs of the fuzzer that reached something new, and what can be made of them.
 */
#ifndef CORPUS_H
#define CORPUS_H

#include "fuzz_random.h"

#define PROGRAM_CALLS 16

struct program {
	struct fuzz_tape begin;
	uint32_t num;
	struct fuzz_tape calls[PROGRAM_CALLS];
};

/* 0 or an errno value */
int corpus_load(const char *path);
int corpus_save(const char *path);

void corpus_add(const struct program *program);
unsigned int corpus_size(void);

/* Random numbers only, all to be drawn */
void program_fresh(struct program *program, struct fuzz_random *random);
/* One of the corpus, changed; fresh if there is none */
void program_mutated(struct program *program, struct fuzz_random *random);

#endif /* CORPUS_H */
