// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "fixture.h"
#include "stopped_page.h"
#include "test.h"

void stopped_page_create(struct stopped_page *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	page->userfaultfd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (page->userfaultfd < 0)
		skip_because("userfaultfd: %s", strerrorname(errno));
	assert_int_equal(ioctl(page->userfaultfd, UFFDIO_API, &api), 0);
	page->addr = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page->addr, MAP_FAILED);
	range.range.start = (uintptr_t)page->addr;
	range.range.len = PAGE;
	assert_int_equal(ioctl(page->userfaultfd, UFFDIO_REGISTER, &range), 0);
}

void stopped_page_destroy(struct stopped_page *page)
{
	munmap(page->addr, PAGE);
	close(page->userfaultfd);
}

void stopped_page_wait(const struct stopped_page *page)
{
	struct pollfd pollfd = { .fd = page->userfaultfd, .events = POLLIN };
	struct uffd_msg msg;

	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	assert_int_equal(read(page->userfaultfd, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
}

void stopped_page_let_go(const struct stopped_page *page)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page->addr, PAGE } };

	assert_int_equal(ioctl(page->userfaultfd, UFFDIO_ZEROPAGE, &zero), 0);
}
