/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test modules need of the kernel, as Linux 7.3 has it, for 6.12.
 */
#ifndef LINUX_VERSIONS_H
#define LINUX_VERSIONS_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define IMPORT_DMA_BUF_SYMBOLS MODULE_IMPORT_NS(DMA_BUF)
#define dma_buf_invalidate_mappings dma_buf_move_notify
#define invalidate_mappings move_notify
#define REG_DMABUF_DMAH
/* Whether it may be revoked, which an exporter of 6.12 cannot know */
#define dma_buf_attach_revocable(attach) true
#else
#define IMPORT_DMA_BUF_SYMBOLS MODULE_IMPORT_NS("DMA_BUF")
/* A parameter of reg_user_mr_dmabuf(): hints for the way of the DMA, which nobody has to follow */
#define REG_DMABUF_DMAH struct ib_dmah *dmah,
#endif

#endif /* LINUX_VERSIONS_H */
