/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * libibverbs-ext: pinned dma-buf memory regions for libibverbs.
 *
 * A pinned region keeps its DMA addresses from registration until
 * deregistration or revocation and needs no on-demand paging. See
 * ibv_reg_dmabuf_mr_pinned(3) and the pages it names.
 *
 * Every call is thread-safe. Structs that the library fills are passed with
 * their size by inline wrappers, so that a program built against an older
 * header works with a newer library and the other way round: what the other
 * side does not know stays untouched beyond the caller's size, or is zero.
 */
#ifndef INFINIBAND_VERBS_EXT_H
#define INFINIBAND_VERBS_EXT_H

#include <stddef.h>
#include <stdint.h>
#include <infiniband/verbs.h>
#include <infiniband/ib_user_dmabuf.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Access bits for direct use with ibv_reg_dmabuf_mr(). Only after
 * ibv_ext_query_dmabuf_caps() reported them for the device: without that check
 * the kernel may give these bits another meaning.
 */
enum ibv_ext_dmabuf_access_flags {
	IBV_EXT_ACCESS_DMABUF_PINNED = IB_UVERBS_ACCESS_DMABUF_PINNED,
	IBV_EXT_ACCESS_DMABUF_REQUIRE_P2P = IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P,
	IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE = IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE,
};

enum ibv_ext_dmabuf_pin_flags {
	/* fail rather than accept kernel system memory */
	IBV_EXT_DMABUF_PIN_REQUIRE_P2P = 1 << 0,
	/* consent: the exporter may revoke the MR */
	IBV_EXT_DMABUF_PIN_ALLOW_REVOKE = 1 << 1,
};

/* Why a registration failed; see ibv_ext_reg_dmabuf_mr(3) for each. */
enum ibv_ext_dmabuf_reason {
	IBV_EXT_DMABUF_REASON_NONE = IB_UVERBS_DMABUF_REASON_NONE,
	IBV_EXT_DMABUF_REASON_NO_KERNEL_SUPPORT = IB_UVERBS_DMABUF_REASON_NO_KERNEL_SUPPORT,
	IBV_EXT_DMABUF_REASON_NO_PROVIDER_SUPPORT = IB_UVERBS_DMABUF_REASON_NO_PROVIDER_SUPPORT,
	IBV_EXT_DMABUF_REASON_NO_DEVICE_SUPPORT = IB_UVERBS_DMABUF_REASON_NO_DEVICE_SUPPORT,
	IBV_EXT_DMABUF_REASON_NO_P2P_KERNEL = IB_UVERBS_DMABUF_REASON_NO_P2P_KERNEL,
	IBV_EXT_DMABUF_REASON_BAD_FLAGS = IB_UVERBS_DMABUF_REASON_BAD_FLAGS,
	IBV_EXT_DMABUF_REASON_BAD_ACCESS = IB_UVERBS_DMABUF_REASON_BAD_ACCESS,
	IBV_EXT_DMABUF_REASON_BAD_FD = IB_UVERBS_DMABUF_REASON_BAD_FD,
	IBV_EXT_DMABUF_REASON_READ_ONLY_FD = IB_UVERBS_DMABUF_REASON_READ_ONLY_FD,
	IBV_EXT_DMABUF_REASON_BAD_RANGE = IB_UVERBS_DMABUF_REASON_BAD_RANGE,
	IBV_EXT_DMABUF_REASON_MISALIGNED = IB_UVERBS_DMABUF_REASON_MISALIGNED,
	IBV_EXT_DMABUF_REASON_POLICY = IB_UVERBS_DMABUF_REASON_POLICY,
	IBV_EXT_DMABUF_REASON_MEMLOCK = IB_UVERBS_DMABUF_REASON_MEMLOCK,
	IBV_EXT_DMABUF_REASON_CGROUP = IB_UVERBS_DMABUF_REASON_CGROUP,
	IBV_EXT_DMABUF_REASON_EXPORTER_REFUSED_ATTACH =
		IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_ATTACH,
	IBV_EXT_DMABUF_REASON_EXPORTER_NEEDS_REVOKE = IB_UVERBS_DMABUF_REASON_EXPORTER_NEEDS_REVOKE,
	IBV_EXT_DMABUF_REASON_EXPORTER_REFUSED_PIN = IB_UVERBS_DMABUF_REASON_EXPORTER_REFUSED_PIN,
	IBV_EXT_DMABUF_REASON_EXPORTER_CONFLICT = IB_UVERBS_DMABUF_REASON_EXPORTER_CONFLICT,
	IBV_EXT_DMABUF_REASON_MAP_FAILED = IB_UVERBS_DMABUF_REASON_MAP_FAILED,
	IBV_EXT_DMABUF_REASON_NO_P2P_PATH = IB_UVERBS_DMABUF_REASON_NO_P2P_PATH,
	IBV_EXT_DMABUF_REASON_IN_SYSTEM_MEMORY = IB_UVERBS_DMABUF_REASON_IN_SYSTEM_MEMORY,
	IBV_EXT_DMABUF_REASON_NO_CPU_ACCESS = IB_UVERBS_DMABUF_REASON_NO_CPU_ACCESS,
	IBV_EXT_DMABUF_REASON_PAGE_SIZE = IB_UVERBS_DMABUF_REASON_PAGE_SIZE,
	IBV_EXT_DMABUF_REASON_DEVICE_LIMIT = IB_UVERBS_DMABUF_REASON_DEVICE_LIMIT,
	IBV_EXT_DMABUF_REASON_REVOKED = IB_UVERBS_DMABUF_REASON_REVOKED,
	IBV_EXT_DMABUF_REASON_DEVICE_REMOVED = IB_UVERBS_DMABUF_REASON_DEVICE_REMOVED,
	IBV_EXT_DMABUF_REASON_DEVICE_ERROR = IB_UVERBS_DMABUF_REASON_DEVICE_ERROR,
	IBV_EXT_DMABUF_REASON_NO_MEMORY = IB_UVERBS_DMABUF_REASON_NO_MEMORY,
	IBV_EXT_DMABUF_REASON_INTERRUPTED = IB_UVERBS_DMABUF_REASON_INTERRUPTED,
	IBV_EXT_DMABUF_REASON_TIMED_OUT = IB_UVERBS_DMABUF_REASON_TIMED_OUT,
};

enum ibv_ext_dmabuf_mode {
	IBV_EXT_DMABUF_MODE_DYNAMIC = IB_UVERBS_DMABUF_MODE_DYNAMIC,
	IBV_EXT_DMABUF_MODE_PINNED = IB_UVERBS_DMABUF_MODE_PINNED,
};

enum ibv_ext_dmabuf_state {
	IBV_EXT_DMABUF_STATE_LIVE = IB_UVERBS_DMABUF_STATE_LIVE,
	IBV_EXT_DMABUF_STATE_REVOKED = IB_UVERBS_DMABUF_STATE_REVOKED,
};

enum ibv_ext_dmabuf_placement {
	IBV_EXT_DMABUF_PLACEMENT_UNKNOWN = IB_UVERBS_DMABUF_PLACEMENT_UNKNOWN,
	IBV_EXT_DMABUF_PLACEMENT_SYSTEM = IB_UVERBS_DMABUF_PLACEMENT_SYSTEM,
	IBV_EXT_DMABUF_PLACEMENT_DEVICE = IB_UVERBS_DMABUF_PLACEMENT_DEVICE,
	IBV_EXT_DMABUF_PLACEMENT_MIXED = IB_UVERBS_DMABUF_PLACEMENT_MIXED,
};

enum ibv_ext_dmabuf_mr_flags {
	/* registered as pinned, not by plain ibv_reg_dmabuf_mr() */
	IBV_EXT_DMABUF_MR_REQUESTED_PIN = IB_UVERBS_DMABUF_MR_REQUESTED_PIN,
	/* the exporter may revoke it, with the owner's consent */
	IBV_EXT_DMABUF_MR_REVOCABLE = IB_UVERBS_DMABUF_MR_REVOCABLE,
	/* copied by the CPU through the exporter's kernel mapping, not by DMA */
	IBV_EXT_DMABUF_MR_CPU_ACCESS = IB_UVERBS_DMABUF_MR_CPU_ACCESS,
};

#define IBV_EXT_DMABUF_EXPORTER_NAME_LEN IB_UVERBS_DMABUF_EXPORTER_NAME_LEN

/* What the device can do; filled by ibv_ext_query_dmabuf_caps(). */
struct ibv_ext_dmabuf_caps {
	uint32_t version;      /* of the kernel interface, IB_UVERBS_DMABUF_VERSION */
	uint32_t access_flags; /* enum ibv_ext_dmabuf_access_flags the device takes; 0: none */
};

/* What to register: the arguments of ibv_reg_dmabuf_mr_pinned(). */
struct ibv_ext_dmabuf_mr_attr {
	uint32_t comp_mask; /* must be 0; for fields added later */
	uint32_t pin_flags; /* enum ibv_ext_dmabuf_pin_flags */
	uint64_t offset;    /* first byte in the dma-buf */
	uint64_t length;    /* bytes, at least 1 */
	uint64_t iova;	    /* agrees with offset within a page */
	int fd;		    /* of the dma-buf; may be closed after the call */
	int access;	    /* enum ibv_access_flags */
};

enum ibv_ext_dmabuf_report_source {
	/* nothing failed, or nothing was found out */
	IBV_EXT_DMABUF_REPORT_NONE = 0,
	/* the reason is the registration's own */
	IBV_EXT_DMABUF_REPORT_REGISTRATION = 1,
	/* a probe told it, or found none: after a failed registration, or as called */
	IBV_EXT_DMABUF_REPORT_PROBE = 2,
};

/*
 * How a registration went, filled on success and on failure; or how one would go.
 * A field that could not be learned is zero. Sizes are in bytes.
 */
struct ibv_ext_dmabuf_report {
	enum ibv_ext_dmabuf_reason reason;
	enum ibv_ext_dmabuf_report_source source;
	int err;	    /* the errno value of the registration, 0 on success */
	int probe_err;	    /* the same of the probe; 0 without one */
	uint32_t placement; /* enum ibv_ext_dmabuf_placement */
	uint32_t flags;	    /* enum ibv_ext_dmabuf_mr_flags */
	uint64_t dmabuf_size;
	uint64_t dmabuf_inode;
	uint64_t dma_segments; /* contiguous DMA ranges of the region */
	/* what is charged against RLIMIT_MEMLOCK for the dma-buf, or would be in addition */
	uint64_t charge;
	/* these are a probe's only */
	uint64_t page_size;	/* largest of the device that fits; 0 with CPU_ACCESS */
	uint64_t memlock_limit; /* of the process; UINT64_MAX: none */
	uint64_t memlock_used;
	char exporter[IBV_EXT_DMABUF_EXPORTER_NAME_LEN]; /* terminated */
};

/* What an MR is; filled by ibv_ext_query_dmabuf_mr(). Sizes are in bytes. */
struct ibv_ext_dmabuf_mr_info {
	uint32_t mode;	    /* enum ibv_ext_dmabuf_mode */
	uint32_t state;	    /* enum ibv_ext_dmabuf_state */
	uint32_t placement; /* enum ibv_ext_dmabuf_placement */
	uint32_t flags;	    /* enum ibv_ext_dmabuf_mr_flags */
	uint64_t offset;    /* of the region in the dma-buf */
	uint64_t length;    /* of the region */
	uint64_t iova;	    /* of the region's first byte */
	uint64_t dmabuf_size;
	uint64_t dmabuf_inode;
	uint64_t charged;      /* against RLIMIT_MEMLOCK, for the whole dma-buf */
	uint64_t dma_segments; /* contiguous DMA ranges; 0 with CPU_ACCESS */
	char exporter[IBV_EXT_DMABUF_EXPORTER_NAME_LEN]; /* terminated */
};

enum ibv_ext_dmabuf_event_type {
	/* the exporter took the memory back; only deregistration is left */
	IBV_EXT_DMABUF_EVENT_REVOKED = IB_UVERBS_EVENT_DMABUF_MR_REVOKED,
};

/* What happened to an MR; filled by ibv_ext_get_dmabuf_event(). Is not acknowledged. */
struct ibv_ext_dmabuf_event {
	void *cookie; /* of ibv_ext_watch_dmabuf_mr() */
	enum ibv_ext_dmabuf_event_type type;
};

/* From ibv_ext_create_dmabuf_event_channel() only. */
struct ibv_ext_dmabuf_event_channel {
	struct ibv_context *context;
	int fd; /* readable when there is an event; may be set to O_NONBLOCK */
};

/*
 * Register @length bytes from @offset of the dma-buf @fd as a pinned MR.
 * Returns the MR, to be released with ibv_dereg_mr(), or NULL with errno set.
 */
struct ibv_mr *ibv_reg_dmabuf_mr_pinned(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access, uint32_t pin_flags);

/* Behind the inline wrappers; not for direct use. */
struct ibv_mr *_ibv_ext_reg_dmabuf_mr(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
				      struct ibv_ext_dmabuf_report *report, size_t report_size);
int _ibv_ext_probe_dmabuf(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
			  struct ibv_ext_dmabuf_report *report, size_t report_size);
int _ibv_ext_query_dmabuf_caps(struct ibv_context *context, struct ibv_ext_dmabuf_caps *caps,
			       size_t caps_size);
int _ibv_ext_query_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_mr_info *info,
			     size_t info_size);
int _ibv_ext_get_dmabuf_event(struct ibv_ext_dmabuf_event_channel *channel,
			      struct ibv_ext_dmabuf_event *event, size_t event_size);

/*
 * As ibv_ext_probe_dmabuf(), for language bindings that have no struct ibv_pd: @cmd_fd is
 * that of a context. Does not find out that the provider has no ibv_reg_dmabuf_mr().
 */
int _ibv_ext_probe_dmabuf_fd(int cmd_fd, const struct ibv_ext_dmabuf_mr_attr *attr,
			     struct ibv_ext_dmabuf_report *report, size_t report_size);

/* As ibv_reg_dmabuf_mr_pinned(); tells in @report, which may be NULL, how it went. */
static inline struct ibv_mr *ibv_ext_reg_dmabuf_mr(struct ibv_pd *pd,
						   const struct ibv_ext_dmabuf_mr_attr *attr,
						   struct ibv_ext_dmabuf_report *report)
{
	return _ibv_ext_reg_dmabuf_mr(pd, attr, report, sizeof(*report));
}

/*
 * How a registration would go: all of it is done, short of making an MR, and
 * undone. Returns 0 if the outcome is in @report, or an errno value: EOPNOTSUPP
 * if the kernel cannot probe.
 */
static inline int ibv_ext_probe_dmabuf(struct ibv_pd *pd, const struct ibv_ext_dmabuf_mr_attr *attr,
				       struct ibv_ext_dmabuf_report *report)
{
	return _ibv_ext_probe_dmabuf(pd, attr, report, sizeof(*report));
}

/* Returns 0, or an errno value: EOPNOTSUPP if the kernel has no such regions. */
static inline int ibv_ext_query_dmabuf_caps(struct ibv_context *context,
					    struct ibv_ext_dmabuf_caps *caps)
{
	return _ibv_ext_query_dmabuf_caps(context, caps, sizeof(*caps));
}

/* Returns 0, or an errno value: EINVAL if @mr is no dma-buf MR. */
static inline int ibv_ext_query_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_mr_info *info)
{
	return _ibv_ext_query_dmabuf_mr(mr, info, sizeof(*info));
}

/*
 * Where events of the context's MRs are read. Returns NULL with errno set on
 * failure. To be destroyed before the context is closed.
 */
struct ibv_ext_dmabuf_event_channel *
ibv_ext_create_dmabuf_event_channel(struct ibv_context *context);

/*
 * Have one event with @cookie sent to @channel when @mr is revoked, at once if
 * it was already. Returns 0, or an errno value.
 */
int ibv_ext_watch_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *channel,
			    void *cookie);

/*
 * End all watches of @mr by @channel, before the MR is deregistered. No event of
 * them is delivered any more, also not to a thread that is waiting or reading.
 * Returns 0, or an errno value: ENOENT, there was none whose event was not
 * delivered before.
 */
int ibv_ext_unwatch_dmabuf_mr(struct ibv_mr *mr, struct ibv_ext_dmabuf_event_channel *channel);

/*
 * Waits for an event, unless the fd is set to O_NONBLOCK. Returns 0, or an errno
 * value: EAGAIN, there is none; EINTR; EIO, there is none, and the device is gone
 * or has failed for good. The fd stays readable then.
 */
static inline int ibv_ext_get_dmabuf_event(struct ibv_ext_dmabuf_event_channel *channel,
					   struct ibv_ext_dmabuf_event *event)
{
	return _ibv_ext_get_dmabuf_event(channel, event, sizeof(*event));
}

/* Nobody uses @channel any more. Returns 0, or an errno value. */
int ibv_ext_destroy_dmabuf_event_channel(struct ibv_ext_dmabuf_event_channel *channel);

/* A short sentence; static storage, never NULL. */
const char *ibv_ext_dmabuf_reason_str(enum ibv_ext_dmabuf_reason reason);

/* For dlsym(); the names are those of the functions without "_fn". */
typedef struct ibv_mr *(*ibv_reg_dmabuf_mr_pinned_fn)(struct ibv_pd *pd, uint64_t offset,
						      size_t length, uint64_t iova, int fd,
						      int access, uint32_t pin_flags);
typedef struct ibv_mr *(*_ibv_ext_reg_dmabuf_mr_fn)(struct ibv_pd *pd,
						    const struct ibv_ext_dmabuf_mr_attr *attr,
						    struct ibv_ext_dmabuf_report *report,
						    size_t report_size);
typedef int (*_ibv_ext_probe_dmabuf_fn)(struct ibv_pd *pd,
					const struct ibv_ext_dmabuf_mr_attr *attr,
					struct ibv_ext_dmabuf_report *report, size_t report_size);
typedef int (*_ibv_ext_query_dmabuf_caps_fn)(struct ibv_context *context,
					     struct ibv_ext_dmabuf_caps *caps, size_t caps_size);
typedef int (*_ibv_ext_query_dmabuf_mr_fn)(struct ibv_mr *mr, struct ibv_ext_dmabuf_mr_info *info,
					   size_t info_size);
typedef struct ibv_ext_dmabuf_event_channel *(*ibv_ext_create_dmabuf_event_channel_fn)(
	struct ibv_context *context);
typedef int (*ibv_ext_watch_dmabuf_mr_fn)(struct ibv_mr *mr,
					  struct ibv_ext_dmabuf_event_channel *channel,
					  void *cookie);
typedef int (*ibv_ext_unwatch_dmabuf_mr_fn)(struct ibv_mr *mr,
					    struct ibv_ext_dmabuf_event_channel *channel);
typedef int (*_ibv_ext_get_dmabuf_event_fn)(struct ibv_ext_dmabuf_event_channel *channel,
					    struct ibv_ext_dmabuf_event *event, size_t event_size);
typedef int (*ibv_ext_destroy_dmabuf_event_channel_fn)(struct ibv_ext_dmabuf_event_channel *channel);
typedef const char *(*ibv_ext_dmabuf_reason_str_fn)(enum ibv_ext_dmabuf_reason reason);

#ifdef __cplusplus
}
#endif

#endif /* INFINIBAND_VERBS_EXT_H */
