// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rxe.h"

/*
 * The symbol version that binds this plugin to libibverbs is the same over
 * releases with different layouts. The one thing that names the release is the
 * library's file name: libibverbs.so.1.14.44.0 is release 44.
 *
 * Asked by the address of a function that no application can refer to, as a
 * public one may resolve to a stub in the executable.
 */
static int find_release(void)
{
	char path[PATH_MAX];
	const char *name;
	Dl_info info;
	int release;

	if (!dladdr((void *)verbs_set_ops, &info) || !realpath(info.dli_fname, path))
		return -1;

	name = strrchr(path, '/');
	if (!name || sscanf(name, "/libibverbs.so.%*u.%*u.%9d.", &release) != 1)
		return -1;
	return release;
}

static int loaded_release;

/* The release of the libibverbs in this process. */
int rxe_loaded_release(void)
{
	return loaded_release;
}

/**
 * rxe_check_release() - may this plugin work with the libibverbs in the process?
 *
 * A stranger's structs are not touched; libibverbs then goes on to the stock
 * provider. Silent, as the plugin may be loaded on speculation, unless warnings
 * were asked for. Called once, before registration.
 */
bool rxe_check_release(void)
{
	loaded_release = find_release();

	if (loaded_release >= VERBS_RELEASE_FIRST && loaded_release <= VERBS_RELEASE_LAST)
		return true;

	if (!getenv("IBV_SHOW_WARNINGS"))
		return false;

	if (loaded_release < 0)
		fprintf(stderr, "rxe-dmabuf: release of libibverbs not found; not registered\n");
	else
		fprintf(stderr, "rxe-dmabuf: for libibverbs %d to %d, found %d; not registered\n",
			VERBS_RELEASE_FIRST, VERBS_RELEASE_LAST, loaded_release);
	return false;
}
