// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The two queries with every size, with bad buffers and with wrong handles.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "fixture.h"
#include "raw_ioctl.h"
#include "test.h"

#define FILL 0xa5

/* A page with an inaccessible one behind it; returns the end of the first. */
static uint8_t *before_a_hole(uint8_t **map)
{
	*map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(*map, MAP_FAILED);
	assert_int_equal(mprotect(*map + PAGE, PAGE, PROT_NONE), 0);
	return *map + PAGE;
}

static bool all_bytes_are(const uint8_t *bytes, size_t size, uint8_t value)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

struct query {
	struct fixture *f;
	uint32_t handle; /* UINT32_MAX: the caps */
	size_t size;	 /* of the struct that the kernel has */
};

static int execute(const struct query *query, void *out, uint16_t size)
{
	int cmd_fd = query->f->context->cmd_fd;

	if (query->handle == UINT32_MAX)
		return raw_query_dmabuf_caps(cmd_fd, out, size);
	return raw_query_dmabuf_mr(cmd_fd, query->handle, out, size);
}

static void check_sizes(const struct query *query)
{
	static uint8_t out[UINT16_MAX + 16];
	uint8_t answer[256];
	size_t size;

	assert_true(query->size <= sizeof(answer));
	assert_errno(execute(query, answer, query->size), 0, "the size of the struct");

	/* A shorter one: the first version of a struct is the shortest there is. */
	for (size = 0; size < query->size; size++) {
		memset(out, FILL, sizeof(out));
		assert_errno(execute(query, out, size), EINVAL, "%zu bytes", size);
		assert_true(all_bytes_are(out, sizeof(out), FILL));
	}
	/* A longer one, of a newer library: what the kernel does not know is zero. */
	for (size = query->size; size <= UINT16_MAX; size += size < query->size + 20 ? 1 : 4999) {
		memset(out, FILL, sizeof(out));
		assert_errno(execute(query, out, size), 0, "%zu bytes", size);
		assert_memory_equal(out, answer, query->size);
		assert_true(all_bytes_are(out + query->size, size - query->size, 0));
		assert_true(all_bytes_are(out + size, sizeof(out) - size, FILL));
	}
	/* at any address */
	for (size = 1; size < 8; size++) {
		memset(out, FILL, sizeof(out));
		assert_errno(execute(query, out + size, query->size), 0, "unaligned by %zu", size);
		assert_memory_equal(out + size, answer, query->size);
		assert_true(all_bytes_are(out, size, FILL));
	}
}

static void check_bad_buffers(const struct query *query)
{
	uint8_t *map, *end = before_a_hole(&map);

	assert_errno(execute(query, NULL, query->size), EFAULT, "NULL");
	assert_errno(execute(query, end, query->size), EFAULT, "no access");
	assert_errno(execute(query, end - 1, query->size), EFAULT, "access to one byte");
	assert_errno(execute(query, end - query->size, query->size + 8), EFAULT,
		     "access to the struct, but not to what has to be zeroed");
	assert_errno(execute(query, end - query->size, query->size), 0, "just so");
	assert_errno(execute(query, (void *)(UINTPTR_MAX - 7), query->size), EFAULT,
		     "a kernel address");
	munmap(map, 2 * PAGE);
}

static void caps_buffers(void **state)
{
	struct query query = {
		.f = *state,
		.handle = UINT32_MAX,
		.size = sizeof(struct ib_uverbs_dmabuf_caps),
	};
	struct ib_uverbs_dmabuf_caps caps;

	assert_errno(execute(&query, &caps, sizeof(caps)), 0, "caps");
	assert_true(caps.magic == IB_UVERBS_DMABUF_MAGIC);
	assert_int_equal(caps.version, IB_UVERBS_DMABUF_VERSION);
	check_sizes(&query);
	check_bad_buffers(&query);
}

static void mr_buffers(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_all(f->pd, fixture_buffer(f, UDMABUF, 2 * PAGE));
	struct query query = {
		.f = f,
		.handle = mr->handle,
		.size = sizeof(struct ib_uverbs_dmabuf_mr_info),
	};

	check_sizes(&query);
	check_bad_buffers(&query);
	deregister(mr);
}

static void wrong_handles(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_context *other = open_device();
	struct ibv_ext_dmabuf_mr_info ext;
	struct ib_uverbs_dmabuf_mr_info info;
	int cmd_fd = f->context->cmd_fd;
	struct ibv_pd *other_pd;
	struct ibv_mr *mrs[16];
	struct ibv_mr *ordinary;
	struct ibv_cq *cq;
	size_t i;

	assert_non_null(other);
	other_pd = ibv_alloc_pd(other);
	assert_non_null(other_pd);
	/* enough for a handle that no object of the test's own context has */
	for (i = 0; i < ARRAY_SIZE(mrs); i++)
		mrs[i] = register_all(other_pd, buf);
	ordinary = ibv_reg_mr(f->pd, buf->map, PAGE, 0);
	if (!ordinary) /* the exporter may not let its mapping be pinned */
		ordinary = ibv_reg_mr(f->pd, &info, sizeof(info), 0);
	assert_non_null(ordinary);
	cq = ibv_create_cq(f->context, 1, NULL, NULL, 0);
	assert_non_null(cq);

	assert_errno(raw_query_dmabuf_mr(cmd_fd, mrs[ARRAY_SIZE(mrs) - 1]->handle, &info,
					 sizeof(info)),
		     ENOENT, "MR of another context");
	assert_errno(raw_query_dmabuf_mr(cmd_fd, 12345, &info, sizeof(info)), ENOENT, "bogus MR");
	assert_errno(raw_query_dmabuf_mr(cmd_fd, UINT32_MAX, &info, sizeof(info)), ENOENT,
		     "bogus MR");
	assert_errno(raw_query_dmabuf_mr(cmd_fd, f->pd->handle, &info, sizeof(info)), EINVAL,
		     "a PD");
	assert_errno(raw_query_dmabuf_mr(cmd_fd, cq->handle, &info, sizeof(info)), EINVAL, "a CQ");
	assert_errno(raw_query_dmabuf_mr(cmd_fd, ordinary->handle, &info, sizeof(info)), EINVAL,
		     "an ordinary MR");
	assert_errno(ibv_ext_query_dmabuf_mr(ordinary, &ext), EINVAL,
		     "ibv_ext_query_dmabuf_mr of an ordinary MR");

	assert_int_equal(ibv_destroy_cq(cq), 0);
	deregister(ordinary);
	for (i = 0; i < ARRAY_SIZE(mrs); i++)
		deregister(mrs[i]);
	assert_int_equal(ibv_dealloc_pd(other_pd), 0);
	assert_int_equal(ibv_close_device(other), 0);
}

/* As an older or a newer program would call the library. */
static void library_struct_sizes(void **state)
{
	struct fixture *f = *state;
	struct ibv_mr *mr = register_all(f->pd, fixture_buffer(f, SYSTEM_HEAP, PAGE));
	uint8_t out[2 * sizeof(struct ibv_ext_dmabuf_mr_info)];
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_ext_dmabuf_caps caps;
	size_t size;

	/* compared as bytes */
	memset(&info, 0, sizeof(info));
	memset(&caps, 0, sizeof(caps));
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "MR");
	assert_errno(ibv_ext_query_dmabuf_caps(f->context, &caps), 0, "caps");
	for (size = 0; size <= sizeof(out); size++) {
		size_t known = size < sizeof(info) ? size : sizeof(info);

		memset(out, FILL, sizeof(out));
		assert_errno(_ibv_ext_query_dmabuf_mr(mr, (void *)out, size), 0, "MR");
		assert_memory_equal(out, &info, known);
		assert_true(all_bytes_are(out + known, size - known, 0));
		assert_true(all_bytes_are(out + size, sizeof(out) - size, FILL));

		known = size < sizeof(caps) ? size : sizeof(caps);
		memset(out, FILL, sizeof(out));
		assert_errno(_ibv_ext_query_dmabuf_caps(f->context, (void *)out, size), 0, "caps");
		assert_memory_equal(out, &caps, known);
		assert_true(all_bytes_are(out + known, size - known, 0));
		assert_true(all_bytes_are(out + size, sizeof(out) - size, FILL));
	}
	deregister(mr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caps_buffers),
		TEST(mr_buffers),
		TEST(wrong_handles),
		TEST(library_struct_sizes),
	};

	return cmocka_run_group_tests_name("queries", tests, NULL, NULL);
}
