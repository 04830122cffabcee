// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libibverbs' own rxe provider cannot register dma-bufs. The first provider that
 * matches a device gets it, and those loaded before libibverbs looks for its own
 * are first, so the one that comes with this library is loaded with it.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "ext.h"

void ext_load_provider(void)
{
	/* Who names providers, or runs with more rights than the caller, gets no others. */
	if (getauxval(AT_SECURE) || getenv("RDMAV_DRIVERS") || getenv("IBV_DRIVERS"))
		return;
	/*
	 * Not being linked to it, this library can be used where the provider is
	 * not installed or needs another libibverbs. NODELETE: libibverbs keeps
	 * pointers into a provider for ever.
	 */
	if (RXE_PROVIDER_PATH[0] &&
	    !dlopen(RXE_PROVIDER_PATH, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
		dlerror(); /* not the next caller's error */
}
