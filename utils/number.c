// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

bool parse_number(const char *arg, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	/* strtoull() takes a sign */
	if (*arg < '0' || *arg > '9')
		return false;
	errno = 0;
	*value = strtoull(arg, &end, 0);
	return !errno && !*end && *value >= min && *value <= max;
}

bool parse_uint(const char *arg, unsigned int min, unsigned int max, unsigned int *value)
{
	uint64_t v;

	if (!parse_number(arg, min, max, &v))
		return false;
	*value = v;
	return true;
}

bool parse_size(const char *arg, size_t *value)
{
	static const char suffixes[] = "KMG";
	char digits[32];
	size_t len = strlen(arg);
	unsigned int shift = 0;
	const char *suffix;
	uint64_t v;

	if (!len || len >= sizeof(digits))
		return false;
	memcpy(digits, arg, len + 1);
	suffix = strchr(suffixes, digits[len - 1]);
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		digits[len - 1] = '\0';
	}
	if (!parse_number(digits, 1, (SIZE_MAX >> 2) >> shift, &v))
		return false;
	*value = v << shift;
	return true;
}
