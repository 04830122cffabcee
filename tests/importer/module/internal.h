/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the test importer share.
 *
 * Lock order: those of uverbs; then a dma-buf's reservation lock; then that of
 * the hardware, which is held for one transfer of the device, so never for long.
 */
#ifndef EDU_INTERNAL_H
#define EDU_INTERNAL_H

#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/types.h>
#include <rdma/ib_dmabuf.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>

#include "../edu_ib.h"
#include "../linux_versions.h"

/* The device's buffer has 4096 bytes, of which QEMU 7.2 does not give the last. */
#define EDU_PIECE 2048

#define EDU_MAX_IMPORTERS 2

/* Of enum ib_access_flags, what the device honours. Atomic operations it does not have. */
#define EDU_ACCESS (IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ)

/**
 * struct edu_dev - an RDMA device
 * @ibdev: as verbs know it
 * @function: what it is on
 */
struct edu_dev {
	struct ib_device ibdev;
	struct edu_function *function;
};

/**
 * struct edu_function - the PCI function, for as long as the driver is bound to it
 * @pdev: as PCI knows it
 * @mmio: its registers
 * @bounce: where the bytes of a transfer come from or go to
 * @bounce_dma: its address for the device
 * @ops: of all its RDMA devices
 * @stopped: the stop operation was called; commands fail
 * @resetting: the registers cannot be used now; the hardware's lock protects it
 * @num_devs: how many RDMA devices it is
 * @devs: these
 */
struct edu_function {
	struct pci_dev *pdev;
	void __iomem *mmio;
	void *bounce;
	dma_addr_t bounce_dma;
	struct ib_dmabuf_importer_ops ops;
	bool stopped;
	bool resetting;
	unsigned int num_devs;
	struct edu_dev *devs[EDU_MAX_IMPORTERS];
};

/* See struct edu_ib_counters. */
struct edu_counts {
	atomic_t mrs;
	atomic_t paused;
	atomic_t callbacks;
	atomic_t stops;
	atomic_t timeouts;
	atomic_t refused;
};

/* main.c: parameters of the module */
extern struct edu_counts edu_counts;
extern bool edu_allow_revoke;
extern uint edu_stop_op;
extern uint edu_importers;
extern ulong edu_page_sizes;
extern bool edu_plain_revocable;
extern bool edu_pause;
extern uint edu_command_limit;
extern uint edu_delay[EDU_IB_NUM_COMMANDS];
extern uint edu_fail;
extern uint edu_hang;
extern uint edu_skip;

static inline struct edu_dev *to_edu_dev(struct ib_device *ibdev)
{
	return container_of(ibdev, struct edu_dev, ibdev);
}

/**
 * struct edu_hw_mr - what the hardware knows of an MR
 * @revoked: the key is taken, and good for nothing
 * @access: enum ib_access_flags
 * @iova: of the first byte
 * @length: in bytes
 * @page_size: of each page
 * @num_pages: length of @pages
 * @pages: DMA addresses, from that of the page with the first byte
 */
struct edu_hw_mr {
	bool revoked;
	int access;
	u64 iova;
	u64 length;
	u64 page_size;
	u32 num_pages;
	dma_addr_t pages[] __counted_by(num_pages);
};

struct edu_command;

/* hardware.c: the device itself. It does not know whether a driver is bound to it. */
int edu_hw_init(void);
void edu_hw_exit(void);
int edu_hw_attach(struct pci_dev *pdev);
void edu_hw_reset(void);
void edu_hw_lock(void);
int edu_hw_lock_interruptible(void);
void edu_hw_unlock(void);
int edu_hw_alloc_key(u32 *key);
void edu_hw_free_key(u32 key);
int edu_hw_locate_locked(u32 key, u64 iova, u32 length, bool write, dma_addr_t *addr, u32 *part);
int edu_hw_mr_info(struct edu_ib_mr_info *info);
void edu_hw_counters(struct edu_ib_counters *counters);
struct edu_command *edu_hw_submit(enum edu_ib_command op, u32 key, struct edu_hw_mr *mr);
bool edu_hw_wait(struct edu_command *cmd, unsigned long timeout);
int edu_hw_reap(struct edu_command *cmd);

/* command.c: the driver's side of the admin queue */
bool edu_is_stopped(struct edu_dev *edu);
int edu_command(struct edu_dev *edu, enum edu_ib_command op, u32 key, struct edu_hw_mr *mr);

/* mr.c */
struct ib_mr *edu_reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				     int access, REG_DMABUF_DMAH struct uverbs_attr_bundle *attrs);
int edu_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata);

/* engine.c */
int edu_engine_init(struct edu_function *function);
void edu_engine_destroy(struct edu_function *function);
int edu_engine_transfer(struct edu_function *function, const struct edu_ib_transfer *args);

/* verbs.c */
int edu_verbs_init(struct edu_function *function);
int edu_verbs_register(struct edu_function *function);
void edu_verbs_unregister(struct edu_function *function);
void edu_verbs_destroy(struct edu_function *function);

#endif /* EDU_INTERNAL_H */
