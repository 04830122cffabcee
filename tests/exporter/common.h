/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the tests of the exporter share.
 */
#ifndef COMMON_H
#define COMMON_H

#include "exporter.h"
#include "rdma.h"
#include "test.h"

/* What all buffers here are poisoned with */
#define POISON 0x5a

#define OK(call) assert_errno(call, 0, #call)
#define FAILS(call, err) assert_errno(call, err, #call)

/* The device as the one that commands, another two times as importers */
struct state {
	int dev;
	int importer;
	int other;
	struct rdma rdma; /* of an RDMA_TEST */
};

#define NUM_MODES 4

extern const enum dmabuf_test_mode all_modes[NUM_MODES];

int setup(void **state);
int teardown(void **state);

/* The size of what an RDMA_TEST registers */
#define RDMA_TEST_SIZE (16 * PAGE)

int setup_rdma(void **state);
int teardown_rdma(void **state);

#define EXPORTER_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define RDMA_TEST(function) cmocka_unit_test_setup_teardown(function, setup_rdma, teardown_rdma)

/* The body of main(): loads the module, whose file is the argument, around @run. */
int test_main(int argc, char **argv, int (*run)(void));
void reload_module(void);

/* These fail the test rather than return an error. */
int create_args(struct state *s, struct dmabuf_test_create args);
int create(struct state *s, enum dmabuf_test_mode mode, size_t size);
bool have_device_memory(struct state *s);
/* Whether such a buffer is refused to regions whose owner does not let it be revoked */
bool needs_consent(enum dmabuf_test_mode mode);
/* Whether the kernel's image has the series, so that dma_buf_vmap() does not warn of a failure. */
bool vmap_may_fail(void);
struct dmabuf_test_counters counters(struct state *s, int fd);
struct dmabuf_test_importer importer(int dev);
void assert_idle(struct state *s, int fd);
/* As many attachments, pins, mappings and vmaps as then */
void assert_held_as(struct state *s, int fd, const struct dmabuf_test_counters *before);
void assert_all(struct state *s, int fd, unsigned int age, uint64_t offset, size_t length,
		uint8_t value);

void sleep_ms(unsigned int ms);
double seconds(void);
/* When a race of so many seconds ends; TEST_SLOW=1 in the environment makes it ten times as long. */
double race_end(unsigned int duration);

#endif /* COMMON_H */
