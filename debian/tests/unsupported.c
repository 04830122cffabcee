// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <infiniband/verbs_ext.h>

static int failures;

static void expect(const char *what, int err)
{
	if (err == EOPNOTSUPP)
		return;
	fprintf(stderr, "%s: %s, expected %s\n", what, strerror(err), strerror(EOPNOTSUPP));
	failures++;
}

static void ask(int cmd_fd)
{
	struct ibv_context context = { .cmd_fd = cmd_fd };
	struct ibv_pd pd = { .context = &context };
	/* Wrong in every field, which must not be what the answer is about. */
	const struct ibv_ext_dmabuf_mr_attr attr = { .pin_flags = ~0u, .fd = -1, .access = -1 };
	struct ibv_ext_dmabuf_report report;
	struct ibv_ext_dmabuf_caps caps;

	expect("ibv_ext_query_dmabuf_caps", ibv_ext_query_dmabuf_caps(&context, &caps));

	errno = 0;
	if (ibv_reg_dmabuf_mr_pinned(&pd, 0, 4096, 0, -1, IBV_ACCESS_LOCAL_WRITE, 0))
		errno = 0;
	expect("ibv_reg_dmabuf_mr_pinned", errno);

	errno = 0;
	if (ibv_ext_reg_dmabuf_mr(&pd, &attr, &report))
		errno = 0;
	expect("ibv_ext_reg_dmabuf_mr", errno);
	expect("its report", report.err);
	if (report.reason != IBV_EXT_DMABUF_REASON_NO_KERNEL_SUPPORT) {
		fprintf(stderr, "reason: %s\n", ibv_ext_dmabuf_reason_str(report.reason));
		failures++;
	}
}

int main(void)
{
	ask(-1);
	ask(open("/dev/null", O_RDWR | O_CLOEXEC));
	return failures != 0;
}
