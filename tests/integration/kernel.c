// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Differences between versions of the kernel. */
#include <stdlib.h>
#include <sys/utsname.h>

#include <infiniband/verbs_ext.h>

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

uint32_t kernel_least_consent(void)
{
	return kernel_pins_by_consent() ? IBV_EXT_DMABUF_PIN_ALLOW_REVOKE : 0;
}

bool kernel_reads_limits_strictly(void)
{
	return version() >= 7;
}

bool kernel_maps_huge_udmabufs(void)
{
	return version() >= 7;
}

bool kernel_maps_at_attach(void)
{
	return version() < 7;
}

bool kernel_waits_for_users_of_rxe(void)
{
	return version() < 7;
}
