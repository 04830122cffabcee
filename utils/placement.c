// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <infiniband/verbs_ext.h>

#include "placement.h"

const char *placement_str(uint32_t placement)
{
	switch (placement) {
	case IBV_EXT_DMABUF_PLACEMENT_SYSTEM:
		return "system";
	case IBV_EXT_DMABUF_PLACEMENT_DEVICE:
		return "device";
	case IBV_EXT_DMABUF_PLACEMENT_MIXED:
		return "mixed";
	default:
		return "unknown";
	}
}
