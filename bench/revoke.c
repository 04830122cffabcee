// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * How long an exporter that takes its memory back waits for the importer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "exporter.h"
#include "table.h"

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)
#define TIMEOUT_MS 10000

static const size_t sizes[] = { 4 * KIB, MIB, 64 * MIB };
static const unsigned int numbers[] = { 1, 10, 1000, 10000 };

#define MOST 10000

static int create_buffer(const struct bench *bench, size_t size)
{
	const struct dmabuf_test_create args = {
		.size = size,
		.mode = DMABUF_TEST_REVOKING,
	};
	int fd = exporter_create(bench->exporter, &args);

	if (fd < 0)
		die("test exporter: %s", strerror(errno));
	return fd;
}

static struct ibv_mr *register_buffer(const struct bench *bench, int fd, size_t offset,
				      size_t length)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr_pinned(bench->pd, offset, length, 0, fd, ACCESS,
						     IBV_EXT_DMABUF_PIN_ALLOW_REVOKE);

	if (!mr)
		die("registration of the test exporter's dma-buf: %s", strerror(errno));
	return mr;
}

/* Until the importer has stopped all access. That it lets go of the memory, too, comes later. */
static double revoke_buffer(const struct bench *bench, int fd)
{
	struct dmabuf_test_revoke result;
	int err = exporter_revoke(bench->exporter, fd, TIMEOUT_MS, &result);

	if (!err)
		err = exporter_unrevoke(bench->exporter, fd);
	if (err)
		die("revoke: %s", strerror(err));
	if (!(result.result & DMABUF_TEST_UNMAPPED))
		die("revoked, but still mapped");
	return result.notify_ns;
}

/* One region over all of a buffer */
static void compare_with_dereg(const struct bench *bench, size_t size)
{
	struct samples revokes = {}, deregs = {};
	unsigned int round, n = rounds(bench, size);
	int fd = create_buffer(bench, size);
	struct ibv_mr *mr;
	struct row row;
	double start;

	for (round = 0; round < n; round++) {
		mr = register_buffer(bench, fd, 0, size);
		start = now_ns();
		deregister(mr);
		samples_add(&deregs, now_ns() - start);

		mr = register_buffer(bench, fd, 0, size);
		samples_add(&revokes, revoke_buffer(bench, fd));
		deregister(mr);
	}
	close(fd);

	row = (struct row){ .kind = "pinned revoking", .value = summarise(&deregs) };
	snprintf(row.what, sizeof(row.what), "deregister %s", size_str(size));
	table_add(&row);
	row = (struct row){
		.kind = "pinned revoking",
		.value = summarise(&revokes),
		.has_ratio = true,
		.ratio = estimate_ratio(&revokes, &deregs),
		.figure = FIGURE_AT_MOST,
		.bound = 1,
	};
	snprintf(row.what, sizeof(row.what), "revoke %s", size_str(size));
	table_add(&row);
	samples_free(&revokes);
	samples_free(&deregs);
}

/* Always the same buffer, in one-page regions */
static void compare_numbers(const struct bench *bench)
{
	struct samples revokes[ARRAY_SIZE(numbers)] = {};
	struct ibv_mr **mrs = calloc(MOST, sizeof(*mrs));
	unsigned int round, n = bench->quick ? 11 : 41;
	int fd = create_buffer(bench, MOST * PAGE);
	unsigned int j;
	size_t i;

	if (!mrs)
		die("no memory");
	for (round = 0; round < n; round++)
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			for (j = 0; j < numbers[i]; j++)
				mrs[j] = register_buffer(bench, fd, j * PAGE, PAGE);
			samples_add(&revokes[i], revoke_buffer(bench, fd));
			while (j)
				deregister(mrs[--j]);
		}
	close(fd);
	free(mrs);

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct row row = {
			.kind = "pinned revoking",
			.value = summarise(&revokes[i]),
			.has_ratio = i > 0,
		};

		snprintf(row.what, sizeof(row.what), "revoke %u region%s of %s", numbers[i],
			 numbers[i] == 1 ? "" : "s", size_str(MOST * PAGE));
		if (row.has_ratio)
			row.ratio = estimate_ratio(&revokes[i], &revokes[0]);
		table_add(&row);
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		samples_free(&revokes[i]);
}

void bench_revoke(const struct bench *bench)
{
	size_t i;

	if (bench->exporter < 0)
		return;
	table_group("revoke of one region", "to its deregistration");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		compare_with_dereg(bench, sizes[i]);
	table_group("revoke by number of regions", "to that of one region");
	compare_numbers(bench);
}
