/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The test importer's interface beside verbs: what a data path would be, and a
 * look at the device.
 *
 * All is done with ioctls on EDU_IB_DEVICE. A key is the lkey of an MR. The device
 * checks it as hardware does: the memory behind it is what the device's list of
 * pages says, and that list is never looked up anew.
 */
#ifndef EDU_IB_H
#define EDU_IB_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EDU_IB_NAME "edu_ib"
#define EDU_IB_DEVICE "/dev/" EDU_IB_NAME
/* What libibverbs knows it by, and the second one on the same PCI function */
#define EDU_IB_VERBS_DEVICE "edu0"
#define EDU_IB_SECOND_VERBS_DEVICE "edu1"

#define EDU_IB_MAX_TRANSFER (1 << 20)
#define EDU_IB_MAX_MR_SIZE (1ULL << 32)

/* The commands that the driver gives to the device; bits in some parameters */
enum edu_ib_command {
	EDU_IB_REG,
	EDU_IB_REVOKE,
	EDU_IB_DEREG,
	EDU_IB_NUM_COMMANDS,
};

/* What the driver has as ib_dmabuf_importer_ops.stop: values of the parameter "stop_op" */
enum edu_ib_stop_op {
	EDU_IB_STOP_NONE,
	/* resets the device, which then knows no key any more */
	EDU_IB_STOP_RESETS,
	/* EIO, and the device does not notice */
	EDU_IB_STOP_FAILS,
	/* reports success, and the device does not notice */
	EDU_IB_STOP_LIES,
};

/*
 * The device moves bytes between the caller and an MR, some 2 KiB in 0.2 s. What
 * a real one would complete in error fails with EFAULT: no such key, or one that
 * was revoked, now or meanwhile; and with EACCES: a range or an access that the
 * MR does not allow. ETIMEDOUT: the device is stuck; EAGAIN: it is being reset;
 * ENODEV: no driver is bound to it.
 */
struct edu_ib_transfer {
	__aligned_u64 addr; /* of the caller */
	__aligned_u64 iova;
	__u32 length;
	__u32 key;
	__u32 write; /* to the MR */
	__u32 reserved;
};

/* What the device knows, with or without a driver */
struct edu_ib_mr_info {
	__u32 key;
	__u32 revoked; /* the device refuses it */
	__u32 pages;
	__u32 reserved;
	__aligned_u64 page_size;
};

struct edu_ib_counters {
	__u32 mrs;	/* that the driver has */
	__u32 keys;	/* that the device knows */
	__u32 next_key; /* that of the next registration */
	__u32 bus_master;
	__u32 paused;  /* calls of the driver that do, see the parameter "pause" */
	__u32 hanging; /* commands that do */
	/* since the module was loaded: */
	__u32 callbacks; /* by the core, to stop access to an MR */
	__u32 stops;	 /* calls of the stop operation */
	__u32 resets;	 /* of the device, by its driver or by the PCI core */
	__u32 timeouts;	 /* commands that exceeded their limit */
	__u32 refused;	 /* commands that failed without a wait, as the device is stopped */
};

#define EDU_IB_IOC 0xed

#define EDU_IB_TRANSFER _IOW(EDU_IB_IOC, 0, struct edu_ib_transfer)
/* ENOENT: no such key */
#define EDU_IB_MR_INFO _IOWR(EDU_IB_IOC, 1, struct edu_ib_mr_info)
#define EDU_IB_COUNTERS _IOR(EDU_IB_IOC, 2, struct edu_ib_counters)

#endif /* EDU_IB_H */
