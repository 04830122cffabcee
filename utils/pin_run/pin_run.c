// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_dmabuf_pin_run: has a program that does not know of pins register its dma-bufs as
 * pinned regions.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pin_run.h"

/* As of env(1) */
enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static void usage(FILE *to)
{
	fputs("usage: ibv_dmabuf_pin_run [--require-p2p] [--allow-revoke] COMMAND [ARGUMENT...]\n"
	      "Run a command whose dma-bufs are registered for RDMA as pinned regions.\n"
	      "\n"
	      "  -P, --require-p2p    memory of the host will not do\n"
	      "  -R, --allow-revoke   the exporters may take the memory back\n"
	      "  -h, --help\n",
	      to);
}

static int fail(int status, const char *what, int err)
{
	fprintf(stderr, "ibv_dmabuf_pin_run: %s: %s\n", what, strerror(err));
	return status;
}

/* Where PRELOAD_PATH leads from this program's directory, so that both can be moved together. */
static bool find_library(char *path, size_t size)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (length < 0)
		return false;
	program[length] = '\0';
	*strrchr(program, '/') = '\0';
	return snprintf(path, size, "%s/" PRELOAD_PATH, program) < (int)size && !access(path, R_OK);
}

/* Before what is there already. */
static bool preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	bool ok;

	if (!before || !*before)
		return !setenv("LD_PRELOAD", library, true);
	if (asprintf(&value, "%s:%s", library, before) < 0)
		return false;
	ok = !setenv("LD_PRELOAD", value, true);
	free(value);
	return ok;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "require-p2p", no_argument, NULL, 'P' },
		{ "allow-revoke", no_argument, NULL, 'R' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	bool require_p2p = false, allow_revoke = false;
	char library[2 * PATH_MAX], wishes[64];
	int option;

	/* "+": what comes after the command is the command's. */
	while ((option = getopt_long(argc, argv, "+PRh", options, NULL)) >= 0) {
		switch (option) {
		case 'P':
			require_p2p = true;
			break;
		case 'R':
			allow_revoke = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_OWN;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_OWN;
	}

	snprintf(wishes, sizeof(wishes), "pinned%s%s", require_p2p ? "," PIN_REQUIRE_P2P : "",
		 allow_revoke ? "," PIN_ALLOW_REVOKE : "");
	if (!find_library(library, sizeof(library)))
		return fail(EXIT_OWN, PRELOAD_PATH, errno);
	if (setenv(PIN_VARIABLE, wishes, true) || !preload(library))
		return fail(EXIT_OWN, "environment", ENOMEM);
	execvp(argv[optind], &argv[optind]);
	return fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, argv[optind], errno);
}
