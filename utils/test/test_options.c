// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <getopt.h>
#include <string.h>

#include "options.h"
#include "unit.h"

#define MAX_ARGS 16

static enum options_result parse(struct options *o, const char *const *args)
{
	char *argv[MAX_ARGS + 2] = { (char *)"pingpong" };
	int argc = 1;

	while (*args && argc <= MAX_ARGS)
		argv[argc++] = (char *)*args++;
	/* glibc: start anew */
	optind = 0;
	opterr = 0;
	return options_parse(o, argc, argv);
}

#define PARSE(o, ...) parse(o, (const char *const[]){ __VA_ARGS__, NULL })

static void defaults(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, NULL), OPTIONS_OK);
	assert_null(o.server);
	assert_null(o.device);
	assert_int_equal(o.port, 18515);
	assert_int_equal(o.ib_port, 1);
	assert_int_equal(o.size, 4096);
	assert_int_equal(o.buffer, 0);
	assert_int_equal(o.mtu, IBV_MTU_1024);
	assert_int_equal(o.rx_depth, 500);
	assert_int_equal(o.iters, 1000);
	assert_int_equal(o.gid_index, -1);
	assert_int_equal(o.op, OP_WRITE);
	assert_int_equal(o.exporter, EXPORTER_UDMABUF);
	assert_int_equal(o.mr, MR_PINNED);
	assert_false(o.events);
	assert_false(o.json);
}

static void everything(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "-p1", "-d", "rxe0", "-i2", "-s1M", "-m4096", "-r7", "-n8",
			       "-l3", "-e", "-g5", "-xheap:cma", "--operation=read", "host"),
			 OPTIONS_OK);
	assert_string_equal(o.server, "host");
	assert_string_equal(o.device, "rxe0");
	assert_int_equal(o.port, 1);
	assert_int_equal(o.ib_port, 2);
	assert_int_equal(o.size, 1 << 20);
	assert_int_equal(o.mtu, IBV_MTU_4096);
	assert_int_equal(o.rx_depth, 7);
	assert_int_equal(o.iters, 8);
	assert_int_equal(o.sl, 3);
	assert_true(o.events);
	assert_int_equal(o.gid_index, 5);
	assert_int_equal(o.exporter, EXPORTER_HEAP);
	assert_string_equal(o.heap, "cma");
	assert_int_equal(o.op, OP_READ);

	assert_int_equal(PARSE(&o, "--mr=plain", "--buffer=1000M", "--wait=9", "--reg-iters=3",
			       "--json", "--size=0x10", "--exporter=heap", "--operation=send"),
			 OPTIONS_OK);
	assert_int_equal(o.mr, MR_PLAIN);
	assert_int_equal(o.buffer, 1000 << 20);
	assert_int_equal(o.wait, 9);
	assert_int_equal(o.reg_iters, 3);
	assert_true(o.json);
	assert_int_equal(o.size, 16);
	assert_string_equal(o.heap, "system");
	assert_int_equal(o.op, OP_SEND);
	assert_int_equal(PARSE(&o, "-xmemfd"), OPTIONS_OK);
	assert_int_equal(o.mr, MR_ORDINARY);
	assert_int_equal(PARSE(&o, "-xanon"), OPTIONS_OK);
	assert_int_equal(o.mr, MR_ORDINARY);
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"-p0",
		"-p65536",
		"-pfoo",
		"-i0",
		"-s0",
		"-s-1",
		"-s",
		"-s4T",
		"-sK",
		"-s1KK",
		"-s99999999999G",
		"-m1000",
		"-m128",
		"-m8192",
		"-r0",
		"-n0",
		"-n-5",
		"-n1x",
		"-l16",
		"-g-1",
		"-g256",
		"-xfoo",
		"-xheap:",
		"-xheap:../x",
		"--operation=foo",
		"--mr=ordinary",
		"--reg-iters=0",
		"--buffer=0",
		"--wait=-1",
		"--nonsense",
		"-o",
	};
	struct options o;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (PARSE(&o, bad[i]) != OPTIONS_BAD)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(PARSE(&o, "host", "other"), OPTIONS_BAD);
	assert_int_equal(PARSE(&o, "-xanon", "--mr=pinned"), OPTIONS_BAD);
}

static void help(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--help"), OPTIONS_HELP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything),
		cmocka_unit_test(refused),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
