// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The programs in examples do what their comments say.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "test.h"
#include "test_exporter.h"
#include "tool_output.h"

/* EXAMPLES_DIR: where they were built; SOURCE_DIR: of the project; EXT_DIR: of the library */

#define REVOCABLE_SIZE (16 * PAGE)

static void registration(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output), EXAMPLES_DIR "/register " DEVICE), 0);
	assert_non_null(strstr(output, "registered: lkey 0x"));
	assert_non_null(strstr(output, "udmabuf, 1048576 bytes, inode "));
	assert_non_null(strstr(output, "; 1048576 bytes charged\n"));

	assert_int_equal(
		tool_run(output, sizeof(output),
			 "prlimit --memlock=4096 setpriv --bounding-set=-ipc_lock " EXAMPLES_DIR
			 "/register " DEVICE " 2>&1"),
		1);
	assert_non_null(strstr(output, "not registered: Cannot allocate memory: RLIMIT_MEMLOCK"));
}

static void registration_in_python(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output),
				  "LD_LIBRARY_PATH=" EXT_DIR " PYTHONPATH=" SOURCE_DIR
				  " " SOURCE_DIR "/examples/register.py " DEVICE " 2>&1"),
			 0);
	assert_non_null(strstr(output, "registered: lkey 0x"));
	assert_non_null(strstr(output, "system, 1048576 bytes, inode "));
	assert_non_null(strstr(output, "; 1048576 bytes charged\n"));
}

static void cache(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(tool_run(output, sizeof(output), EXAMPLES_DIR "/cache " DEVICE), 0);
	assert_string_equal(output, "first slice: registered\n"
				    "first slice again: from the cache\n"
				    "second slice: registered\n"
				    "first slice, by another descriptor: from the cache\n"
				    "first slice of the next buffer: registered\n");
}

struct process {
	pid_t pid;
	FILE *output;
};

/* It does not outlive this program. */
static struct process start(const char *const argv[])
{
	struct process process;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	process.pid = fork();
	assert_true(process.pid >= 0);
	if (!process.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	process.output = fdopen(ends[0], "r");
	assert_non_null(process.output);
	return process;
}

static void wait_for_line(struct process *process, const char *wanted)
{
	char line[256];

	while (fgets(line, sizeof(line), process->output))
		if (!strncmp(line, wanted, strlen(wanted)))
			return;
	fail_msg("ended without \"%s\"", wanted);
}

static void end(struct process *process, int signal)
{
	if (signal)
		assert_int_equal(kill(process->pid, signal), 0);
	else
		wait_for_child(process->pid);
	if (signal)
		assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
	fclose(process->output);
}

static void revocation(void **state)
{
	int dev = open_exporter();
	int fd = make_buffer(dev, (struct dmabuf_test_create){
					  .mode = DMABUF_TEST_REVOKING,
					  .size = REVOCABLE_SIZE,
				  });
	const char *address = getenv("VM_IP");
	struct process server, client;
	char number[16], size[16];

	(void)state;
	assert_non_null(address);
	/* The child's, without O_CLOEXEC */
	snprintf(number, sizeof(number), "%d", fcntl(fd, F_DUPFD, 0));
	snprintf(size, sizeof(size), "%lu", REVOCABLE_SIZE);
	server = start((const char *const[]){ EXAMPLES_DIR "/revoke_server", address, number, size,
					      NULL });
	wait_for_line(&server, "offering buffer 1\n");
	client = start((const char *const[]){ EXAMPLES_DIR "/revoke_client", address, "40", NULL });
	wait_for_line(&client, "read buffer 1\n");

	revoke_buffer(dev, fd);
	wait_for_line(&server, "buffer 1 was taken away\n");
	wait_for_line(&server, "offering buffer 2\n");
	wait_for_line(&client, "refused: remote access error\n");
	wait_for_line(&client, "read buffer 2\n");
	end(&client, 0);
	end(&server, SIGTERM);
	close(atoi(number));
	assert_idle(dev, fd);
	close(fd);
	close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registration),
		TEST(registration_in_python),
		TEST(cache),
		TEST(revocation),
	};

	return cmocka_run_group_tests_name("examples", tests, NULL, NULL);
}
