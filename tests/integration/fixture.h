/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What a test starts with: the device, a PD, buffers on demand. The teardown
 * releases all of it, also after a failure, and fails if anything is left.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <infiniband/verbs_ext.h>

#include "dmabuf_alloc.h"
#include "leak_check.h"
#include "rc_pair.h"

#define DEVICE "rxe0"

#define PAGE 4096UL
#define MIB (1UL << 20)

/* All that the exporter and the device allow. */
#define ACCESS_ALL                                                                   \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | \
	 IBV_ACCESS_REMOTE_ATOMIC)
#define ACCESS_READ (IBV_ACCESS_REMOTE_READ)

enum exporter {
	UDMABUF,
	SYSTEM_HEAP,
	NUM_EXPORTERS,
};

#define FIXTURE_BUFFERS 8

struct fixture {
	struct usage before;
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct dmabuf buffers[FIXTURE_BUFFERS];
	unsigned int num_buffers;
	struct rc_pair pair; /* if the test asked for it */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* Of a test that changes the parameters of ib_uverbs: as they are after loading, before and after */
int parameters_fixture_setup(void **state);
int parameters_fixture_teardown(void **state);

#define PARAMETERS_TEST(function)                                           \
	cmocka_unit_test_setup_teardown(function, parameters_fixture_setup, \
					parameters_fixture_teardown)

/* NULL if there is no such device, or opening fails. */
struct ibv_context *open_device(void);
struct ibv_context *open_device_named(const char *name);

/* A buffer that lives as long as the test. */
struct dmabuf *fixture_buffer(struct fixture *f, enum exporter exporter, size_t size);
struct dmabuf *fixture_read_only_buffer(struct fixture *f, size_t size);

/* Two connected QPs that live as long as the test. */
struct rc_pair *fixture_pair(struct fixture *f);

/* The exporter's name, as the kernel has it. */
const char *exporter_name(enum exporter exporter);

/* ibv_reg_dmabuf_mr_pinned() that has to succeed. */
struct ibv_mr *register_pinned(struct ibv_pd *pd, const struct dmabuf *buf, uint64_t offset,
			       size_t length, uint64_t iova, int access);

/* All of a buffer, at iova 0. */
struct ibv_mr *register_all(struct ibv_pd *pd, const struct dmabuf *buf);
/* That with IB_UVERBS_ACCESS_DMABUF_ bits, or none of them: a plain registration. */
struct ibv_mr *register_with_bits(struct ibv_pd *pd, const struct dmabuf *buf, uint32_t bits);

struct ibv_ext_dmabuf_mr_info query_mr(struct ibv_mr *mr);

void deregister(struct ibv_mr *mr);

/* Wait for a child that has to end with status 0. */
void wait_for_child(int pid);

#endif /* FIXTURE_H */
