/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef KALLSYMS_H
#define KALLSYMS_H

#include <stdbool.h>

struct kernel_symbol {
	char name[64]; /* with what the compiler has added, as in ".isra.0" */
	unsigned long start;
	unsigned long end; /* where the next one starts */
};

/*
 * The symbol @name, or one with a suffix where there is none without.
 * Addresses are 0 for who may not see them.
 */
bool kernel_symbol_find(const char *name, struct kernel_symbol *symbol);

#endif /* KALLSYMS_H */
