/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Buffers of the exporter in tests/exporter, for a test that wants one which
 * revokes or refuses.
 */
#ifndef TEST_EXPORTER_H
#define TEST_EXPORTER_H

#include <unistd.h>

#include "exporter.h"
#include "fixture.h"
#include "test.h"

/* The exporter; the test is left out where it is not loaded. */
static inline int open_exporter(void)
{
	int dev = exporter_open();

	if (dev < 0)
		skip_because("the test exporter is not loaded");
	return dev;
}

static inline int make_buffer(int dev, struct dmabuf_test_create args)
{
	int fd = exporter_create(dev, &args);

	if (fd < 0)
		fail_msg("test exporter: %s", strerrorname(errno));
	return fd;
}

/* Takes the memory away; everybody lets go of it. */
static inline void revoke_buffer(int dev, int fd)
{
	struct dmabuf_test_revoke result;

	assert_errno(exporter_revoke(dev, fd, 5000, &result), 0, "revoke");
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
}

static inline void assert_idle(int dev, int fd)
{
	struct dmabuf_test_counters counters;

	assert_errno(exporter_counters(dev, fd, &counters), 0, "counters");
	assert_true(exporter_idle(&counters));
}

#endif /* TEST_EXPORTER_H */
