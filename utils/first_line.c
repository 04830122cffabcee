// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "first_line.h"

bool first_line(char *line, size_t size, const char *format, ...)
{
	char path[128];
	va_list args;
	bool found;
	FILE *file;

	line[0] = '\0';
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fgets(line, size, file);
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return found;
}
