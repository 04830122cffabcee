// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registrations that have to succeed, and what can be learned about them.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "fixture.h"
#include "kernel.h"
#include "raw_ioctl.h"
#include "test.h"

struct region {
	uint64_t offset;
	uint64_t length;
	uint64_t iova;
	bool requested; /* to be pinned, and so charged */
};

static void check_info(const struct ibv_ext_dmabuf_mr_info *info, const struct region *region,
		       const struct dmabuf *buf, enum exporter exporter)
{
	uint32_t flags = IBV_EXT_DMABUF_MR_CPU_ACCESS;
	struct dmabuf_id id;

	if (region->requested)
		flags |= IBV_EXT_DMABUF_MR_REQUESTED_PIN;
	else if (kernel_pins_by_consent())
		flags |= IBV_EXT_DMABUF_MR_REVOCABLE;
	assert_int_equal(dmabuf_identify(buf->fd, &id), 0);
	assert_int_equal(info->mode, IBV_EXT_DMABUF_MODE_PINNED);
	assert_int_equal(info->state, IBV_EXT_DMABUF_STATE_LIVE);
	assert_int_equal(info->placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(info->flags, flags);
	assert_int_equal(info->offset, region->offset);
	assert_int_equal(info->length, region->length);
	assert_int_equal(info->iova, region->iova);
	assert_int_equal(info->dmabuf_size, buf->size);
	assert_int_equal(info->dmabuf_size, id.size);
	assert_int_equal(info->dmabuf_inode, id.inode);
	assert_int_equal(info->charged, region->requested ? buf->size : 0);
	assert_int_equal(info->dma_segments, 0);
	assert_string_equal(info->exporter, exporter_name(exporter));
	assert_string_equal(info->exporter, id.exporter);
}

/* Everything that can be asked about an MR has to agree. */
static void check_mr(struct ibv_mr *mr, const struct region *region, const struct dmabuf *buf,
		     enum exporter exporter)
{
	struct ibv_ext_dmabuf_mr_info info;
	struct raw_mr_info raw;

	memset(&info, 0xff, sizeof(info));
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "ibv_ext_query_dmabuf_mr");
	check_info(&info, region, buf, exporter);

	assert_errno(raw_query_mr(mr->context->cmd_fd, mr->handle, &raw), 0, "QUERY_MR");
	assert_int_equal(raw.lkey, mr->lkey);
	assert_int_equal(raw.rkey, mr->rkey);
	assert_int_equal(raw.length, region->length);
	assert_int_equal(raw.iova, region->iova);
	assert_int_equal(mr->length, region->length);
}

static void register_one(struct fixture *f, struct dmabuf *buf, enum exporter exporter,
			 const struct region *region)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.offset = region->offset,
		.length = region->length,
		.iova = region->iova,
		.fd = buf->fd,
		.access = ACCESS_ALL,
	};
	struct region plain = *region;
	struct ibv_ext_dmabuf_report report;
	struct usage idle;
	struct dmabuf_id id;
	struct ibv_mr *mr;

	usage_read(&idle);

	mr = ibv_reg_dmabuf_mr_pinned(f->pd, region->offset, region->length, region->iova, buf->fd,
				      ACCESS_ALL, 0);
	assert_non_null(mr);
	check_mr(mr, region, buf, exporter);
	assert_held(&idle, 1, 1, buf->size, "while registered");
	deregister(mr);
	assert_usage(&idle, "after ibv_reg_dmabuf_mr_pinned");

	mr = ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report);
	assert_non_null(mr);
	check_mr(mr, region, buf, exporter);
	assert_int_equal(dmabuf_identify(buf->fd, &id), 0);
	assert_int_equal(report.err, 0);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NONE);
	assert_int_equal(report.source, IBV_EXT_DMABUF_REPORT_NONE);
	assert_int_equal(report.placement, IBV_EXT_DMABUF_PLACEMENT_SYSTEM);
	assert_int_equal(report.dmabuf_size, buf->size);
	assert_int_equal(report.dmabuf_inode, id.inode);
	assert_int_equal(report.charge, buf->size);
	assert_string_equal(report.exporter, exporter_name(exporter));
	deregister(mr);

	mr = ibv_ext_reg_dmabuf_mr(f->pd, &attr, NULL);
	assert_non_null(mr);
	deregister(mr);
	assert_usage(&idle, "after ibv_ext_reg_dmabuf_mr");

	plain.requested = false;
	mr = ibv_reg_dmabuf_mr(f->pd, region->offset, region->length, region->iova, buf->fd,
			       ACCESS_ALL);
	assert_non_null(mr);
	check_mr(mr, &plain, buf, exporter);
	assert_held(&idle, 1, 1, 0, "while registered");
	deregister(mr);
	assert_usage(&idle, "after ibv_reg_dmabuf_mr");
}

static void register_everywhere(struct fixture *f, enum exporter exporter)
{
	const size_t size = 64 * PAGE;
	const struct region regions[] = {
		{ 0, size, 0, true },
		{ 0, size, 0x7fffdeadb000, true },
		{ 0, 1, 0, true },
		{ size - 1, 1, PAGE - 1, true },
		{ PAGE, PAGE, PAGE, true },
		{ PAGE, PAGE, 0, true },
		{ PAGE - 1, 2, 17 * PAGE - 1, true },
		{ 5 * PAGE + 123, 3 * PAGE + 1, 0x123456789000 + 123, true },
		{ 0, size - 1, 0, true },
		{ 1, size - 1, 1, true },
	};
	struct dmabuf *buf = fixture_buffer(f, exporter, size);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(regions); i++)
		register_one(f, buf, exporter, &regions[i]);
}

static void over_udmabuf(void **state)
{
	register_everywhere(*state, UDMABUF);
}

static void over_the_system_heap(void **state)
{
	register_everywhere(*state, SYSTEM_HEAP);
}

static void sizes(void **state)
{
	static const size_t sizes[] = { 1, PAGE, PAGE + 1, MIB, 64 * MIB, 256 * MIB };
	struct fixture *f = *state;
	enum exporter exporter;
	struct dmabuf buf;
	size_t i;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct region region = { .length = sizes[i], .requested = true };
			struct ibv_mr *mr;
			int err;

			/* released in each round: all together is too much */
			if (exporter == UDMABUF)
				err = dmabuf_alloc_udmabuf(&buf, sizes[i], 0);
			else
				err = dmabuf_alloc_heap(&buf, "system", sizes[i], O_RDWR);
			if (err)
				fail_msg("%s", dmabuf_error());
			mr = register_pinned(f->pd, &buf, 0, sizes[i], 0, ACCESS_ALL);
			check_mr(mr, &region, &buf, exporter);
			deregister(mr);
			dmabuf_free(&buf);
		}
	}
}

static void every_access(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	int access;

	for (access = 0; access <= ACCESS_ALL; access++) {
		bool remote_writing = access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC);

		if (remote_writing && !(access & IBV_ACCESS_LOCAL_WRITE))
			continue;
		deregister(register_pinned(f->pd, buf, 0, PAGE, 0, access));
		deregister(register_pinned(f->pd, buf, 0, PAGE, 0,
					   access | IBV_ACCESS_RELAXED_ORDERING));
	}
}

static void caps(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_caps caps;

	memset(&caps, 0xff, sizeof(caps));
	assert_errno(ibv_ext_query_dmabuf_caps(f->context, &caps), 0, "caps");
	assert_int_equal(caps.version, IB_UVERBS_DMABUF_VERSION);
	assert_true(caps.access_flags & IBV_EXT_ACCESS_DMABUF_PINNED);
	assert_int_equal(caps.access_flags & ~IB_UVERBS_ACCESS_DMABUF_MASK, 0);
}

/* The bits are public: with libibverbs alone, after the caps were looked at. */
static void access_bits_directly(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct region region = { .offset = PAGE, .length = PAGE, .iova = 0, .requested = true };
	struct ibv_mr *mr;

	mr = ibv_reg_dmabuf_mr(f->pd, PAGE, PAGE, 0, buf->fd,
			       ACCESS_ALL | IBV_EXT_ACCESS_DMABUF_PINNED);
	assert_non_null(mr);
	check_mr(mr, &region, buf, UDMABUF);
	deregister(mr);
}

/* Freed by the kernel when the process does not do it. */
static void context_closed_with_regions(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, 4 * PAGE);
	struct ibv_context *context;
	struct usage idle;
	struct ibv_pd *pd;
	int i;

	usage_read(&idle);
	context = open_device();
	assert_non_null(context);
	pd = ibv_alloc_pd(context);
	assert_non_null(pd);
	for (i = 0; i < 8; i++)
		register_all(pd, buf);
	assert_int_equal(ibv_close_device(context), 0);
	assert_usage(&idle, "after the context was closed");
}

/* Registering does not disturb ordinary regions, and works beside them. */
static void beside_ordinary_regions(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, MIB);
	struct region region = { .length = MIB, .requested = true };
	struct ibv_mr *mr, *ordinary;
	void *anon;

	anon = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(anon, MAP_FAILED);
	mr = register_all(f->pd, buf);
	ordinary = ibv_reg_mr(f->pd, anon, MIB, ACCESS_ALL);
	assert_non_null(ordinary);
	check_mr(mr, &region, buf, UDMABUF);
	deregister(ordinary);
	check_mr(mr, &region, buf, UDMABUF);
	deregister(mr);
	munmap(anon, MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(over_udmabuf),
		TEST(over_the_system_heap),
		TEST(sizes),
		TEST(every_access),
		TEST(caps),
		TEST(access_bits_directly),
		TEST(context_closed_with_regions),
		TEST(beside_ordinary_regions),
	};

	return cmocka_run_group_tests_name("registration", tests, NULL, NULL);
}
