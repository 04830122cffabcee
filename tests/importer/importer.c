// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "importer.h"

static void open_named(struct test *t, const char *name)
{
	t->context = open_device_named(name);
	if (!t->context)
		fail_msg("cannot open %s: %s", name, strerrorname(errno));
	t->pd = ibv_alloc_pd(t->context);
	assert_non_null(t->pd);
	t->edu = edu_open();
	assert_true(t->edu >= 0);
}

void importer_open(struct test *t)
{
	open_named(t, EDU_IB_VERBS_DEVICE);
}

struct test importer_open_second(const struct test *t)
{
	struct test second = *t;

	open_named(&second, EDU_IB_SECOND_VERBS_DEVICE);
	return second;
}

/* Also after a test that failed and left something, which goes with the context. */
int importer_close(struct test *t)
{
	int err = ibv_dealloc_pd(t->pd);

	if (ibv_close_device(t->context) && !err)
		err = errno;
	close(t->edu);
	return err;
}

int importer_setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	*state = t;
	usage_read(&t->before);
	t->s.dev = exporter_open();
	assert_true(t->s.dev >= 0);
	importer_open(t);
	return 0;
}

int importer_teardown(void **state)
{
	struct test *t = *state;
	struct edu_ib_counters counters = hardware_counters(t);
	int err;

	OK(edu_reset_parameters());
	err = importer_close(t);
	close(t->s.dev);
	assert_int_equal(counters.mrs, 0);
	assert_int_equal(counters.keys, 0);
	assert_errno(err, 0, "close");
	assert_usage(&t->before, "after the test");
	free(t);
	return 0;
}

/* After a test that failed the device may not be bound, or not be fit for it. */
static void bind_with_defaults(void)
{
	OK(edu_reset_parameters());
	OK(edu_allow_reset(true));
	edu_unbind();
	wait_until(!edu_bind());
}

int importer_bind_and_setup(void **state)
{
	bind_with_defaults();
	return importer_setup(state);
}

int importer_teardown_and_bind(void **state)
{
	int err = importer_teardown(state);

	bind_with_defaults();
	return err;
}

void importer_rebind(struct test *t)
{
	OK(importer_close(t));
	OK(edu_unbind());
	OK(edu_bind());
	importer_open(t);
}

int importer_main(int argc, char **argv, const char *parameters, int (*run)(void))
{
	int failed, err;

	if (argc != 3) {
		fprintf(stderr, "usage: %s EXPORTER-MODULE IMPORTER-MODULE\n", argv[0]);
		return 2;
	}
	err = exporter_load(argv[1]);
	if (!err)
		err = edu_load(argv[2], parameters);
	if (err) {
		fprintf(stderr, "modules: %s\n", strerror(err));
		return 1;
	}
	failed = run();
	err = edu_unload();
	if (err)
		fprintf(stderr, "the importer stays: %s\n", strerror(err));
	if (!err)
		err = exporter_unload();
	if (err)
		fprintf(stderr, "the exporter stays: %s\n", strerror(err));
	return failed || err;
}

bool have_iommu(void)
{
	DIR *dir = opendir("/sys/kernel/iommu_groups");
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			found = true;
	if (dir)
		closedir(dir);
	return found;
}

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct ibv_mr *try_register_part(struct test *t, int fd, uint64_t offset, size_t length,
				 uint64_t iova, uint32_t pin_flags)
{
	return ibv_reg_dmabuf_mr_pinned(t->pd, offset, length, iova, fd, ACCESS, pin_flags);
}

struct ibv_mr *register_part(struct test *t, int fd, uint64_t offset, size_t length, uint64_t iova,
			     uint32_t pin_flags)
{
	struct ibv_mr *mr = try_register_part(t, fd, offset, length, iova, pin_flags);

	if (!mr)
		fail_msg("registration: %s", strerrorname(errno));
	return mr;
}

struct ibv_ext_dmabuf_report probe_part(struct test *t, int fd, uint64_t offset, size_t length,
					uint64_t iova, uint32_t pin_flags)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = pin_flags,
		.offset = offset,
		.length = length,
		.iova = iova,
		.fd = fd,
		.access = ACCESS,
	};
	struct ibv_ext_dmabuf_report report;

	OK(ibv_ext_probe_dmabuf(t->pd, &attr, &report));
	return report;
}

struct ibv_ext_dmabuf_mr_info mr_info(struct ibv_mr *mr)
{
	struct ibv_ext_dmabuf_mr_info info;

	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	return info;
}

struct edu_ib_mr_info hardware_info(struct test *t, struct ibv_mr *mr)
{
	struct edu_ib_mr_info info;

	OK(edu_mr_info(t->edu, mr->lkey, &info));
	return info;
}

struct edu_ib_counters hardware_counters(struct test *t)
{
	struct edu_ib_counters counters;

	OK(edu_counters(t->edu, &counters));
	return counters;
}

void check_write(struct test *t, struct memory *mem, struct ibv_mr *mr, uint64_t offset,
		 uint64_t iova, size_t at, size_t length)
{
	uint8_t *expected = mem->expected + offset + at;

	memory_pattern(expected, length);
	OK(edu_write(t->edu, mr->lkey, iova + at, expected, length));
	memory_check(mem, "after a write");
}

void check_read(struct test *t, const struct memory *mem, struct ibv_mr *mr, uint64_t offset,
		uint64_t iova, size_t at, size_t length)
{
	uint8_t *found = calloc(1, length);

	assert_non_null(found);
	OK(edu_read(t->edu, mr->lkey, iova + at, found, length));
	assert_memory_equal(found, mem->expected + offset + at, length);
	free(found);
}

void check_refused(struct test *t, struct ibv_mr *mr, uint64_t iova, size_t length, int err)
{
	uint8_t *bytes = malloc(length);

	assert_non_null(bytes);
	memset(bytes, 0xa5, length);
	FAILS(edu_write(t->edu, mr->lkey, iova, bytes, length), err);
	FAILS(edu_read(t->edu, mr->lkey, iova, bytes, length), err);
	free(bytes);
}

void assert_users(struct test *t, int fd, int attachments, int mappings)
{
	struct dmabuf_test_counters c = counters(&t->s, fd);

	assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), attachments);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), mappings);
}

void take_back(struct test *t, int fd)
{
	struct dmabuf_test_revoke result;

	OK(exporter_revoke(t->s.dev, fd, 5000, &result));
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
}

void expect_event(struct ibv_ext_dmabuf_event_channel *channel, void *cookie)
{
	struct ibv_ext_dmabuf_event event;

	OK(ibv_ext_get_dmabuf_event(channel, &event));
	assert_ptr_equal(event.cookie, cookie);
	assert_int_equal(event.type, IBV_EXT_DMABUF_EVENT_REVOKED);
}

void expect_fatal_event(struct test *t)
{
	struct pollfd fd = { .fd = t->context->async_fd, .events = POLLIN };
	struct ibv_async_event event;

	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_int_equal(ibv_get_async_event(t->context, &event), 0);
	assert_int_equal(event.event_type, IBV_EVENT_DEVICE_FATAL);
	ibv_ack_async_event(&event);
	assert_int_equal(poll(&fd, 1, 0), 0);
}
