// SPDX-License-Identifier: GPL-2.0
/*
 * A small importer, so that the exporter can be tested by itself.
 */

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct dt_importer - imports one dma-buf
 * @dev: what is attached
 * @lock: one step at a time; before the reservation lock
 * @attach: the attachment, NULL if there is none
 * @stubborn: lets the exporter talk
 * @sgt: the mapping or NULL; this and what follows under the reservation lock
 * @map: the vmap, if @vmapped
 * @vmapped: whether there is one
 * @pinned: whether there is a pin
 * @notified: how often the exporter said that it moves or revokes
 */
struct dt_importer {
	struct device *dev;
	struct mutex lock; /* one step at a time */
	struct dma_buf_attachment *attach;
	bool stubborn;

	struct sg_table *sgt;
	struct iosys_map map;
	bool vmapped;
	bool pinned;
	unsigned int notified;
};

static void importer_undo_locked(struct dt_importer *imp, struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (imp->vmapped)
		dma_buf_vunmap(attach->dmabuf, &imp->map);
	imp->vmapped = false;
	if (imp->sgt)
		dma_buf_unmap_attachment(attach, imp->sgt, DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
	if (imp->pinned)
		dma_buf_unpin(attach);
	imp->pinned = false;
}

static void importer_invalidate(struct dma_buf_attachment *attach)
{
	struct dt_importer *imp = attach->importer_priv;

	imp->notified++;
	if (!imp->stubborn)
		importer_undo_locked(imp, attach);
}

static const struct dma_buf_attach_ops importer_ops = {
	.invalidate_mappings = importer_invalidate,
};

static const struct dma_buf_attach_ops importer_p2p_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = importer_invalidate,
};

struct dt_importer *dt_importer_create(struct device *dev)
{
	struct dt_importer *imp;

	imp = kzalloc(sizeof(*imp), GFP_KERNEL);
	if (!imp)
		return NULL;
	imp->dev = dev;
	mutex_init(&imp->lock);
	return imp;
}

static void importer_detach(struct dt_importer *imp)
{
	struct dma_buf *dmabuf = imp->attach->dmabuf;

	lockdep_assert_held(&imp->lock);

	dma_resv_lock(dmabuf->resv, NULL);
	importer_undo_locked(imp, imp->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, imp->attach);
	imp->attach = NULL;
	dma_buf_put(dmabuf);
}

void dt_importer_destroy(struct dt_importer *imp)
{
	mutex_lock(&imp->lock);
	if (imp->attach)
		importer_detach(imp);
	mutex_unlock(&imp->lock);
	mutex_destroy(&imp->lock);
	kfree(imp);
}

int dt_importer_attach(struct dt_importer *imp, const struct dmabuf_test_attach *args)
{
	const struct dma_buf_attach_ops *ops = NULL;
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	int ret = 0;

	if (args->flags &
	    ~(DMABUF_TEST_ATTACH_DYNAMIC | DMABUF_TEST_ATTACH_P2P | DMABUF_TEST_ATTACH_STUBBORN))
		return -EINVAL;
	/* dma-buf ties both to the callback. */
	if (args->flags && !(args->flags & DMABUF_TEST_ATTACH_DYNAMIC))
		return -EINVAL;
	if (args->flags & DMABUF_TEST_ATTACH_P2P)
		ops = &importer_p2p_ops;
	else if (args->flags & DMABUF_TEST_ATTACH_DYNAMIC)
		ops = &importer_ops;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	mutex_lock(&imp->lock);
	if (imp->attach) {
		ret = -EBUSY;
		goto out;
	}
	imp->stubborn = args->flags & DMABUF_TEST_ATTACH_STUBBORN;
	imp->notified = 0;
	attach = dma_buf_dynamic_attach(dmabuf, imp->dev, ops, imp);
	if (IS_ERR(attach))
		ret = PTR_ERR(attach);
	else
		imp->attach = attach;
out:
	mutex_unlock(&imp->lock);
	if (ret)
		dma_buf_put(dmabuf);
	return ret;
}

static int importer_pin(struct dt_importer *imp)
{
	int ret;

	if (imp->pinned || !imp->attach->importer_ops)
		return -EINVAL;
	ret = dma_buf_pin(imp->attach);
	imp->pinned = !ret;
	return ret;
}

static int importer_map(struct dt_importer *imp)
{
	struct sg_table *sgt;

	if (imp->sgt)
		return -EINVAL;
	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	imp->sgt = sgt;
	return 0;
}

static int importer_vmap(struct dt_importer *imp)
{
	int ret;

	if (imp->vmapped)
		return -EINVAL;
	ret = dma_buf_vmap(imp->attach->dmabuf, &imp->map);
	imp->vmapped = !ret;
	return ret;
}

static int importer_step_locked(struct dt_importer *imp, enum dmabuf_test_step step)
{
	switch (step) {
	case DMABUF_TEST_STEP_PIN:
		return importer_pin(imp);
	case DMABUF_TEST_STEP_MAP:
		return importer_map(imp);
	case DMABUF_TEST_STEP_VMAP:
		return importer_vmap(imp);
	case DMABUF_TEST_STEP_UNPIN:
		if (!imp->pinned)
			return -EINVAL;
		dma_buf_unpin(imp->attach);
		imp->pinned = false;
		return 0;
	case DMABUF_TEST_STEP_UNMAP:
		if (!imp->sgt)
			return -EINVAL;
		dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);
		imp->sgt = NULL;
		return 0;
	case DMABUF_TEST_STEP_VUNMAP:
		if (!imp->vmapped)
			return -EINVAL;
		dma_buf_vunmap(imp->attach->dmabuf, &imp->map);
		imp->vmapped = false;
		return 0;
	default:
		return -EINVAL;
	}
}

int dt_importer_step(struct dt_importer *imp, enum dmabuf_test_step step)
{
	struct dma_resv *resv;
	int ret;

	ret = mutex_lock_interruptible(&imp->lock);
	if (ret)
		return ret;
	if (!imp->attach) {
		ret = -ENOTCONN;
		goto out;
	}
	if (step == DMABUF_TEST_STEP_DETACH) {
		importer_detach(imp);
		goto out;
	}

	resv = imp->attach->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		goto out;
	ret = importer_step_locked(imp, step);
	dma_resv_unlock(resv);
out:
	mutex_unlock(&imp->lock);
	return ret;
}

static void importer_describe_mapping(struct sg_table *sgt, struct dmabuf_test_importer *state)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		state->segments++;
		state->bytes += sg_dma_len(sg);
	}
	/* Without DMABUF_DEBUG, which hides them, one can see whether there are any. */
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return;
	for_each_sgtable_sg(sgt, sg, i)
		state->struct_pages += !!sg_page(sg);
}

int dt_importer_state(struct dt_importer *imp, struct dmabuf_test_importer *state)
{
	struct dma_resv *resv;
	int ret;

	ret = mutex_lock_interruptible(&imp->lock);
	if (ret)
		return ret;
	if (!imp->attach)
		goto out;
	resv = imp->attach->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		goto out;
	state->attached = true;
	state->peer2peer = imp->attach->peer2peer;
	state->pinned = imp->pinned;
	state->vmapped = imp->vmapped;
	state->iomem = imp->vmapped && imp->map.is_iomem;
	state->notified = imp->notified;
	state->mapped = !!imp->sgt;
	if (imp->sgt)
		importer_describe_mapping(imp->sgt, state);
	dma_resv_unlock(resv);
out:
	mutex_unlock(&imp->lock);
	return ret;
}

/* Not under the reservation lock, as little as an RDMA device knows of it. */
int dt_importer_poke(struct dt_importer *imp, const struct dmabuf_test_poke *args)
{
	size_t part;
	u64 offset, end;
	int ret;

	ret = mutex_lock_interruptible(&imp->lock);
	if (ret)
		return ret;
	if (!imp->attach || !READ_ONCE(imp->vmapped)) {
		ret = -ENOTCONN;
	} else if (check_add_overflow(args->offset, args->length, &end) ||
		   end > imp->attach->dmabuf->size || args->value > U8_MAX || args->reserved) {
		ret = -EINVAL;
	} else {
		for (offset = args->offset; offset < end; offset += part) {
			part = min_t(u64, end - offset, PAGE_SIZE);
			iosys_map_memset(&imp->map, offset, args->value, part);
			cond_resched();
		}
	}
	mutex_unlock(&imp->lock);
	return ret;
}
