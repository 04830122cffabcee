/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The test exporter's interface: dma-bufs that behave as a test wants.
 *
 * All is done with ioctls on DMABUF_TEST_DEVICE. Where a struct has an fd it is
 * that of a dma-buf, which must have been made here except for
 * DMABUF_TEST_ATTACH.
 */
#ifndef DMABUF_TEST_H
#define DMABUF_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_TEST_NAME "dmabuf_test"
#define DMABUF_TEST_DEVICE "/dev/" DMABUF_TEST_NAME

enum dmabuf_test_mode {
	/* no pin operation, the memory never moves: habanalabs, udmabuf, DMA heaps */
	DMABUF_TEST_STATIC,
	/* moves on command, a pin keeps the memory where it is */
	DMABUF_TEST_DYNAMIC,
	/* moves on command, and to system memory when it is pinned: amdgpu, xe */
	DMABUF_TEST_MIGRATING,
	/* never moves, is taken away on command: vfio-pci */
	DMABUF_TEST_REVOKING,
};

enum dmabuf_test_memory {
	DMABUF_TEST_SYSTEM,
	/* of a PCI device; see README.md */
	DMABUF_TEST_DEVICE_MEMORY,
	/*
	 * Half of the pages, the first ones, in system memory, the others in that of
	 * the device. Has no vmap, and nothing moves there.
	 */
	DMABUF_TEST_MIXED_MEMORY,
};

enum dmabuf_test_flags {
	DMABUF_TEST_READ_ONLY = 1 << 0,
	DMABUF_TEST_NO_VMAP = 1 << 1,
	/* a revoking exporter without a pin operation, as vfio-pci is */
	DMABUF_TEST_NO_PIN = 1 << 2,
	/* clears attach->peer2peer, as if the importer's device was too far away */
	DMABUF_TEST_CLEAR_P2P = 1 << 3,
	/* EOPNOTSUPP for an importer that cannot do peer to peer */
	DMABUF_TEST_REQUIRE_P2P = 1 << 4,
	/* EOPNOTSUPP for an importer that cannot be told of a move or a revoke */
	DMABUF_TEST_REQUIRE_DYNAMIC = 1 << 5,
	/*
	 * A migrating exporter that leaves device memory in its place if all
	 * attachments are peer to peer, and then fails the pin of one that is not
	 * with EINVAL: newer amdgpu and xe
	 */
	DMABUF_TEST_KEEP_P2P = 1 << 6,
	/*
	 * vunmap leaves the mapping in place for as long as there is the memory: an
	 * importer that still uses it shows in the poison, not by an Oops
	 */
	DMABUF_TEST_KEEP_VMAP = 1 << 7,
	/*
	 * Fails the map, not the attach, with EPERM for an attachment that is not
	 * peer to peer, whatever the memory: habanalabs, with CLEAR_P2P
	 */
	DMABUF_TEST_MAP_NEEDS_P2P = 1 << 8,
};

/* Returns the fd of a new dma-buf. Its memory is zeroed. */
struct dmabuf_test_create {
	__aligned_u64 size; /* a multiple of the page size */
	/*
	 * 0, or how many bytes lie next to each other: a power of two of at least
	 * a page. No segment is followed by the next one. Device memory in more
	 * than one segment has no vmap.
	 */
	__u32 segment;
	__u32 mode;   /* enum dmabuf_test_mode */
	__u32 memory; /* enum dmabuf_test_memory */
	__u32 flags;  /* enum dmabuf_test_flags */
	/*
	 * A move copies the memory only after this time, and then signals a fence;
	 * until then the new memory holds the poison. 0: at once, without a fence.
	 */
	__u32 move_delay_ms;
	/* what memory that was moved or revoked is filled with */
	__u32 poison; /* a byte */
};

enum dmabuf_test_op {
	DMABUF_TEST_OP_ATTACH,
	DMABUF_TEST_OP_PIN,
	DMABUF_TEST_OP_MAP,
	DMABUF_TEST_OP_UNMAP, /* cannot fail */
	/* 6.12 warns when it fails, unless its image has the series. */
	DMABUF_TEST_OP_VMAP,
	DMABUF_TEST_NUM_OPS,
};

#define DMABUF_TEST_ALWAYS 0xffffffff

/* What the next calls of an operation do; replaces what was set before. */
struct dmabuf_test_behave {
	__s32 fd;
	__u32 op;    /* enum dmabuf_test_op */
	__u32 count; /* of calls; 0: as usual again */
	__u32 error; /* an errno value, 0: succeed */
	__u32 delay_ms;
	__u32 interruptible; /* a signal ends the delay, and the call with EINTR */
};

/*
 * A migrating or dynamic buffer keeps the memory that it moved out of. @age
 * is 0 for the memory that the buffer has, 1 for that before, and so on.
 */
struct dmabuf_test_memory_range {
	__s32 fd;
	__u32 age;
	__aligned_u64 offset;
	__aligned_u64 length;
	__u32 value; /* a byte */
	/* CHECK: the first byte that differs, and its offset; ~0: all are equal */
	__u32 found;
	__aligned_u64 found_offset;
};

struct dmabuf_test_move {
	__s32 fd;
	__u32 memory; /* enum dmabuf_test_memory, where to */
	/* although it is pinned, or mapped by the CPU: against the exporter's word */
	__u32 force;
	__u32 reserved;
};

enum dmabuf_test_revoke_result {
	/* the fences have signalled */
	DMABUF_TEST_FENCES_SIGNALLED = 1 << 0,
	/* no mapping and no vmap is left */
	DMABUF_TEST_UNMAPPED = 1 << 1,
};

/*
 * Take the memory away from all importers. Whatever they do, after this their
 * calls fail with ENODEV and user space's mapping raises SIGBUS.
 */
struct dmabuf_test_revoke {
	__s32 fd;
	__u32 timeout_ms; /* for the fences, and then for the mappings */
	/* out: */
	__u32 result;  /* enum dmabuf_test_revoke_result */
	__u32 pinned;  /* pins left */
	__u32 dropped; /* pins that the importers' callbacks dropped */
	__u32 reserved;
	__aligned_u64 notify_ns; /* until the importers' callbacks returned */
	__aligned_u64 total_ns;	 /* until all mappings were gone */
};

#define DMABUF_TEST_NEVER 0xffffffff

/* Add a fence of the kind that importers wait for. */
struct dmabuf_test_fence {
	__s32 fd;
	__u32 delay_ms; /* DMABUF_TEST_NEVER: when DMABUF_TEST_SIGNAL says so */
};

enum dmabuf_test_counter {
	/* of calls that succeeded */
	DMABUF_TEST_ATTACHES,
	DMABUF_TEST_DETACHES,
	DMABUF_TEST_PINS,
	DMABUF_TEST_UNPINS,
	DMABUF_TEST_MAPS,
	DMABUF_TEST_UNMAPS,
	DMABUF_TEST_VMAPS,
	DMABUF_TEST_VUNMAPS,
	DMABUF_TEST_CPU_BEGINS,
	DMABUF_TEST_CPU_ENDS,
	/* dma_buf_move_notify() */
	DMABUF_TEST_NOTIFIES,
	DMABUF_TEST_MOVES,
	/* DMABUF_TEST_MOVE, because of a pin or a vmap */
	DMABUF_TEST_REFUSED_MOVES,
	/* delays that DMABUF_TEST_BEHAVE asked for, counted when they begin */
	DMABUF_TEST_DELAYS,
	/* errors that it asked for */
	DMABUF_TEST_INJECTED,
	DMABUF_TEST_NUM_COUNTERS,
};

/* Works also while somebody waits for the buffer. */
struct dmabuf_test_counters {
	__s32 fd;
	__u32 revoked;
	__u32 memory;	  /* enum dmabuf_test_memory, where it is now */
	__u32 old_memory; /* how many it moved out of and that are kept */
	__u32 count[DMABUF_TEST_NUM_COUNTERS];
};

/*
 * A small importer, for tests of the exporter. Each open file of the device is
 * one, and imports one dma-buf, of any exporter.
 */
enum dmabuf_test_attach_flags {
	/* with a callback for moves and revokes */
	DMABUF_TEST_ATTACH_DYNAMIC = 1 << 0,
	DMABUF_TEST_ATTACH_P2P = 1 << 1,
	/* the callback only counts: keeps mapping, vmap and pin */
	DMABUF_TEST_ATTACH_STUBBORN = 1 << 2,
};

struct dmabuf_test_attach {
	__s32 fd;
	__u32 flags; /* enum dmabuf_test_attach_flags */
};

enum dmabuf_test_step {
	DMABUF_TEST_STEP_PIN,
	DMABUF_TEST_STEP_UNPIN,
	DMABUF_TEST_STEP_MAP,
	DMABUF_TEST_STEP_UNMAP,
	DMABUF_TEST_STEP_VMAP,
	DMABUF_TEST_STEP_VUNMAP,
	DMABUF_TEST_STEP_DETACH, /* undoes all other */
};

struct dmabuf_test_importer {
	__u32 attached;
	__u32 peer2peer; /* the exporter allows it */
	__u32 pinned;
	__u32 mapped;
	__u32 vmapped;
	__u32 iomem;	    /* what vmap gave */
	__u32 segments;	    /* of the mapping */
	__u32 struct_pages; /* of these, how many have one */
	__u32 notified;	    /* how many times */
	__u32 reserved;
	__aligned_u64 bytes; /* of the mapping */
};

/* Write through the importer's vmap, whether or not it still may. */
struct dmabuf_test_poke {
	__aligned_u64 offset;
	__aligned_u64 length;
	__u32 value; /* a byte */
	__u32 reserved;
};

/*
 * Delay each return of a function of the kernel, or of one of its modules, that
 * returns 0, without sleeping. One function at a time, until it is told otherwise
 * or the file is closed. Errors are those of register_kretprobe(); ENOENT: no such
 * function.
 */
struct dmabuf_test_delay {
	char function[64];
	__u32 delay_us; /* up to 10,000; 0: none any more */
	__u32 reserved;
};

/* What became of that so far; ENODATA: no function is delayed. */
struct dmabuf_test_delayed {
	__aligned_u64 returns; /* counted when the delay begins */
	/* of these, during how many an exporter here told importers of a move or a revoke */
	__aligned_u64 interrupted;
};

#define DMABUF_TEST_IOC 0xd7

#define DMABUF_TEST_CREATE _IOW(DMABUF_TEST_IOC, 0, struct dmabuf_test_create)
#define DMABUF_TEST_BEHAVE _IOW(DMABUF_TEST_IOC, 1, struct dmabuf_test_behave)
/* EBUSY: it is pinned or mapped by the CPU */
#define DMABUF_TEST_MOVE _IOW(DMABUF_TEST_IOC, 2, struct dmabuf_test_move)
#define DMABUF_TEST_REVOKE _IOWR(DMABUF_TEST_IOC, 3, struct dmabuf_test_revoke)
/* The argument of this one and of those below without a struct is the fd. */
#define DMABUF_TEST_UNREVOKE _IO(DMABUF_TEST_IOC, 4)
#define DMABUF_TEST_FILL _IOW(DMABUF_TEST_IOC, 5, struct dmabuf_test_memory_range)
#define DMABUF_TEST_CHECK _IOWR(DMABUF_TEST_IOC, 6, struct dmabuf_test_memory_range)
/* Frees the memory that the buffer moved out of. */
#define DMABUF_TEST_FREE_OLD _IO(DMABUF_TEST_IOC, 7)
#define DMABUF_TEST_FENCE _IOW(DMABUF_TEST_IOC, 8, struct dmabuf_test_fence)
/* Signals all fences, and completes all moves, at once. */
#define DMABUF_TEST_SIGNAL _IO(DMABUF_TEST_IOC, 9)
#define DMABUF_TEST_COUNTERS _IOWR(DMABUF_TEST_IOC, 10, struct dmabuf_test_counters)

#define DMABUF_TEST_ATTACH _IOW(DMABUF_TEST_IOC, 16, struct dmabuf_test_attach)
/* The argument is an enum dmabuf_test_step. */
#define DMABUF_TEST_STEP _IO(DMABUF_TEST_IOC, 17)
#define DMABUF_TEST_IMPORTER _IOR(DMABUF_TEST_IOC, 18, struct dmabuf_test_importer)
#define DMABUF_TEST_POKE _IOW(DMABUF_TEST_IOC, 19, struct dmabuf_test_poke)

#define DMABUF_TEST_DELAY _IOW(DMABUF_TEST_IOC, 24, struct dmabuf_test_delay)
#define DMABUF_TEST_DELAYED _IOR(DMABUF_TEST_IOC, 25, struct dmabuf_test_delayed)

#endif /* DMABUF_TEST_H */
