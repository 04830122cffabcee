// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdio.h>
#include <string.h>

#include "kallsyms.h"
#include "test.h"

static bool is_name(const char *text, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(text, name, length) && (!text[length] || text[length] == '.');
}

bool kernel_symbol_find(const char *name, struct kernel_symbol *symbol)
{
	struct kernel_symbol line_symbol;
	bool found = false;
	char line[512];
	FILE *file;

	file = fopen("/proc/kallsyms", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %*c %63s", &line_symbol.start, line_symbol.name) != 2)
			continue;
		if (!is_name(line_symbol.name, name) || (found && !strcmp(symbol->name, name)))
			continue;
		*symbol = line_symbol;
		symbol->end = -1UL;
		found = true;
	}
	rewind(file);
	/* They are not sorted by address. */
	while (found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx", &line_symbol.start) == 1 &&
		    line_symbol.start > symbol->start && line_symbol.start < symbol->end)
			symbol->end = line_symbol.start;
	fclose(file);
	return found;
}
