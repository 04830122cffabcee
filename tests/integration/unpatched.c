// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * On a kernel without the series: every call of the library says so, before it
 * says anything else, and the bare bits never give an MR.
 */
#include "fixture.h"
#include "raw_ioctl.h"
#include "test.h"
#include "tool_output.h"

static void caps(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_caps caps;
	struct ib_uverbs_dmabuf_caps raw;

	memset(&caps, 0xa5, sizeof(caps));
	assert_errno(ibv_ext_query_dmabuf_caps(f->context, &caps), EOPNOTSUPP, "caps");
	assert_errno(_ibv_ext_query_dmabuf_caps(f->context, &caps, 0), EOPNOTSUPP,
		     "caps, of size 0");
	assert_errno(raw_query_dmabuf_caps(f->context->cmd_fd, &raw, sizeof(raw)), EPROTONOSUPPORT,
		     "QUERY_DMABUF_CAPS");
}

static void expect_unsupported(struct fixture *f, const struct ibv_ext_dmabuf_mr_attr *attr,
			       const char *what)
{
	struct ibv_ext_dmabuf_report report;

	memset(&report, 0xa5, sizeof(report));
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, attr, &report));
	assert_errno(errno, EOPNOTSUPP, "ibv_ext_reg_dmabuf_mr, %s", what);
	assert_errno(report.err, EOPNOTSUPP, "its report, %s", what);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NO_KERNEL_SUPPORT);
	assert_int_not_equal(report.source, IBV_EXT_DMABUF_REPORT_NONE);
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, attr, NULL));
	assert_errno(errno, EOPNOTSUPP, "without a report, %s", what);

	assert_errno(ibv_ext_probe_dmabuf(f->pd, attr, &report), EOPNOTSUPP,
		     "ibv_ext_probe_dmabuf, %s", what);

	errno = 0;
	assert_null(ibv_reg_dmabuf_mr_pinned(f->pd, attr->offset, attr->length, attr->iova,
					     attr->fd, attr->access, attr->pin_flags));
	assert_errno(errno, EOPNOTSUPP, "ibv_reg_dmabuf_mr_pinned, %s", what);
}

static void registration(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	const struct ibv_ext_dmabuf_mr_attr good = {
		.length = buf->size,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_mr_attr attr;
	struct usage before;

	usage_read(&before);
	expect_unsupported(f, &good, "a good request");
	attr = good;
	attr.pin_flags = IBV_EXT_DMABUF_PIN_REQUIRE_P2P | IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	expect_unsupported(f, &attr, "all pin flags");

	attr = good;
	attr.fd = -1;
	expect_unsupported(f, &attr, "no descriptor");
	attr = good;
	attr.fd = buf->memfd;
	expect_unsupported(f, &attr, "no dma-buf");
	attr = good;
	attr.length = 0;
	expect_unsupported(f, &attr, "nothing");
	attr = good;
	attr.offset = -PAGE;
	expect_unsupported(f, &attr, "an overflow");
	attr = good;
	attr.iova = 1;
	expect_unsupported(f, &attr, "offset and iova that disagree");
	attr = good;
	attr.access = -1;
	expect_unsupported(f, &attr, "all access bits");
	attr = good;
	attr.access = IBV_ACCESS_REMOTE_WRITE;
	expect_unsupported(f, &attr, "remote write without local write");
	attr = good;
	attr.pin_flags = UINT32_MAX;
	expect_unsupported(f, &attr, "unknown pin flags");
	attr = good;
	attr.comp_mask = UINT32_MAX;
	expect_unsupported(f, &attr, "unknown comp_mask bits");
	assert_usage(&before, "after refused registrations");
}

static void query(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct ib_uverbs_dmabuf_mr_info raw;
	struct ibv_mr *mr = ibv_reg_mr(f->pd, &info, sizeof(info), 0);

	assert_non_null(mr);
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), EOPNOTSUPP, "ibv_ext_query_dmabuf_mr");
	assert_errno(raw_query_dmabuf_mr(f->context->cmd_fd, mr->handle, &raw, sizeof(raw)),
		     EPROTONOSUPPORT, "QUERY_DMABUF_MR");
	deregister(mr);
}

/* That kernel has such files, but not our events. */
static void events(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_event_channel channel = { .context = f->context, .fd = -1 };
	struct ibv_mr *mr = ibv_reg_mr(f->pd, &channel, sizeof(channel), 0);

	assert_non_null(mr);
	errno = 0;
	assert_null(ibv_ext_create_dmabuf_event_channel(f->context));
	assert_errno(errno, EOPNOTSUPP, "ibv_ext_create_dmabuf_event_channel");
	assert_errno(ibv_ext_watch_dmabuf_mr(mr, &channel, NULL), EOPNOTSUPP,
		     "ibv_ext_watch_dmabuf_mr");
	assert_errno(ibv_ext_unwatch_dmabuf_mr(mr, &channel), EOPNOTSUPP,
		     "ibv_ext_unwatch_dmabuf_mr");
	deregister(mr);
}

static void bits_without_asking(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, PAGE);
	struct raw_region region = { .pd = f->pd->handle, .fd = buf->fd, .length = PAGE };
	struct usage before;
	struct raw_mr mr;
	uint32_t bits;
	int err;

	usage_read(&before);
	for (bits = 1; bits < 8; bits++) {
		region.access = ACCESS_ALL | bits << 16;
		err = raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr);
		if (err != EINVAL && err != EOPNOTSUPP)
			fail_msg("REG_DMABUF_MR with access %#x: %s", region.access,
				 strerrorname(err));
		errno = 0;
		assert_null(ibv_reg_dmabuf_mr(f->pd, 0, PAGE, 0, buf->fd, region.access));
		if (errno != EINVAL && errno != EOPNOTSUPP)
			fail_msg("ibv_reg_dmabuf_mr with access %#x: %s", region.access,
				 strerrorname(errno));
		assert_errno(raw_reg_mr(f->context->cmd_fd, f->pd->handle, &mr, sizeof(mr),
					region.access, &mr),
			     EINVAL, "REG_MR with access %#x", region.access);
	}
	assert_usage(&before, "after refused registrations");
}

/* Both say why, and a program that shall pin registers nothing. */
static void tools(void **state)
{
	struct json_object *all = tool_json(3, INFO_TOOL " --json -x udmabuf " DEVICE);
	struct json_object *device = json_object_array_get_idx(json_member(all, "devices"), 0);
	char output[4096];

	(void)state;
	assert_null(json_string(all, "policy"));
	assert_int_equal(json_object_array_length(json_member(device, "capabilities")), 0);
	assert_string_equal(json_string(device, "reason"), "NO_KERNEL_SUPPORT");
	json_object_put(all);

	assert_int_equal(tool_run(output, sizeof(output),
				  PIN_RUN_TOOL " " PINGPONG_TOOL " --mr=plain 127.0.0.1 2>&1"),
			 1);
	assert_non_null(strstr(output, "ibv_dmabuf_pin_run: a device does not take such pins"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caps),   TEST(registration),	 TEST(query),
		TEST(events), TEST(bits_without_asking), TEST(tools),
	};

	return cmocka_run_group_tests_name("unpatched kernel", tests, NULL, NULL);
}
