/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The one table that a run ends with, and its copy for machines.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>

#include "timing.h"

enum unit {
	UNIT_NS,
	UNIT_BYTES,
	UNIT_BYTES_PER_S,
	UNIT_PERCENT,
};

/* What a ratio should be. */
enum figure {
	FIGURE_NONE,
	FIGURE_AT_LEAST,
	FIGURE_AT_MOST,
	/* no growth that can be told from noise */
	FIGURE_NO_GROWTH,
};

struct row {
	const char *group;
	char what[40];
	const char *kind;
	enum unit unit;
	struct summary value;
	bool has_ratio;
	struct estimate ratio;
	enum figure figure;
	double bound;
	char note[64];
};

/* What the ratios of a group's rows are, in words. */
void table_group(const char *group, const char *ratio);
/* @row is copied; group is the last table_group()'s. */
void table_add(const struct row *row);

void table_print(void);
/* With the strings of @facts, pairs of name and value, the last of them NULL. */
void table_write_json(const char *path, const char *const *facts);

/* "64 MiB" */
const char *size_str(size_t size);

#endif /* TABLE_H */
