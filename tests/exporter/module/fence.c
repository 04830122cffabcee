// SPDX-License-Identifier: GPL-2.0
/*
 * Fences in a dma-buf's reservation object, and the moves that they stand for.
 */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

/**
 * struct dt_fence - signals after a time, or when it is told to
 * @base: the fence
 * @lock: that @base needs
 * @node: in &dt_buffer.fences, which has a reference
 * @work: signals
 * @to: if not NULL, copy here before
 * @from: then from here
 * @poison: what to leave in @from
 */
struct dt_fence {
	struct dma_fence base;
	spinlock_t lock; /* of base */
	struct list_head node;
	struct delayed_work work;
	struct dt_memory *to;
	struct dt_memory *from;
	u8 poison;
};

static struct workqueue_struct *dt_wq;

static const char *dt_fence_name(struct dma_fence *fence)
{
	return DMABUF_TEST_NAME;
}

static void dt_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops dt_fence_ops = {
	.get_driver_name = dt_fence_name,
	.get_timeline_name = dt_fence_name,
	.release = dt_fence_release,
};

static void dt_fence_work(struct work_struct *work)
{
	struct dt_fence *fence = container_of(to_delayed_work(work), struct dt_fence, work);
	bool cookie;

	if (dma_fence_is_signaled(&fence->base))
		return;

	cookie = dma_fence_begin_signalling();
	if (fence->to) {
		dt_memory_copy(fence->to, fence->from);
		dt_memory_fill(fence->from, 0, (u64)fence->from->npages << PAGE_SHIFT,
			       fence->poison);
	}
	dma_fence_signal(&fence->base);
	dma_fence_end_signalling(cookie);

	if (fence->to) {
		dt_memory_put(fence->to);
		dt_memory_put(fence->from);
	}
}

static void dt_fence_forget_signalled(struct dt_buffer *buf)
{
	struct dt_fence *fence, *next;

	lockdep_assert_held(&buf->fence_lock);

	list_for_each_entry_safe(fence, next, &buf->fences, node) {
		if (!dma_fence_is_signaled(&fence->base))
			continue;
		/* It signals before it is through. */
		flush_delayed_work(&fence->work);
		list_del(&fence->node);
		dma_fence_put(&fence->base);
	}
}

/* @to is NULL, or where to copy the buffer's memory first. */
static int dt_fence_create(struct dt_buffer *buf, struct dt_memory *to, unsigned int delay_ms)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	struct dt_fence *fence;
	int ret;

	dma_resv_assert_held(resv);

	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;

	spin_lock_init(&fence->lock);
	INIT_DELAYED_WORK(&fence->work, dt_fence_work);
	if (to) {
		fence->to = dt_memory_get(to);
		fence->from = dt_memory_get(buf->mem);
		fence->poison = buf->poison;
	}
	/* Others may keep the fence for longer than the buffer lives. */
	__module_get(THIS_MODULE);
	/* A context of its own: fences need not signal in their order. */
	dma_fence_init(&fence->base, &dt_fence_ops, &fence->lock, dma_fence_context_alloc(1), 1);
	dma_resv_add_fence(resv, &fence->base, DMA_RESV_USAGE_KERNEL);

	mutex_lock(&buf->fence_lock);
	dt_fence_forget_signalled(buf);
	list_add_tail(&fence->node, &buf->fences);
	if (delay_ms != DMABUF_TEST_NEVER)
		queue_delayed_work(dt_wq, &fence->work, msecs_to_jiffies(delay_ms));
	mutex_unlock(&buf->fence_lock);
	return 0;
}

int dt_fence_add(struct dt_buffer *buf, unsigned int delay_ms)
{
	return dt_fence_create(buf, NULL, delay_ms);
}

/* The way a GPU copies: later, with a fence to say when. */
int dt_fence_add_copy(struct dt_buffer *buf, struct dt_memory *to)
{
	return dt_fence_create(buf, to, buf->move_delay_ms);
}

/* Does without the reservation lock, which somebody may hold while waiting for a fence. */
void dt_fence_signal_all(struct dt_buffer *buf)
{
	struct dt_fence *fence;

	mutex_lock(&buf->fence_lock);
	list_for_each_entry(fence, &buf->fences, node)
		mod_delayed_work(dt_wq, &fence->work, 0);
	list_for_each_entry(fence, &buf->fences, node)
		flush_delayed_work(&fence->work);
	dt_fence_forget_signalled(buf);
	mutex_unlock(&buf->fence_lock);
}

int dt_fence_init(void)
{
	dt_wq = alloc_workqueue(DMABUF_TEST_NAME, WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return dt_wq ? 0 : -ENOMEM;
}

void dt_fence_exit(void)
{
	destroy_workqueue(dt_wq);
}
