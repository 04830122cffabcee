/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <infiniband/verbs_ext.h>

#include "dmabuf_alloc.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define KIB 1024UL
#define MIB (1024UL * KIB)
#define GIB (1024UL * MIB)
#define PAGE (4 * KIB)

struct bench {
	struct ibv_context *context;
	struct ibv_pd *pd;
	bool quick;
	int exporter;  /* the test exporter's device, or -1 */
	bool importer; /* the test importer's device is there */
};

struct ibv_context *open_device(const char *name);
struct ibv_pd *alloc_pd(struct ibv_context *context);

/* All kinds of memory region that are compared, the one they are compared to first. */
enum kind {
	ORDINARY,
	PLAIN_UDMABUF,
	PINNED_UDMABUF,
	PLAIN_HEAP,
	PINNED_HEAP,
	NUM_KINDS,
};

extern const char *const kind_names[NUM_KINDS];

/*
 * The same bytes for all kinds: a memfd, mapped for ibv_reg_mr(), and the udmabuf
 * made of it. The heap's are others, since its mappings cannot be registered.
 */
struct memory {
	struct dmabuf udmabuf;
	struct dmabuf heap; /* fd < 0: none */
	char *map;	    /* of the memfd */
	size_t size;
};

void memory_alloc(struct memory *memory, size_t size, bool with_heap);
void memory_free(struct memory *memory);

/* Addresses in the region are those in memory->map, whatever the kind. */
struct ibv_mr *register_region(const struct bench *bench, const struct memory *memory,
			       enum kind kind, size_t offset, size_t length);
void deregister(struct ibv_mr *mr);

/* What can be allocated; in bytes. */
size_t memory_available(void);

/* A measurement per round: fewer where one takes long. */
unsigned int rounds(const struct bench *bench, size_t size);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

void bench_registration(const struct bench *bench);
void bench_slices(const struct bench *bench);
void bench_growth(const struct bench *bench);
void bench_accounting(const struct bench *bench);
void bench_revoke(const struct bench *bench);
void bench_data_path(const struct bench *bench);
void bench_memory(const struct bench *bench);
void bench_dma(const struct bench *bench);

#endif /* BENCH_H */
