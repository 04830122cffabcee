/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR Linux-OpenIB) */
/*
 * Pinned dma-buf memory regions: access bits, ioctl methods and structs.
 *
 * All numbers here are fixed across kernel versions. They stand clear of those
 * in ib_user_ioctl_cmds.h and ib_user_ioctl_verbs.h, which grow from the
 * bottom, and are therefore not part of the enums there.
 *
 * A struct may grow at its end. A kernel fills what the caller's size holds
 * and zeroes what it does not know; a reader takes zero as "not reported".
 */
#ifndef IB_USER_DMABUF_H
#define IB_USER_DMABUF_H

#include <linux/types.h>

/*
 * Bits in the access flags of UVERBS_METHOD_REG_DMABUF_MR. They are in the
 * mandatory range, so a kernel that does not know them answers EINVAL; send
 * them only after QUERY_DMABUF_CAPS returned the magic number below, as a later
 * kernel may give them another meaning.
 */
enum ib_uverbs_dmabuf_access_flags {
	/* DMA addresses stay fixed from registration to deregistration or revocation */
	IB_UVERBS_ACCESS_DMABUF_PINNED = 1 << 16,
	/* with PINNED: fail rather than accept kernel system memory */
	IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P = 1 << 17,
	/* with PINNED: consent that the exporter may revoke the region */
	IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE = 1 << 18,
};

#define IB_UVERBS_ACCESS_DMABUF_MASK                                           \
	(IB_UVERBS_ACCESS_DMABUF_PINNED |                                      \
	 IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P |                                 \
	 IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE)

/* Methods of UVERBS_OBJECT_DEVICE */
enum ib_uverbs_dmabuf_methods_device {
	UVERBS_METHOD_QUERY_DMABUF_CAPS = 16,
	UVERBS_METHOD_PROBE_DMABUF = 17,
};

/* Methods of UVERBS_OBJECT_MR */
enum ib_uverbs_dmabuf_methods_mr {
	UVERBS_METHOD_QUERY_DMABUF_MR = 16,
	UVERBS_METHOD_WATCH_DMABUF_MR = 17,
	UVERBS_METHOD_UNWATCH_DMABUF_MR = 18,
};

enum ib_uverbs_attrs_query_dmabuf_caps {
	/* out: struct ib_uverbs_dmabuf_caps */
	UVERBS_ATTR_QUERY_DMABUF_CAPS_RESP,
};

enum ib_uverbs_attrs_probe_dmabuf {
	/* in: as for UVERBS_METHOD_REG_DMABUF_MR */
	UVERBS_ATTR_PROBE_DMABUF_OFFSET, /* u64 */
	UVERBS_ATTR_PROBE_DMABUF_LENGTH, /* u64 */
	UVERBS_ATTR_PROBE_DMABUF_IOVA, /* u64 */
	UVERBS_ATTR_PROBE_DMABUF_FD, /* u32 */
	UVERBS_ATTR_PROBE_DMABUF_ACCESS_FLAGS, /* u32 */
	/* out: struct ib_uverbs_dmabuf_probe */
	UVERBS_ATTR_PROBE_DMABUF_RESP,
};

enum ib_uverbs_attrs_query_dmabuf_mr {
	/* in: handle of a UVERBS_OBJECT_MR */
	UVERBS_ATTR_QUERY_DMABUF_MR_HANDLE,
	/* out: struct ib_uverbs_dmabuf_mr_info */
	UVERBS_ATTR_QUERY_DMABUF_MR_RESP,
};

enum ib_uverbs_attrs_watch_dmabuf_mr {
	/* in: handle of a UVERBS_OBJECT_MR */
	UVERBS_ATTR_WATCH_DMABUF_MR_HANDLE,
	/* in: a UVERBS_OBJECT_ASYNC_EVENT */
	UVERBS_ATTR_WATCH_DMABUF_MR_EVENT_FD,
	/* in: u64, element of the event's struct ib_uverbs_async_event_desc */
	UVERBS_ATTR_WATCH_DMABUF_MR_COOKIE,
};

enum ib_uverbs_attrs_unwatch_dmabuf_mr {
	/* in: handle of a UVERBS_OBJECT_MR */
	UVERBS_ATTR_UNWATCH_DMABUF_MR_HANDLE,
	/* in: the UVERBS_OBJECT_ASYNC_EVENT and the cookie of the watch */
	UVERBS_ATTR_UNWATCH_DMABUF_MR_EVENT_FD,
	UVERBS_ATTR_UNWATCH_DMABUF_MR_COOKIE,
	/* out: u32, how many of its events were read */
	UVERBS_ATTR_UNWATCH_DMABUF_MR_RESP_EVENTS_REPORTED,
};

/*
 * event_type of what WATCH_DMABUF_MR sends, far above enum ib_event_type. Each
 * watch of an MR gives one event when the MR is revoked, at once if it was
 * already. UNWATCH_DMABUF_MR and a deregistration take back what was not read.
 */
enum ib_uverbs_dmabuf_event_type {
	IB_UVERBS_EVENT_DMABUF_MR_REVOKED = 1 << 16,
};

/* "dmabufpn", most significant byte first */
#define IB_UVERBS_DMABUF_MAGIC 0x646d61627566706eULL

/*
 * Changes only when a number or a struct changes its meaning, which ends
 * compatibility. A new method, bit or trailing field does not change it.
 */
#define IB_UVERBS_DMABUF_VERSION 1

struct ib_uverbs_dmabuf_caps {
	__aligned_u64 magic; /* IB_UVERBS_DMABUF_MAGIC */
	__u32 version; /* IB_UVERBS_DMABUF_VERSION */
	/* enum ib_uverbs_dmabuf_access_flags that the device takes; 0: none */
	__u32 access_flags;
};

enum ib_uverbs_dmabuf_mode {
	/* mapped when accessed, follows moves by on-demand paging */
	IB_UVERBS_DMABUF_MODE_DYNAMIC = 1,
	/* pinned by the exporter and mapped until deregistered or revoked */
	IB_UVERBS_DMABUF_MODE_PINNED = 2,
};

enum ib_uverbs_dmabuf_state {
	IB_UVERBS_DMABUF_STATE_LIVE = 1,
	/* the exporter took the memory back; only deregistration is left */
	IB_UVERBS_DMABUF_STATE_REVOKED = 2,
};

enum ib_uverbs_dmabuf_placement {
	/* not mapped, or the kernel cannot tell */
	IB_UVERBS_DMABUF_PLACEMENT_UNKNOWN = 0,
	/* kernel system memory */
	IB_UVERBS_DMABUF_PLACEMENT_SYSTEM = 1,
	/* device memory, reached peer to peer */
	IB_UVERBS_DMABUF_PLACEMENT_DEVICE = 2,
	/* both */
	IB_UVERBS_DMABUF_PLACEMENT_MIXED = 3,
};

enum ib_uverbs_dmabuf_mr_flags {
	/* registered with IB_UVERBS_ACCESS_DMABUF_PINNED */
	IB_UVERBS_DMABUF_MR_REQUESTED_PIN = 1 << 0,
	/* the attachment may be revoked by the exporter with the owner's consent */
	IB_UVERBS_DMABUF_MR_REVOCABLE = 1 << 1,
	/* reached by the CPU through the exporter's vmap, not by DMA */
	IB_UVERBS_DMABUF_MR_CPU_ACCESS = 1 << 2,
};

#define IB_UVERBS_DMABUF_EXPORTER_NAME_LEN 32

/* All sizes, lengths and offsets are in bytes. */
struct ib_uverbs_dmabuf_mr_info {
	__u32 mode; /* enum ib_uverbs_dmabuf_mode */
	__u32 state; /* enum ib_uverbs_dmabuf_state */
	__u32 placement; /* enum ib_uverbs_dmabuf_placement */
	__u32 flags; /* enum ib_uverbs_dmabuf_mr_flags */
	__aligned_u64 offset; /* of the region in the dma-buf */
	__aligned_u64 length; /* of the region */
	__aligned_u64 iova; /* address of the region's first byte for the device */
	__aligned_u64 dmabuf_size;
	__aligned_u64 dmabuf_inode; /* names the dma-buf in debugfs and fdinfo */
	/*
	 * charged against RLIMIT_MEMLOCK for the whole dma-buf; regions of one
	 * process over one dma-buf share the charge
	 */
	__aligned_u64 charged;
	/* contiguous DMA ranges that the region covers; 0 with CPU_ACCESS */
	__aligned_u64 dma_segments;
	/* the exporter's name, terminated and padded with zeroes */
	char exporter[IB_UVERBS_DMABUF_EXPORTER_NAME_LEN];
};

/*
 * How a registration would go: all of it is done, short of making an MR, and
 * undone. Others notice what an exporter does for it: it may pin and migrate
 * the buffer, and invalidate the mappings of those that follow moves.
 */
struct ib_uverbs_dmabuf_probe {
	__u32 reason; /* enum ib_uverbs_dmabuf_reason; NONE if nothing stands against it */
	__u32 err; /* the errno value of the registration, or 0 */
	__u32 placement; /* enum ib_uverbs_dmabuf_placement */
	__u32 flags; /* enum ib_uverbs_dmabuf_mr_flags */
	__aligned_u64 dmabuf_size;
	__aligned_u64 dmabuf_inode;
	__aligned_u64 dma_segments;
	/* largest page size of the device that fits, 0 with CPU_ACCESS */
	__aligned_u64 page_size;
	/* what would be charged in addition to what the process pays already */
	__aligned_u64 charge;
	__aligned_u64 memlock_limit; /* of the process; U64_MAX: none */
	__aligned_u64 memlock_used;
	char exporter[IB_UVERBS_DMABUF_EXPORTER_NAME_LEN];
};

/*
 * Why a registration failed. Values are never re-used.
 */
enum ib_uverbs_dmabuf_reason {
	IB_UVERBS_DMABUF_REASON_NONE = 0,
	IB_UVERBS_DMABUF_REASON_NO_KERNEL_SUPPORT = 1,
	IB_UVERBS_DMABUF_REASON_NO_PROVIDER_SUPPORT = 2,
	IB_UVERBS_DMABUF_REASON_NO_DEVICE_SUPPORT = 3,
	IB_UVERBS_DMABUF_REASON_NO_P2P_KERNEL = 4,
	IB_UVERBS_DMABUF_REASON_BAD_FLAGS = 5,
	IB_UVERBS_DMABUF_REASON_BAD_ACCESS = 6,
	IB_UVERBS_DMABUF_REASON_BAD_FD = 7,
	IB_UVERBS_DMABUF_REASON_READ_ONLY_FD = 8,
	IB_UVERBS_DMABUF_REASON_BAD_RANGE = 9,
	IB_UVERBS_DMABUF_REASON_MISALIGNED = 10,
	IB_UVERBS_DMABUF_REASON_POLICY = 11,
	IB_UVERBS_DMABUF_REASON_MEMLOCK = 12,
	IB_UVERBS_DMABUF_REASON_CGROUP = 13,
	IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH = 14,
	IB_UVERBS_DMABUF_REASON_EXPORTER_NEEDS_REVOKE = 15,
	IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_PIN = 16,
	IB_UVERBS_DMABUF_REASON_EXPORTER_CONFLICT = 17,
	IB_UVERBS_DMABUF_REASON_MAP_FAILED = 18,
	IB_UVERBS_DMABUF_REASON_NO_P2P_PATH = 19,
	IB_UVERBS_DMABUF_REASON_IN_SYSTEM_MEMORY = 20,
	IB_UVERBS_DMABUF_REASON_NO_CPU_ACCESS = 21,
	IB_UVERBS_DMABUF_REASON_PAGE_SIZE = 22,
	IB_UVERBS_DMABUF_REASON_DEVICE_LIMIT = 23,
	IB_UVERBS_DMABUF_REASON_REVOKED = 24,
	IB_UVERBS_DMABUF_REASON_DEVICE_REMOVED = 25,
	IB_UVERBS_DMABUF_REASON_DEVICE_ERROR = 26,
	IB_UVERBS_DMABUF_REASON_NO_MEMORY = 27,
	IB_UVERBS_DMABUF_REASON_INTERRUPTED = 28,
	IB_UVERBS_DMABUF_REASON_TIMED_OUT = 29,
};

#endif /* IB_USER_DMABUF_H */
