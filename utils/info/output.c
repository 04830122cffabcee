// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <json-c/json.h>

#include "advice.h"
#include "first_line.h"
#include "output.h"

static const struct {
	uint32_t flag;
	const char *name;
} abilities[] = {
	{ IBV_EXT_ACCESS_DMABUF_PINNED, "pinned" },
	{ IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P, "require-p2p" },
	{ IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE, "allow-revoke" },
};

#define NUM_ABILITIES (sizeof(abilities) / sizeof(abilities[0]))

static const char *placement_str(uint32_t placement)
{
	switch (placement) {
	case IBV_EXT_DMABUF_PLACEMENT_SYSTEM:
		return "system";
	case IBV_EXT_DMABUF_PLACEMENT_DEVICE:
		return "device";
	case IBV_EXT_DMABUF_PLACEMENT_MIXED:
		return "mixed";
	default:
		return "unknown";
	}
}

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
	char policy[32], charge_all[8];
	struct utsname system;
	size_t i;

	uname(&system);
	printf("kernel %s", system.release);
	if (first_line(policy, sizeof(policy), PIN_POLICY_FILE))
		printf(", pins: %s, charge all: %s", policy,
		       first_line(charge_all, sizeof(charge_all), CHARGE_ALL_FILE) &&
				       charge_all[0] == 'Y' ?
			       "yes" :
			       "no");
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

static void add_string(struct json_object *object, const char *key, const char *value)
{
	add(object, key, value && *value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

static struct json_object *json_of_report(const struct ibv_ext_dmabuf_report *report)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "placement", placement_str(report->placement));
	add(object, "cpu_access",
	    json_object_new_boolean(report->flags & IBV_EXT_DMABUF_MR_CPU_ACCESS));
	add(object, "revocable",
	    json_object_new_boolean(report->flags & IBV_EXT_DMABUF_MR_REVOCABLE));
	add_number(object, "dma_segments", report->dma_segments);
	add_number(object, "page_size", report->page_size);
	add_number(object, "charge", report->charge);
	add_number(object, "memlock_used", report->memlock_used);
	if (report->memlock_limit != UINT64_MAX)
		add_number(object, "memlock_limit", report->memlock_limit);
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
	add_string(object, "device", info->name);
	add_string(object, "error", info->err ? strerror(info->err) : NULL);
	add(object, "capabilities", able);
	add_string(object, "reason", info->err ? NULL : reason_name(info->reason));
	add_number(object, "errno", info->err ? info->err : info->refusal);
	add_string(object, "advice", reason_advice(info->reason));
	add(object, "registration",
	    asked && info->report.dmabuf_size ? json_of_report(&info->report) : NULL);
	return object;
}

static struct json_object *json_of_dmabuf(const struct dmabuf_id *dmabuf)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "exporter", dmabuf->exporter);
	add_number(object, "size", dmabuf->size);
	add_number(object, "inode", dmabuf->inode);
	return object;
}

void print_json(const struct device_info *devices, size_t num, const struct dmabuf_id *dmabuf)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char policy[32], charge_all[8];
	struct utsname system;
	size_t i;

	uname(&system);
	first_line(policy, sizeof(policy), PIN_POLICY_FILE);
	first_line(charge_all, sizeof(charge_all), CHARGE_ALL_FILE);
	for (i = 0; i < num; i++)
		json_object_array_add(list, json_of_device(&devices[i], dmabuf));
	add_string(object, "kernel", system.release);
	add_string(object, "policy", policy);
	add(object, "charge_all", json_object_new_boolean(charge_all[0] == 'Y'));
	add(object, "dmabuf", dmabuf ? json_of_dmabuf(dmabuf) : NULL);
	add(object, "devices", list);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}
