// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Dma-buf memory regions beside ordinary ones, in one table of ratios.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "bench.h"
#include "edu.h"
#include "exporter.h"
#include "table.h"

#define DEVICE "rxe0"

/* More than the largest buffer; the default is 64. */
#define UDMABUF_LIMIT_MB "4096"

static const struct {
	const char *name;
	void (*run)(const struct bench *bench);
} subjects[] = {
	{ "registration", bench_registration },
	{ "slices", bench_slices },
	{ "growth", bench_growth },
	{ "accounting", bench_accounting },
	{ "revoke", bench_revoke },
	{ "data_path", bench_data_path },
	{ "memory", bench_memory },
	{ "dma", bench_dma },
};

void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "ibv_dmabuf_bench: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

unsigned int rounds(const struct bench *bench, size_t size)
{
	unsigned int full = size <= MIB ? 301 : size <= 64 * MIB ? 61 : 41;

	return bench->quick ? full / 3 | 1 : full;
}

static void usage(void)
{
	size_t i;

	fprintf(stderr,
		"usage: ibv_dmabuf_bench [--quick] [--exporter MODULE] [--importer MODULE] [--json FILE] [SUBJECT...]\n"
		"\n"
		"  --quick            fewer rounds\n"
		"  --exporter MODULE  file of the test exporter's module, for revocation\n"
		"  --importer MODULE  file of the test importer's module, for DMA\n"
		"  --json FILE        where to write the table for machines\n"
		"  SUBJECT           ");
	for (i = 0; i < ARRAY_SIZE(subjects); i++)
		fprintf(stderr, " %s", subjects[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;
	unsigned int i;

	for (i = 0; list && list[i]; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	if (!context)
		die("cannot open %s", name);
	ibv_free_device_list(list);
	return context;
}

struct ibv_pd *alloc_pd(struct ibv_context *context)
{
	struct ibv_pd *pd = ibv_alloc_pd(context);

	if (!pd)
		die("ibv_alloc_pd: %s", strerror(errno));
	return pd;
}

static void open_default_device(struct bench *bench)
{
	struct ibv_ext_dmabuf_caps caps;
	int err;

	bench->context = open_device(DEVICE);
	err = ibv_ext_query_dmabuf_caps(bench->context, &caps);
	if (err)
		die(DEVICE ": no pinned dma-buf regions: %s", strerror(err));
	bench->pd = alloc_pd(bench->context);
}

static void open_exporter(struct bench *bench, const char *module)
{
	int err = exporter_load(module);

	if (err)
		die("%s: %s", module, strerror(err));
	bench->exporter = exporter_open();
	if (bench->exporter < 0)
		die(DMABUF_TEST_DEVICE ": %s", strerror(errno));
}

static void load_importer(struct bench *bench, const char *module)
{
	int err = edu_load(module, "");

	if (err)
		die("%s: %s", module, strerror(err));
	bench->importer = true;
}

/* The virtual machine is the bench's own: it takes what it needs. */
static void lift_limits(void)
{
	struct rlimit files = { .rlim_cur = 16384, .rlim_max = 16384 };
	FILE *file = fopen("/sys/module/udmabuf/parameters/size_limit_mb", "we");

	if (!file || fputs(UDMABUF_LIMIT_MB, file) < 0 || fclose(file))
		die("udmabuf's size limit: %s", strerror(errno));
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit: %s", strerror(errno));
}

static bool wanted(const char *subject, char *const *names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(subject, *names))
			return true;
	return false;
}

static void check_names(char *const *names)
{
	size_t i;

	for (; *names; names++) {
		for (i = 0; i < ARRAY_SIZE(subjects); i++)
			if (!strcmp(subjects[i].name, *names))
				break;
		if (i == ARRAY_SIZE(subjects))
			usage();
	}
}

/* What the numbers depend on. The host's load is not seen from a virtual machine. */
static void write_json(const struct bench *bench, const char *path)
{
	const char *load = getenv("BENCH_HOST_LOAD");
	const char *facts[7] = {};
	struct utsname system;

	uname(&system);
	facts[0] = "kernel";
	facts[1] = system.release;
	facts[2] = "mode";
	facts[3] = bench->quick ? "quick" : "full";
	facts[4] = "host_load_at_start";
	facts[5] = load ? load : "unknown";
	table_write_json(path, facts);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "exporter", required_argument, NULL, 'e' },
		{ "importer", required_argument, NULL, 'i' },
		{ "json", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench bench = { .exporter = -1 };
	const char *exporter = NULL, *importer = NULL, *json = NULL;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'q':
			bench.quick = true;
			break;
		case 'e':
			exporter = optarg;
			break;
		case 'i':
			importer = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		default:
			usage();
		}
	}
	check_names(argv + optind);

	lift_limits();
	timing_init();
	open_default_device(&bench);
	if (exporter)
		open_exporter(&bench, exporter);
	if (importer)
		load_importer(&bench, importer);
	for (i = 0; i < ARRAY_SIZE(subjects); i++)
		if (wanted(subjects[i].name, argv + optind))
			subjects[i].run(&bench);

	table_print();
	if (json)
		write_json(&bench, json);
	return 0;
}
