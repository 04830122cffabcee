// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_stat: who pins which dma-bufs for RDMA.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "first_line.h"
#include "json.h"
#include "number.h"
#include "pins.h"
#include "settings.h"

enum { EXIT_USAGE = 2 };

/* What a kernel with the series may have replaced */
static const char *const modules[] = {
	"ib_core", "ib_uverbs", "rdma_rxe", "efa", "bnxt_re", "irdma",
};

struct options {
	const char *device;
	unsigned int interval; /* seconds; 0: once */
	bool json;
};

static void usage(FILE *to)
{
	fputs("usage: ibv_dmabuf_stat [--json] [--watch SECONDS] [DEVICE]\n"
	      "Show who pins which dma-bufs for RDMA, on all devices or on one.\n"
	      "\n"
	      "  -j, --json           one JSON object instead of tables\n"
	      "  -w, --watch SECONDS  again and again\n"
	      "  -h, --help\n",
	      to);
}

/* Returns -1, or the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "watch", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "jw:h", options, NULL)) >= 0) {
		switch (option) {
		case 'j':
			o->json = true;
			break;
		case 'w':
			if (parse_uint(optarg, 1, 86400, &o->interval))
				break;
			fprintf(stderr, "ibv_dmabuf_stat: no number of seconds: %s\n", optarg);
			return EXIT_USAGE;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1) {
		usage(stderr);
		return EXIT_USAGE;
	}
	o->device = argv[optind];
	return -1;
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static const char *pin_state(const struct pin *pin)
{
	if (!pin->num_revoked)
		return "live";
	return pin->num_revoked == pin->num_regions ? "revoked" : "partly revoked";
}

/* "O" is among the flags of a module that was not built with its kernel. */
static bool module_taint(const char *name, char *flags, size_t size)
{
	return first_line(flags, size, "/sys/module/%s/taint", name);
}

static void print_modules(void)
{
	char flags[32];
	size_t i;

	printf("modules:");
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (module_taint(modules[i], flags, sizeof(flags)))
			printf(" %s(%s)", modules[i], flags);
	putchar('\n');
}

static void print_pins(const struct pins *pins)
{
	size_t i;

	printf("\n%-7s %-10s %8s %-16s %14s %-9s %-9s %-8s %7s %14s\n", "PID", "DEVICE", "INODE",
	       "EXPORTER", "SIZE", "PLACEMENT", "REVOCABLE", "STATE", "REGIONS", "CHARGED");
	for (i = 0; i < pins->num_pins; i++) {
		const struct pin *pin = &pins->pins[i];

		printf("%-7" PRIu32 " %-10s %8" PRIu64 " %-16s %14" PRIu64
		       " %-9s %-9s %-8s %7u %14" PRIu64 "\n",
		       pin->region.pid, pin->region.device, pin->region.inode,
		       or_dash(pin->region.exporter), pin->region.size,
		       or_dash(pin->region.placement), or_dash(pin->region.revocable),
		       pin_state(pin), pin->num_regions, pin->region.charged);
	}
}

static void print_payers(const struct pins *pins)
{
	size_t i;

	printf("\n%-7s %-12s %-16s %7s %14s %14s %14s\n", "PID", "USER", "COMMAND", "BUFFERS",
	       "CHARGED", "PINNED", "MEMLOCK");
	for (i = 0; i < pins->num_payers; i++) {
		const struct payer *payer = &pins->payers[i];
		const struct process *process = &payer->process;
		char limit[24] = "unlimited";

		if (process->memlock_limit != UINT64_MAX)
			snprintf(limit, sizeof(limit), "%" PRIu64, process->memlock_limit);
		printf("%-7" PRIu32 " %-12s %-16s %7u %14" PRIu64 " %14" PRIu64 " %14s\n",
		       process->pid, or_dash(process->user), or_dash(process->command),
		       payer->num_buffers, payer->charged, process->pinned, limit);
	}
	printf("\ncharged in all: %" PRIu64 " bytes\n", pins->charged);
}

static struct json_object *json_of_pin(const struct pin *pin)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "pid", pin->region.pid);
	json_add_string(object, "device", pin->region.device);
	json_add_number(object, "inode", pin->region.inode);
	json_add_number(object, "size", pin->region.size);
	json_add_string(object, "exporter", pin->region.exporter);
	json_add_string(object, "placement", pin->region.placement);
	json_add_string(object, "revocable", pin->region.revocable);
	json_add_number(object, "regions", pin->num_regions);
	json_add_number(object, "revoked_regions", pin->num_revoked);
	json_add_number(object, "length", pin->length);
	json_add_number(object, "charged", pin->region.charged);
	return object;
}

static struct json_object *json_of_payer(const struct payer *payer)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "pid", payer->process.pid);
	json_add_string(object, "user", payer->process.user);
	json_add_string(object, "command", payer->process.command);
	json_add_number(object, "buffers", payer->num_buffers);
	json_add_number(object, "charged", payer->charged);
	json_add_number(object, "pinned", payer->process.pinned);
	if (payer->process.memlock_limit != UINT64_MAX)
		json_add_number(object, "memlock_limit", payer->process.memlock_limit);
	return object;
}

static struct json_object *json_of_modules(void)
{
	struct json_object *object = json_object_new_object();
	char flags[32];
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (module_taint(modules[i], flags, sizeof(flags)))
			json_object_object_add(object, modules[i], json_object_new_string(flags));
	return object;
}

static void print_json(const struct pins *pins, const struct settings *settings)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *payers = json_object_new_array();
	size_t i;

	for (i = 0; i < pins->num_pins; i++)
		json_object_array_add(list, json_of_pin(&pins->pins[i]));
	for (i = 0; i < pins->num_payers; i++)
		json_object_array_add(payers, json_of_payer(&pins->payers[i]));
	json_add_string(object, "policy", settings->policy);
	json_object_object_add(object, "charge_all", json_object_new_boolean(settings->charge_all));
	json_object_object_add(object, "modules", json_of_modules());
	json_object_object_add(object, "pins", list);
	json_object_object_add(object, "processes", payers);
	json_add_number(object, "charged", pins->charged);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "ibv_dmabuf_stat: %s: %s\n", what, strerror(err));
	return EXIT_FAILURE;
}

static int show(const struct options *o)
{
	struct settings settings;
	struct region_list regions;
	struct pins pins;
	int err;

	settings_read(&settings);
	if (!settings.policy[0])
		return fail("ib_uverbs is not loaded or has no pinned dma-buf regions", EOPNOTSUPP);

	err = regions_read(&regions, o->device);
	if (err)
		return fail(o->device ? o->device : "RDMA netlink", err);
	err = pins_make(&pins, &regions);
	regions_free(&regions);
	if (err)
		return fail("pins", err);

	if (o->json) {
		print_json(&pins, &settings);
	} else {
		printf("policy: %s; charge all: %s\n", settings.policy,
		       settings.charge_all ? "yes" : "no");
		print_modules();
		print_pins(&pins);
		print_payers(&pins);
	}
	pins_free(&pins);
	return fflush(stdout) ? fail("output", errno) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = {};
	int status = parse_options(argc, argv, &o);

	if (status >= 0)
		return status;
	status = show(&o);
	while (!status && o.interval) {
		sleep(o.interval);
		if (!o.json)
			putchar('\n');
		status = show(&o);
	}
	return status;
}
