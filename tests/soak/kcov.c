// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kcov.h"
#include "test.h"

#define KCOV "/sys/kernel/debug/kcov"
#define WORDS (1 << 16)

bool kcov_available(void)
{
	return !access(KCOV, R_OK | W_OK);
}

void kcov_open(struct kcov *kcov)
{
	kcov->fd = open(KCOV, O_RDWR | O_CLOEXEC);
	assert_true(kcov->fd >= 0);
	assert_int_equal(ioctl(kcov->fd, KCOV_INIT_TRACE, (unsigned long)WORDS), 0);
	kcov->area = mmap(NULL, WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
			  kcov->fd, 0);
	assert_ptr_not_equal(kcov->area, MAP_FAILED);
	assert_int_equal(ioctl(kcov->fd, KCOV_ENABLE, (unsigned long)KCOV_TRACE_PC), 0);
}

void kcov_close(struct kcov *kcov)
{
	ioctl(kcov->fd, KCOV_DISABLE, 0UL);
	munmap(kcov->area, WORDS * sizeof(uint64_t));
	close(kcov->fd);
}

void kcov_start(struct kcov *kcov)
{
	__atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
}

uint64_t kcov_read(const struct kcov *kcov, const uint64_t **pcs)
{
	*pcs = kcov->area + 1;
	return __atomic_load_n(&kcov->area[0], __ATOMIC_RELAXED);
}
