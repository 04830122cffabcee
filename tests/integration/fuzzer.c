// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter.h"
#include "fault.h"
#include "fuzzer.h"
#include "parameter.h"
#include "rdma_cgroup.h"
#include "test.h"

/* The highest errno value of user space, EHWPOISON */
#define MAX_USER_ERRNO 133

/* How often each operation is among those that are chosen from; what is slow, or ends much, is
 * rare. */
static const struct {
	const char *name;
	unsigned int weight;
} operations[NUM_OPERATIONS] = {
	[REGISTER_DMABUF] = { .weight = 100 },
	[DEREGISTER] = { .weight = 60 },
	[QUERY_MR] = { .weight = 30 },
	[QUERY_CAPS] = { .weight = 20 },
	[PROBE] = { .weight = 40 },
	[QUERY_DMABUF_MR] = { .weight = 60 },
	[WATCH] = { .weight = 60 },
	[UNWATCH] = { .weight = 60 },
	[REGISTER_MEMORY] = { .weight = 40 },
	[REGISTER_BY_WRITE] = { "REG_MR by write()", 40 },
	[REVOKE] = { "revoke", 20 },
	[UNREVOKE] = { "unrevoke", 40 },
	[MOVE] = { "move", 8 },
	[FENCE] = { "fence", 4 },
	[BEHAVE] = { "refusing exporter", 8 },
	[READ_EVENTS] = { "events", 60 },
	[SHOW] = { "RES_MR_GET", 20 },
	[POLICY] = { "policy", 8 },
	[LIMITS] = { "limits", 8 },
	[DAMAGE_DEVICE] = { "device damaged", 1 },
	[REPLACE_DEVICE] = { "device removed", 1 },
};

const char *fuzz_operation_name(unsigned int operation)
{
	return operation < NUM_METHODS ? fuzz_method_name(operation) : operations[operation].name;
}

static unsigned int below(struct fuzzer *f, unsigned int limit)
{
	return fuzz_below(&f->message.random, limit);
}

static bool one_in(struct fuzzer *f, unsigned int n)
{
	return fuzz_one_in(&f->message.random, n);
}

static const struct fuzz_buffer *some_buffer(struct fuzzer *f)
{
	return &f->target->buffers[below(f, f->target->num_buffers)];
}

static void choose_region(struct fuzzer *f)
{
	const struct fuzz_buffer *buffer = some_buffer(f);
	uint64_t pages = buffer->size / PAGE;
	uint64_t first = below(f, pages);
	struct raw_region *region = &f->message.region;

	*region = (struct raw_region){
		.pd = f->device->pd->handle,
		.fd = buffer->fd,
		.offset = first * PAGE,
		.length = 1 + below(f, (pages - first) * PAGE),
		.iova = (uint64_t)below(f, 1000) * PAGE,
		.access = below(f, 16),
	};
	/* Remote writes want local ones. */
	if (region->access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC))
		region->access |= IBV_ACCESS_LOCAL_WRITE;
	if (one_in(f, 4))
		return;
	region->access |= IB_UVERBS_ACCESS_DMABUF_PINNED;
	if (one_in(f, 2))
		region->access |= IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE;
	if (one_in(f, 8))
		region->access |= IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P;
}

static void choose_handle(struct fuzzer *f)
{
	if (f->num_handles)
		f->message.handle = f->handles[below(f, f->num_handles)];
	else
		f->message.handle = fuzz_wild_value(&f->message);
}

static void remember_handle(struct fuzzer *f, uint32_t handle)
{
	if (f->num_handles < FUZZ_MAX_HANDLES)
		f->handles[f->num_handles++] = handle;
}

static void forget_handle(struct fuzzer *f, uint32_t handle)
{
	unsigned int i;

	for (i = 0; i < f->num_handles; i++)
		if (f->handles[i] == handle)
			f->handles[i] = f->handles[--f->num_handles];
}

static void complain(struct fuzzer *f, const char *what)
{
	snprintf(f->complaint, sizeof(f->complaint), "%s", what);
}

static int by_message(struct fuzzer *f, enum fuzz_method method)
{
	struct fuzz_message *m = &f->message;
	struct ib_uverbs_reg_mr_resp *resp = (void *)m->arena->slots[1];
	const struct ib_uverbs_attr *attrs = m->arena->message.attrs;
	bool spoilt = one_in(f, 2);
	int err;

	fuzz_message_build(m, method, spoilt);
	err = fuzz_message_send(m, f->device->context->cmd_fd, spoilt);
	if (!fuzz_message_intact(m))
		complain(f, "the kernel wrote behind an attribute");
	if (method == DEREGISTER && (!err || err == ENOENT))
		forget_handle(f, attrs[0].data);
	if (err)
		return err;
	if (method == REGISTER_DMABUF)
		remember_handle(f, attrs[0].data);
	else if (method == REGISTER_MEMORY)
		remember_handle(f, resp->mr_handle);
	return 0;
}

static int by_write(struct fuzzer *f)
{
	struct fuzz_message *m = &f->message;
	struct ib_uverbs_reg_mr_resp *resp = (void *)m->arena->slots[1];
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_reg_mr reg;
	} *cmd = (void *)m->arena->slots[0];
	size_t size = sizeof(*cmd);

	cmd->hdr = (struct ib_uverbs_cmd_hdr){
		.command = IB_USER_VERBS_CMD_REG_MR,
		.in_words = sizeof(*cmd) / 4,
		.out_words = sizeof(*resp) / 4,
	};
	fuzz_fill_reg_mr(m, &cmd->reg);
	cmd->reg.response = (uintptr_t)resp;
	switch (below(f, 10)) {
	case 0:
		cmd->hdr.command |= 1U << (8 + below(f, 24));
		break;
	case 1:
		cmd->hdr.in_words = below(f, 20);
		break;
	case 2:
		cmd->hdr.out_words = below(f, 20);
		break;
	case 3:
		size = 4 * below(f, 24);
		break;
	case 4:
		cmd->reg.response = fuzz_bad_pointer(m);
		break;
	case 5:
	case 6:
		fuzz_spoil_reg_mr(m, &cmd->reg);
		break;
	}
	if (write(f->device->context->cmd_fd, cmd, size) < 0)
		return errno;
	if (cmd->reg.response == (uintptr_t)resp)
		remember_handle(f, resp->mr_handle);
	return 0;
}

/* Without delays that would only cost time */
static int behave(struct fuzzer *f, const struct fuzz_buffer *buffer)
{
	static const enum dmabuf_test_op ops[] = {
		DMABUF_TEST_OP_ATTACH,
		DMABUF_TEST_OP_PIN,
		DMABUF_TEST_OP_MAP,
	};
	static const int errors[] = { 0,     EINTR,  EBUSY,	 EINVAL,    ENOMEM,
				      EPERM, ENODEV, EOPNOTSUPP, ETIMEDOUT, EAGAIN };

	return exporter_behave(f->target->exporter, buffer->fd, ops[below(f, ARRAY_SIZE(ops))],
			       1 + below(f, 2), errors[below(f, ARRAY_SIZE(errors))],
			       one_in(f, 16));
}

/* What all MRs are, as the administrator's rdma tool asks for it */
static int show(struct fuzzer *f)
{
	const uint16_t command = one_in(f, 2) ? RDMA_NLDEV_CMD_RES_MR_GET_RAW :
						RDMA_NLDEV_CMD_RES_MR_GET;
	struct {
		struct nlmsghdr hdr;
		struct nlattr attr;
		uint32_t device;
	} request = {
		.hdr = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.attr = { .nla_len = 8, .nla_type = RDMA_NLDEV_ATTR_DEV_INDEX },
		.device = ibv_get_device_index(f->device->context->device),
	};
	struct {
		struct nlmsghdr hdr;
		char rest[8192];
	} answer;
	int err = 0;
	ssize_t n;

	if (send(f->netlink, &request, sizeof(request), 0) < 0)
		return errno;
	do {
		n = recv(f->netlink, &answer, sizeof(answer), MSG_DONTWAIT);
		if (n > 0 && answer.hdr.nlmsg_type == NLMSG_ERROR)
			err = -((struct nlmsgerr *)NLMSG_DATA(&answer.hdr))->error;
	} while (n > 0);
	return err;
}

static int set_policy(struct fuzzer *f)
{
	static const char *const policies[] = { "on", "revocable", "off" };
	char policy[16];

	if (one_in(f, 4))
		return parameter_read(PIN_POLICY, policy, sizeof(policy));
	f->limited = true;
	if (one_in(f, 3))
		return parameter_write(CHARGE_ALL, one_in(f, 2) ? "Y" : "N");
	return parameter_write(PIN_POLICY, policies[below(f, ARRAY_SIZE(policies))]);
}

/* Of the process; it binds only those without CAP_IPC_LOCK. */
static int set_limit(uint64_t limit)
{
	struct rlimit rlimit = { .rlim_cur = limit, .rlim_max = RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &rlimit) ? errno : 0;
}

static int set_limits(struct fuzzer *f)
{
	static const uint64_t limits[] = { 0, PAGE, 4 * PAGE, 16 * PAGE, RLIM_INFINITY };

	const uint64_t limit = limits[below(f, ARRAY_SIZE(limits))];

	f->limited = true;
	if (f->target->cgroup && one_in(f, 2))
		return rdma_cgroup_limit(f->target->cgroup, f->device->name,
					 limit == RLIM_INFINITY ? NO_LIMIT : (int64_t)limit);
	return set_limit(limit);
}

static int damage_device(struct fuzzer *f)
{
	const unsigned int way = below(f, 256);

	if (!f->device->ops)
		return EOPNOTSUPP;
	f->damaged = true;
	return fuzz_device_damage(f->device, way);
}

static int at_exporter(struct fuzzer *f, unsigned int operation)
{
	const struct fuzz_buffer *buffer = some_buffer(f);
	const int exporter = f->target->exporter;
	struct dmabuf_test_revoke result;

	switch (operation) {
	case REVOKE:
		return exporter_revoke(exporter, buffer->fd, 20, &result);
	case UNREVOKE:
		return exporter_unrevoke(exporter, buffer->fd);
	case MOVE:
		return one_in(f, 2) ? exporter_move(exporter, buffer->fd, below(f, 2)) :
		       exporter_force_move(exporter, buffer->fd, DMABUF_TEST_SYSTEM) ?:
				      exporter_free_old(exporter, buffer->fd);
	case FENCE:
		/* Revoked while a registration waits for a fence it makes 6.12's dma_buf_vmap()
		 * warn. */
		return buffer->revoking ? EBUSY :
					  exporter_fence(exporter, buffer->fd, one_in(f, 4));
	default:
		return behave(f, buffer);
	}
}

static int do_operation(struct fuzzer *f, unsigned int operation)
{
	struct ib_uverbs_async_event_desc event;

	switch (operation) {
	case REGISTER_BY_WRITE:
		return by_write(f);
	case READ_EVENTS:
		return read(f->message.events, &event, sizeof(event)) < 0 ? errno : 0;
	case SHOW:
		return show(f);
	case POLICY:
		return set_policy(f);
	case LIMITS:
		return set_limits(f);
	case DAMAGE_DEVICE:
		return damage_device(f);
	case REPLACE_DEVICE:
		return f->device->ops ? fuzz_device_replace(f->device) : EOPNOTSUPP;
	default:
		if (operation < NUM_METHODS)
			return by_message(f, operation);
		return at_exporter(f, operation);
	}
}

/* Where the kernel can do that, something that a call needs may be missing, too. */
static int try_operation(struct fuzzer *f, unsigned int operation)
{
	int fault, err;

	if (!f->with_faults || operation >= MOVE || !one_in(f, 4))
		return do_operation(f, operation);
	fault = fault_arm(1 + below(f, 40));
	err = do_operation(f, operation);
	f->faults += fault_disarm(fault);
	return err;
}

static unsigned int choose_operation(struct fuzzer *f)
{
	unsigned int all = 0, chosen, i;

	for (i = 0; i < NUM_OPERATIONS; i++)
		all += operations[i].weight;
	chosen = below(f, all);
	for (i = 0; chosen >= operations[i].weight; i++)
		chosen -= operations[i].weight;
	if (i >= REVOKE && i <= BEHAVE && f->target->exporter < 0)
		return PROBE;
	return f->num_handles == FUZZ_MAX_HANDLES ? DEREGISTER : i;
}

static void start_tape(struct fuzzer *f, struct fuzz_tape *tape)
{
	f->message.random.tape = tape;
	f->message.random.pos = 0;
}

void fuzzer_begin(struct fuzzer *f, struct fuzz_tape *tape)
{
	start_tape(f, tape);
	f->device = fuzz_device_get(f->target, below(f, f->target->num_devices));
	f->message.events = f->device->context->async_fd;
}

void fuzzer_call(struct fuzzer *f, struct fuzz_tape *tape)
{
	unsigned int operation;
	int err;

	start_tape(f, tape);
	operation = choose_operation(f);
	choose_region(f);
	choose_handle(f);
	err = try_operation(f, operation);
	f->calls++;
	f->done[operation]++;
	f->succeeded[operation] += !err;
	if (err < 0 || err > MAX_USER_ERRNO)
		snprintf(f->complaint, sizeof(f->complaint), "%s: errno %d",
			 fuzz_operation_name(operation), err);
}

void fuzzer_end(struct fuzzer *f)
{
	/* What is gone with its device fails, and may. */
	while (f->num_handles)
		raw_dereg_mr(f->device->context->cmd_fd, f->handles[--f->num_handles]);
	if (f->limited) {
		parameter_write(PIN_POLICY, "on");
		parameter_write(CHARGE_ALL, "N");
		set_limit(RLIM_INFINITY);
		if (f->target->cgroup)
			rdma_cgroup_limit(f->target->cgroup, f->device->name, NO_LIMIT);
		f->limited = false;
	}
	if (f->damaged) {
		fuzz_device_replace(f->device);
		f->damaged = false;
	}
	fuzz_device_put(f->target);
}

void fuzzer_init(struct fuzzer *f, struct fuzz_target *target, uint64_t seed, bool with_faults)
{
	*f = (struct fuzzer){ .target = target, .with_faults = with_faults };
	fuzz_message_init(&f->message, seed);
	f->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	assert_true(f->netlink >= 0);
}

void fuzzer_destroy(struct fuzzer *f)
{
	close(f->netlink);
	fuzz_message_destroy(&f->message);
}

void fuzzers_print(const struct fuzzer *fuzzers, unsigned int num)
{
	unsigned int operation, i;

	for (operation = 0; operation < NUM_OPERATIONS; operation++) {
		unsigned long done = 0, succeeded = 0;

		for (i = 0; i < num; i++) {
			done += fuzzers[i].done[operation];
			succeeded += fuzzers[i].succeeded[operation];
		}
		print_message("%-18s %8lu calls, %8lu succeeded\n", fuzz_operation_name(operation),
			      done, succeeded);
	}
}
