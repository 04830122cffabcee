// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include "fuzz_message.h"
#include "test.h"

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
	[UNWATCH] = {
		"UNWATCH_DMABUF_MR", UVERBS_OBJECT_MR, UVERBS_METHOD_UNWATCH_DMABUF_MR, 4, {
			HANDLE(UVERBS_ATTR_UNWATCH_DMABUF_MR_HANDLE, MR),
			HANDLE(UVERBS_ATTR_UNWATCH_DMABUF_MR_EVENT_FD, EVENTS),
			VALUE(UVERBS_ATTR_UNWATCH_DMABUF_MR_COOKIE, uint64_t, COOKIE),
			VALUE(UVERBS_ATTR_UNWATCH_DMABUF_MR_RESP_EVENTS_REPORTED, uint32_t, OUT),
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

uint64_t fuzz_wild_value(struct fuzz_message *m)
{
	static const uint64_t values[] = {
		0,	    1,		7,	    PAGE - 1,	PAGE,	    PAGE + 1, INT32_MAX,
		1ULL << 31, UINT32_MAX, 1ULL << 32, 1ULL << 40, 1ULL << 63, -PAGE,    -1ULL,
	};

	switch (fuzz_below(&m->random, 4)) {
	case 0:
		return fuzz_next(&m->random);
	case 1:
		return fuzz_below(&m->random, 64);
	case 2:
		return 1ULL << fuzz_below(&m->random, 64);
	default:
		return values[fuzz_below(&m->random, ARRAY_SIZE(values))];
	}
}

/* Nothing of the process can be written to there. */
uint64_t fuzz_bad_pointer(struct fuzz_message *m)
{
	const uint64_t pointers[] = {
		0,
		8,
		(uintptr_t)m->arena->guard,
		(uintptr_t)m->arena->guard - 2,
		(uintptr_t)m->read_only->slots[0],
		0xffff888000000000,
		1ULL << 47,
		-8ULL,
	};

	return pointers[fuzz_below(&m->random, ARRAY_SIZE(pointers))];
}

void fuzz_fill_reg_mr(struct fuzz_message *m, struct ib_uverbs_reg_mr *cmd)
{
	uint64_t offset = fuzz_below(&m->random, sizeof(m->arena->memory));

	*cmd = (struct ib_uverbs_reg_mr){
		.start = (uintptr_t)m->arena->memory + offset,
		.length = 1 + fuzz_below(&m->random, sizeof(m->arena->memory) - offset),
		.hca_va = offset,
		.pd_handle = m->region.pd,
		.access_flags = IBV_ACCESS_LOCAL_WRITE,
	};
}

void fuzz_spoil_reg_mr(struct fuzz_message *m, struct ib_uverbs_reg_mr *cmd)
{
	switch (fuzz_below(&m->random, 6)) {
	case 0:
		cmd->start = fuzz_one_in(&m->random, 2) ? fuzz_bad_pointer(m) : fuzz_wild_value(m);
		break;
	case 1:
		cmd->length = fuzz_wild_value(m);
		break;
	case 2:
		cmd->hca_va = fuzz_wild_value(m);
		break;
	case 3:
		cmd->pd_handle = fuzz_wild_value(m);
		break;
	default:
		cmd->access_flags ^= 1U << fuzz_below(&m->random, 32);
	}
}

/* A value that the kernel can do something with */
static uint64_t good_value(struct fuzz_message *m, enum kind kind, void *slot)
{
	switch (kind) {
	case PD:
		return m->region.pd;
	case MR:
		return m->handle;
	case DMABUF:
		return m->region.fd;
	case EVENTS:
		return m->events;
	case OFFSET:
		return m->region.offset;
	case LENGTH:
		return m->region.length;
	case IOVA:
		return m->region.iova;
	case ACCESS:
		return m->region.access;
	case COOKIE: /* an UNWATCH has to meet that of a WATCH */
		return fuzz_below(&m->random, 2);
	case REG_MR:
		fuzz_fill_reg_mr(m, slot);
		return (uintptr_t)slot;
	case COMMAND:
		return IB_USER_VERBS_CMD_REG_MR;
	case OUT:
		return (uintptr_t)slot;
	default:
		return 0;
	}
}

static uint64_t bad_value(struct fuzz_message *m, enum kind kind, void *slot)
{
	switch (kind) {
	case REG_MR:
		fuzz_spoil_reg_mr(m, slot);
		return fuzz_one_in(&m->random, 4) ? fuzz_bad_pointer(m) : (uintptr_t)slot;
	case OUT:
		return fuzz_bad_pointer(m);
	case COMMAND:
		return IB_USER_VERBS_CMD_REG_MR | 1ULL << (8 + fuzz_below(&m->random, 56));
	case ACCESS:
		return m->region.access ^ 1U << fuzz_below(&m->random, 32);
	case DMABUF:
	case EVENTS:
		return fuzz_below(&m->random, 40) - 1;
	default:
		return fuzz_wild_value(m);
	}
}

static void build_good(struct fuzz_message *m, const struct method *method)
{
	struct ib_uverbs_ioctl_hdr *hdr = &m->arena->message.hdr;
	struct ib_uverbs_attr *attr = m->arena->message.attrs;
	unsigned int i;

	memset(m->arena->page, 0, sizeof(m->arena->page));
	hdr->object_id = method->object;
	hdr->method_id = method->id;
	hdr->driver_id = RDMA_DRIVER_RXE;
	hdr->num_attrs = method->num_attrs;
	for (i = 0; i < method->num_attrs; i++)
		attr[i] = (struct ib_uverbs_attr){
			.attr_id = method->attrs[i].id,
			.len = method->attrs[i].length,
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = good_value(m, method->attrs[i].kind, m->arena->slots[i]),
		};
}

static void spoil_length(struct fuzz_message *m, struct ib_uverbs_attr *attr)
{
	switch (fuzz_below(&m->random, 4)) {
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
		attr->len = fuzz_next(&m->random);
	}
}

static void spoil_header(struct fuzz_message *m, struct ib_uverbs_ioctl_hdr *hdr)
{
	switch (fuzz_below(&m->random, 6)) {
	case 0:
		hdr->object_id = fuzz_one_in(&m->random, 2) ? UVERBS_OBJECT_MR :
							      UVERBS_OBJECT_DEVICE;
		break;
	case 1:
		hdr->method_id = fuzz_below(&m->random, 24);
		break;
	case 2:
		hdr->driver_id = fuzz_wild_value(m);
		break;
	case 3:
		hdr->num_attrs = fuzz_below(&m->random, FUZZ_MAX_ATTRS + 1);
		break;
	case 4:
		hdr->reserved1 = fuzz_wild_value(m);
		break;
	default:
		hdr->reserved2 = fuzz_wild_value(m);
	}
}

/* One thing wrong more; it may also be harmless. */
static void spoil_message(struct fuzz_message *m, const struct method *method)
{
	struct ib_uverbs_ioctl_hdr *hdr = &m->arena->message.hdr;
	struct ib_uverbs_attr *attrs = m->arena->message.attrs;
	unsigned int i = fuzz_below(&m->random, method->num_attrs);
	struct ib_uverbs_attr *attr = &attrs[i];

	switch (fuzz_below(&m->random, 12)) {
	case 0:
		spoil_length(m, attr);
		break;
	case 1:
		attr->flags = fuzz_one_in(&m->random, 2) ? 0 : fuzz_wild_value(m);
		break;
	case 2:
		attr->attr_id = fuzz_one_in(&m->random, 2) ? fuzz_below(&m->random, 12) :
							     fuzz_wild_value(m);
		break;
	case 3: /* one is missing */
		if (hdr->num_attrs)
			*attr = attrs[--hdr->num_attrs];
		break;
	case 4: /* one is there twice */
		if (hdr->num_attrs < FUZZ_MAX_ATTRS)
			attrs[hdr->num_attrs++] = *attr;
		break;
	case 5: /* one that there is not */
		if (hdr->num_attrs < FUZZ_MAX_ATTRS) {
			attrs[hdr->num_attrs] = *attr;
			attrs[hdr->num_attrs++].attr_id = 9 + fuzz_below(&m->random, 8);
		}
		break;
	case 6:
		attr->attr_data.reserved = fuzz_wild_value(m);
		break;
	case 7:
		spoil_header(m, hdr);
		break;
	default:
		attr->data = bad_value(m, method->attrs[i].kind, m->arena->slots[i]);
	}
}

/* Behind what the kernel was told that it may write */
static void set_canaries(struct fuzz_message *m)
{
	const struct ib_uverbs_ioctl_hdr *hdr = &m->arena->message.hdr;
	unsigned int i, j;

	for (j = 0; j < FUZZ_MAX_ATTRS; j++) {
		size_t length = 0;

		for (i = 0; i < hdr->num_attrs; i++)
			if (hdr->attrs[i].data == (uintptr_t)m->arena->slots[j] &&
			    hdr->attrs[i].len > length)
				length = hdr->attrs[i].len;
		m->canaries[j] = length ? m->arena->slots[j] + length : NULL;
		if (length)
			memset(m->canaries[j], CANARY, CANARY_SIZE);
	}
}

bool fuzz_message_intact(const struct fuzz_message *m)
{
	unsigned int i, j;

	for (j = 0; j < FUZZ_MAX_ATTRS; j++)
		for (i = 0; m->canaries[j] && i < CANARY_SIZE; i++)
			if (m->canaries[j][i] != CANARY)
				return false;
	return true;
}

void fuzz_message_build(struct fuzz_message *m, enum fuzz_method method, bool spoilt)
{
	unsigned int i;

	build_good(m, &methods[method]);
	for (i = 0; spoilt && i <= fuzz_below(&m->random, 3); i++)
		spoil_message(m, &methods[method]);
	set_canaries(m);
}

const char *fuzz_method_name(enum fuzz_method method)
{
	return methods[method].name;
}

int fuzz_message_send(struct fuzz_message *m, int cmd_fd, bool spoilt)
{
	struct ib_uverbs_ioctl_hdr *hdr = &m->arena->message.hdr;
	const void *message = hdr;
	size_t missing;

	hdr->length = sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]);
	if (spoilt && fuzz_one_in(&m->random, 30))
		hdr->length += 1 + fuzz_below(&m->random, 32);
	if (spoilt && fuzz_one_in(&m->random, 30)) {
		/* The end of it cannot be read */
		missing = 1 + fuzz_below(&m->random, sizeof(*hdr));
		message = memcpy(m->arena->guard - (hdr->length - missing), hdr,
				 hdr->length - missing);
	} else if (spoilt && fuzz_one_in(&m->random, 30)) {
		/* or no handle be written to it. */
		message = &m->read_only->message;
	}
	return ioctl(cmd_fd, RDMA_VERBS_IOCTL, message) ? errno : 0;
}

void fuzz_message_init(struct fuzz_message *m, uint64_t seed)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);
	void *read_only;

	*m = (struct fuzz_message){ .random.state = seed };
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(struct fuzz_arena)), 0);
	m->arena = mmap(NULL, sizeof(struct fuzz_arena), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	read_only = mmap(NULL, sizeof(struct fuzz_arena), PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(m->arena, MAP_FAILED);
	assert_ptr_not_equal(read_only, MAP_FAILED);
	m->read_only = read_only;
	assert_int_equal(mprotect(m->arena->guard, sizeof(m->arena->guard), PROT_NONE), 0);
	close(fd);
}

void fuzz_message_destroy(struct fuzz_message *m)
{
	munmap(m->arena, sizeof(*m->arena));
	munmap((void *)m->read_only, sizeof(*m->read_only));
}
