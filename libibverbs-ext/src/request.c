// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * From the caller's request to the kernel's, and the kernel's answers back.
 */
#include <errno.h>

#include "ext.h"

#define PIN_FLAGS (IBV_EXT_DMABUF_PIN_REQUIRE_P2P | IBV_EXT_DMABUF_PIN_ALLOW_REVOKE)

static uint32_t pin_access(uint32_t pin_flags)
{
	uint32_t access = IB_UVERBS_ACCESS_DMABUF_PINNED;

	if (pin_flags & IBV_EXT_DMABUF_PIN_REQUIRE_P2P)
		access |= IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P;
	if (pin_flags & IBV_EXT_DMABUF_PIN_ALLOW_REVOKE)
		access |= IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE;
	return access;
}

uint32_t ext_request_access(const struct ibv_ext_dmabuf_mr_attr *attr)
{
	return attr->access | pin_access(attr->pin_flags);
}

int ext_check_attr(const struct ibv_ext_dmabuf_mr_attr *attr, uint32_t device_access,
		   enum ibv_ext_dmabuf_reason *reason)
{
	if (attr->comp_mask || attr->pin_flags & ~PIN_FLAGS) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_FLAGS;
		return EINVAL;
	}
	if (attr->access & IB_UVERBS_ACCESS_DMABUF_MASK) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_ACCESS;
		return EINVAL;
	}
	if ((size_t)attr->length != attr->length) {
		*reason = IBV_EXT_DMABUF_REASON_BAD_RANGE;
		return EINVAL;
	}
	/* An older kernel knows fewer bits and would answer EINVAL to the others. */
	if (pin_access(attr->pin_flags) & ~device_access) {
		*reason = IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT;
		return EOPNOTSUPP;
	}
	return 0;
}

void ext_copy_sized(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t size = to_size < from_size ? to_size : from_size;

	memcpy(to, from, size);
	memset((char *)to + size, 0, to_size - size);
}
