// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_info: which devices take pinned dma-bufs, why one would not, and what to do.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "number.h"
#include "output.h"

enum { EXIT_USAGE = 2, EXIT_REFUSED = 3 };

#define DEFAULT_SIZE 65536

struct options {
	const char *device;
	const char *exporter;
	const char *fd;
	size_t size; /* 0: DEFAULT_SIZE, or all of the buffer */
	uint32_t pin_flags;
	bool read_only;
	bool json;
};

static void usage(FILE *to)
{
	fputs("usage: ibv_dmabuf_info [options] [DEVICE]\n"
	      "Show which RDMA devices take pinned dma-bufs. With a dma-buf, show how its\n"
	      "registration would go, why it would fail and what to do.\n"
	      "\n"
	      "  -x, --exporter NAME  ask with a new dma-buf: udmabuf, heap or heap:NAME\n"
	      "  -f, --fd [PID:]FD    ask with a dma-buf that is open here, or in a process\n"
	      "  -s, --size SIZE      bytes to register, with a suffix K, M or G\n"
	      "                       (65536 of a new one, all of another)\n"
	      "  -P, --require-p2p    memory of the host will not do\n"
	      "  -R, --allow-revoke   the exporter may take the memory back\n"
	      "  -r, --read-only      for access that only reads\n"
	      "  -j, --json           one JSON object\n"
	      "  -h, --help\n",
	      to);
}

static int bad(const char *what, const char *arg)
{
	fprintf(stderr, "ibv_dmabuf_info: %s: %s\n", what, arg);
	return EXIT_USAGE;
}

/* Returns -1, or the exit status. */
static int take_option(struct options *o, int option)
{
	switch (option) {
	case 'x':
		o->exporter = optarg;
		return buffer_is_exporter(optarg) ? -1 : bad("no exporter", optarg);
	case 'f':
		o->fd = optarg;
		return -1;
	case 's':
		return parse_size(optarg, &o->size) ? -1 : bad("no size", optarg);
	case 'P':
		o->pin_flags |= IBV_EXT_DMABUF_PIN_REQUIRE_P2P;
		return -1;
	case 'R':
		o->pin_flags |= IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
		return -1;
	case 'r':
		o->read_only = true;
		return -1;
	case 'j':
		o->json = true;
		return -1;
	case 'h':
		usage(stdout);
		return EXIT_SUCCESS;
	default:
		usage(stderr);
		return EXIT_USAGE;
	}
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "exporter", required_argument, NULL, 'x' },
		{ "fd", required_argument, NULL, 'f' },
		{ "size", required_argument, NULL, 's' },
		{ "require-p2p", no_argument, NULL, 'P' },
		{ "allow-revoke", no_argument, NULL, 'R' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int option, status = -1;

	while (status < 0 && (option = getopt_long(argc, argv, "x:f:s:PRrjh", options, NULL)) >= 0)
		status = take_option(o, option);
	if (status >= 0)
		return status;
	if (argc - optind > 1 || (o->exporter && o->fd)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if ((o->size || o->pin_flags || o->read_only) && !o->exporter && !o->fd)
		return bad("-s, -P, -R and -r need", "--exporter or --fd");
	o->device = argv[optind];
	return -1;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "ibv_dmabuf_info: %s: %s\n", what, strerror(err));
	return EXIT_FAILURE;
}

/* Those that were asked for; returns their number. */
static size_t examine_all(struct ibv_device **list, int num, const char *name,
			  const struct ibv_ext_dmabuf_mr_attr *attr, struct device_info *infos)
{
	size_t found = 0;
	int i;

	for (i = 0; i < num; i++)
		if (!name || !strcmp(name, ibv_get_device_name(list[i])))
			examine(list[i], attr, &infos[found++]);
	return found;
}

static int exit_status(const struct device_info *infos, size_t num)
{
	int status = EXIT_SUCCESS;
	size_t i;

	for (i = 0; i < num; i++) {
		if (infos[i].err)
			return EXIT_FAILURE;
		if (infos[i].reason)
			status = EXIT_REFUSED;
	}
	return status;
}

static int show(const struct options *o, const struct ibv_ext_dmabuf_mr_attr *attr,
		const struct dmabuf_id *dmabuf)
{
	struct device_info *infos;
	struct ibv_device **list;
	int num, status;
	size_t found;

	list = ibv_get_device_list(&num);
	if (!list && errno == ENOSYS)
		return fail("RDMA devices (ib_uverbs is not loaded)", ENODEV);
	if (!list)
		return fail("RDMA devices", errno);
	infos = calloc(num ? num : 1, sizeof(*infos));
	if (!infos) {
		ibv_free_device_list(list);
		return fail("RDMA devices", ENOMEM);
	}
	found = examine_all(list, num, o->device, attr, infos);
	if (!found) {
		status = fail(o->device ? o->device : "RDMA devices", ENODEV);
	} else {
		(o->json ? print_json : print_text)(infos, found, dmabuf);
		status = exit_status(infos, found);
	}
	free(infos);
	ibv_free_device_list(list);
	return fflush(stdout) ? fail("output", errno) : status;
}

static int show_with_buffer(const struct options *o)
{
	struct ibv_ext_dmabuf_mr_attr attr = { .pin_flags = o->pin_flags };
	const size_t size = o->size ? o->size : DEFAULT_SIZE;
	struct buffer buffer;
	int status;

	if (o->exporter ? !buffer_allocate(&buffer, o->exporter, size) :
			  !buffer_take(&buffer, o->fd))
		return EXIT_FAILURE;
	attr.fd = buffer.fd;
	attr.length = o->exporter ? size : o->size ? o->size : buffer.id.size;
	attr.access = IBV_ACCESS_REMOTE_READ;
	if (!o->read_only)
		attr.access |= IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	status = show(o, &attr, &buffer.id);
	buffer_release(&buffer);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = {};
	int status = parse_options(argc, argv, &o);

	if (status >= 0)
		return status;
	return o.exporter || o.fd ? show_with_buffer(&o) : show(&o, NULL, NULL);
}
