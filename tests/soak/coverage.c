// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdatomic.h>

#include "coverage.h"
#include "test.h"

/* Some times as many as there are instrumented places */
#define SLOTS (1 << 18)

static _Atomic uint64_t slots[SLOTS];
static atomic_uint used;

static bool add(uint64_t pc)
{
	unsigned int i = pc * 0x9e3779b97f4a7c15 >> 46;
	uint64_t found;

	for (;; i = (i + 1) % SLOTS) {
		found = slots[i];
		if (found == pc)
			return false;
		if (!found && atomic_compare_exchange_strong(&slots[i], &found, pc))
			break;
		if (found == pc)
			return false;
	}
	assert_true(++used < SLOTS / 2);
	return true;
}

unsigned int coverage_add(const uint64_t *pcs, uint64_t num)
{
	unsigned int new = 0;
	uint64_t i;

	for (i = 0; i < num; i++)
		new += add(pcs[i]);
	return new;
}

unsigned int coverage_size(void)
{
	return used;
}

void coverage_save(const char *path)
{
	FILE *file = fopen(path, "we");
	unsigned int i;

	assert_non_null(file);
	for (i = 0; i < SLOTS; i++)
		if (slots[i])
			fprintf(file, "%" PRIx64 "\n", slots[i]);
	assert_int_equal(fclose(file), 0);
}
