// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A thread that registers and deregisters. Of its two buffers one is its own to
 * revoke, the other is revoked by another process at any time. Straight to the
 * kernel: what the library adds would only make it slower.
 */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <rdma/ib_user_verbs.h>

#include "raw_ioctl.h"
#include "soak.h"
#include "test.h"

#define REGIONS 3

struct owner {
	struct soak_thread *thread;
	struct fuzz_random *random;
	int cmd_fd;
	int event_fd;
	struct raw_mr mrs[REGIONS];
	unsigned int num_mrs;
	uint32_t watched; /* an MR's handle, while there is a watch */
	bool watching;
	uint64_t cookie;   /* of the last watch */
	unsigned int read; /* of its events */
};

/* The device may go meanwhile, if it can. */
static bool is_gone(int err)
{
	return soak.does_dma && err == EIO;
}

static bool try_register(struct owner *o, int fd, unsigned int region, struct raw_mr *mr)
{
	struct raw_region args = {
		.pd = o->thread->pd->handle,
		.fd = fd,
		.offset = region * PAGE,
		.length = SOAK_SIZE - region * PAGE,
		.access = IB_UVERBS_ACCESS_DMABUF_PINNED | ACCESS_ALL,
	};
	int err;

	if (soak.does_dma)
		args.access &= ~IBV_ACCESS_REMOTE_ATOMIC;
	if (!fuzz_one_in(o->random, 8))
		args.access |= IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE;
	err = raw_reg_dmabuf_mr(o->cmd_fd, &args, mr);
	if (!err) {
		soak.shared->counts.registrations++;
		return true;
	}
	soak_check(err == ENODEV || is_gone(err), "registration: %s", strerrorname(err));
	soak.shared->counts.refused++;
	return false;
}

static void assert_revoked(struct owner *o, const struct raw_mr *mr)
{
	struct ib_uverbs_dmabuf_mr_info info;
	int err = raw_query_dmabuf_mr(o->cmd_fd, mr->handle, &info, sizeof(info));

	if (is_gone(err))
		return;
	soak_check(!err, "query: %s", strerrorname(err));
	soak_check(info.state == IB_UVERBS_DMABUF_STATE_REVOKED, "alive after the revoke");
}

static void watch(struct owner *o)
{
	int err;

	o->watched = o->mrs[fuzz_below(o->random, o->num_mrs)].handle;
	err = raw_watch_dmabuf_mr(o->cmd_fd, o->watched, o->event_fd, ++o->cookie);
	soak_check(!err || is_gone(err), "watch: %s", strerrorname(err));
	o->watching = !err;
	o->read = 0;
}

/* Returns whether there was one; it can only be that of the watch that it has now. */
static bool take_event(struct owner *o)
{
	struct ib_uverbs_async_event_desc event;

	if (read(o->event_fd, &event, sizeof(event)) < 0) {
		soak_check(errno == EAGAIN || is_gone(errno), "event: %s", strerrorname(errno));
		return false;
	}
	if (event.event_type != IB_UVERBS_EVENT_DMABUF_MR_REVOKED) {
		soak_check(soak.does_dma, "event of type %u", event.event_type);
		return false;
	}
	soak_check(o->watching && event.element == o->cookie, "event %" PRIu64 " after %" PRIu64,
		   (uint64_t)event.element, o->cookie);
	o->read++;
	soak.shared->counts.events++;
	return true;
}

/* From here on there are none. */
static void unwatch(struct owner *o)
{
	uint32_t reported;
	int err;

	err = raw_unwatch_dmabuf_mr(o->cmd_fd, o->watched, o->event_fd, o->cookie, &reported);
	soak_check(!err || is_gone(err), "unwatch: %s", strerrorname(err));
	soak_check(err || reported == o->read, "%u events reported, %u read", reported, o->read);
	o->watching = false;
	take_event(o);
}

static void deregister_all(struct owner *o)
{
	int err;

	if (o->watching && fuzz_one_in(o->random, 2))
		unwatch(o);
	while (o->num_mrs) {
		err = raw_dereg_mr(o->cmd_fd, o->mrs[--o->num_mrs].handle);
		soak_check(!err || is_gone(err), "deregistration: %s", strerrorname(err));
	}
	/* With the region went its event. */
	if (o->watching) {
		o->watching = false;
		take_event(o);
	}
}

/* With the buffer revoked */
static void check_revoked(struct owner *o, int fd)
{
	struct raw_mr mr;
	unsigned int i;

	for (i = 0; i < o->num_mrs; i++)
		if (fuzz_one_in(o->random, 4))
			assert_revoked(o, &o->mrs[i]);
	if (o->watching) {
		soak_check(take_event(o) || soak.does_dma, "no event of the revoke");
		soak_check(!take_event(o), "a second event of a revoke");
	}
	if (fuzz_one_in(o->random, 16))
		soak_check(!try_register(o, fd, 0, &mr), "registered what was revoked");
}

/* For the others to write to it */
static void show_key(struct owner *o)
{
	const unsigned int number = o->thread->number;

	soak.shared->keys[number].lkey = o->mrs[0].lkey;
	soak.shared->keys[number].rkey = o->mrs[0].rkey;
}

/* Returns whether it was so long that RDMA most likely wrote something. */
static bool pause_a_little(struct owner *o)
{
	const atomic_ulong *transfers = &soak.shared->counts.transfers;
	const unsigned long enough = *transfers + 4 * SOAK_OWNERS * SOAK_BATCH;
	int tries = 100;

	if (!fuzz_one_in(o->random, 32)) {
		if (fuzz_one_in(o->random, 2))
			sched_yield();
		return false;
	}
	while (*transfers < enough && --tries)
		usleep(1000);
	return tries;
}

static void register_some(struct owner *o, int fd)
{
	const unsigned int wanted = fuzz_one_in(o->random, 4) ? REGIONS : 1;

	while (o->num_mrs < wanted && try_register(o, fd, o->num_mrs, &o->mrs[o->num_mrs]))
		o->num_mrs++;
	if (!o->num_mrs)
		return;
	show_key(o);
	if (fuzz_one_in(o->random, 4))
		watch(o);
}

static void use_own_buffer(struct owner *o)
{
	const int buffer = o->thread->number;
	const int fd = soak.buffers[buffer];

	register_some(o, fd);
	soak_revoke(buffer, pause_a_little(o));
	check_revoked(o, fd);
	if (fuzz_one_in(o->random, 2))
		deregister_all(o);
	soak_give_back(buffer);
	deregister_all(o);
}

/* Both at the same time: the revoke, and what the owner does. */
static void use_other_buffer(struct owner *o)
{
	const int buffer = SOAK_OWNERS + o->thread->number;

	soak.shared->used[buffer] = true;
	register_some(o, soak.buffers[buffer]);
	pause_a_little(o);
	deregister_all(o);
}

void *soak_owner_main(void *arg)
{
	struct soak_thread *thread = arg;
	struct owner o = {
		.thread = thread,
		.random = &thread->random,
		.cmd_fd = thread->context->cmd_fd,
		.event_fd = thread->context->async_fd,
	};

	/* Of this thread's context alone */
	soak_check(!fcntl(o.event_fd, F_SETFL, O_NONBLOCK), "event file");
	while (!soak.shared->stop) {
		if (fuzz_one_in(o.random, 4))
			use_other_buffer(&o);
		else
			use_own_buffer(&o);
		soak.shared->round++;
	}
	return NULL;
}
