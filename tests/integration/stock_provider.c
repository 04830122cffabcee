// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * With libibverbs' own rxe provider, which cannot register dma-bufs: the library
 * says why, and the kernel's side works all the same.
 */
#include "fixture.h"
#include "raw_ioctl.h"
#include "test.h"

static void registration(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct ibv_ext_dmabuf_mr_attr attr = {
		.length = buf->size,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;
	struct usage before;

	usage_read(&before);
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, EOPNOTSUPP, "ibv_ext_reg_dmabuf_mr");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NO_PROVIDER_SUPPORT);
	errno = 0;
	assert_null(ibv_reg_dmabuf_mr_pinned(f->pd, 0, buf->size, 0, buf->fd, ACCESS_ALL, 0));
	assert_errno(errno, EOPNOTSUPP, "ibv_reg_dmabuf_mr_pinned");
	assert_usage(&before, "after refused registrations");
}

static void kernel(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct raw_region region = {
		.pd = f->pd->handle,
		.fd = buf->fd,
		.length = buf->size,
		.access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	struct ib_uverbs_dmabuf_mr_info info;
	struct ibv_ext_dmabuf_caps caps;
	struct raw_mr mr;

	assert_errno(ibv_ext_query_dmabuf_caps(f->context, &caps), 0, "caps");
	assert_true(caps.access_flags & IBV_EXT_ACCESS_DMABUF_PINNED);
	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), 0, "REG_DMABUF_MR");
	assert_errno(raw_query_dmabuf_mr(f->context->cmd_fd, mr.handle, &info, sizeof(info)), 0,
		     "QUERY_DMABUF_MR");
	assert_int_equal(info.mode, IB_UVERBS_DMABUF_MODE_PINNED);
	assert_errno(raw_dereg_mr(f->context->cmd_fd, mr.handle), 0, "MR_DESTROY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registration),
		TEST(kernel),
	};

	return cmocka_run_group_tests_name("stock provider", tests, NULL, NULL);
}
