/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The test importer's interface beside verbs: what a data path would be.
 *
 * All is done with ioctls on EDU_IB_DEVICE. A key is the lkey of an MR, which the
 * device checks as hardware does: the memory behind it is what its list of pages
 * says, and that list is never looked up anew.
 */
#ifndef EDU_IB_H
#define EDU_IB_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EDU_IB_NAME "edu_ib"
#define EDU_IB_DEVICE "/dev/" EDU_IB_NAME
/* What libibverbs knows it by */
#define EDU_IB_VERBS_DEVICE "edu0"

#define EDU_IB_MAX_TRANSFER (1 << 20)

/*
 * The device moves bytes between the caller and an MR, some 2 KiB in 0.2 s. What
 * a real one would complete in error fails with EFAULT: no such key, or one that
 * was revoked, now or meanwhile; and with EACCES: a range or an access that the
 * MR does not allow. ETIMEDOUT: the device is stuck.
 */
struct edu_ib_transfer {
	__aligned_u64 addr; /* of the caller */
	__aligned_u64 iova;
	__u32 length;
	__u32 key;
	__u32 write; /* to the MR */
	__u32 reserved;
};

struct edu_ib_mr_info {
	__u32 key;
	__u32 revoked;	 /* the device refuses it */
	__u32 callbacks; /* by the core, to stop access */
	__u32 pages;
	__aligned_u64 page_size;
};

struct edu_ib_counters {
	__u32 mrs;
	__u32 callbacks; /* of all MRs there ever were */
	__u32 bus_master;
	__u32 reserved;
};

#define EDU_IB_IOC 0xed

#define EDU_IB_TRANSFER _IOW(EDU_IB_IOC, 0, struct edu_ib_transfer)
/* ENOENT: no such key */
#define EDU_IB_MR_INFO _IOWR(EDU_IB_IOC, 1, struct edu_ib_mr_info)
#define EDU_IB_COUNTERS _IOR(EDU_IB_IOC, 2, struct edu_ib_counters)

#endif /* EDU_IB_H */
