// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Reasons in words.
 */
#include "ext.h"

#define REASON(name) [IBV_EXT_DMABUF_REASON_##name]

static const char *const reasons[] = {
	REASON(NONE) = "no reason known",
	REASON(NO_KERNEL_SUPPORT) = "the kernel has no pinned dma-buf regions for this context",
	REASON(NO_PROVIDER_SUPPORT) = "the device's libibverbs provider cannot register dma-bufs",
	REASON(NO_DEVICE_SUPPORT) = "the device does not take pinned dma-bufs or a flag asked for",
	REASON(NO_P2P_KERNEL) = "the kernel was built without peer-to-peer DMA",
	REASON(BAD_FLAGS) = "unknown pin flag or attribute",
	REASON(BAD_ACCESS) = "unknown or inconsistent access flags",
	REASON(BAD_FD) = "the file descriptor is not an open dma-buf",
	REASON(READ_ONLY_FD) = "writable access to a dma-buf that was opened read-only",
	REASON(BAD_RANGE) = "the region is empty or does not lie in the dma-buf",
	REASON(MISALIGNED) = "offset and iova disagree within a page",
	REASON(POLICY) = "the administrator's policy forbids the pin",
	REASON(MEMLOCK) = "RLIMIT_MEMLOCK does not allow pinning the whole dma-buf",
	REASON(CGROUP) = "a limit of the rdma cgroup is reached",
	REASON(EXPORTER_REFUSED_ATTACH) = "the exporter refused the device",
	REASON(EXPORTER_NEEDS_REVOKE) = "the exporter wants consent to revoke the region",
	REASON(EXPORTER_REFUSED_PIN) = "the exporter refused to pin the buffer",
	REASON(EXPORTER_CONFLICT) = "another use of the buffer prevents the pin",
	REASON(MAP_FAILED) = "the exporter could not map the buffer for the device",
	REASON(NO_P2P_PATH) = "the device cannot reach the memory peer to peer",
	REASON(IN_SYSTEM_MEMORY) = "the buffer lies in system memory",
	REASON(NO_CPU_ACCESS) = "the exporter gives the CPU no usable mapping of the buffer",
	REASON(PAGE_SIZE) = "the buffer's layout does not fit the device's page sizes",
	REASON(DEVICE_LIMIT) = "a limit of the device is reached",
	REASON(REVOKED) = "the exporter took the memory back",
	REASON(DEVICE_REMOVED) = "the device was removed",
	REASON(DEVICE_ERROR) = "the device reported an error",
	REASON(NO_MEMORY) = "out of memory",
	REASON(INTERRUPTED) = "interrupted by a signal",
	REASON(TIMED_OUT) = "the exporter or the device did not answer in time",
};

EXPORT const char *ibv_ext_dmabuf_reason_str(enum ibv_ext_dmabuf_reason reason)
{
	unsigned int i = reason;

	if (i >= sizeof(reasons) / sizeof(reasons[0]))
		return "unknown reason";
	return reasons[i];
}
