// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "placement.h"
#include "report.h"

static void print_side(const char *side, const struct hello *h)
{
	char gid[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &h->gid, gid, sizeof(gid));
	printf("  %s address: LID 0x%04x, QPN 0x%06x, PSN 0x%06x, GID %s\n", side, h->lid, h->qpn,
	       h->psn, gid);
}

void report_sides(const struct transfer *t, const struct hello *local)
{
	if (t->opt->json)
		return;
	print_side("local", local);
	print_side("remote", &t->remote);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples, unsigned int n)
{
	qsort(samples, n, sizeof(*samples), compare);
	return n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
}

static const char *mode_str(const struct transfer *t)
{
	switch (t->info.mode) {
	case IBV_EXT_DMABUF_MODE_DYNAMIC:
		return "dynamic";
	case IBV_EXT_DMABUF_MODE_PINNED:
		return "pinned";
	default:
		return t->opt->mr == MR_ORDINARY ? "ordinary" : "unknown";
	}
}

static const char *where(const struct transfer *t)
{
	return t->opt->mr == MR_ORDINARY ? "system" : placement_str(t->info.placement);
}

static void print_text(const struct transfer *t, const struct results *r, double reg, double dereg)
{
	const struct options *o = t->opt;
	bool cpu = t->info.flags & IBV_EXT_DMABUF_MR_CPU_ACCESS;

	if (t->buf.fd < 0)
		printf("buffer: %zu bytes of %s memory\n", t->buf.size,
		       t->buf.memfd < 0 ? "anonymous" : "memfd");
	else
		printf("buffer: dma-buf of %" PRIu64 " bytes, exporter %s, inode %" PRIu64 "\n",
		       t->id.size, t->id.exporter, t->id.inode);
	printf("MR: %s registration, mode %s, placement %s", mr_kind_str(o->mr), mode_str(t),
	       where(t));
	if (t->info.mode && cpu)
		printf(", copied by the CPU");
	else if (t->info.mode)
		printf(", %" PRIu64 " DMA segments", t->info.dma_segments);
	if (t->info.mode)
		printf(", %" PRIu64 " bytes charged", t->info.charged);
	printf("\nregistration: %.1f usec, deregistration: %.1f usec (median of %u)\n", reg, dereg,
	       o->reg_iters);
	printf("RDMA %s of %zu bytes, %u times: %.2f usec per %s; %.2f Mbit/sec streaming\n",
	       operation_str(o->op), o->size, o->iters, r->latency_usec,
	       o->op == OP_READ ? "read" : "round trip", r->throughput_mbps);
	printf("peer: %" PRIu64 " bytes verified, %" PRIu64 " wrong\n", r->remote.verified,
	       r->remote.wrong + r->remote.guard_written);
	if (r->local.guard_written)
		printf("%" PRIu64 " bytes outside the messages were written\n",
		       r->local.guard_written);
	if (r->local.first[0])
		printf("first error: %s\n", r->local.first);
	printf("%" PRIu64 " bytes verified, %" PRIu64 " wrong\n", r->local.verified,
	       r->local.wrong + r->local.guard_written);
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

/* With so many digits as the measurement is worth */
static void add_number(struct json_object *o, const char *key, double value, int digits)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*f", digits, value);
	json_object_object_add(o, key, json_object_new_double_s(value, text));
}

static void print_json(const struct transfer *t, const struct results *r, double reg, double dereg)
{
	const bool cpu_access = t->info.flags & IBV_EXT_DMABUF_MR_CPU_ACCESS;
	struct json_object *object = json_object_new_object();
	const struct options *o = t->opt;

	add_string(object, "role", o->server ? "client" : "server");
	add_string(object, "device", ibv_get_device_name(t->context->device));
	add_string(object, "operation", operation_str(o->op));
	add_int(object, "size", o->size);
	add_int(object, "iters", o->iters);
	add_string(object, "exporter", exporter_str(o->exporter));
	add_string(object, "exporter_name", t->id.exporter);
	add_int(object, "buffer_size", t->buf.size);
	add_int(object, "dmabuf_inode", t->id.inode);
	add_string(object, "mr", mr_kind_str(o->mr));
	add_string(object, "mode", mode_str(t));
	add_string(object, "placement", where(t));
	json_object_object_add(object, "cpu_access", json_object_new_boolean(cpu_access));
	add_int(object, "dma_segments", t->info.dma_segments);
	add_int(object, "charged", t->info.charged);
	add_number(object, "reg_usec", reg, 1);
	add_number(object, "dereg_usec", dereg, 1);
	add_int(object, "reg_iters", o->reg_iters);
	add_number(object, "latency_usec", r->latency_usec, 2);
	add_number(object, "throughput_mbps", r->throughput_mbps, 2);
	add_int(object, "verified", r->local.verified);
	add_int(object, "wrong", r->local.wrong + r->local.guard_written);
	add_int(object, "peer_verified", r->remote.verified);
	add_int(object, "peer_wrong", r->remote.wrong + r->remote.guard_written);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED));
	json_object_put(object);
	if (r->local.first[0])
		fprintf(stderr, "First error: %s\n", r->local.first);
}

void report_results(const struct transfer *t, const struct results *r)
{
	double reg = median(t->reg_usec, t->opt->reg_iters);
	double dereg = median(t->dereg_usec, t->opt->reg_iters);

	if (t->opt->json)
		print_json(t, r, reg, dereg);
	else
		print_text(t, r, reg, dereg);
}
