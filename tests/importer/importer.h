/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the tests here share: both modules, the RDMA device, and regions that it
 * does DMA to.
 */
#ifndef IMPORTER_H
#define IMPORTER_H

#include <infiniband/verbs_ext.h>

#include "common.h"
#include "edu.h"
#include "fixture.h"
#include "memory.h"

#define ALLOW_REVOKE IBV_EXT_DMABUF_PIN_ALLOW_REVOKE
#define REQUIRE_P2P IBV_EXT_DMABUF_PIN_REQUIRE_P2P

/* What the device or the kernel does beside the test; a minute is for busy machines. */
#define wait_until(condition)                                               \
	do {                                                                \
		double end_ = seconds() + 60;                               \
                                                                            \
		while (!(condition)) {                                      \
			if (seconds() > end_)                               \
				fail_msg("waited in vain for " #condition); \
			sleep_ms(10);                                       \
		}                                                           \
	} while (0)

struct test {
	struct state s; /* for the functions of common.h: only its dev */
	struct usage before;
	struct ibv_context *context;
	struct ibv_pd *pd;
	int edu;
};

int importer_setup(void **state);
int importer_teardown(void **state);
/* The same on a driver that is bound anew with the parameters' defaults, and leaves one so. */
int importer_bind_and_setup(void **state);
int importer_teardown_and_bind(void **state);

#define IMPORTER_TEST(function) \
	cmocka_unit_test_setup_teardown(function, importer_setup, importer_teardown)
/* For a test that stops the device, or that changes what is effective after a rebind */
#define REBIND_TEST(function)                                              \
	cmocka_unit_test_setup_teardown(function, importer_bind_and_setup, \
					importer_teardown_and_bind)

/*
 * The body of main(): loads both modules, whose files are the arguments, around
 * @run; that of the importer with @parameters.
 */
int importer_main(int argc, char **argv, const char *parameters, int (*run)(void));
/* What the setup and the teardown do with the device. */
void importer_open(struct test *t);
int importer_close(struct test *t);
/*
 * Takes the driver away from the device and gives it back, which makes some
 * parameters effective. Whatever is registered goes.
 */
void importer_rebind(struct test *t);
/* The same with the second RDMA device of the function; to be closed before a rebind. */
struct test importer_open_second(const struct test *t);

/* The exporter takes the memory back, and nobody has anything of it any more. */
void take_back(struct test *t, int fd);
void expect_event(struct ibv_ext_dmabuf_event_channel *channel, void *cookie);
/* The device was stopped, which is the only news there are. */
void expect_fatal_event(struct test *t);

/* Whether the device is behind an IOMMU */
bool have_iommu(void);

struct ibv_mr *try_register_part(struct test *t, int fd, uint64_t offset, size_t length,
				 uint64_t iova, uint32_t pin_flags);
/* That has to succeed. */
struct ibv_mr *register_part(struct test *t, int fd, uint64_t offset, size_t length, uint64_t iova,
			     uint32_t pin_flags);
struct ibv_ext_dmabuf_report probe_part(struct test *t, int fd, uint64_t offset, size_t length,
					uint64_t iova, uint32_t pin_flags);
struct ibv_ext_dmabuf_mr_info mr_info(struct ibv_mr *mr);
struct edu_ib_mr_info hardware_info(struct test *t, struct ibv_mr *mr);
struct edu_ib_counters hardware_counters(struct test *t);

/*
 * The device writes to @at of the region, which starts at @offset of the memory
 * and has @iova, or reads what must be there. All of the memory is as expected.
 */
void check_write(struct test *t, struct memory *mem, struct ibv_mr *mr, uint64_t offset,
		 uint64_t iova, size_t at, size_t length);
void check_read(struct test *t, const struct memory *mem, struct ibv_mr *mr, uint64_t offset,
		uint64_t iova, size_t at, size_t length);

/* The device cannot use the region, with this errno value, and touches nothing. */
void check_refused(struct test *t, struct ibv_mr *mr, uint64_t iova, size_t length, int err);

/* Of a buffer of the test exporter: attachments, pins and mappings that there are */
void assert_users(struct test *t, int fd, int attachments, int mappings);

#endif /* IMPORTER_H */
