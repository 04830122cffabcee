// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rxe as an importer of the test exporter's dma-bufs.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "kernel.h"

static void test_rxe_registers(void **state)
{
	struct state *s = *state;
	struct dmabuf_test_counters c;
	struct ibv_mr *mr;
	struct rdma r;
	size_t i;
	int fd;

	rdma_setup(&r, 3 * PAGE);
	for (i = 0; i < NUM_MODES; i++) {
		fd = create_args(s, (struct dmabuf_test_create){
					    .mode = all_modes[i],
					    .size = r.size,
					    .segment = PAGE,
					    .move_delay_ms = 50,
				    });
		OK(exporter_fill(s->dev, fd, 0, 0, r.size, 0x21));
		mr = rdma_register(&r, fd);
		/* The registration has waited for the copy. */
		assert_all(s, fd, 0, 0, r.size, 0x21);
		c = counters(s, fd);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_ATTACHES), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 1);
		assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS) > 0, i > 0);
		assert_int_equal(c.count[DMABUF_TEST_MOVES], all_modes[i] == DMABUF_TEST_MIGRATING);
		assert_int_equal(rdma_write(&r, mr, 0x40 + i), IBV_WC_SUCCESS);
		assert_all(s, fd, 0, 0, r.size, 0x40 + i);
		if (c.old_memory)
			assert_all(s, fd, 1, 0, r.size, POISON);
		OK(ibv_dereg_mr(mr));
		assert_idle(s, fd);
		close(fd);
	}
	rdma_teardown(&r);
}

static void test_rxe_refused(void **state)
{
	static const enum dmabuf_test_op ops[] = {
		DMABUF_TEST_OP_ATTACH,
		DMABUF_TEST_OP_PIN,
	};
	struct state *s = *state;
	struct ibv_mr *mr;
	struct rdma r;
	size_t i;
	int fd;

	rdma_setup(&r, PAGE);
	fd = create(s, DMABUF_TEST_DYNAMIC, r.size);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		OK(exporter_behave(s->dev, fd, ops[i], 1, EXDEV, 0));
		mr = rdma_try_register(&r, fd);
		assert_null(mr);
		assert_errno(errno, EXDEV, "registration");
		assert_idle(s, fd);
	}
	mr = rdma_register(&r, fd);
	FAILS(exporter_move(s->dev, fd, DMABUF_TEST_SYSTEM), EBUSY);
	OK(ibv_dereg_mr(mr));
	close(fd);
	rdma_teardown(&r);
}

/* Every kind of access fails, and as it should. Connected before and after. */
static void assert_dead(struct rdma *r, struct ibv_mr *mr)
{
	struct rc_bytes local = {
		.addr = (uintptr_t)r->local,
		.length = PAGE + 1,
		.key = r->local_mr->lkey,
	};
	struct rc_bytes word = {
		.addr = (uintptr_t)r->local,
		.length = sizeof(uint64_t),
		.key = r->local_mr->lkey,
	};
	struct rc_bytes dead = { .length = PAGE + 1, .key = mr->lkey };

	assert_int_equal(rdma_write(r, mr, 0xee), IBV_WC_REM_ACCESS_ERR);
	OK(rdma_reconnect(r));
	assert_int_equal(rc_read(&r->pair, local, 1, mr->rkey), IBV_WC_REM_ACCESS_ERR);
	OK(rdma_reconnect(r));
	assert_int_equal(rc_fetch_add(&r->pair, word, 8, mr->rkey, 1), IBV_WC_REM_ACCESS_ERR);
	OK(rdma_reconnect(r));
	assert_int_equal(rc_write(&r->pair, dead, local.addr, r->local_mr->rkey),
			 IBV_WC_LOC_PROT_ERR);
	OK(rdma_reconnect(r));
	assert_int_equal(rc_read(&r->pair, dead, local.addr, r->local_mr->rkey),
			 IBV_WC_LOC_PROT_ERR);
	OK(rdma_reconnect(r));
}

struct writer {
	pthread_t thread;
	struct rdma *rdma;
	struct ibv_mr *mr;
	atomic_uint writes;
	int status;
};

/* Until it fails. */
static void *writer_main(void *arg)
{
	struct writer *w = arg;

	do {
		w->status = rdma_write(w->rdma, w->mr, 1 + w->writes % 16);
		w->writes++;
	} while (w->status == IBV_WC_SUCCESS);
	return NULL;
}

/* Writes of several packets each, and a revoke in the midst of them. */
static void revoke_under_traffic(struct state *s, enum dmabuf_test_memory memory, bool allow)
{
	struct dmabuf_test_create args = {
		.mode = DMABUF_TEST_REVOKING,
		.memory = memory,
		.size = 64 * PAGE,
	};
	struct ibv_ext_dmabuf_mr_info info;
	struct dmabuf_test_revoke result;
	struct dmabuf_test_counters c;
	struct writer writer = {};
	struct rdma r;
	int fd;

	rdma_setup(&r, args.size);
	if (allow)
		rdma_allow_revoke(&r);
	fd = create_args(s, args);
	writer.rdma = &r;
	writer.mr = rdma_register(&r, fd);
	assert_int_equal(pthread_create(&writer.thread, NULL, writer_main, &writer), 0);
	while (writer.writes < 5)
		sleep_ms(1);

	OK(exporter_revoke(s->dev, fd, 5000, &result));
	/* All that shows now was written after the exporter had the memory back. */
	assert_int_equal(result.result, DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
	assert_int_equal(result.pinned, 0);
	c = counters(s, fd);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_PINS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_MAPS), 0);
	assert_int_equal(exporter_now(&c, DMABUF_TEST_VMAPS), 0);
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	if (writer.status != IBV_WC_REM_ACCESS_ERR)
		fail_msg("writer: %s", rc_status_str(writer.status));
	print_message("%u writes, callback %" PRIu64 " us\n", writer.writes,
		      (uint64_t)result.notify_ns / 1000);
	sleep_ms(100);
	assert_all(s, fd, 0, 0, args.size, POISON);

	OK(ibv_ext_query_dmabuf_mr(writer.mr, &info));
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	assert_int_equal(info.charged, 0);

	/* It stays dead, also when the exporter changes its mind. */
	OK(rdma_reconnect(&r));
	assert_dead(&r, writer.mr);
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	OK(exporter_unrevoke(s->dev, fd));
	assert_dead(&r, writer.mr);
	assert_all(s, fd, 0, 0, args.size, POISON);

	OK(ibv_dereg_mr(writer.mr));
	assert_idle(s, fd);
	writer.mr = rdma_register(&r, fd);
	assert_int_equal(rdma_write(&r, writer.mr, 0xdd), IBV_WC_SUCCESS);
	assert_all(s, fd, 0, 0, args.size, 0xdd);
	OK(ibv_dereg_mr(writer.mr));
	assert_idle(s, fd);
	close(fd);
	rdma_teardown(&r);
}

static void test_rxe_revoke(void **state)
{
	revoke_under_traffic(*state, DMABUF_TEST_SYSTEM, true);
}

/* No exporter for 6.12 can tell whether an importer consented, so it may come anyway. */
static void test_rxe_revoke_without_consent(void **state)
{
	if (kernel_pins_by_consent())
		skip_because("this kernel's exporters refuse regions that they cannot revoke");
	revoke_under_traffic(*state, DMABUF_TEST_SYSTEM, false);
}

static void test_rxe_revoke_device_memory(void **state)
{
	if (!have_device_memory(*state))
		skip_because("no device with memory");
	revoke_under_traffic(*state, DMABUF_TEST_DEVICE_MEMORY, true);
}

/* A move although the MR has a pin ends the MR, and nothing gets to either memory. */
static void test_rxe_forced_move(void **state)
{
	struct state *s = *state;
	struct ibv_ext_dmabuf_mr_info info;
	struct ibv_mr *mr;
	struct rdma r;
	int fd;

	rdma_setup(&r, 16 * PAGE);
	fd = create(s, DMABUF_TEST_DYNAMIC, r.size);
	mr = rdma_register(&r, fd);
	assert_int_equal(rdma_write(&r, mr, 0x10), IBV_WC_SUCCESS);
	OK(exporter_force_move(s->dev, fd, DMABUF_TEST_SYSTEM));
	assert_int_equal(rdma_write(&r, mr, 0x20), IBV_WC_REM_ACCESS_ERR);
	assert_all(s, fd, 0, 0, r.size, 0x10);
	assert_all(s, fd, 1, 0, r.size, POISON);
	OK(ibv_ext_query_dmabuf_mr(mr, &info));
	assert_int_equal(info.state, IBV_EXT_DMABUF_STATE_REVOKED);
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
	close(fd);
	rdma_teardown(&r);
}

/* A region of anything, now and then of what was taken back */
static struct ibv_mr *register_another(struct rdma *r, int fd, unsigned int round)
{
	struct ibv_mr *mr;

	if (!(round % 16))
		return rdma_register(r, fd);
	mr = ibv_reg_mr(r->pd, r->local, PAGE, ACCESS_ALL);
	assert_non_null(mr);
	return mr;
}

/* With TEST_SLOW=1 in the environment until rxe has used every other index. */
static void test_rxe_keys_stay_taken(void **state)
{
	unsigned int rounds = getenv("TEST_SLOW") ? 530000 : 2000, i;
	struct state *s = *state;
	struct dmabuf_test_revoke result;
	struct ibv_mr *dead, *mr;
	struct rdma r;
	int fd;

	rdma_setup(&r, 2 * PAGE);
	rdma_allow_revoke(&r);
	fd = create(s, DMABUF_TEST_REVOKING, r.size);
	dead = rdma_register(&r, fd);
	OK(exporter_revoke(s->dev, fd, 5000, &result));
	OK(exporter_unrevoke(s->dev, fd));
	OK(exporter_fill(s->dev, fd, 0, 0, r.size, POISON));
	for (i = 0; i < rounds; i++) {
		mr = register_another(&r, fd, i);
		/* The index is all but the lowest byte. */
		if (mr->lkey >> 8 == dead->lkey >> 8 || mr->rkey >> 8 == dead->rkey >> 8)
			fail_msg("round %u: keys %#x and %#x, taken were %#x and %#x", i, mr->lkey,
				 mr->rkey, dead->lkey, dead->rkey);
		OK(ibv_dereg_mr(mr));
	}
	/* Nor does a region that lives give the dead one its memory back. */
	mr = rdma_register(&r, fd);
	assert_dead(&r, dead);
	assert_all(s, fd, 0, 0, r.size, POISON);
	assert_int_equal(rdma_write(&r, mr, 0x33), IBV_WC_SUCCESS);
	assert_all(s, fd, 0, 0, r.size, 0x33);
	OK(ibv_dereg_mr(dead));
	assert_int_equal(rdma_write(&r, mr, 0x34), IBV_WC_SUCCESS);
	assert_all(s, fd, 0, 0, r.size, 0x34);
	OK(ibv_dereg_mr(mr));
	assert_idle(s, fd);
	close(fd);
	rdma_teardown(&r);
}

/* A region is enough to keep the exporter, without any descriptor. */
static void test_rxe_holds_the_exporter(void **state)
{
	struct state s = {};
	struct ibv_mr *mr;
	struct rdma r;
	int fd;

	(void)state;
	rdma_setup(&r, PAGE);
	s.dev = exporter_open();
	assert_true(s.dev >= 0);
	fd = create(&s, DMABUF_TEST_DYNAMIC, r.size);
	mr = rdma_register(&r, fd);
	close(fd);
	close(s.dev);
	FAILS(exporter_unload(), EAGAIN);
	assert_int_equal(rdma_write(&r, mr, 0x44), IBV_WC_SUCCESS);
	OK(ibv_dereg_mr(mr));
	reload_module();
	rdma_teardown(&r);
}

#define RACERS 3
#define RACE_SECONDS 5

/* Registers, writes until that fails, deregisters, as often as it can. */
struct racer {
	pthread_t thread;
	struct rdma rdma;
	int fd;
	atomic_bool *stop;
	unsigned int registrations;
	unsigned int refused;
	unsigned int writes;
	unsigned int failed;
	const char *wrong; /* what should not have been, and the status or errno value */
	int value;
};

static void race_wrong(struct racer *racer, const char *what, int value)
{
	if (racer->wrong)
		return;
	racer->wrong = what;
	racer->value = value;
}

static void race_once(struct racer *racer)
{
	struct rdma *r = &racer->rdma;
	struct ibv_mr *mr;
	int status, err;

	mr = rdma_try_register(r, racer->fd);
	if (!mr) {
		racer->refused++;
		if (errno != ENODEV)
			race_wrong(racer, "registration", errno);
		sleep_ms(1);
		return;
	}
	racer->registrations++;
	/* Some go without a revoke. */
	do {
		status = rdma_write(r, mr, racer->writes % 0x50);
		racer->writes++;
	} while (status == IBV_WC_SUCCESS && racer->writes % 7 && !*racer->stop);
	if (status != IBV_WC_SUCCESS && status != IBV_WC_REM_ACCESS_ERR)
		race_wrong(racer, "completion", status);
	if (ibv_dereg_mr(mr))
		race_wrong(racer, "deregistration", errno);
	if (status != IBV_WC_SUCCESS) {
		racer->failed++;
		err = rdma_reconnect(r);
		if (err)
			race_wrong(racer, "connection", err);
	}
}

static void *racer_main(void *arg)
{
	struct racer *racer = arg;

	while (!*racer->stop && !racer->wrong)
		race_once(racer);
	return NULL;
}

/* Revokes against registrations, writes and deregistrations. */
static void test_rxe_races(void **state)
{
	struct racer racers[RACERS] = {};
	struct dmabuf_test_revoke result;
	atomic_bool stop = false;
	struct state *s = *state;
	unsigned int rounds = 0;
	double end;
	int fd, i;

	for (i = 0; i < RACERS; i++) {
		rdma_setup(&racers[i].rdma, 16 * PAGE);
		/* Regions with and without consent share nothing. */
		if (i)
			rdma_allow_revoke(&racers[i].rdma);
	}
	fd = create(s, DMABUF_TEST_REVOKING, 16 * PAGE);
	for (i = 0; i < RACERS; i++) {
		racers[i].fd = fd;
		racers[i].stop = &stop;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, racer_main, &racers[i]),
				 0);
	}

	for (end = race_end(RACE_SECONDS); seconds() < end; rounds++) {
		sleep_ms(rounds % 30);
		OK(exporter_revoke(s->dev, fd, 10000, &result));
		assert_int_equal(result.result,
				 DMABUF_TEST_FENCES_SIGNALLED | DMABUF_TEST_UNMAPPED);
		assert_int_equal(result.pinned, 0);
		sleep_ms(rounds % 7);
		assert_all(s, fd, 0, 0, 16 * PAGE, POISON);
		OK(exporter_unrevoke(s->dev, fd));
	}
	stop = true;

	for (i = 0; i < RACERS; i++) {
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
		print_message("%u registrations, %u refused, %u writes, %u failed\n",
			      racers[i].registrations, racers[i].refused, racers[i].writes,
			      racers[i].failed);
		if (racers[i].wrong)
			fail_msg("%s: %d", racers[i].wrong, racers[i].value);
	}
	print_message("%u revokes\n", rounds);
	assert_idle(s, fd);
	close(fd);
	for (i = RACERS; i--;)
		rdma_teardown(&racers[i].rdma);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		EXPORTER_TEST(test_rxe_registers),
		EXPORTER_TEST(test_rxe_refused),
		EXPORTER_TEST(test_rxe_revoke),
		EXPORTER_TEST(test_rxe_revoke_without_consent),
		EXPORTER_TEST(test_rxe_revoke_device_memory),
		EXPORTER_TEST(test_rxe_forced_move),
		EXPORTER_TEST(test_rxe_keys_stay_taken),
		cmocka_unit_test(test_rxe_holds_the_exporter),
		EXPORTER_TEST(test_rxe_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
