// SPDX-License-Identifier: GPL-2.0
/*
 * The device's DMA engine. It has a buffer of its own, so whatever goes to or
 * from an MR makes two transfers: from a buffer of the driver to that of the
 * device, and on to the MR, or the other way round.
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

#define EDU_REG_DMA_SRC 0x80
#define EDU_REG_DMA_DST 0x88
#define EDU_REG_DMA_COUNT 0x90
#define EDU_REG_DMA_CMD 0x98
#define EDU_DMA_RUN BIT(0)
#define EDU_DMA_FROM_DEVICE BIT(1)

/* Where the device's own buffer is, in its address space */
#define EDU_BUFFER 0x40000

/* A transfer takes 0.1 s of the emulator's time. */
#define EDU_TIMEOUT (30 * HZ)

static int run_locked(struct edu_function *function, u64 src, u64 dst, u32 length, u64 flags)
{
	unsigned long end = jiffies + EDU_TIMEOUT;

	writeq(src, function->mmio + EDU_REG_DMA_SRC);
	writeq(dst, function->mmio + EDU_REG_DMA_DST);
	writeq(length, function->mmio + EDU_REG_DMA_COUNT);
	writeq(flags | EDU_DMA_RUN, function->mmio + EDU_REG_DMA_CMD);
	while (readq(function->mmio + EDU_REG_DMA_CMD) & EDU_DMA_RUN) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		msleep(20);
	}
	return 0;
}

static int move_locked(struct edu_function *function, dma_addr_t addr, u32 length, bool write)
{
	dma_addr_t from = write ? function->bounce_dma : addr;
	dma_addr_t to = write ? addr : function->bounce_dma;
	int ret;

	ret = run_locked(function, from, EDU_BUFFER, length, 0);
	if (ret)
		return ret;
	return run_locked(function, EDU_BUFFER, to, length, EDU_DMA_FROM_DEVICE);
}

/* One piece; returns how many bytes it has. */
static int transfer_piece(struct edu_function *function, const struct edu_ib_transfer *args,
			  u32 done, void *data)
{
	dma_addr_t addr;
	u32 part;
	int ret;

	ret = edu_hw_lock_interruptible();
	if (ret)
		return ret;
	if (function->resetting) {
		ret = -EAGAIN;
		goto out;
	}
	ret = edu_hw_locate_locked(args->key, args->iova + done, args->length - done, args->write,
				   &addr, &part);
	if (ret)
		goto out;

	if (args->write)
		memcpy(function->bounce, data + done, part);
	ret = move_locked(function, addr, part, args->write);
	if (ret)
		goto out;
	if (!args->write)
		memcpy(data + done, function->bounce, part);
	ret = part;
out:
	edu_hw_unlock();
	return ret;
}

int edu_engine_transfer(struct edu_function *function, const struct edu_ib_transfer *args)
{
	void __user *user = u64_to_user_ptr(args->addr);
	u32 done = 0;
	void *data;
	int ret = 0;

	if (!args->length || args->length > EDU_IB_MAX_TRANSFER || args->reserved)
		return -EINVAL;
	data = kvzalloc(args->length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (args->write && copy_from_user(data, user, args->length)) {
		ret = -EFAULT;
		goto out;
	}

	for (; done < args->length; done += ret) {
		ret = transfer_piece(function, args, done, data);
		if (ret < 0)
			goto out;
	}
	ret = 0;
	if (!args->write && copy_to_user(user, data, args->length))
		ret = -EFAULT;
out:
	kvfree(data);
	return ret;
}

int edu_engine_init(struct edu_function *function)
{
	struct device *dev = &function->pdev->dev;

	function->bounce = dma_alloc_coherent(dev, EDU_PIECE, &function->bounce_dma, GFP_KERNEL);
	if (!function->bounce)
		return -ENOMEM;
	return 0;
}

void edu_engine_destroy(struct edu_function *function)
{
	dma_free_coherent(&function->pdev->dev, EDU_PIECE, function->bounce, function->bounce_dma);
}
