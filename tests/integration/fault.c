// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "kallsyms.h"
#include "test.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define DEBUGFS "/sys/kernel/debug/"

static void set(const char *facility, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", facility, name);
	assert_errno(file_write(path, value), 0, "%s to %s", value, path);
}

/* Where the function @name is in the kernel, as text for debugfs. */
static void find_function(const char *name, char start[32], char end[32])
{
	struct kernel_symbol symbol;

	if (!kernel_symbol_find(name, &symbol))
		fail_msg("no %s() in /proc/kallsyms", name);
	snprintf(start, 32, "%#lx", symbol.start);
	snprintf(end, 32, "%#lx", symbol.end);
}

bool faults_available(void)
{
	return !access(FAIL_NTH, F_OK) && !access(DEBUGFS "failslab", F_OK);
}

/* Also allocations that may wait. */
void faults_setup(void)
{
	static const char *const facilities[] = { "failslab", "fail_page_alloc" };
	char start[32], end[32];
	size_t i;

	if (!faults_available())
		skip_because("this kernel has no fault injection");
	find_function("dma_buf_vmap", start, end);
	for (i = 0; i < ARRAY_SIZE(facilities); i++) {
		set(facilities[i], "verbose", "0");
		set(facilities[i], "ignore-gfp-wait", "N");
		set(facilities[i], "stacktrace-depth", "32");
		set(facilities[i], "reject-start", start);
		set(facilities[i], "reject-end", end);
	}
	if (!access(DEBUGFS "fail_usercopy", F_OK))
		set("fail_usercopy", "verbose", "0");
	set("fail_page_alloc", "min-order", "0");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
}

int fault_arm(unsigned int nth)
{
	int fault = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	char text[16];

	assert_true(fault >= 0);
	snprintf(text, sizeof(text), "%u", nth);
	assert_true(write(fault, text, strlen(text)) > 0);
	return fault;
}

/* The copy of the answer to user space may be what reaches it: then it fails. */
bool fault_disarm(int fault)
{
	char text[16] = "";
	bool reached;

	reached = pread(fault, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (pwrite(fault, "0", 1, 0) != 1)
		assert_int_equal(errno, EFAULT);
	close(fault);
	return reached;
}
