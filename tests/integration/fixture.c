// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "fixture.h"
#include "parameter.h"
#include "test.h"

const char *strerrorname(int err)
{
	const char *name = err ? strerrorname_np(err) : "success";

	return name ? name : "unknown error";
}

struct ibv_context *open_device_named(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;
	bool found = false;
	unsigned int i;

	for (i = 0; list && list[i] && !found; i++) {
		found = !strcmp(ibv_get_device_name(list[i]), name);
		if (found)
			context = ibv_open_device(list[i]);
	}
	if (list)
		ibv_free_device_list(list);
	if (!found)
		errno = ENODEV;
	return context;
}

struct ibv_context *open_device(void)
{
	return open_device_named(DEVICE);
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	usage_read(&f->before);
	f->context = open_device();
	if (!f->context)
		fail_msg("cannot open " DEVICE ": %s", strerror(errno));
	f->pd = ibv_alloc_pd(f->context);
	assert_non_null(f->pd);
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	int left;

	/*
	 * What a test that failed did not get to release goes with the context,
	 * and a test that succeeded has released it: then the PD is free.
	 */
	rc_pair_destroy(&f->pair);
	ibv_dealloc_pd(f->pd);
	ibv_close_device(f->context);
	while (f->num_buffers)
		dmabuf_free(&f->buffers[--f->num_buffers]);
	left = usage_compare(&f->before, "after the test");
	free(f);
	return left;
}

int parameters_fixture_setup(void **state)
{
	parameter_assert(PIN_POLICY, "on");
	parameter_assert(CHARGE_ALL, "N");
	return fixture_setup(state);
}

int parameters_fixture_teardown(void **state)
{
	parameters_reset();
	return fixture_teardown(state);
}

static struct dmabuf *next_buffer(struct fixture *f)
{
	assert_true(f->num_buffers < FIXTURE_BUFFERS);
	return &f->buffers[f->num_buffers++];
}

struct dmabuf *fixture_buffer(struct fixture *f, enum exporter exporter, size_t size)
{
	struct dmabuf *buf = next_buffer(f);
	int err;

	if (exporter == UDMABUF)
		err = dmabuf_alloc_udmabuf(buf, size, 0);
	else
		err = dmabuf_alloc_heap(buf, "system", size, O_RDWR);
	if (err)
		fail_msg("%s", dmabuf_error());
	return buf;
}

struct dmabuf *fixture_read_only_buffer(struct fixture *f, size_t size)
{
	struct dmabuf *buf = next_buffer(f);

	if (dmabuf_alloc_heap(buf, "system", size, O_RDONLY))
		fail_msg("%s", dmabuf_error());
	return buf;
}

struct rc_pair *fixture_pair(struct fixture *f)
{
	assert_errno(rc_pair_create(&f->pair, f->pd), 0, "RC pair");
	return &f->pair;
}

const char *exporter_name(enum exporter exporter)
{
	return exporter == UDMABUF ? "udmabuf" : "system";
}

struct ibv_mr *register_pinned(struct ibv_pd *pd, const struct dmabuf *buf, uint64_t offset,
			       size_t length, uint64_t iova, int access)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.offset = offset,
		.length = length,
		.iova = iova,
		.fd = buf->fd,
		.access = access,
	};
	struct ibv_ext_dmabuf_report report;
	struct ibv_mr *mr = ibv_ext_reg_dmabuf_mr(pd, &attr, &report);

	if (!mr)
		fail_msg("registration of %#zx bytes at %#" PRIx64 ": %s, %s", length, offset,
			 strerrorname(errno), ibv_ext_dmabuf_reason_str(report.reason));
	return mr;
}

struct ibv_mr *register_all(struct ibv_pd *pd, const struct dmabuf *buf)
{
	return register_pinned(pd, buf, 0, buf->size, 0, ACCESS_ALL);
}

struct ibv_mr *register_with_bits(struct ibv_pd *pd, const struct dmabuf *buf, uint32_t bits)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(pd, 0, buf->size, 0, buf->fd, ACCESS_ALL | bits);

	if (!mr)
		fail_msg("registration with %#x: %s", bits, strerrorname(errno));
	return mr;
}

struct ibv_ext_dmabuf_mr_info query_mr(struct ibv_mr *mr)
{
	struct ibv_ext_dmabuf_mr_info info;

	/* Compared as bytes, with all that is between its members. */
	memset(&info, 0, sizeof(info));
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	return info;
}

void deregister(struct ibv_mr *mr)
{
	assert_errno(ibv_dereg_mr(mr), 0, "deregistration");
}

void wait_for_child(int pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("child ended with wait status %#x", status);
}
