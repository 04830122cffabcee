// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "rdma_tool.h"
#include "test.h"

#define NOBODY 65534

static void become(enum shown_to whom)
{
	if (whom == SHOWN_TO_ROOT && prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN))
		_exit(126);
	if (whom == SHOWN_TO_NOBODY && setresuid(NOBODY, NOBODY, NOBODY))
		_exit(126);
}

/* What the command writes, up to @size - 1 bytes. */
static void read_output(char *const argv[], enum shown_to whom, char *text, size_t size)
{
	size_t length = 0;
	int ends[2];
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		become(whom);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + length, size - 1 - length)) > 0)
		length += got;
	text[length] = '\0';
	close(ends[0]);
	wait_for_child(pid);
}

/* The word after @key, if there is one. */
static void find(const char *text, const char *key, char *value, size_t size)
{
	const char *at = strstr(text, key);
	size_t length;

	value[0] = '\0';
	if (!at)
		return;
	at += strlen(key);
	at += strspn(at, " ");
	length = strcspn(at, " \n");
	assert_true(length < size);
	memcpy(value, at, length);
	value[length] = '\0';
}

#define FIND(text, mr, field) \
	find(text, " drv_dmabuf_" #field " ", (mr)->field, sizeof((mr)->field))

void rdma_tool_show_mr(size_t length, enum shown_to whom, struct shown_mr *mr)
{
	char mrlen[24], pid[16], text[2048];
	char *argv[] = { "rdma", "-dd", "resource", "show", "mr", "pid", pid, "mrlen", mrlen, NULL };
	const char *second;

	snprintf(mrlen, sizeof(mrlen), "%zu", length);
	snprintf(pid, sizeof(pid), "%d", getpid());
	read_output(argv, whom, text, sizeof(text));
	second = strstr(text, "dev ");
	second = second ? strstr(second + 1, "dev ") : NULL;
	if (strncmp(text, "dev ", strlen("dev ")) || second)
		fail_msg("not one MR of %zu bytes:\n%s", length, text);
	FIND(text, mr, mode);
	FIND(text, mr, state);
	FIND(text, mr, placement);
	FIND(text, mr, revocable);
	FIND(text, mr, charged);
	FIND(text, mr, exporter);
	FIND(text, mr, inode);
	FIND(text, mr, size);
}
