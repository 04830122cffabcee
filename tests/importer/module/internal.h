/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the test importer share.
 *
 * Lock order: those of uverbs; then a dma-buf's reservation lock; then that of
 * the engine, which is held for one transfer of the device, so never for long.
 */
#ifndef EDU_INTERNAL_H
#define EDU_INTERNAL_H

#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <rdma/ib_dmabuf.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>

#include "../edu_ib.h"

/* The device's buffer has 4096 bytes, of which QEMU 7.2 does not give the last. */
#define EDU_PIECE 2048

/**
 * struct edu_dev - one device
 * @ibdev: as verbs know it
 * @pdev: as PCI does
 * @mmio: its registers
 * @engine: for what follows, and for the registers
 * @bounce: where the bytes of a transfer come from or go to
 * @bounce_dma: its address for the device
 * @mrs: struct edu_mr by key
 * @next_key: a hint, so that a key does not come again soon
 * @num_mrs: how many there are
 * @callbacks: how many there were
 */
struct edu_dev {
	struct ib_device ibdev;
	struct pci_dev *pdev;
	void __iomem *mmio;
	struct mutex engine; /* see above */
	void *bounce;
	dma_addr_t bounce_dma;
	struct xarray mrs;
	u32 next_key;
	u32 num_mrs;
	u32 callbacks;
};

/**
 * struct edu_mr - an MR, and what the hardware has of it
 * @ibmr: as verbs know it
 * @umem_dmabuf: until it is deregistered
 * @revoked: the key is taken, and good for nothing
 * @callbacks: how often the core asked to stop access
 * @access: enum ib_access_flags
 * @page_size: of each page
 * @num_pages: length of @pages
 * @pages: DMA addresses
 */
struct edu_mr {
	struct ib_mr ibmr;
	struct ib_umem_dmabuf *umem_dmabuf;
	bool revoked;
	u32 callbacks;
	int access;
	u64 page_size;
	u32 num_pages;
	dma_addr_t pages[] __counted_by(num_pages);
};

extern bool edu_allow_revoke;
extern bool edu_fail_revoke;
extern uint edu_revoke_delay;
extern bool edu_plain_revocable;
extern ulong edu_page_sizes;

static inline struct edu_dev *to_edu_dev(struct ib_device *ibdev)
{
	return container_of(ibdev, struct edu_dev, ibdev);
}

struct ib_mr *edu_reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				     int access, struct uverbs_attr_bundle *attrs);
int edu_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata);
struct edu_mr *edu_mr_find_locked(struct edu_dev *edu, u32 key);
int edu_mr_locate_locked(struct edu_dev *edu, u32 key, u64 iova, u32 length, bool write,
			 dma_addr_t *addr, u32 *part);

int edu_engine_init(struct edu_dev *edu);
void edu_engine_destroy(struct edu_dev *edu);
int edu_engine_transfer(struct edu_dev *edu, const struct edu_ib_transfer *args);

int edu_verbs_register(struct edu_dev *edu);
void edu_verbs_unregister(struct edu_dev *edu);

#endif /* EDU_INTERNAL_H */
