// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Loaded into programs by ibv_dmabuf_pin_run: adds the bits of a pin to each registration
 * of a dma-buf, on its way from libibverbs to the kernel. What libibverbs does for
 * ibv_reg_dmabuf_mr() is one ioctl, whatever the provider.
 *
 * A device that does not take them refuses: a region that is not pinned is not what the
 * user asked for, and another kernel may give the bits another meaning.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include <infiniband/verbs_ext.h>

#include "pin_run.h"

typedef int (*ioctl_fn)(int fd, unsigned long request, ...);

static uint32_t wished_bits(void)
{
	const char *wishes = getenv(PIN_VARIABLE);
	uint32_t bits = 0;

	if (!wishes)
		return 0;
	bits |= IBV_EXT_ACCESS_DMABUF_PINNED;
	if (strstr(wishes, PIN_REQUIRE_P2P))
		bits |= IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P;
	if (strstr(wishes, PIN_ALLOW_REVOKE))
		bits |= IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE;
	return bits;
}

/* 0, or an errno value after a message. */
static int check_device(int fd, uint32_t bits)
{
	/* All that the call reads of it */
	struct ibv_context context = { .cmd_fd = fd };
	struct ibv_ext_dmabuf_caps caps = {};
	static atomic_flag said;
	int err;

	err = ibv_ext_query_dmabuf_caps(&context, &caps);
	if (!err && bits & ~caps.access_flags)
		err = EOPNOTSUPP;
	if (err && !atomic_flag_test_and_set(&said))
		fprintf(stderr,
			"ibv_dmabuf_pin_run: a device does not take such pins (%s); "
			"see ibv_dmabuf_info(1)\n",
			strerror(err));
	return err;
}

/* Inputs of up to eight bytes are in the attribute itself, at its beginning. */
static void add_bits(struct ib_uverbs_attr *attr, uint32_t bits)
{
	uint64_t wide;
	uint32_t narrow;

	if (attr->len == sizeof(narrow)) {
		memcpy(&narrow, &attr->data, sizeof(narrow));
		narrow |= bits;
		memcpy(&attr->data, &narrow, sizeof(narrow));
	} else if (attr->len == sizeof(wide)) {
		memcpy(&wide, &attr->data, sizeof(wide));
		wide |= bits;
		memcpy(&attr->data, &wide, sizeof(wide));
	}
}

/* The access flags of a registration of a dma-buf; NULL if it is another command. */
static struct ib_uverbs_attr *find_access(struct ib_uverbs_ioctl_hdr *hdr)
{
	unsigned int i;

	if (hdr->object_id != UVERBS_OBJECT_MR || hdr->method_id != UVERBS_METHOD_REG_DMABUF_MR)
		return NULL;
	for (i = 0; i < hdr->num_attrs; i++)
		if (hdr->attrs[i].attr_id == UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS)
			return &hdr->attrs[i];
	return NULL;
}

static ioctl_fn next_ioctl(void)
{
	static _Atomic(ioctl_fn) next;
	ioctl_fn found = atomic_load(&next);

	if (!found) {
		found = (ioctl_fn)dlsym(RTLD_NEXT, "ioctl");
		atomic_store(&next, found);
	}
	return found;
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	struct ib_uverbs_attr *access;
	uint32_t bits;
	va_list args;
	void *arg;
	int err;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	/* The kernel takes 32 bits of it, which a caller may have extended by the sign. */
	if ((uint32_t)request == RDMA_VERBS_IOCTL && arg) {
		access = find_access(arg);
		bits = access ? wished_bits() : 0;
		err = bits ? check_device(fd, bits) : 0;
		if (err) {
			errno = err;
			return -1;
		}
		if (bits)
			add_bits(access, bits);
	}
	return next_ioctl()(fd, request, arg);
}
