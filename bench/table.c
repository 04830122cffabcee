// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "table.h"

struct group {
	const char *name;
	const char *ratio;
};

static struct group groups[16];
static size_t num_groups;
static struct row *rows;
static size_t num_rows;

void table_group(const char *group, const char *ratio)
{
	if (num_groups == ARRAY_SIZE(groups))
		die("too many groups");
	groups[num_groups++] = (struct group){ group, ratio };
	fprintf(stderr, "bench: %s\n", group);
}

void table_add(const struct row *row)
{
	rows = realloc(rows, (num_rows + 1) * sizeof(*rows));
	if (!rows)
		die("no memory");
	rows[num_rows] = *row;
	rows[num_rows++].group = groups[num_groups - 1].name;
}

const char *size_str(size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	static char text[4][24];
	static unsigned int next;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && size && size % 1024 == 0) {
		size /= 1024;
		i++;
	}
	next = (next + 1) % ARRAY_SIZE(text);
	snprintf(text[next], sizeof(text[next]), "%zu %s", size, units[i]);
	return text[next];
}

/* Three digits that count, with the unit that suits the value. */
static void format(char *text, size_t size, double value, enum unit unit)
{
	static const char *const names[][4] = {
		[UNIT_NS] = { "ns", "us", "ms", "s" },
		[UNIT_BYTES] = { "B", "KiB", "MiB", "GiB" },
		[UNIT_BYTES_PER_S] = { "B/s", "KiB/s", "MiB/s", "GiB/s" },
		[UNIT_PERCENT] = { "%", "%", "%", "%" },
	};
	static const double steps[] = {
		[UNIT_NS] = 1000,
		[UNIT_BYTES] = 1024,
		[UNIT_BYTES_PER_S] = 1024,
		[UNIT_PERCENT] = INFINITY,
	};
	size_t i = 0;

	while (i < 3 && fabs(value) >= 0.9995 * steps[unit]) {
		value /= steps[unit];
		i++;
	}
	snprintf(text, size, "%.*f %s",
		 fabs(value) < 10  ? 2 :
		 fabs(value) < 100 ? 1 :
				     0,
		 value, names[unit][i]);
}

static const char *verdict(const struct row *row)
{
	const struct estimate *ratio = &row->ratio;

	switch (row->figure) {
	case FIGURE_AT_LEAST:
		if (ratio->median >= row->bound)
			return "yes";
		return ratio->high >= row->bound ? "unclear" : "NO";
	case FIGURE_AT_MOST:
		if (ratio->median <= row->bound)
			return "yes";
		return ratio->low <= row->bound ? "unclear" : "NO";
	case FIGURE_NO_GROWTH:
		return ratio->low <= 0 ? "yes" : "NO";
	default:
		return "";
	}
}

/* 1.23, 0.123, 0.00012: a small ratio is not to be rounded away. */
static int ratio_digits(double ratio)
{
	return fabs(ratio) >= 0.1 ? 2 : fabs(ratio) >= 0.01 ? 3 : 5;
}

static void print_row(const struct row *row)
{
	char median[24], quartile1[24], quartile3[24], spread[56];
	char ratio[40] = "", figure[24] = "";
	int digits;

	format(median, sizeof(median), row->value.median, row->unit);
	format(quartile1, sizeof(quartile1), row->value.quartile1, row->unit);
	format(quartile3, sizeof(quartile3), row->value.quartile3, row->unit);
	spread[0] = '\0';
	if (row->value.count > 1)
		snprintf(spread, sizeof(spread), "%s - %s", quartile1, quartile3);
	if (row->has_ratio) {
		digits = ratio_digits(row->ratio.median);
		snprintf(ratio, sizeof(ratio), "%.*f (%.*f - %.*f)", digits, row->ratio.median,
			 digits, row->ratio.low, digits, row->ratio.high);
	}
	if (row->figure == FIGURE_NO_GROWTH)
		snprintf(figure, sizeof(figure), "noise");
	else if (row->figure != FIGURE_NONE)
		snprintf(figure, sizeof(figure), "%s %g",
			 row->figure == FIGURE_AT_LEAST ? ">=" : "<=", row->bound);
	printf("%-34s %-15s %11s  %-23s %5zu  %-24s %-8s %-7s", row->what, row->kind, median,
	       spread, row->value.count, ratio, figure, verdict(row));
	printf("%s%s\n", row->note[0] ? " " : "", row->note);
}

void table_print(void)
{
	size_t reached = 0, asked = 0;
	size_t i, j;

	printf("%-34s %-15s %11s  %-23s %5s  %-24s %-8s %s\n", "what", "MR", "median", "quartiles",
	       "n", "ratio (95 %)", "figure", "reached");
	for (i = 0; i < num_groups; i++) {
		printf("\n-- %s; ratio: %s\n", groups[i].name, groups[i].ratio);
		for (j = 0; j < num_rows; j++)
			if (rows[j].group == groups[i].name)
				print_row(&rows[j]);
	}
	for (j = 0; j < num_rows; j++) {
		asked += rows[j].figure != FIGURE_NONE;
		reached += !strcmp(verdict(&rows[j]), "yes");
	}
	printf("\n%zu of %zu figures reached\n", reached, asked);
}

/* JSON knows no infinity and no NaN. */
static void json_number(FILE *file, const char *name, double value)
{
	if (isfinite(value))
		fprintf(file, ", \"%s\": %.9g", name, value);
	else
		fprintf(file, ", \"%s\": null", name);
}

/* None of the strings has anything to escape: they are this program's own, or the kernel's. */
static void json_row(FILE *file, const struct row *row)
{
	static const char *const units[] = {
		[UNIT_NS] = "ns",
		[UNIT_BYTES] = "bytes",
		[UNIT_BYTES_PER_S] = "bytes/s",
		[UNIT_PERCENT] = "percent",
	};

	fprintf(file, "    {\"group\": \"%s\", \"what\": \"%s\", \"mr\": \"%s\", \"unit\": \"%s\"",
		row->group, row->what, row->kind, units[row->unit]);
	fprintf(file, ", \"count\": %zu", row->value.count);
	json_number(file, "min", row->value.min);
	json_number(file, "quartile1", row->value.quartile1);
	json_number(file, "median", row->value.median);
	json_number(file, "quartile3", row->value.quartile3);
	json_number(file, "max", row->value.max);
	if (row->has_ratio) {
		json_number(file, "ratio", row->ratio.median);
		json_number(file, "ratio_low", row->ratio.low);
		json_number(file, "ratio_high", row->ratio.high);
	}
	if (row->figure == FIGURE_AT_LEAST)
		json_number(file, "at_least", row->bound);
	else if (row->figure == FIGURE_AT_MOST)
		json_number(file, "at_most", row->bound);
	if (row->figure != FIGURE_NONE)
		fprintf(file, ", \"reached\": \"%s\"", verdict(row));
	if (row->note[0])
		fprintf(file, ", \"note\": \"%s\"", row->note);
	fprintf(file, "}");
}

void table_write_json(const char *path, const char *const *facts)
{
	FILE *file = fopen(path, "we");
	size_t i;

	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file, "{\n");
	for (; *facts; facts += 2)
		fprintf(file, "  \"%s\": \"%s\",\n", facts[0], facts[1]);
	fprintf(file, "  \"rows\": [\n");
	for (i = 0; i < num_rows; i++) {
		json_row(file, &rows[i]);
		fprintf(file, "%s\n", i + 1 < num_rows ? "," : "");
	}
	fprintf(file, "  ]\n}\n");
	if (fclose(file))
		die("%s: %s", path, strerror(errno));
}
