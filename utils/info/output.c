// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "advice.h"
#include "json.h"
#include "output.h"
#include "placement.h"
#include "settings.h"

static const struct {
	uint32_t flag;
	const char *name;
} abilities[] = {
	{ IBV_EXT_ACCESS_DMABUF_PINNED, "pinned" },
	{ IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P, "require-p2p" },
	{ IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE, "allow-revoke" },
};

#define NUM_ABILITIES (sizeof(abilities) / sizeof(abilities[0]))

static void print_abilities(const struct device_info *info)
{
	const char *separator = " ";
	size_t i;

	if (!info->access_flags)
		printf(" no pinned dma-buf regions");
	for (i = 0; i < NUM_ABILITIES; i++) {
		if (!(info->access_flags & abilities[i].flag))
			continue;
		printf("%s%s", separator, abilities[i].name);
		separator = ", ";
	}
	putchar('\n');
}

static void print_limit(const struct ibv_ext_dmabuf_report *report)
{
	printf("  charge %" PRIu64 " bytes, beside %" PRIu64 " pinned already", report->charge,
	       report->memlock_used);
	if (report->memlock_limit == UINT64_MAX)
		printf("; no limit\n");
	else
		printf("; the limit is %" PRIu64 "\n", report->memlock_limit);
}

static void print_outcome(const struct ibv_ext_dmabuf_report *report)
{
	printf("  would be registered: placement %s, ", placement_str(report->placement));
	if (report->flags & IBV_EXT_DMABUF_MR_CPU_ACCESS)
		printf("copied by the CPU");
	else
		printf("%" PRIu64 " DMA segments, pages of %" PRIu64 " bytes", report->dma_segments,
		       report->page_size);
	printf(", %s\n",
	       report->flags & IBV_EXT_DMABUF_MR_REVOCABLE ? "revocable" : "not revocable");
}

static void print_device(const struct device_info *info, bool asked)
{
	const char *advice = reason_advice(info->reason);

	printf("%s:", info->name);
	if (info->err) {
		printf(" cannot %s: %s\n", info->failed, strerror(info->err));
		return;
	}
	print_abilities(info);
	if (info->reason)
		printf("  would fail: %s (%s, %s)\n", ibv_ext_dmabuf_reason_str(info->reason),
		       reason_name(info->reason), strerror(info->refusal));
	else if (asked)
		print_outcome(&info->report);
	/* Filled together with these, and zero where the request did not get so far */
	if (asked && info->report.dmabuf_size)
		print_limit(&info->report);
	if (advice)
		printf("  %s\n", advice);
}

void print_text(const struct device_info *devices, size_t num, const struct dmabuf_id *dmabuf)
{
	struct settings settings;
	struct utsname system;
	size_t i;

	uname(&system);
	settings_read(&settings);
	printf("kernel %s", system.release);
	if (settings.policy[0])
		printf(", pins: %s, charge all: %s", settings.policy,
		       settings.charge_all ? "yes" : "no");
	putchar('\n');
	if (dmabuf)
		printf("dma-buf of %s: %" PRIu64 " bytes, inode %" PRIu64 "\n", dmabuf->exporter,
		       dmabuf->size, dmabuf->inode);
	for (i = 0; i < num; i++)
		print_device(&devices[i], dmabuf);
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *json_of_report(const struct ibv_ext_dmabuf_report *report)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "placement", placement_str(report->placement));
	add(object, "cpu_access",
	    json_object_new_boolean(report->flags & IBV_EXT_DMABUF_MR_CPU_ACCESS));
	add(object, "revocable",
	    json_object_new_boolean(report->flags & IBV_EXT_DMABUF_MR_REVOCABLE));
	json_add_number(object, "dma_segments", report->dma_segments);
	json_add_number(object, "page_size", report->page_size);
	json_add_number(object, "charge", report->charge);
	json_add_number(object, "memlock_used", report->memlock_used);
	if (report->memlock_limit != UINT64_MAX)
		json_add_number(object, "memlock_limit", report->memlock_limit);
	return object;
}

static struct json_object *json_of_device(const struct device_info *info, bool asked)
{
	struct json_object *object = json_object_new_object();
	struct json_object *able = json_object_new_array();
	size_t i;

	for (i = 0; i < NUM_ABILITIES; i++)
		if (info->access_flags & abilities[i].flag)
			json_object_array_add(able, json_object_new_string(abilities[i].name));
	json_add_string(object, "device", info->name);
	json_add_string(object, "error", info->err ? strerror(info->err) : NULL);
	add(object, "capabilities", able);
	json_add_string(object, "reason", info->err ? NULL : reason_name(info->reason));
	json_add_number(object, "errno", info->err ? info->err : info->refusal);
	json_add_string(object, "advice", reason_advice(info->reason));
	add(object, "registration",
	    asked && info->report.dmabuf_size ? json_of_report(&info->report) : NULL);
	return object;
}

static struct json_object *json_of_dmabuf(const struct dmabuf_id *dmabuf)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "exporter", dmabuf->exporter);
	json_add_number(object, "size", dmabuf->size);
	json_add_number(object, "inode", dmabuf->inode);
	return object;
}

void print_json(const struct device_info *devices, size_t num, const struct dmabuf_id *dmabuf)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct settings settings;
	struct utsname system;
	size_t i;

	uname(&system);
	settings_read(&settings);
	for (i = 0; i < num; i++)
		json_object_array_add(list, json_of_device(&devices[i], dmabuf));
	json_add_string(object, "kernel", system.release);
	json_add_string(object, "policy", settings.policy);
	add(object, "charge_all", json_object_new_boolean(settings.charge_all));
	add(object, "dmabuf", dmabuf ? json_of_dmabuf(dmabuf) : NULL);
	add(object, "devices", list);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}
