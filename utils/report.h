/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef REPORT_H
#define REPORT_H

#include "slots.h"
#include "transfer.h"

/* What was measured and found; times exclude writing and checking the data. */
struct results {
	double latency_usec;	/* one exchange */
	double throughput_mbps; /* 10^6 bits a second, this side's sending or reading */
	struct slots_result local;
	struct slots_result remote;
};

/* The two sides, before the work starts. Nothing with --json. */
void report_sides(const struct transfer *t, const struct hello *local);
/* Everything else, at the end. */
void report_results(const struct transfer *t, const struct results *r);

#endif /* REPORT_H */
