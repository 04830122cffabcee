// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * dma-bufs that need care: udmabufs of pages from here and there, and those
 * that a device which copies by the CPU must not take.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "file.h"
#include "fixture.h"
#include "kernel.h"
#include "raw_ioctl.h"
#include "test.h"

#define HUGE_PAGE (2 * MIB)

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"
#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static unsigned long read_meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long value = 0;
	char line[128];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) || line[strlen(name)] != ':')
			continue;
		value = strtoul(line + strlen(name) + 1, NULL, 10);
		break;
	}
	fclose(file);
	return value;
}

static int make_memfd(size_t size, unsigned int flags)
{
	int fd = memfd_create("test", flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *map;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	/*
	 * Touched: otherwise the kernel takes huge pages that nobody reserved, and
	 * small ones where a transparent huge page was asked for.
	 */
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	memset(map, 1, size);
	munmap(map, size);
	return fd;
}

/* A udmabuf of ranges of memfds; -1 with errno if there is none. */
static int make_udmabuf(const struct udmabuf_create_item *items, unsigned int count)
{
	struct udmabuf_create_list *list = calloc(1, sizeof(*list) + count * sizeof(*items));
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd, err;

	assert_non_null(list);
	assert_true(dev >= 0);
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = count;
	memcpy(list->list, items, count * sizeof(*items));
	fd = ioctl(dev, UDMABUF_CREATE_LIST, list);
	err = errno;
	close(dev);
	free(list);
	errno = err;
	return fd;
}

/* Gives the fixture a dma-buf that was made by other means than its own. */
static struct dmabuf *adopt_dmabuf(struct fixture *f, int fd, size_t size)
{
	struct dmabuf *buf = &f->buffers[f->num_buffers];

	assert_true(f->num_buffers < FIXTURE_BUFFERS);
	*buf = (struct dmabuf){ .fd = fd, .memfd = -1, .size = size };
	f->num_buffers++;
	buf->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buf->map == MAP_FAILED)
		buf->map = NULL;
	assert_non_null(buf->map);
	return buf;
}

/* Every way to register @fd answers EOPNOTSUPP, and nothing stays. */
static void expect_no_cpu_access(struct fixture *f, int fd, uint64_t offset, uint64_t length,
				 const char *what)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.offset = offset,
		.length = length,
		.fd = fd,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;
	struct usage before;

	usage_read(&before);
	errno = 0;
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, EOPNOTSUPP, "%s", what);
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_NO_CPU_ACCESS);
	assert_string_equal(report.exporter, "udmabuf");
	errno = 0;
	assert_null(ibv_reg_dmabuf_mr(f->pd, offset, length, 0, fd, ACCESS_ALL));
	assert_errno(errno, EOPNOTSUPP, "ibv_reg_dmabuf_mr, %s", what);
	assert_usage(&before, what);
}

/* Registers all of @buf, moves data in and looks at it in the buffer. */
static void expect_data(struct fixture *f, struct dmabuf *buf)
{
	struct dmabuf *source = fixture_buffer(f, SYSTEM_HEAP, buf->size);
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *from, *to;
	struct area data, area;

	area_init(&data, source, 1);
	area_init(&area, buf, 2);
	from = register_all(f->pd, source);
	to = register_all(f->pd, buf);
	assert_int_equal(
		rc_write(pair,
			 (struct rc_bytes){ .addr = 1, .length = buf->size - 9, .key = from->lkey },
			 5, to->rkey),
		IBV_WC_SUCCESS);
	area_expect_copy(&area, 5, &data, 1, buf->size - 9);
	area_check(&area, "write");
	deregister(from);
	deregister(to);
	area_free(&data);
	area_free(&area);
	rc_pair_destroy(pair);
}

/* udmabuf maps huge pages for the CPU as they lie, or they are refused. The fd is taken over. */
static void expect_huge_pages(struct fixture *f, int fd, size_t size, const char *what)
{
	if (kernel_maps_huge_udmabufs()) {
		expect_data(f, adopt_dmabuf(f, fd, size));
		return;
	}
	expect_no_cpu_access(f, fd, 0, size, what);
	expect_no_cpu_access(f, fd, 0, PAGE, what);
	expect_no_cpu_access(f, fd, size - PAGE, PAGE, what);
	close(fd);
}

/* Pages of two memfds, out of order and with gaps. */
static void scattered_pages(void **state)
{
	struct fixture *f = *state;
	int fds[2] = { make_memfd(64 * PAGE, 0), make_memfd(64 * PAGE, 0) };
	struct udmabuf_create_item items[] = {
		{ .memfd = fds[1], .offset = 17 * PAGE, .size = PAGE },
		{ .memfd = fds[0], .offset = 3 * PAGE, .size = 4 * PAGE },
		{ .memfd = fds[1], .offset = 0, .size = 2 * PAGE },
		{ .memfd = fds[0], .offset = 2 * PAGE, .size = PAGE },
		{ .memfd = fds[0], .offset = 0, .size = PAGE },
		{ .memfd = fds[1], .offset = 63 * PAGE, .size = PAGE },
	};
	int fd;

	fd = make_udmabuf(items, ARRAY_SIZE(items));
	if (fd < 0)
		fail_msg("UDMABUF_CREATE_LIST: %s", strerrorname(errno));
	expect_data(f, adopt_dmabuf(f, fd, 10 * PAGE));
	close(fds[0]);
	close(fds[1]);
}

/*
 * Memory of others is not shown. udmabuf of 6.12 shows it where the memfd's
 * pages were allocated by fallocate() and the kernel does not clear all memory
 * by itself (init_on_alloc), as Debian's does.
 */
static void memory_is_clear(void **state)
{
	static const enum exporter exporters[] = { UDMABUF, SYSTEM_HEAP };
	static const uint8_t zeros[PAGE];
	const size_t old_size = 64 * MIB;
	struct fixture *f = *state;
	size_t i, offset;
	void *old;

	for (i = 0; i < ARRAY_SIZE(exporters); i++) {
		struct dmabuf *buf;

		old = mmap(NULL, old_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
		assert_ptr_not_equal(old, MAP_FAILED);
		memset(old, 0xa5, old_size);
		munmap(old, old_size);
		buf = fixture_buffer(f, exporters[i], 16 * MIB);
		for (offset = 0; offset < buf->size; offset += PAGE)
			assert_memory_equal((uint8_t *)buf->map + offset, zeros, PAGE);
	}
}

static int reserve_huge_pages(void **state)
{
	file_write(NR_HUGEPAGES, "8");
	return fixture_setup(state);
}

static int release_huge_pages(void **state)
{
	int left = fixture_teardown(state);

	file_write(NR_HUGEPAGES, "0");
	return left;
}

/*
 * The kernel maps such a buffer wrongly for the CPU: data for a later page of a
 * huge page would land in its first one.
 */
static void hugetlb_memory(void **state)
{
	struct fixture *f = *state;
	struct udmabuf_create_item item = { .size = 2 * HUGE_PAGE };
	int memfd, fd;

	if (read_meminfo("HugePages_Free") < 2)
		skip_because("no huge pages in this machine");
	memfd = make_memfd(2 * HUGE_PAGE, MFD_HUGETLB);
	item.memfd = memfd;
	fd = make_udmabuf(&item, 1);
	if (fd < 0)
		fail_msg("UDMABUF_CREATE_LIST: %s", strerrorname(errno));
	close(memfd);
	expect_huge_pages(f, fd, 2 * HUGE_PAGE, "hugetlb memory");

	expect_data(f, fixture_buffer(f, UDMABUF, 16 * PAGE));
}

/* One huge page among ordinary ones, and a region that does not touch it. */
static void some_hugetlb_memory(void **state)
{
	struct fixture *f = *state;
	struct udmabuf_create_item items[3];
	int fds[2], fd;

	if (read_meminfo("HugePages_Free") < 2)
		skip_because("no huge pages in this machine");
	fds[0] = make_memfd(16 * PAGE, 0);
	fds[1] = make_memfd(HUGE_PAGE, MFD_HUGETLB);
	items[0] = (struct udmabuf_create_item){ .memfd = fds[0], .size = 8 * PAGE };
	items[1] = (struct udmabuf_create_item){ .memfd = fds[1], .size = HUGE_PAGE };
	items[2] = (struct udmabuf_create_item){ .memfd = fds[0],
						 .offset = 8 * PAGE,
						 .size = 8 * PAGE };
	fd = make_udmabuf(items, ARRAY_SIZE(items));
	if (fd < 0)
		fail_msg("UDMABUF_CREATE_LIST: %s", strerrorname(errno));
	expect_huge_pages(f, fd, HUGE_PAGE + 16 * PAGE, "hugetlb memory in the middle");
	close(fds[0]);
	close(fds[1]);
}

static int want_transparent_huge_pages(void **state)
{
	file_write(SHMEM_ENABLED, "force");
	return fixture_setup(state);
}

static int no_transparent_huge_pages(void **state)
{
	int left = fixture_teardown(state);

	file_write(SHMEM_ENABLED, "never");
	return left;
}

static void transparent_huge_pages(void **state)
{
	struct fixture *f = *state;
	unsigned long before = read_meminfo("ShmemHugePages");
	int memfd = make_memfd(2 * HUGE_PAGE, 0);
	struct udmabuf_create_item item = { .memfd = memfd, .size = 2 * HUGE_PAGE };
	int fd;

	if (read_meminfo("ShmemHugePages") <= before) {
		close(memfd);
		skip_because("this kernel gives a memfd no transparent huge pages");
	}

	fd = make_udmabuf(&item, 1);
	assert_true(fd >= 0);
	expect_huge_pages(f, fd, 2 * HUGE_PAGE, "transparent huge pages");
	close(memfd);
}

static void ordinary_pages_after_that(void **state)
{
	struct fixture *f = *state;

	expect_data(f, fixture_buffer(f, UDMABUF, 16 * PAGE));
}

/* The two requests to a DRM device, whose headers no package of the system has. */
struct drm_mode_create_dumb {
	uint32_t height;
	uint32_t width;
	uint32_t bpp;
	uint32_t flags;
	uint32_t handle;
	uint32_t pitch;
	uint64_t size;
};

struct drm_prime_handle {
	uint32_t handle;
	uint32_t flags;
	int32_t fd;
};

#define DRM_IOCTL_MODE_CREATE_DUMB _IOWR('d', 0xb2, struct drm_mode_create_dumb)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct drm_prime_handle)

/* A buffer of a graphics device: vgem, which has neither display nor hardware. */
static void graphics_memory(void **state)
{
	struct drm_mode_create_dumb create = { .width = 4096, .height = 16, .bpp = 8 };
	struct drm_prime_handle prime = { .flags = O_RDWR | O_CLOEXEC };
	int dev = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
	struct ibv_ext_dmabuf_mr_info info;
	struct fixture *f = *state;
	struct dmabuf *buf;
	struct ibv_mr *mr;

	if (dev < 0)
		skip_because("no vgem device");
	assert_int_equal(ioctl(dev, DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	prime.handle = create.handle;
	assert_int_equal(ioctl(dev, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	close(dev);
	buf = adopt_dmabuf(f, prime.fd, create.size);

	mr = register_all(f->pd, buf);
	assert_errno(ibv_ext_query_dmabuf_mr(mr, &info), 0, "query");
	assert_string_equal(info.exporter, "drm");
	deregister(mr);
	expect_data(f, buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scattered_pages),
		TEST(memory_is_clear),
		cmocka_unit_test_setup_teardown(hugetlb_memory, reserve_huge_pages,
						release_huge_pages),
		cmocka_unit_test_setup_teardown(some_hugetlb_memory, reserve_huge_pages,
						release_huge_pages),
		cmocka_unit_test_setup_teardown(transparent_huge_pages, want_transparent_huge_pages,
						no_transparent_huge_pages),
		TEST(ordinary_pages_after_that),
		TEST(graphics_memory),
	};

	return cmocka_run_group_tests_name("exporters", tests, NULL, NULL);
}
