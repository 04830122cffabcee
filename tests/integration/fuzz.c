// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Random calls of the methods for dma-bufs and of both ways to register memory,
 * most of them with something wrong, straight to the kernel. It has to survive
 * them, to answer with errno values that user space knows, to write where it was
 * told and nowhere else, and to leave nothing behind. On a kernel with fault
 * injection some of the calls also find no memory.
 *
 * TEST_SEED=... repeats a run, as far as the order of two threads lets it.
 * TEST_SLOW=1 makes many more calls.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "exporter.h"
#include "fault.h"
#include "fixture.h"
#include "raw_ioctl.h"
#include "test.h"

#define THREADS 2
#define MAX_ATTRS 12
#define MAX_HANDLES 32

/* The highest errno value of user space, EHWPOISON */
#define MAX_USER_ERRNO 133

static uint64_t seed;
static unsigned int calls = 10000; /* of each thread */
static bool with_faults;

/* What the kernel is given pointers to; in two mappings, one of them read-only. */
struct arena {
	union {
		uint8_t page[PAGE];
		struct {
			struct ib_uverbs_ioctl_hdr hdr;
			struct ib_uverbs_attr attrs[MAX_ATTRS];
		} message;
	};
	/* each longer than the length of an attribute can be */
	uint8_t slots[MAX_ATTRS][17 * PAGE];
	uint8_t memory[16 * PAGE];
	uint8_t guard[PAGE]; /* cannot be accessed */
};

#define CANARY 0xc5
#define CANARY_SIZE 64

enum kind {
	NEW_MR,
	PD,
	MR,
	DMABUF,
	EVENTS,
	OFFSET,
	LENGTH,
	IOVA,
	ACCESS,
	COOKIE,
	REG_MR, /* the struct of the command */
	COMMAND,
	OUT,
};

struct spec {
	uint16_t id;
	uint16_t length;
	enum kind kind;
};

struct method {
	const char *name;
	uint16_t object;
	uint16_t id;
	unsigned int num_attrs;
	struct spec attrs[9];
};

#define HANDLE(id_, kind_) { .id = (id_), .kind = kind_ }
#define VALUE(id_, type, kind_) { .id = (id_), .length = sizeof(type), .kind = (kind_) }

enum operation {
	REGISTER_DMABUF,
	DEREGISTER,
	QUERY_MR,
	QUERY_CAPS,
	PROBE,
	QUERY_DMABUF_MR,
	WATCH,
	REGISTER_MEMORY,
	NUM_METHODS,
	/* not by a message */
	WRITE_COMMAND = NUM_METHODS,
	REVOKE,
	UNREVOKE,
	READ_EVENTS,
	NUM_OPERATIONS,
};

static const struct method methods[NUM_METHODS] = {
	[REGISTER_DMABUF] = {
		"REG_DMABUF_MR", UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR, 9, {
			HANDLE(UVERBS_ATTR_REG_DMABUF_MR_HANDLE, NEW_MR),
			HANDLE(UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, PD),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_OFFSET, uint64_t, OFFSET),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_LENGTH, uint64_t, LENGTH),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_IOVA, uint64_t, IOVA),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_FD, uint32_t, DMABUF),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, uint32_t, ACCESS),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, uint32_t, OUT),
			VALUE(UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, uint32_t, OUT),
		},
	},
	[DEREGISTER] = {
		"MR_DESTROY", UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY, 1, {
			HANDLE(UVERBS_ATTR_DESTROY_MR_HANDLE, MR),
		},
	},
	[QUERY_MR] = {
		"QUERY_MR", UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_MR, 5, {
			HANDLE(UVERBS_ATTR_QUERY_MR_HANDLE, MR),
			VALUE(UVERBS_ATTR_QUERY_MR_RESP_LKEY, uint32_t, OUT),
			VALUE(UVERBS_ATTR_QUERY_MR_RESP_RKEY, uint32_t, OUT),
			VALUE(UVERBS_ATTR_QUERY_MR_RESP_LENGTH, uint64_t, OUT),
			VALUE(UVERBS_ATTR_QUERY_MR_RESP_IOVA, uint64_t, OUT),
		},
	},
	[QUERY_CAPS] = {
		"QUERY_DMABUF_CAPS", UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_DMABUF_CAPS, 1, {
			VALUE(UVERBS_ATTR_QUERY_DMABUF_CAPS_RESP, struct ib_uverbs_dmabuf_caps,
			      OUT),
		},
	},
	[PROBE] = {
		"PROBE_DMABUF", UVERBS_OBJECT_DEVICE, UVERBS_METHOD_PROBE_DMABUF, 6, {
			VALUE(UVERBS_ATTR_PROBE_DMABUF_OFFSET, uint64_t, OFFSET),
			VALUE(UVERBS_ATTR_PROBE_DMABUF_LENGTH, uint64_t, LENGTH),
			VALUE(UVERBS_ATTR_PROBE_DMABUF_IOVA, uint64_t, IOVA),
			VALUE(UVERBS_ATTR_PROBE_DMABUF_FD, uint32_t, DMABUF),
			VALUE(UVERBS_ATTR_PROBE_DMABUF_ACCESS_FLAGS, uint32_t, ACCESS),
			VALUE(UVERBS_ATTR_PROBE_DMABUF_RESP, struct ib_uverbs_dmabuf_probe, OUT),
		},
	},
	[QUERY_DMABUF_MR] = {
		"QUERY_DMABUF_MR", UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_DMABUF_MR, 2, {
			HANDLE(UVERBS_ATTR_QUERY_DMABUF_MR_HANDLE, MR),
			VALUE(UVERBS_ATTR_QUERY_DMABUF_MR_RESP, struct ib_uverbs_dmabuf_mr_info,
			      OUT),
		},
	},
	[WATCH] = {
		"WATCH_DMABUF_MR", UVERBS_OBJECT_MR, UVERBS_METHOD_WATCH_DMABUF_MR, 3, {
			HANDLE(UVERBS_ATTR_WATCH_DMABUF_MR_HANDLE, MR),
			HANDLE(UVERBS_ATTR_WATCH_DMABUF_MR_EVENT_FD, EVENTS),
			VALUE(UVERBS_ATTR_WATCH_DMABUF_MR_COOKIE, uint64_t, COOKIE),
		},
	},
	[REGISTER_MEMORY] = {
		"REG_MR by ioctl", UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE, 3, {
			VALUE(UVERBS_ATTR_CORE_IN, struct ib_uverbs_reg_mr, REG_MR),
			VALUE(UVERBS_ATTR_CORE_OUT, struct ib_uverbs_reg_mr_resp, OUT),
			VALUE(UVERBS_ATTR_WRITE_CMD, uint64_t, COMMAND),
		},
	},
};

static const char *operation_name(enum operation operation)
{
	static const char *const others[] = { "REG_MR by write()", "revoke", "unrevoke", "events" };

	return operation < NUM_METHODS ? methods[operation].name : others[operation - NUM_METHODS];
}

/* What the threads share */
struct target {
	struct ibv_context *context;
	struct ibv_pd *pd;
	int events;   /* the context's event file */
	int exporter; /* the test exporter, or -1 */
	struct {
		int fd;
		uint64_t size;
	} buffers[8];
	unsigned int num_buffers;
	int revoking; /* the one of them that can be revoked, or -1 */
};

/* A thread */
struct fuzzer {
	struct target *target;
	uint64_t random;
	struct arena *arena;
	const struct arena *read_only;
	uint32_t handles[MAX_HANDLES];
	unsigned int num_handles;
	struct raw_region region;     /* of this call */
	uint8_t *canaries[MAX_ATTRS]; /* of each slot */
	unsigned int call;
	unsigned int faults; /* that were reached */
	unsigned int done[NUM_OPERATIONS];
	unsigned int succeeded[NUM_OPERATIONS];
	char complaint[160];
};

/* splitmix64 */
static uint64_t next_random(struct fuzzer *f)
{
	uint64_t z = f->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int below(struct fuzzer *f, unsigned int limit)
{
	return next_random(f) % limit;
}

static bool one_in(struct fuzzer *f, unsigned int n)
{
	return !below(f, n);
}

static uint64_t wild_value(struct fuzzer *f)
{
	static const uint64_t values[] = {
		0,	    1,		7,	    PAGE - 1,	PAGE,	    PAGE + 1, INT32_MAX,
		1ULL << 31, UINT32_MAX, 1ULL << 32, 1ULL << 40, 1ULL << 63, -PAGE,    -1ULL,
	};

	switch (below(f, 4)) {
	case 0:
		return next_random(f);
	case 1:
		return below(f, 64);
	case 2:
		return 1ULL << below(f, 64);
	default:
		return values[below(f, ARRAY_SIZE(values))];
	}
}

/* Nothing of the process can be written to there. */
static uint64_t bad_pointer(struct fuzzer *f)
{
	const uint64_t pointers[] = {
		0,
		8,
		(uintptr_t)f->arena->guard,
		(uintptr_t)f->arena->guard - 2,
		(uintptr_t)f->read_only->slots[0],
		0xffff888000000000,
		1ULL << 47,
		-8ULL,
	};

	return pointers[below(f, ARRAY_SIZE(pointers))];
}

static void choose_region(struct fuzzer *f)
{
	const struct target *t = f->target;
	unsigned int i = below(f, t->num_buffers);
	uint64_t pages = t->buffers[i].size / PAGE;
	uint64_t first = below(f, pages);

	f->region = (struct raw_region){
		.pd = t->pd->handle,
		.fd = t->buffers[i].fd,
		.offset = first * PAGE,
		.length = 1 + next_random(f) % ((pages - first) * PAGE),
		.iova = (uint64_t)below(f, 1000) * PAGE,
		.access = below(f, 16),
	};
	/* Remote writes want local ones. */
	if (f->region.access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC))
		f->region.access |= IBV_ACCESS_LOCAL_WRITE;
	if (!one_in(f, 4))
		f->region.access |= IB_UVERBS_ACCESS_DMABUF_PINNED;
	if (f->region.access & IB_UVERBS_ACCESS_DMABUF_PINNED && one_in(f, 2))
		f->region.access |= IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE;
}

static uint32_t some_handle(struct fuzzer *f)
{
	return f->num_handles ? f->handles[below(f, f->num_handles)] : wild_value(f);
}

static void remember_handle(struct fuzzer *f, uint32_t handle)
{
	if (f->num_handles < MAX_HANDLES)
		f->handles[f->num_handles++] = handle;
}

static void forget_handle(struct fuzzer *f, uint32_t handle)
{
	unsigned int i;

	for (i = 0; i < f->num_handles; i++)
		if (f->handles[i] == handle)
			f->handles[i] = f->handles[--f->num_handles];
}

static void fill_reg_mr(struct fuzzer *f, struct ib_uverbs_reg_mr *cmd)
{
	uint64_t offset = below(f, sizeof(f->arena->memory));

	*cmd = (struct ib_uverbs_reg_mr){
		.start = (uintptr_t)f->arena->memory + offset,
		.length = 1 + below(f, sizeof(f->arena->memory) - offset),
		.hca_va = offset,
		.pd_handle = f->target->pd->handle,
		.access_flags = IBV_ACCESS_LOCAL_WRITE,
	};
}

static void spoil_reg_mr(struct fuzzer *f, struct ib_uverbs_reg_mr *cmd)
{
	switch (below(f, 6)) {
	case 0:
		cmd->start = one_in(f, 2) ? bad_pointer(f) : wild_value(f);
		break;
	case 1:
		cmd->length = wild_value(f);
		break;
	case 2:
		cmd->hca_va = wild_value(f);
		break;
	case 3:
		cmd->pd_handle = wild_value(f);
		break;
	default:
		cmd->access_flags ^= 1U << below(f, 32);
	}
}

/* A value that the kernel can do something with */
static uint64_t good_value(struct fuzzer *f, enum kind kind, void *slot)
{
	switch (kind) {
	case PD:
		return f->region.pd;
	case MR:
		return some_handle(f);
	case DMABUF:
		return f->region.fd;
	case EVENTS:
		return f->target->events;
	case OFFSET:
		return f->region.offset;
	case LENGTH:
		return f->region.length;
	case IOVA:
		return f->region.iova;
	case ACCESS:
		return f->region.access;
	case COOKIE:
		return next_random(f);
	case REG_MR:
		fill_reg_mr(f, slot);
		return (uintptr_t)slot;
	case COMMAND:
		return IB_USER_VERBS_CMD_REG_MR;
	case OUT:
		return (uintptr_t)slot;
	default:
		return 0;
	}
}

static uint64_t bad_value(struct fuzzer *f, enum kind kind, void *slot)
{
	switch (kind) {
	case REG_MR:
		spoil_reg_mr(f, slot);
		return one_in(f, 4) ? bad_pointer(f) : (uintptr_t)slot;
	case OUT:
		return bad_pointer(f);
	case COMMAND:
		return IB_USER_VERBS_CMD_REG_MR | 1ULL << (8 + below(f, 56));
	case ACCESS:
		return f->region.access ^ 1U << below(f, 32);
	case DMABUF:
	case EVENTS:
		return below(f, 40) - 1;
	default:
		return wild_value(f);
	}
}

static void build_message(struct fuzzer *f, const struct method *method)
{
	struct ib_uverbs_ioctl_hdr *hdr = &f->arena->message.hdr;
	struct ib_uverbs_attr *attr = f->arena->message.attrs;
	unsigned int i;

	memset(f->arena->page, 0, sizeof(f->arena->page));
	hdr->object_id = method->object;
	hdr->method_id = method->id;
	hdr->driver_id = RDMA_DRIVER_RXE;
	hdr->num_attrs = method->num_attrs;
	for (i = 0; i < method->num_attrs; i++)
		attr[i] = (struct ib_uverbs_attr){
			.attr_id = method->attrs[i].id,
			.len = method->attrs[i].length,
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = good_value(f, method->attrs[i].kind, f->arena->slots[i]),
		};
}

static void spoil_length(struct fuzzer *f, struct ib_uverbs_attr *attr)
{
	switch (below(f, 4)) {
	case 0:
		attr->len--;
		break;
	case 1:
		attr->len++;
		break;
	case 2:
		attr->len *= 2;
		break;
	default:
		attr->len = next_random(f);
	}
}

static void spoil_header(struct fuzzer *f, struct ib_uverbs_ioctl_hdr *hdr)
{
	switch (below(f, 6)) {
	case 0:
		hdr->object_id = one_in(f, 2) ? UVERBS_OBJECT_MR : UVERBS_OBJECT_DEVICE;
		break;
	case 1:
		hdr->method_id = below(f, 24);
		break;
	case 2:
		hdr->driver_id = wild_value(f);
		break;
	case 3:
		hdr->num_attrs = below(f, MAX_ATTRS + 1);
		break;
	case 4:
		hdr->reserved1 = wild_value(f);
		break;
	default:
		hdr->reserved2 = wild_value(f);
	}
}

/* One thing wrong more; it may also be harmless. */
static void spoil_message(struct fuzzer *f, const struct method *method)
{
	struct ib_uverbs_ioctl_hdr *hdr = &f->arena->message.hdr;
	struct ib_uverbs_attr *attrs = f->arena->message.attrs;
	unsigned int i = below(f, method->num_attrs);
	struct ib_uverbs_attr *attr = &attrs[i];

	switch (below(f, 12)) {
	case 0:
		spoil_length(f, attr);
		break;
	case 1:
		attr->flags = one_in(f, 2) ? 0 : wild_value(f);
		break;
	case 2:
		attr->attr_id = one_in(f, 2) ? below(f, 12) : wild_value(f);
		break;
	case 3: /* one is missing */
		if (hdr->num_attrs)
			*attr = attrs[--hdr->num_attrs];
		break;
	case 4: /* one is there twice */
		if (hdr->num_attrs < MAX_ATTRS)
			attrs[hdr->num_attrs++] = *attr;
		break;
	case 5: /* one that there is not */
		if (hdr->num_attrs < MAX_ATTRS) {
			attrs[hdr->num_attrs] = *attr;
			attrs[hdr->num_attrs++].attr_id = 9 + below(f, 8);
		}
		break;
	case 6:
		attr->attr_data.reserved = wild_value(f);
		break;
	case 7:
		spoil_header(f, hdr);
		break;
	default:
		attr->data = bad_value(f, method->attrs[i].kind, f->arena->slots[i]);
	}
}

/* Behind what the kernel was told that it may write */
static void set_canaries(struct fuzzer *f)
{
	const struct ib_uverbs_ioctl_hdr *hdr = &f->arena->message.hdr;
	unsigned int i, j;

	for (j = 0; j < MAX_ATTRS; j++) {
		size_t length = 0;

		for (i = 0; i < hdr->num_attrs; i++)
			if (hdr->attrs[i].data == (uintptr_t)f->arena->slots[j] &&
			    hdr->attrs[i].len > length)
				length = hdr->attrs[i].len;
		f->canaries[j] = length ? f->arena->slots[j] + length : NULL;
		if (length)
			memset(f->canaries[j], CANARY, CANARY_SIZE);
	}
}

static void check_canaries(struct fuzzer *f)
{
	unsigned int i, j;

	for (j = 0; j < MAX_ATTRS; j++)
		for (i = 0; f->canaries[j] && i < CANARY_SIZE; i++)
			if (f->canaries[j][i] != CANARY)
				snprintf(f->complaint, sizeof(f->complaint),
					 "the kernel wrote behind an attribute");
}

static int send_message(struct fuzzer *f, bool spoilt)
{
	struct ib_uverbs_ioctl_hdr *hdr = &f->arena->message.hdr;
	const void *message = hdr;
	size_t missing;

	hdr->length = sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]);
	if (spoilt && one_in(f, 30))
		hdr->length += 1 + below(f, 32);
	if (spoilt && one_in(f, 30)) {
		/* The end of it cannot be read */
		missing = 1 + below(f, sizeof(*hdr));
		message = memcpy(f->arena->guard - (hdr->length - missing), hdr,
				 hdr->length - missing);
	} else if (spoilt && one_in(f, 30)) {
		/* or no handle be written to it. */
		message = &f->read_only->message;
	}
	return ioctl(f->target->context->cmd_fd, RDMA_VERBS_IOCTL, message) ? errno : 0;
}

static int by_message(struct fuzzer *f, enum operation operation)
{
	const struct method *method = &methods[operation];
	struct ib_uverbs_attr *attrs = f->arena->message.attrs;
	struct ib_uverbs_reg_mr_resp *resp = (void *)f->arena->slots[1];
	bool spoilt = one_in(f, 2);
	unsigned int i;
	int err;

	build_message(f, method);
	for (i = 0; spoilt && i <= below(f, 3); i++)
		spoil_message(f, method);
	set_canaries(f);
	err = send_message(f, spoilt);
	check_canaries(f);
	if (operation == DEREGISTER && (!err || err == ENOENT))
		forget_handle(f, attrs[0].data);
	if (err)
		return err;
	if (operation == REGISTER_DMABUF)
		remember_handle(f, attrs[0].data);
	else if (operation == REGISTER_MEMORY)
		remember_handle(f, resp->mr_handle);
	return 0;
}

static int by_write(struct fuzzer *f)
{
	struct ib_uverbs_reg_mr_resp *resp = (void *)f->arena->slots[1];
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_reg_mr reg;
	} *cmd = (void *)f->arena->slots[0];
	size_t size = sizeof(*cmd);

	cmd->hdr = (struct ib_uverbs_cmd_hdr){
		.command = IB_USER_VERBS_CMD_REG_MR,
		.in_words = sizeof(*cmd) / 4,
		.out_words = sizeof(*resp) / 4,
	};
	fill_reg_mr(f, &cmd->reg);
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
		cmd->reg.response = bad_pointer(f);
		break;
	case 5:
	case 6:
		spoil_reg_mr(f, &cmd->reg);
		break;
	}
	if (write(f->target->context->cmd_fd, cmd, size) < 0)
		return errno;
	if (cmd->reg.response == (uintptr_t)resp)
		remember_handle(f, resp->mr_handle);
	return 0;
}

static int do_operation(struct fuzzer *f, enum operation operation)
{
	const struct target *t = f->target;
	struct ib_uverbs_async_event_desc event;
	struct dmabuf_test_revoke result;

	switch (operation) {
	case WRITE_COMMAND:
		return by_write(f);
	case REVOKE:
		return exporter_revoke(t->exporter, t->revoking, 20, &result);
	case UNREVOKE:
		return exporter_unrevoke(t->exporter, t->revoking);
	case READ_EVENTS:
		return read(t->events, &event, sizeof(event)) < 0 ? errno : 0;
	default:
		return by_message(f, operation);
	}
}

/* Where the kernel can do that, something that a call needs may be missing, too. */
static int try_operation(struct fuzzer *f, enum operation operation)
{
	int fault, err;

	if (!with_faults || !one_in(f, 4))
		return do_operation(f, operation);
	fault = fault_arm(1 + below(f, 40));
	err = do_operation(f, operation);
	f->faults += fault_disarm(fault);
	return err;
}

static enum operation choose_operation(struct fuzzer *f)
{
	enum operation operation = below(f, NUM_OPERATIONS);

	if ((operation == REVOKE || operation == UNREVOKE) && f->target->revoking < 0)
		return PROBE;
	/* Not so often that nothing else is reached */
	if (operation == REVOKE && !one_in(f, 4))
		return REGISTER_DMABUF;
	return f->num_handles == MAX_HANDLES ? DEREGISTER : operation;
}

static void *fuzz(void *arg)
{
	struct fuzzer *f = arg;

	for (f->call = 0; f->call < calls && !f->complaint[0]; f->call++) {
		enum operation operation;
		int err;

		operation = choose_operation(f);
		choose_region(f);
		err = try_operation(f, operation);
		f->done[operation]++;
		f->succeeded[operation] += !err;
		if (err < 0 || err > MAX_USER_ERRNO)
			snprintf(f->complaint, sizeof(f->complaint), "%s: errno %d",
				 operation_name(operation), err);
	}
	return NULL;
}

static void create_arena(struct fuzzer *f)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);
	void *read_only;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(struct arena)), 0);
	f->arena = mmap(NULL, sizeof(struct arena), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	read_only = mmap(NULL, sizeof(struct arena), PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(f->arena, MAP_FAILED);
	assert_ptr_not_equal(read_only, MAP_FAILED);
	f->read_only = read_only;
	assert_int_equal(mprotect(f->arena->guard, sizeof(f->arena->guard), PROT_NONE), 0);
	close(fd);
}

static void destroy_arena(struct fuzzer *f)
{
	munmap(f->arena, sizeof(*f->arena));
	munmap((void *)f->read_only, sizeof(*f->read_only));
}

static void add_buffer(struct target *t, int fd, uint64_t size)
{
	assert_true(t->num_buffers < ARRAY_SIZE(t->buffers));
	t->buffers[t->num_buffers].fd = fd;
	t->buffers[t->num_buffers++].size = size;
}

static void setup_target(struct target *t, struct fixture *f)
{
	struct dmabuf_test_create args = { .mode = DMABUF_TEST_REVOKING, .size = 8 * PAGE };

	*t = (struct target){ .context = open_device(), .exporter = -1, .revoking = -1 };
	assert_non_null(t->context);
	t->pd = ibv_alloc_pd(t->context);
	assert_non_null(t->pd);
	t->events = t->context->async_fd;
	assert_int_equal(fcntl(t->events, F_SETFL, O_NONBLOCK), 0);
	add_buffer(t, fixture_buffer(f, UDMABUF, 16 * PAGE)->fd, 16 * PAGE);
	add_buffer(t, fixture_buffer(f, SYSTEM_HEAP, 64 * PAGE)->fd, 64 * PAGE);
	add_buffer(t, fixture_read_only_buffer(f, 4 * PAGE)->fd, 4 * PAGE);
	t->exporter = exporter_open();
	if (t->exporter < 0)
		return;
	t->revoking = exporter_create(t->exporter, &args);
	assert_true(t->revoking >= 0);
	add_buffer(t, t->revoking, args.size);
	args.mode = DMABUF_TEST_MIGRATING;
	args.move_delay_ms = 1;
	add_buffer(t, exporter_create(t->exporter, &args), args.size);
	assert_true(t->buffers[t->num_buffers - 1].fd >= 0);
}

static void teardown_target(struct target *t)
{
	unsigned int i;

	/* With it goes what the calls have left of MRs. */
	ibv_dealloc_pd(t->pd);
	assert_int_equal(ibv_close_device(t->context), 0);
	if (t->exporter < 0)
		return;
	for (i = 3; i < t->num_buffers; i++) {
		struct dmabuf_test_counters counters;

		assert_errno(exporter_counters(t->exporter, t->buffers[i].fd, &counters), 0,
			     "counters");
		assert_true(exporter_idle(&counters));
		close(t->buffers[i].fd);
	}
	close(t->exporter);
}

static void report(const struct fuzzer *fuzzers, unsigned int num)
{
	unsigned int i, done, succeeded;
	enum operation operation;

	for (operation = 0; operation < NUM_OPERATIONS; operation++) {
		done = 0;
		succeeded = 0;
		for (i = 0; i < num; i++) {
			done += fuzzers[i].done[operation];
			succeeded += fuzzers[i].succeeded[operation];
		}
		print_message("%-18s %6u calls, %6u succeeded\n", operation_name(operation), done,
			      succeeded);
		/* Or else it does not reach what it should. */
		if (operation <= WRITE_COMMAND) {
			assert_int_not_equal(succeeded, 0);
			assert_int_not_equal(succeeded, done);
		}
	}
}

static void fuzz_by(struct fixture *fixture, unsigned int num)
{
	struct fuzzer fuzzers[THREADS] = {};
	pthread_t threads[THREADS];
	struct target target;
	unsigned int i;

	setup_target(&target, fixture);
	for (i = 0; i < num; i++) {
		fuzzers[i].target = &target;
		fuzzers[i].random = seed + i;
		create_arena(&fuzzers[i]);
	}
	for (i = 0; i < num; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fuzz, &fuzzers[i]), 0);
	for (i = 0; i < num; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (i = 0; i < num; i++) {
		destroy_arena(&fuzzers[i]);
		if (fuzzers[i].complaint[0])
			fail_msg("thread %u, call %u: %s", i, fuzzers[i].call,
				 fuzzers[i].complaint);
	}
	report(fuzzers, num);
	for (i = 0; with_faults && i < num; i++)
		print_message("thread %u: %u faults\n", i, fuzzers[i].faults);
	teardown_target(&target);
	/* All is as ever. What is left behind, the fixture tells. */
	deregister(register_all(fixture->pd, &fixture->buffers[0]));
}

static void one_thread(void **state)
{
	fuzz_by(*state, 1);
}

static void two_threads(void **state)
{
	fuzz_by(*state, THREADS);
}

static int group_setup(void **state)
{
	const char *text = getenv("TEST_SEED");

	(void)state;
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) << 16 ^ getpid();
	if (getenv("TEST_SLOW"))
		calls *= 10;
	with_faults = faults_available();
	if (with_faults)
		faults_setup();
	print_message("TEST_SEED=%#" PRIx64 "\n", seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_thread),
		TEST(two_threads),
	};

	return cmocka_run_group_tests_name("fuzz", tests, group_setup, NULL);
}
