// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Differences between versions of the kernel. */
#include <stdlib.h>
#include <sys/utsname.h>

#include "kernel.h"
#include "test.h"

static int version(void)
{
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	return atoi(name.release);
}

bool kernel_pins_by_consent(void)
{
	return version() >= 7;
}

bool kernel_reads_limits_strictly(void)
{
	return version() >= 7;
}

bool kernel_maps_huge_udmabufs(void)
{
	return version() >= 7;
}
