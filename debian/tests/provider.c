// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <dlfcn.h>
#include <stdio.h>

#include <infiniband/verbs_ext.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	/* The call keeps the linker from leaving the library out. */
	if (!ibv_ext_dmabuf_reason_str(IBV_EXT_DMABUF_REASON_NONE))
		return 1;
	if (!dlopen(argv[1], RTLD_LAZY | RTLD_NOLOAD)) {
		printf("%s is not loaded\n", argv[1]);
		return 1;
	}
	return 0;
}
