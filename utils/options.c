// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "dmabuf_alloc.h"
#include "number.h"
#include "options.h"

enum {
	OPT_OPERATION = 256,
	OPT_MR,
	OPT_BUFFER,
	OPT_WAIT,
	OPT_REG_ITERS,
	OPT_JSON,
};

/* The letters are those of ibv_rc_pingpong; what it does not have has none, but for -x and -h. */
static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "ib-dev", required_argument, NULL, 'd' },
	{ "ib-port", required_argument, NULL, 'i' },
	{ "size", required_argument, NULL, 's' },
	{ "mtu", required_argument, NULL, 'm' },
	{ "rx-depth", required_argument, NULL, 'r' },
	{ "iters", required_argument, NULL, 'n' },
	{ "sl", required_argument, NULL, 'l' },
	{ "events", no_argument, NULL, 'e' },
	{ "gid-idx", required_argument, NULL, 'g' },
	{ "exporter", required_argument, NULL, 'x' },
	{ "operation", required_argument, NULL, OPT_OPERATION },
	{ "mr", required_argument, NULL, OPT_MR },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "reg-iters", required_argument, NULL, OPT_REG_ITERS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static const char *const operations[] = {
	[OP_WRITE] = "write",
	[OP_READ] = "read",
	[OP_SEND] = "send",
};

static const char *const exporters[] = {
	[EXPORTER_UDMABUF] = "udmabuf",
	[EXPORTER_HEAP] = "heap",
	[EXPORTER_MEMFD] = "memfd",
	[EXPORTER_ANON] = "anon",
};

static const char *const mr_kinds[] = {
	[MR_PINNED] = "pinned",
	[MR_PLAIN] = "plain",
	[MR_ORDINARY] = "ordinary",
};

const char *operation_str(enum operation op)
{
	return operations[op];
}

const char *exporter_str(enum exporter exporter)
{
	return exporters[exporter];
}

const char *mr_kind_str(enum mr_kind mr)
{
	return mr_kinds[mr];
}

static void usage(const char *argv0)
{
	printf("Usage:\n"
	       "  %s [options]          start a server and wait for a connection\n"
	       "  %s [options] <host>   connect to the server at <host>\n"
	       "\n"
	       "Options:\n"
	       "  -p, --port=<port>        listen on/connect to TCP port <port> (default 18515)\n"
	       "  -d, --ib-dev=<dev>       use RDMA device <dev> (default first device found)\n"
	       "  -i, --ib-port=<port>     use port <port> of the RDMA device (default 1)\n"
	       "  -s, --size=<size>        size of message to exchange (default 4096)\n"
	       "  -m, --mtu=<size>         path MTU (default 1024)\n"
	       "  -r, --rx-depth=<dep>     number of receives to post at a time (default 500)\n"
	       "  -n, --iters=<iters>      number of exchanges (default 1000)\n"
	       "  -l, --sl=<sl>            service level value\n"
	       "  -e, --events             sleep on CQ events (default poll)\n"
	       "  -g, --gid-idx=<index>    local port gid index (default: the RoCE v2 IPv4 one)\n"
	       "  -x, --exporter=<name>    udmabuf (default), heap, heap:<name>; or, without a\n"
	       "                           dma-buf, memfd or anon\n"
	       "      --operation=<op>     write (default), read or send\n"
	       "      --mr=<kind>          pinned (default) or plain dma-buf registration\n"
	       "      --buffer=<size>      size of the dma-buf (default as needed)\n"
	       "      --reg-iters=<n>      registrations to take the median time of (default 5)\n"
	       "      --wait=<seconds>     client: keep trying to connect (default 0)\n"
	       "      --json               print the results as one JSON object\n"
	       "  -h, --help               print this and exit\n"
	       "\n"
	       "Sizes take a suffix K, M or G. All data is checked.\n",
	       argv0, argv0);
}

static enum options_result bad(const char *what, const char *arg)
{
	fprintf(stderr, "Bad %s: %s\n", what, arg);
	return OPTIONS_BAD;
}

static bool parse_mtu(const char *arg, enum ibv_mtu *mtu)
{
	unsigned int value;
	unsigned int i;

	if (!parse_uint(arg, 256, 4096, &value))
		return false;
	for (i = IBV_MTU_256; i <= IBV_MTU_4096; i++) {
		if (value == 128U << i) {
			*mtu = i;
			return true;
		}
	}
	return false;
}

static bool parse_operation(const char *arg, enum operation *op)
{
	unsigned int i;

	for (i = 0; i < OP_COUNT; i++) {
		if (!strcmp(arg, operations[i])) {
			*op = i;
			return true;
		}
	}
	return false;
}

static bool parse_exporter(struct options *o, const char *arg)
{
	const char *heap = dmabuf_heap_name(arg);

	if (heap) {
		o->exporter = EXPORTER_HEAP;
		o->heap = heap;
	} else if (!strcmp(arg, "udmabuf")) {
		o->exporter = EXPORTER_UDMABUF;
	} else if (!strcmp(arg, "memfd")) {
		o->exporter = EXPORTER_MEMFD;
	} else if (!strcmp(arg, "anon")) {
		o->exporter = EXPORTER_ANON;
	} else {
		return false;
	}
	return true;
}

static enum options_result parse_one(struct options *o, int c, const char *arg)
{
	uint64_t v;

	switch (c) {
	case 'p':
		return parse_uint(arg, 1, 65535, &o->port) ? OPTIONS_OK : bad("port", arg);
	case 'd':
		o->device = arg;
		return OPTIONS_OK;
	case 'i':
		return parse_uint(arg, 1, 255, &o->ib_port) ? OPTIONS_OK : bad("RDMA port", arg);
	case 's':
		return parse_size(arg, &o->size) ? OPTIONS_OK : bad("message size", arg);
	case 'm':
		return parse_mtu(arg, &o->mtu) ? OPTIONS_OK : bad("MTU", arg);
	case 'r':
		return parse_uint(arg, 1, INT_MAX, &o->rx_depth) ? OPTIONS_OK :
								   bad("receive depth", arg);
	case 'n':
		return parse_uint(arg, 1, INT_MAX, &o->iters) ? OPTIONS_OK :
								bad("number of exchanges", arg);
	case 'l':
		return parse_uint(arg, 0, 15, &o->sl) ? OPTIONS_OK : bad("service level", arg);
	case 'e':
		o->events = true;
		return OPTIONS_OK;
	case 'g':
		if (!parse_number(arg, 0, 255, &v))
			return bad("GID index", arg);
		o->gid_index = v;
		return OPTIONS_OK;
	case 'x':
		return parse_exporter(o, arg) ? OPTIONS_OK : bad("exporter", arg);
	case OPT_OPERATION:
		return parse_operation(arg, &o->op) ? OPTIONS_OK : bad("operation", arg);
	case OPT_MR:
		if (strcmp(arg, "pinned") && strcmp(arg, "plain"))
			return bad("kind of MR", arg);
		o->mr = strcmp(arg, "plain") ? MR_PINNED : MR_PLAIN;
		return OPTIONS_OK;
	case OPT_BUFFER:
		return parse_size(arg, &o->buffer) ? OPTIONS_OK : bad("buffer size", arg);
	case OPT_WAIT:
		return parse_uint(arg, 0, 86400, &o->wait) ? OPTIONS_OK : bad("time to wait", arg);
	case OPT_REG_ITERS:
		return parse_uint(arg, 1, 10000, &o->reg_iters) ?
			       OPTIONS_OK :
			       bad("number of registrations", arg);
	case OPT_JSON:
		o->json = true;
		return OPTIONS_OK;
	default:
		/* getopt_long() said what is wrong */
		return OPTIONS_BAD;
	}
}

enum options_result options_parse(struct options *o, int argc, char *argv[])
{
	enum options_result ret;
	bool mr_given = false;
	int c;

	*o = (struct options){
		.heap = "system",
		.port = 18515,
		.ib_port = 1,
		.size = 4096,
		.mtu = IBV_MTU_1024,
		.rx_depth = 500,
		.iters = 1000,
		.gid_index = -1,
		.reg_iters = 5,
		.op = OP_WRITE,
		.exporter = EXPORTER_UDMABUF,
		.mr = MR_PINNED,
	};

	while ((c = getopt_long(argc, argv, "p:d:i:s:m:r:n:l:eg:x:h", long_options, NULL)) != -1) {
		if (c == 'h') {
			usage(argv[0]);
			return OPTIONS_HELP;
		}
		if (c == OPT_MR)
			mr_given = true;
		ret = parse_one(o, c, optarg);
		if (ret != OPTIONS_OK)
			return ret;
	}
	if (optind == argc - 1)
		o->server = argv[optind];
	else if (optind < argc)
		return bad("argument", argv[optind + 1]);

	if (o->exporter == EXPORTER_ANON || o->exporter == EXPORTER_MEMFD) {
		if (mr_given) {
			fprintf(stderr, "--mr is about dma-bufs; -x %s has none\n",
				exporters[o->exporter]);
			return OPTIONS_BAD;
		}
		o->mr = MR_ORDINARY;
	}
	return OPTIONS_OK;
}
