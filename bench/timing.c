// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "timing.h"

static double clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

#if defined(__x86_64__)
/*
 * The virtual machine's clock is a device, and to read it costs as much as a
 * small registration. The counter of the CPU is set against it once.
 */
#include <x86intrin.h>

#define CALIBRATION_US 200000

static double ns_per_tick;
static uint64_t first_tick;

void timing_init(void)
{
	double start = clock_ns();

	first_tick = __rdtsc();
	usleep(CALIBRATION_US);
	ns_per_tick = (clock_ns() - start) / (double)(__rdtsc() - first_tick);
}

double now_ns(void)
{
	return (double)(__rdtsc() - first_tick) * ns_per_tick;
}
#else
void timing_init(void)
{
}

double now_ns(void)
{
	return clock_ns();
}
#endif

void shuffle(unsigned int *order, unsigned int count)
{
	static uint32_t state = 1;
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		j = state % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

void samples_add(struct samples *samples, double value)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity ? 2 * samples->capacity : 64;
		samples->values =
			realloc(samples->values, samples->capacity * sizeof(*samples->values));
		if (!samples->values)
			die("no memory");
	}
	samples->values[samples->count++] = value;
}

void samples_free(struct samples *samples)
{
	free(samples->values);
	memset(samples, 0, sizeof(*samples));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double *sorted(const struct samples *samples)
{
	double *values;

	if (!samples->count)
		die("nothing was measured");
	values = malloc(samples->count * sizeof(*values));
	if (!values)
		die("no memory");
	memcpy(values, samples->values, samples->count * sizeof(*values));
	qsort(values, samples->count, sizeof(*values), compare);
	return values;
}

/* Between two values where @part falls between them. */
static double quantile(const double *values, size_t count, double part)
{
	double at = part * (count - 1);
	size_t i = at;

	return i + 1 < count ? values[i] + (at - i) * (values[i + 1] - values[i]) : values[i];
}

struct summary summarise(const struct samples *samples)
{
	double *values = sorted(samples);
	struct summary summary = {
		.count = samples->count,
		.min = values[0],
		.quartile1 = quantile(values, samples->count, 0.25),
		.median = quantile(values, samples->count, 0.5),
		.quartile3 = quantile(values, samples->count, 0.75),
		.max = values[samples->count - 1],
	};

	free(values);
	return summary;
}

/* By rank, which asks nothing of how the values are distributed. */
struct estimate estimate(const struct samples *samples)
{
	double *values = sorted(samples);
	double last = samples->count - 1;
	double half = 0.98 * sqrt(samples->count);
	struct estimate estimate = {
		.median = quantile(values, samples->count, 0.5),
		.low = values[(size_t)fmax(floor(last / 2 - half), 0)],
		.high = values[(size_t)fmin(ceil(last / 2 + half), last)],
	};

	free(values);
	return estimate;
}

struct estimate estimate_ratio(const struct samples *a, const struct samples *b)
{
	struct samples ratios = {};
	struct estimate result;
	size_t i;

	for (i = 0; i < a->count && i < b->count; i++)
		samples_add(&ratios, a->values[i] / b->values[i]);
	result = estimate(&ratios);
	samples_free(&ratios);
	return result;
}

struct estimate estimate_difference(const struct samples *a, const struct samples *b)
{
	struct samples differences = {};
	struct estimate result;
	size_t i;

	for (i = 0; i < a->count && i < b->count; i++)
		samples_add(&differences, a->values[i] - b->values[i]);
	result = estimate(&differences);
	samples_free(&differences);
	return result;
}
