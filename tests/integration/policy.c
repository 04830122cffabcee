// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What an administrator can say about pins with the parameters of ib_uverbs: who
 * may have them. What is charged for them is in charges.c.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "child.h"
#include "fixture.h"
#include "parameter.h"
#include "raw_ioctl.h"

#define SIZE (16 * PAGE)

#define PLAIN 0
#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REVOCABLE (IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)

/* EPERM because of the policy, or 0; of a probe and of a registration */
static void expect(struct fixture *f, const struct dmabuf *buf, uint32_t bits, int err)
{
	struct raw_region region = {
		.pd = f->pd->handle,
		.fd = buf->fd,
		.length = buf->size,
		.access = ACCESS_ALL | bits,
	};
	struct ib_uverbs_dmabuf_probe probe;
	struct usage before;
	struct raw_mr mr;

	usage_read(&before);
	assert_errno(raw_probe_dmabuf(f->context->cmd_fd, &region, &probe, sizeof(probe)), 0,
		     "probe");
	assert_errno(probe.err, err, "probe with %#x", bits);
	assert_int_equal(probe.reason,
			 err ? IB_UVERBS_DMABUF_REASON_POLICY : IB_UVERBS_DMABUF_REASON_NONE);
	assert_usage(&before, "after the probe");
	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), err,
		     "registration with %#x", bits);
	if (!err)
		assert_errno(raw_dereg_mr(f->context->cmd_fd, mr.handle), 0, "deregistration");
	assert_usage(&before, "after the registration");
}

static void who_may_pin(void **state)
{
	static const struct {
		const char *policy;
		int plain, pinned, revocable;
	} rows[] = {
		{ "on", 0, 0, 0 },
		/* a plain region of this device can be revoked */
		{ "revocable", 0, EPERM, 0 },
		{ "off", EPERM, EPERM, EPERM },
		{ "on", 0, 0, 0 },
	};
	struct fixture *f = *state;
	enum exporter exporter;
	size_t i;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		struct dmabuf *buf = fixture_buffer(f, exporter, SIZE);

		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			parameter_set(PIN_POLICY, rows[i].policy);
			expect(f, buf, PLAIN, rows[i].plain);
			expect(f, buf, PINNED, rows[i].pinned);
			expect(f, buf, REVOCABLE, rows[i].revocable);
		}
	}
}

/* The library passes the reason on. */
static void reported(void **state)
{
	struct fixture *f = *state;
	struct ibv_ext_dmabuf_mr_attr attr = {
		.fd = fixture_buffer(f, UDMABUF, SIZE)->fd,
		.length = SIZE,
		.access = ACCESS_ALL,
	};
	struct ibv_ext_dmabuf_report report;

	parameter_set(PIN_POLICY, "off");
	assert_null(ibv_ext_reg_dmabuf_mr(f->pd, &attr, &report));
	assert_errno(errno, EPERM, "registration");
	assert_errno(report.err, EPERM, "report");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_POLICY);
	assert_errno(ibv_ext_probe_dmabuf(f->pd, &attr, &report), 0, "probe");
	assert_int_equal(report.reason, IBV_EXT_DMABUF_REASON_POLICY);
}

static void wrong_values(void **state)
{
	static const char *const policies[] = {
		"\n", " ", "On", "OFF", "on ", " on", "on,off", "o", "offf", "revocabl", "0", "2",
	};
	static const char *const good[] = { "revocable", "off", "on" };
	static const char *const flags[] = { "maybe", "2", "\n" };
	char *longest = calloc(1, 4096);
	size_t i, j;

	(void)state;
	assert_non_null(longest);
	memset(longest, 'o', 4095);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		parameter_set(PIN_POLICY, good[i]);
		for (j = 0; j < ARRAY_SIZE(policies); j++) {
			assert_errno(parameter_write(PIN_POLICY, policies[j]), EINVAL, "\"%s\"",
				     policies[j]);
			parameter_assert(PIN_POLICY, good[i]);
		}
		assert_errno(parameter_write(PIN_POLICY, longest), EINVAL, "4095 bytes");
		parameter_assert(PIN_POLICY, good[i]);
	}
	free(longest);

	/* as echo writes them */
	assert_errno(parameter_write(PIN_POLICY, "off\n"), 0, "a line");
	parameter_assert(PIN_POLICY, "off");

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		parameter_set(CHARGE_ALL, "Y");
		assert_errno(parameter_write(CHARGE_ALL, flags[i]), EINVAL, "\"%s\"", flags[i]);
		parameter_assert(CHARGE_ALL, "Y");
	}
}

static void try_to_set(struct ibv_pd *pd, struct dmabuf *buf)
{
	static const char *const names[] = { PIN_POLICY, CHARGE_ALL };
	size_t i;
	int err;

	(void)pd;
	(void)buf;
	become_limited(0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		err = parameter_write(names[i], "off");
		child_check(err == EACCES, "%s: %s", names[i], strerrorname(err));
	}
}

static void not_for_everybody(void **state)
{
	(void)state;
	in_child(try_to_set, NULL);
	parameter_assert(PIN_POLICY, "on");
	parameter_assert(CHARGE_ALL, "N");
}

/* What is pinned stays; joining it is a registration like any other. */
static void existing_regions(void **state)
{
	static const uint32_t bits[] = { PLAIN, PINNED, REVOCABLE };
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, SYSTEM_HEAP, SIZE);
	struct dmabuf *source = fixture_buffer(f, UDMABUF, SIZE);
	struct rc_pair *pair = fixture_pair(f);
	struct ibv_mr *mrs[ARRAY_SIZE(bits)], *from = register_all(f->pd, source);
	struct usage before, idle;
	size_t i;

	usage_read(&idle);
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		mrs[i] = register_with_bits(f->pd, buf, bits[i]);
	usage_read(&before);

	parameter_set(PIN_POLICY, "off");
	assert_usage(&before, "after the change");
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		struct rc_bytes bytes = { .length = SIZE, .key = from->lkey };

		expect(f, buf, bits[i], EPERM);
		assert_int_equal(query_mr(mrs[i]).state, IBV_EXT_DMABUF_STATE_LIVE);
		memset(source->map, i + 1, SIZE);
		assert_int_equal(rc_write(pair, bytes, 0, mrs[i]->rkey), IBV_WC_SUCCESS);
		assert_memory_equal(buf->map, source->map, SIZE);
	}
	parameter_set(PIN_POLICY, "revocable");
	expect(f, buf, PINNED, EPERM);
	expect(f, buf, REVOCABLE, 0);
	assert_usage(&before, "after the second change");
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		deregister(mrs[i]);
	assert_usage(&idle, "after deregistration");
	deregister(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARAMETERS_TEST(who_may_pin),	   PARAMETERS_TEST(reported),
		PARAMETERS_TEST(wrong_values),	   PARAMETERS_TEST(not_for_everybody),
		PARAMETERS_TEST(existing_regions),
	};

	return cmocka_run_group_tests_name("policy", tests, child_group_setup, NULL);
}
