// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Nothing of a probe stays: no charge, no attachment, no pin, no mapping; whether
 * it says yes or no, and whatever regions there are over the same dma-buf.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "child.h"
#include "common.h"
#include "parameter.h"
#include "raw_ioctl.h"

#define SIZE RDMA_TEST_SIZE

#define PLAIN 0
#define PINNED IB_UVERBS_ACCESS_DMABUF_PINNED
#define REQUIRE_P2P IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P
#define REVOCABLE (IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)

/* Ways in which an exporter, an administrator or the caller make a probe fail */
enum obstacle {
	NOTHING,
	WRONG_RANGE,
	NO_ATTACH,
	NO_PIN,
	POLICY,
	SIGNAL,
	NUM_OBSTACLES,
};

#define MAX_REGIONS 3

/* What is there over the dma-buf, and has to be the same after each probe */
struct scene {
	struct state *s;
	int fd;
	uint32_t consent; /* that a pinned region needs */
	struct ibv_mr *mrs[MAX_REGIONS];
	struct ibv_ext_dmabuf_mr_info infos[MAX_REGIONS];
	unsigned int num_mrs;
	struct usage usage;
	struct dmabuf_test_counters counters;
};

static void set_scene(struct scene *scene, const uint32_t *bits, unsigned int num)
{
	struct rdma *r = &scene->s->rdma;
	unsigned int i;

	for (i = 0; i < num; i++) {
		scene->mrs[i] =
			ibv_reg_dmabuf_mr(r->pd, 0, SIZE, 0, scene->fd,
					  ACCESS_ALL | bits[i] | (bits[i] ? scene->consent : 0));
		assert_non_null(scene->mrs[i]);
	}
	scene->num_mrs = num;
	for (i = 0; i < num; i++)
		scene->infos[i] = query_mr(scene->mrs[i]);
	usage_read(&scene->usage);
	scene->counters = counters(scene->s, scene->fd);
}

static void check_scene(const struct scene *scene, const char *when)
{
	struct ibv_ext_dmabuf_mr_info info;
	unsigned int i;

	assert_usage(&scene->usage, when);
	assert_held_as(scene->s, scene->fd, &scene->counters);
	for (i = 0; i < scene->num_mrs; i++) {
		info = query_mr(scene->mrs[i]);
		assert_memory_equal(&info, &scene->infos[i], sizeof(info));
	}
}

static void clear_scene(struct scene *scene)
{
	unsigned int i;

	/* All still carry data. */
	for (i = 0; i < scene->num_mrs; i++) {
		assert_int_equal(rdma_write(&scene->s->rdma, scene->mrs[i], 0x20 + i),
				 IBV_WC_SUCCESS);
		assert_all(scene->s, scene->fd, 0, 0, SIZE, 0x20 + i);
	}
	for (i = 0; i < scene->num_mrs; i++)
		OK(ibv_dereg_mr(scene->mrs[i]));
	assert_idle(scene->s, scene->fd);
}

static void on_signal(int signal)
{
	(void)signal;
}

struct interrupter {
	pthread_t thread;
	pthread_t victim;
	const struct scene *scene;
	atomic_bool stop;
};

/* The pin takes longer than the test, until the signal. */
static void *interrupter_main(void *arg)
{
	struct interrupter *i = arg;
	unsigned int before = i->scene->counters.count[DMABUF_TEST_DELAYS];
	struct dmabuf_test_counters now;

	do {
		sleep_ms(1);
		if (exporter_counters(i->scene->s->dev, i->scene->fd, &now))
			return NULL;
	} while (!i->stop && now.count[DMABUF_TEST_DELAYS] == before);
	if (!i->stop)
		pthread_kill(i->victim, SIGINT);
	return NULL;
}

static void set_obstacle(struct scene *scene, enum obstacle obstacle,
			 struct interrupter *interrupter)
{
	struct sigaction action = { .sa_handler = on_signal };
	int dev = scene->s->dev;

	switch (obstacle) {
	case NO_ATTACH:
		OK(exporter_behave(dev, scene->fd, DMABUF_TEST_OP_ATTACH, DMABUF_TEST_ALWAYS, EXDEV,
				   0));
		break;
	case NO_PIN:
		OK(exporter_behave(dev, scene->fd, DMABUF_TEST_OP_PIN, DMABUF_TEST_ALWAYS, EBUSY,
				   0));
		break;
	case POLICY:
		parameter_set(PIN_POLICY, "off");
		break;
	case SIGNAL:
		OK(exporter_behave_interruptible(dev, scene->fd, DMABUF_TEST_OP_PIN,
						 DMABUF_TEST_ALWAYS, 0, 60000));
		assert_int_equal(sigaction(SIGINT, &action, NULL), 0);
		scene->counters = counters(scene->s, scene->fd);
		interrupter->scene = scene;
		interrupter->victim = pthread_self();
		interrupter->stop = false;
		assert_int_equal(pthread_create(&interrupter->thread, NULL, interrupter_main,
						interrupter),
				 0);
		break;
	default:
		break;
	}
}

static void remove_obstacle(struct scene *scene, enum obstacle obstacle,
			    struct interrupter *interrupter)
{
	int dev = scene->s->dev;

	if (obstacle == SIGNAL) {
		interrupter->stop = true;
		assert_int_equal(pthread_join(interrupter->thread, NULL), 0);
		signal(SIGINT, SIG_DFL);
	}
	OK(exporter_behave(dev, scene->fd, DMABUF_TEST_OP_ATTACH, 0, 0, 0));
	OK(exporter_behave(dev, scene->fd, DMABUF_TEST_OP_PIN, 0, 0, 0));
	parameter_set(PIN_POLICY, "on");
}

/*
 * With regions there is a pin, which the probe may share: then the exporter is
 * not asked. Without any, each obstacle is one.
 */
static void probe_once(struct scene *scene, uint32_t bits, enum obstacle obstacle)
{
	static const int errors[NUM_OBSTACLES] = { 0, EINVAL, EXDEV, EBUSY, EPERM, EINTR };
	struct raw_region region = {
		.fd = scene->fd,
		.length = obstacle == WRONG_RANGE ? SIZE + 1 : SIZE,
		.access = ACCESS_ALL | bits | (bits ? scene->consent : 0),
	};
	struct ib_uverbs_dmabuf_probe result = {};
	struct interrupter interrupter;
	int err, expected = errors[obstacle];
	char when[80];

	set_obstacle(scene, obstacle, &interrupter);
	err = raw_probe_dmabuf(scene->s->rdma.context->cmd_fd, &region, &result, sizeof(result));
	remove_obstacle(scene, obstacle, &interrupter);
	if (!err)
		err = result.err;

	if (bits & REQUIRE_P2P && !expected)
		expected = EOPNOTSUPP;
	snprintf(when, sizeof(when), "probe with %#x beside %u regions, obstacle %d", bits,
		 scene->num_mrs, obstacle);
	if (!scene->num_mrs || obstacle == NOTHING || obstacle == WRONG_RANGE || obstacle == POLICY)
		assert_errno(err, expected, "%s", when);
	check_scene(scene, when);
}

static void test_probes(void **state)
{
	static const uint32_t probes[] = { PLAIN, PINNED, REVOCABLE, PINNED | REQUIRE_P2P };
	static const struct {
		uint32_t bits[MAX_REGIONS];
		unsigned int num;
	} scenes[] = {
		{ {}, 0 },
		{ { PLAIN }, 1 },
		{ { PINNED }, 1 },
		{ { REVOCABLE }, 1 },
		{ { PLAIN, REVOCABLE }, 2 },
		{ { PLAIN, PINNED, PLAIN }, 3 },
	};
	struct scene scene = { .s = *state };
	unsigned int i, j, all, mode;
	enum obstacle obstacle;

	for (mode = DMABUF_TEST_DYNAMIC; mode <= DMABUF_TEST_REVOKING; mode++) {
		scene.fd = create(scene.s, mode, SIZE);
		scene.consent = needs_consent(mode) ? IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE : 0;
		for (i = 0; i < ARRAY_SIZE(scenes); i++) {
			set_scene(&scene, scenes[i].bits, scenes[i].num);
			for (all = 0; all < 2; all++) {
				parameter_set(CHARGE_ALL, all ? "Y" : "N");
				for (j = 0; j < ARRAY_SIZE(probes); j++)
					for (obstacle = 0; obstacle < NUM_OBSTACLES; obstacle++)
						probe_once(&scene, probes[j], obstacle);
			}
			parameter_set(CHARGE_ALL, "N");
			clear_scene(&scene);
		}
		close(scene.fd);
	}
}

static int probes_teardown(void **state)
{
	parameters_reset();
	return teardown_rdma(state);
}

static void child_expect(struct ibv_pd *pd, int fd, uint32_t bits, int err)
{
	struct raw_region region = { .fd = fd, .length = SIZE, .access = ACCESS_ALL | bits };
	struct ib_uverbs_dmabuf_probe probe;

	child_check(!raw_probe_dmabuf(pd->context->cmd_fd, &region, &probe, sizeof(probe)),
		    "probe");
	child_check((int)probe.err == err, "probe with %#x: %s, expected %s", bits,
		    strerrorname(probe.err), strerrorname(err));
	child_check(!probe.memlock_used, "%llu bytes are charged",
		    (unsigned long long)probe.memlock_used);
}

/* Each probe tells what those before it have left. */
static void over_the_limit(struct ibv_pd *pd, struct dmabuf *buf)
{
	struct ibv_mr *plain;
	int i;

	become_limited(SIZE - 1);
	child_expect(pd, buf->fd, PINNED, ENOMEM);
	child_expect(pd, buf->fd, PLAIN, 0);
	plain = ibv_reg_dmabuf_mr(pd, 0, SIZE, 0, buf->fd, ACCESS_ALL);
	child_check(plain, "registration: %s", strerrorname(errno));
	for (i = 0; i < 3; i++) {
		child_expect(pd, buf->fd, PINNED, ENOMEM);
		child_expect(pd, buf->fd, REVOCABLE, ENOMEM);
		child_expect(pd, buf->fd, PLAIN, 0);
	}
	child_check(!ibv_dereg_mr(plain), "deregistration");
}

static void test_memory_limit(void **state)
{
	struct state *s = *state;
	struct dmabuf buf = {};
	size_t i;

	for (i = 0; i < NUM_MODES; i++) {
		buf.fd = create(s, all_modes[i], SIZE);
		in_child(over_the_limit, &buf);
		assert_idle(s, buf.fd);
		close(buf.fd);
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_probes, setup_rdma, probes_teardown),
		EXPORTER_TEST(test_memory_limit),
	};

	return cmocka_run_group_tests(tests, child_group_setup, NULL);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv, run);
}
