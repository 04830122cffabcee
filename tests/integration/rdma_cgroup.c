// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "rdma_cgroup.h"
#include "test.h"

#define MOUNT "/sys/fs/cgroup/"
#define RESOURCE "dmabuf_pinned"

static const char *const groups[] = { CGROUP_A, CGROUP_B, CGROUP_OUTER };

static void get_path(char path[128], const char *group, const char *file)
{
	snprintf(path, 128, MOUNT "%s/%s", group, file);
}

static int write_file(const char *group, const char *file, const char *text)
{
	char path[128];

	get_path(path, group, file);
	return file_write(path, text);
}

int rdma_cgroup_setup(void)
{
	return write_file(CGROUP_ROOT, "cgroup.subtree_control", "+rdma");
}

void rdma_cgroup_create(void)
{
	char path[128];
	int i;

	for (i = ARRAY_SIZE(groups) - 1; i >= 0; i--) {
		get_path(path, groups[i], "");
		if (mkdir(path, 0755))
			fail_msg("cgroup %s: %s", groups[i], strerrorname(errno));
		if (!strcmp(groups[i], CGROUP_OUTER))
			assert_errno(write_file(CGROUP_OUTER, "cgroup.subtree_control", "+rdma"), 0,
				     "cgroup.subtree_control");
	}
}

int rdma_cgroup_join(const char *group)
{
	return write_file(group, "cgroup.procs", "0");
}

int rdma_cgroup_set(const char *group, const char *device, const char *limits)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %s", device, limits);
	return write_file(group, "rdma.max", text);
}

int rdma_cgroup_limit(const char *group, const char *device, int64_t bytes)
{
	char text[64];

	if (bytes == NO_LIMIT)
		return rdma_cgroup_set(group, device, RESOURCE "=max");
	snprintf(text, sizeof(text), RESOURCE "=%" PRId64, bytes);
	return rdma_cgroup_set(group, device, text);
}

bool rdma_cgroup_counts_dmabufs(void)
{
	char path[128], line[256];
	bool found = false;
	FILE *stream;

	get_path(path, CGROUP_OUTER, "");
	if (mkdir(path, 0755))
		return false;
	get_path(path, CGROUP_OUTER, "rdma.max");
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream))
		found |= strstr(line, " " RESOURCE "=") != NULL;
	if (stream)
		fclose(stream);
	rdma_cgroup_rmdir(CGROUP_OUTER);
	return found;
}

void rdma_cgroup_get(const char *group, const char *file, const char *device, const char *resource,
		     char value[32])
{
	char path[128], line[256], key[64];
	FILE *stream;

	*value = '\0';
	snprintf(key, sizeof(key), " %s=", resource);
	get_path(path, group, file);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		size_t length = strcspn(line, " ");
		const char *at = strstr(line, key);

		if (at && length == strlen(device) && !strncmp(line, device, length))
			sscanf(at + strlen(key), "%31s", value);
	}
	if (stream)
		fclose(stream);
}

int64_t rdma_cgroup_pinned(const char *group, const char *device)
{
	int64_t bytes;
	char text[32];

	rdma_cgroup_get(group, "rdma.current", device, RESOURCE, text);
	return sscanf(text, "%" SCNd64, &bytes) == 1 ? bytes : -1;
}

/* In any of its lines there is something but a name and zeroes. */
static bool is_charged(const char *group)
{
	char path[128], line[256];
	bool charged = false;
	FILE *stream;

	get_path(path, group, "rdma.current");
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		const char *at = line;

		while ((at = strchr(at, '='))) {
			at++;
			if (*at != '0') {
				print_error("%s is charged: %s", group, line);
				charged = true;
				break;
			}
		}
	}
	if (stream)
		fclose(stream);
	return charged;
}

static bool any_dying(void)
{
	char path[128], line[64];
	unsigned int dying = 0;
	FILE *stream;

	get_path(path, CGROUP_ROOT, "cgroup.stat");
	stream = fopen(path, "re");
	assert_non_null(stream);
	while (fgets(line, sizeof(line), stream))
		if (sscanf(line, "nr_dying_descendants %u", &dying) == 1)
			break;
	fclose(stream);
	return dying;
}

bool rdma_cgroup_wait_freed(void)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if (!any_dying())
			return true;
		usleep(20000);
	}
	return false;
}

int rdma_cgroup_rmdir(const char *group)
{
	char path[128];

	get_path(path, group, "");
	return rmdir(path) ? errno : 0;
}

int rdma_cgroup_remove(void)
{
	unsigned int i;
	int left = 0;
	int err;

	rdma_cgroup_join(CGROUP_ROOT);
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		left += is_charged(groups[i]);
		err = rdma_cgroup_rmdir(groups[i]);
		if (err && err != ENOENT) {
			print_error("%s: %s\n", groups[i], strerrorname(err));
			left++;
		}
	}
	if (!rdma_cgroup_wait_freed()) {
		print_error("a removed cgroup is charged for something still\n");
		left++;
	}
	return left;
}
