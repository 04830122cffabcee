// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu_ib.h"
#include "exporter.h"
#include "soak.h"
#include "test.h"

struct soak soak;

void soak_setup(const char *device)
{
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_REVOKING,
		/* What comes too late shows in the poison. */
		.flags = DMABUF_TEST_KEEP_VMAP,
		.size = SOAK_SIZE,
		.poison = SOAK_POISON,
	};
	int i;

	soak.shared = mmap(NULL, sizeof(*soak.shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(soak.shared, MAP_FAILED);
	soak.device = device;
	soak.does_dma = !strcmp(device, EDU_IB_VERBS_DEVICE);
	soak.exporter = exporter_open();
	soak_check(soak.exporter >= 0, "no test exporter: %s", strerrorname(errno));
	for (i = 0; i < SOAK_BUFFERS; i++) {
		soak.buffers[i] = exporter_create(soak.exporter, &args);
		soak_check(soak.buffers[i] >= 0, "buffer: %s", strerrorname(errno));
		soak_check(!exporter_fill(soak.exporter, soak.buffers[i], 0, 0, SOAK_SIZE,
					  SOAK_FRESH),
			   "fill");
	}
}

void soak_fail(const char *format, ...)
{
	char *complaint = soak.shared->complaint;
	va_list args;

	va_start(args, format);
	if (!complaint[0])
		vsnprintf(complaint, sizeof(soak.shared->complaint), format, args);
	va_end(args);
	fprintf(stderr, "soak: %s\n", complaint);
	_exit(1);
}

static void check_poison(int buffer)
{
	struct exporter_difference difference;

	soak_check(!exporter_check(soak.exporter, soak.buffers[buffer], 0, 0, SOAK_SIZE,
				   SOAK_POISON, &difference),
		   "check");
	soak_check(!difference.any, "byte %#" PRIx64 " of buffer %d is %#x after the revoke",
		   difference.offset, buffer, difference.found);
}

static bool is_written(int buffer)
{
	struct exporter_difference difference;

	soak_check(!exporter_check(soak.exporter, soak.buffers[buffer], 0, 0, SOAK_SIZE, SOAK_FRESH,
				   &difference),
		   "check");
	return difference.any;
}

void soak_revoke(int buffer, bool look)
{
	struct soak_counts *counts = &soak.shared->counts;
	struct dmabuf_test_revoke result;
	int err;

	if (look)
		counts->written += is_written(buffer);
	err = exporter_revoke(soak.exporter, soak.buffers[buffer], 10000, &result);
	soak_check(!err, "revoke: %s", strerrorname(err));
	soak_check(result.result == (DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED) &&
			   !result.pinned,
		   "after the revoke: %#x, %u pins", result.result, result.pinned);
	if (result.dropped)
		counts->revokes++;
	else
		counts->in_vain++;
}

static void give_back_unchecked(int buffer)
{
	soak_check(!exporter_fill(soak.exporter, soak.buffers[buffer], 0, 0, SOAK_SIZE, SOAK_FRESH),
		   "fill");
	soak_check(!exporter_unrevoke(soak.exporter, soak.buffers[buffer]), "unrevoke");
}

void soak_give_back(int buffer)
{
	check_poison(buffer);
	give_back_unchecked(buffer);
}

static struct dmabuf_test_counters counters_of(int buffer)
{
	struct dmabuf_test_counters counters;

	soak_check(!exporter_counters(soak.exporter, soak.buffers[buffer], &counters), "counters");
	return counters;
}

void soak_recover(void)
{
	struct dmabuf_test_counters counters;
	int i;

	for (i = 0; i < SOAK_BUFFERS; i++) {
		counters = counters_of(i);
		soak_check(exporter_idle(&counters), "somebody still has buffer %d", i);
		/* The others have somebody who gives them back. It may have been about to do so. */
		if (i < SOAK_OWNERS && counters.revoked)
			give_back_unchecked(i);
	}
}

void soak_teardown(void)
{
	int i;

	for (i = 0; i < SOAK_BUFFERS; i++)
		close(soak.buffers[i]);
	close(soak.exporter);
}
