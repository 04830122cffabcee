// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What a process pays for a pinned dma-buf: all of it, once, from its first
 * region that pays until the last of these goes. A region pays if its owner asked
 * for the pin, or if the administrator has all pins charged. One that does not pay
 * keeps the pin, but never the charge.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "charging.h"
#include "child.h"
#include "fixture.h"
#include "kernel.h"
#include "parameter.h"
#include "raw_ioctl.h"
#include "test_exporter.h"

#define SIZE (16 * PAGE)

#define PLAIN 0
#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REQUIRE_P2P IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P
#define REVOCABLE (IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)

struct region {
	struct ibv_mr *mr; /* NULL: deregistered */
	bool pays;
	bool revocable;
};

/* Those over one buffer share one pin, or one of each kind. */
static unsigned int count_pins(const struct region *regions, unsigned int num_regions)
{
	bool pinned[2] = { false };
	unsigned int i;

	for (i = 0; i < num_regions; i++)
		if (regions[i].mr)
			pinned[regions[i].revocable && kernel_pins_by_consent()] = true;
	return pinned[0] + pinned[1];
}

static void check_charges(const struct usage *idle, const struct region *regions,
			  unsigned int num_regions, const char *when)
{
	unsigned int i, mrs = 0, pay = 0;

	for (i = 0; i < num_regions; i++) {
		mrs += !!regions[i].mr;
		pay += regions[i].mr && regions[i].pays;
	}
	assert_held(idle, mrs, count_pins(regions, num_regions), pay ? SIZE : 0, when);
	for (i = 0; i < num_regions; i++)
		if (regions[i].mr)
			assert_int_equal(query_mr(regions[i].mr).charged,
					 regions[i].pays ? SIZE : 0);
}

static struct region add_region(struct fixture *f, const struct dmabuf *buf, uint32_t bits,
				bool charge_all)
{
	parameter_set(CHARGE_ALL, charge_all ? "Y" : "N");
	return (struct region){
		.mr = register_with_bits(f->pd, buf, bits),
		.pays = bits || charge_all,
		/* What the CPU copies can be revoked; only PINNED rules it out. */
		.revocable = bits != PINNED,
	};
}

static void remove_region(struct region *region)
{
	deregister(region->mr);
	region->mr = NULL;
}

static void who_is_charged(void **state)
{
	static const uint32_t bits[] = { PLAIN, PINNED, REVOCABLE };
	struct fixture *f = *state;
	enum exporter exporter;
	struct region region;
	struct usage idle;
	unsigned int i;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		struct dmabuf *buf = fixture_buffer(f, exporter, SIZE);

		usage_read(&idle);
		for (i = 0; i < 2 * ARRAY_SIZE(bits); i++) {
			region = add_region(f, buf, bits[i / 2], i % 2);
			check_charges(&idle, &region, 1, "one region");
			remove_region(&region);
			check_charges(&idle, &region, 1, "after deregistration");
		}
	}
}

#define REGIONS 3

/* What the administrator says later changes nothing for regions that there are. */
static void deregister_in_order(struct fixture *f, const struct dmabuf *buf,
				const unsigned int kinds[REGIONS],
				const unsigned int order[REGIONS])
{
	static const struct {
		uint32_t bits;
		bool charge_all;
	} kind[] = { { PLAIN, false }, { PLAIN, true }, { PINNED, false }, { PINNED, true } };
	struct region regions[REGIONS];
	struct usage idle;
	unsigned int i;

	usage_read(&idle);
	for (i = 0; i < REGIONS; i++) {
		regions[i] = add_region(f, buf, kind[kinds[i]].bits, kind[kinds[i]].charge_all);
		check_charges(&idle, regions, i + 1, "registered");
	}
	for (i = 0; i < REGIONS; i++) {
		parameter_set(CHARGE_ALL, (i ^ order[0]) & 1 ? "Y" : "N");
		check_charges(&idle, regions, REGIONS, "before a deregistration");
		remove_region(&regions[order[i]]);
		check_charges(&idle, regions, REGIONS, "after it");
	}
}

static void every_kind_in_every_order(void **state)
{
	static const unsigned int orders[][REGIONS] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
							{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	unsigned int n, i, kinds[REGIONS];

	for (n = 0; n < 1U << 2 * REGIONS; n++) {
		for (i = 0; i < REGIONS; i++)
			kinds[i] = n >> 2 * i & 3;
		deregister_in_order(f, buf, kinds, orders[n % ARRAY_SIZE(orders)]);
	}
	/* A pinned region that comes and goes beside plain ones */
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		deregister_in_order(f, buf, (const unsigned int[]){ 0, 2, 0 }, orders[i]);
}

/* The probe has to say @err. */
static void probe(struct fixture *f, const struct dmabuf *buf, uint32_t bits, uint64_t length,
		  int err, uint64_t charge)
{
	struct raw_region region = {
		.pd = f->pd->handle,
		.fd = buf->fd,
		.length = length,
		.access = ACCESS_ALL | bits,
	};
	struct ib_uverbs_dmabuf_probe result;

	assert_errno(raw_probe_dmabuf(f->context->cmd_fd, &region, &result, sizeof(result)), 0,
		     "probe");
	assert_errno(result.err, err, "probe with %#x of %" PRIu64 " bytes", bits, length);
	assert_int_equal(result.charge, charge);
}

/* A probe tells what would have to be paid, and pays nothing. */
static void probes_beside(struct fixture *f, const struct dmabuf *buf, const struct region *regions,
			  unsigned int num_regions)
{
	unsigned int i, all;
	bool paid = false;
	struct usage before;

	for (i = 0; i < num_regions; i++)
		paid |= regions[i].pays;
	usage_read(&before);
	for (all = 0; all < 2; all++) {
		uint64_t charge = paid ? 0 : SIZE;

		parameter_set(CHARGE_ALL, all ? "Y" : "N");
		probe(f, buf, PINNED, SIZE, 0, charge);
		assert_usage(&before, "after a probe");
		probe(f, buf, REVOCABLE, SIZE, 0, charge);
		assert_usage(&before, "after a revocable probe");
		probe(f, buf, PLAIN, SIZE, 0, all ? charge : 0);
		assert_usage(&before, "after a plain probe");
		probe(f, buf, PINNED | REQUIRE_P2P, SIZE, EOPNOTSUPP, charge);
		assert_usage(&before, "after a probe of system memory for peer to peer");
		probe(f, buf, PINNED, SIZE + 1, EINVAL, charge);
		assert_usage(&before, "after a probe of too much");
	}
	for (i = 0; i < num_regions; i++)
		assert_int_equal(query_mr(regions[i].mr).charged, regions[i].pays ? SIZE : 0);
}

static void probes(void **state)
{
	struct fixture *f = *state;
	struct region regions[3];
	enum exporter exporter;
	struct usage idle;

	for (exporter = 0; exporter < NUM_EXPORTERS; exporter++) {
		struct dmabuf *buf = fixture_buffer(f, exporter, SIZE);

		usage_read(&idle);
		probes_beside(f, buf, regions, 0);
		regions[0] = add_region(f, buf, PLAIN, false);
		probes_beside(f, buf, regions, 1);
		regions[1] = add_region(f, buf, PLAIN, false);
		probes_beside(f, buf, regions, 2);
		regions[2] = add_region(f, buf, PINNED, false);
		probes_beside(f, buf, regions, 3);
		remove_region(&regions[2]);
		probes_beside(f, buf, regions, 2);
		remove_region(&regions[1]);
		remove_region(&regions[0]);
		assert_usage(&idle, "after deregistration");
	}
}

static void check_revoked(const struct usage *idle, const struct region *regions,
			  unsigned int num_regions, const char *when)
{
	struct usage now;
	unsigned int i;

	usage_read(&now);
	if (now.pinned_kib != idle->pinned_kib)
		fail_msg("%s: %lu KiB pinned, expected %lu", when, now.pinned_kib,
			 idle->pinned_kib);
	for (i = 0; i < num_regions; i++) {
		struct ibv_ext_dmabuf_mr_info info;

		if (!regions[i].mr)
			continue;
		info = query_mr(regions[i].mr);
		assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
		assert_int_equal(info.charged, 0);
	}
}

static uint32_t consent(uint32_t bits)
{
	return bits && kernel_least_consent() ? REVOCABLE : 0;
}

/* The charge is given back with the memory, not with the regions. */
static void given_back_by_a_revocation(void **state)
{
	static const struct {
		uint32_t bits;
		bool charge_all;
	} kinds[][3] = {
		{ { PLAIN, false }, { REVOCABLE, false }, { PLAIN, false } },
		{ { REVOCABLE, false }, { REVOCABLE, false }, { PINNED, false } },
		{ { PLAIN, true }, { PLAIN, false }, { REVOCABLE, true } },
		{ { PINNED, false }, { PLAIN, false }, { PINNED, false } },
	};
	struct fixture *f = *state;
	int dev = open_exporter();
	struct dmabuf buf = { .size = SIZE };
	struct region regions[3], again;
	struct usage idle, now;
	size_t i, j;

	buf.fd = make_buffer(dev, (struct dmabuf_test_create){ .mode = DMABUF_TEST_REVOKING,
							       .size = SIZE });
	usage_read(&idle);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(regions); j++)
			regions[j] = add_region(f, &buf,
						kinds[i][j].bits | consent(kinds[i][j].bits),
						kinds[i][j].charge_all);
		usage_read(&now);
		assert_int_equal(now.pinned_kib, idle.pinned_kib + SIZE / 1024);

		revoke_buffer(dev, buf.fd);
		check_revoked(&idle, regions, ARRAY_SIZE(regions), "revoked");
		assert_errno(exporter_unrevoke(dev, buf.fd), 0, "unrevoke");
		check_revoked(&idle, regions, ARRAY_SIZE(regions), "given back");
		/* Those that are dead still have no part in what is paid now. */
		again = add_region(f, &buf, REVOCABLE, false);
		assert_int_equal(query_mr(again.mr).charged, SIZE);
		for (j = 0; j < ARRAY_SIZE(regions); j++) {
			remove_region(&regions[j]);
			usage_read(&now);
			assert_int_equal(now.pinned_kib, idle.pinned_kib + SIZE / 1024);
		}
		remove_region(&again);
		assert_usage(&idle, "after deregistration");
	}
	assert_idle(dev, buf.fd);
	close(buf.fd);
	close(dev);
}

/* Others come, probe and go beside one that does not pay. */
struct coming {
	struct raw_region region;
	int cmd_fd;
	int err;
	atomic_bool ended;
};

static void *come_and_go(void *arg)
{
	struct coming *coming = arg;

	coming->err = charge_in_two_threads(coming->cmd_fd, &coming->region, 3);
	coming->ended = true;
	return NULL;
}

static void come_and_go_beside_a_plain_one(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);
	struct coming coming = {
		.cmd_fd = f->context->cmd_fd,
		.region = { .pd = f->pd->handle,
			    .fd = buf->fd,
			    .length = SIZE,
			    .access = ACCESS_ALL | PINNED },
	};
	struct ib_uverbs_dmabuf_probe result;
	struct region plain;
	struct usage idle;
	pthread_t thread;
	int err = 0;

	usage_read(&idle);
	plain = add_region(f, buf, PLAIN, false);
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, &coming), 0);
	while (!coming.ended && !err) {
		err = raw_probe_dmabuf(coming.cmd_fd, &coming.region, &result, sizeof(result));
		if (!err)
			err = result.err;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_errno(err, 0, "probe");
	assert_errno(coming.err, 0, "registration");
	check_charges(&idle, &plain, 1, "after the threads");
	remove_region(&plain);
	check_charges(&idle, &plain, 1, "after deregistration");
}

static void child_expect(struct ibv_pd *pd, struct dmabuf *buf, uint32_t bits, int err)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(pd, 0, buf->size, 0, buf->fd, ACCESS_ALL | bits);
	int got = mr ? 0 : errno;

	child_check(got == err, "registration with %#x: %s, expected %s", bits, strerrorname(got),
		    strerrorname(err));
	if (mr)
		child_check(!ibv_dereg_mr(mr), "deregistration");
}

static void child_probe(struct ibv_pd *pd, struct dmabuf *buf, uint32_t bits, int err,
			uint64_t used)
{
	struct raw_region region = { .fd = buf->fd, .length = SIZE, .access = ACCESS_ALL | bits };
	struct ib_uverbs_dmabuf_probe probe;

	child_check(!raw_probe_dmabuf(pd->context->cmd_fd, &region, &probe, sizeof(probe)),
		    "probe");
	child_check((int)probe.err == err, "probe with %#x: %s, expected %s", bits,
		    strerrorname(probe.err), strerrorname(err));
	child_check(probe.reason ==
			    (err ? IB_UVERBS_DMABUF_REASON_MEMLOCK : IB_UVERBS_DMABUF_REASON_NONE),
		    "probe with %#x: reason %u", bits, probe.reason);
	child_check(probe.memlock_used == used, "%llu bytes charged before a probe with %#x",
		    (unsigned long long)probe.memlock_used, bits);
}

static void over_the_limit(struct ibv_pd *pd, struct dmabuf *buf)
{
	become_limited(SIZE - PAGE);
	child_expect(pd, buf, PLAIN, 0);
	child_probe(pd, buf, PLAIN, 0, 0);
	child_expect(pd, buf, PINNED, ENOMEM);
}

static void over_the_limit_all_charged(struct ibv_pd *pd, struct dmabuf *buf)
{
	become_limited(SIZE - PAGE);
	child_expect(pd, buf, PLAIN, ENOMEM);
	child_probe(pd, buf, PLAIN, ENOMEM, 0);
	child_expect(pd, buf, PINNED, ENOMEM);
}

static void no_limit_all_charged(struct ibv_pd *pd, struct dmabuf *buf)
{
	become_limited(0);
	child_expect(pd, buf, PLAIN, EPERM);
	child_probe(pd, buf, PLAIN, EPERM, 0);
}

static void within_the_limit_all_charged(struct ibv_pd *pd, struct dmabuf *buf)
{
	become_limited(SIZE);
	child_expect(pd, buf, PLAIN, 0);
	child_probe(pd, buf, PLAIN, 0, 0);
	child_expect(pd, buf, PINNED, 0);
}

static void limits(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, SIZE);

	in_child(over_the_limit, buf);
	parameter_set(CHARGE_ALL, "Y");
	in_child(over_the_limit_all_charged, buf);
	in_child(no_limit_all_charged, buf);
	in_child(within_the_limit_all_charged, buf);
	parameter_set(CHARGE_ALL, "N");
	in_child(over_the_limit, buf);
}

/* The limit is for one buffer; a plain region over each stays all the time. */
static void room_for_another(struct ibv_pd *pd, struct dmabuf *bufs)
{
	struct ibv_mr *plain[2], *mr;
	int i, round;

	become_limited(SIZE);
	for (i = 0; i < 2; i++) {
		plain[i] = ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, bufs[i].fd, ACCESS_ALL);
		child_check(plain[i], "plain registration: %s", strerrorname(errno));
	}
	for (round = 0; round < 4; round++) {
		struct dmabuf *buf = &bufs[round % 2], *other = &bufs[!(round % 2)];

		child_probe(pd, buf, PINNED, 0, 0);
		mr = ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, buf->fd, ACCESS_ALL | PINNED);
		child_check(mr, "registration: %s", strerrorname(errno));
		child_expect(pd, buf, PINNED, 0);
		child_probe(pd, buf, PINNED, 0, SIZE);
		child_expect(pd, other, PINNED, ENOMEM);
		child_probe(pd, other, PINNED, ENOMEM, SIZE);
		child_probe(pd, other, PLAIN, 0, SIZE);
		child_check(!ibv_dereg_mr(mr), "deregistration");
	}
	for (i = 0; i < 2; i++)
		child_check(!ibv_dereg_mr(plain[i]), "deregistration");
}

static void room_in_the_limit(void **state)
{
	struct fixture *f = *state;

	fixture_buffer(f, UDMABUF, SIZE);
	fixture_buffer(f, SYSTEM_HEAP, SIZE);
	in_child(room_for_another, f->buffers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARAMETERS_TEST(who_is_charged),
		PARAMETERS_TEST(every_kind_in_every_order),
		PARAMETERS_TEST(probes),
		PARAMETERS_TEST(given_back_by_a_revocation),
		PARAMETERS_TEST(come_and_go_beside_a_plain_one),
		PARAMETERS_TEST(limits),
		PARAMETERS_TEST(room_in_the_limit),
	};

	return cmocka_run_group_tests_name("charges", tests, child_group_setup, NULL);
}
