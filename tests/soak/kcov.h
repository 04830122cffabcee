/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Which of the instrumented code of the kernel a thread's own system calls ran
 * (Documentation/dev-tools/kcov.rst).
 */
#ifndef KCOV_H
#define KCOV_H

#include <stdbool.h>
#include <stdint.h>

struct kcov {
	int fd; /* or -1 */
	uint64_t *area;
};

/* Whether the kernel has it */
bool kcov_available(void);

/* For the calling thread, which is the only one that uses it. */
void kcov_open(struct kcov *kcov);
void kcov_close(struct kcov *kcov);

/* From here on */
void kcov_start(struct kcov *kcov);
/* The addresses up to now, with repetitions; they are good until the next start. */
uint64_t kcov_read(const struct kcov *kcov, const uint64_t **pcs);

#endif /* KCOV_H */
