/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Time, and what many measurements of it amount to on a machine that has other
 * things to do: medians, and ratios of measurements made next to each other.
 */
#ifndef TIMING_H
#define TIMING_H

#include <stddef.h>
#include <stdint.h>

/* Call once before now_ns(). */
void timing_init(void);

/* Since some time; cheap beside a system call. */
double now_ns(void);

/*
 * The numbers below @count in an order that differs each time. Not only the one
 * that comes first: what one measurement leaves for later, such as freed
 * mappings, is paid for by the next.
 */
void shuffle(unsigned int *order, unsigned int count);

struct samples {
	double *values; /* in the order of measurement */
	size_t count;
	size_t capacity;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);

struct summary {
	size_t count;
	double min;
	double quartile1;
	double median;
	double quartile3;
	double max;
};

struct summary summarise(const struct samples *samples);

/* A median, and between which values that of endless measurements lies (95 %). */
struct estimate {
	double median;
	double low;
	double high;
};

struct estimate estimate(const struct samples *samples);

/*
 * Of a[i] / b[i], which were measured one after the other: what slows the
 * machine for longer than that slows both.
 */
struct estimate estimate_ratio(const struct samples *a, const struct samples *b);

/* Of a[i] - b[i]. */
struct estimate estimate_difference(const struct samples *a, const struct samples *b);

#endif /* TIMING_H */
