// SPDX-License-Identifier: GPL-2.0
/*
 * The dma-bufs: their operations, and what a test can do to them.
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

IMPORT_DMA_BUF_SYMBOLS;

/* How long a move waits for what the importers still do */
#define DT_MOVE_TIMEOUT (10 * HZ)

/**
 * struct dt_attachment - to find out who is to blame
 * @pins: of this attachment
 * @maps: likewise
 */
struct dt_attachment {
	unsigned int pins;
	unsigned int maps;
};

/**
 * struct dt_mapping - a mapping of one attachment
 * @node: in &dt_buffer.mappings
 * @sgt: what the importer gets
 * @mem: what is mapped
 * @dev: where it is mapped
 * @dir: how
 */
struct dt_mapping {
	struct list_head node;
	struct sg_table sgt;
	struct dt_memory *mem;
	struct device *dev;
	enum dma_data_direction dir;
};

static void dt_count(struct dt_buffer *buf, enum dmabuf_test_counter counter)
{
	atomic_inc(&buf->count[counter]);
}

static bool dt_op_can_fail(enum dmabuf_test_op op)
{
	return op != DMABUF_TEST_OP_UNMAP;
}

/* What a test wants of this call of an operation */
static int dt_behave(struct dt_buffer *buf, enum dmabuf_test_op op)
{
	struct dmabuf_test_behave *set = &buf->behaviour[op];
	struct dmabuf_test_behave now;

	spin_lock(&buf->behaviour_lock);
	now = *set;
	if (set->count && set->count != DMABUF_TEST_ALWAYS)
		set->count--;
	spin_unlock(&buf->behaviour_lock);
	if (!now.count)
		return 0;

	if (now.delay_ms)
		dt_count(buf, DMABUF_TEST_DELAYS);
	if (now.delay_ms && !now.interruptible)
		msleep(now.delay_ms);
	else if (now.delay_ms && msleep_interruptible(now.delay_ms))
		return -EINTR;
	if (now.error)
		dt_count(buf, DMABUF_TEST_INJECTED);
	return -(int)now.error;
}

int dt_buffer_behave(struct dt_buffer *buf, const struct dmabuf_test_behave *args)
{
	if (args->op >= DMABUF_TEST_NUM_OPS || args->error > MAX_ERRNO)
		return -EINVAL;
	if (!dt_op_can_fail(args->op) && (args->error || args->interruptible))
		return -EINVAL;

	spin_lock(&buf->behaviour_lock);
	buf->behaviour[args->op] = *args;
	spin_unlock(&buf->behaviour_lock);
	return 0;
}

static int dt_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dt_buffer *buf = dmabuf->priv;
	struct dt_attachment *mine;
	int ret;

	ret = dt_behave(buf, DMABUF_TEST_OP_ATTACH);
	if (ret)
		return ret;
	if (READ_ONCE(buf->revoked))
		return -ENODEV;
	if (buf->flags & DMABUF_TEST_CLEAR_P2P)
		attach->peer2peer = false;
	if (buf->flags & DMABUF_TEST_REQUIRE_P2P && !attach->peer2peer)
		return -EOPNOTSUPP;
	if (buf->mode == DMABUF_TEST_REVOKING && !dma_buf_attach_revocable(attach))
		return -EOPNOTSUPP;
	if (buf->flags & DMABUF_TEST_REQUIRE_DYNAMIC && !attach->importer_ops)
		return -EOPNOTSUPP;

	mine = kzalloc(sizeof(*mine), GFP_KERNEL);
	if (!mine)
		return -ENOMEM;
	attach->priv = mine;
	dt_count(buf, DMABUF_TEST_ATTACHES);
	return 0;
}

static void dt_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dt_attachment *mine = attach->priv;

	WARN(mine->pins || mine->maps, "%s detaches with %u pins and %u mappings\n",
	     dev_name(attach->dev), mine->pins, mine->maps);
	kfree(mine);
	dt_count(dmabuf->priv, DMABUF_TEST_DETACHES);
}

static void dt_zap(struct dt_buffer *buf)
{
	unmap_mapping_range(buf->dmabuf->file->f_mapping, 0, 0, 1);
}

static void dt_notify(struct dt_buffer *buf)
{
	dt_delay_notification();
	dma_buf_invalidate_mappings(buf->dmabuf);
	dt_count(buf, DMABUF_TEST_NOTIFIES);
}

static int dt_move_locked(struct dt_buffer *buf, enum dmabuf_test_memory kind)
{
	struct dma_buf *dmabuf = buf->dmabuf;
	struct dt_memory *old = buf->mem, *new;
	long left;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	new = dt_memory_alloc(kind, old->npages, buf->segment);
	if (IS_ERR(new))
		return PTR_ERR(new);

	dt_notify(buf);
	left = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, true, DT_MOVE_TIMEOUT);
	if (left <= 0) {
		ret = left ? left : -ETIMEDOUT;
		goto err_new;
	}

	dt_zap(buf);
	if (buf->move_delay_ms) {
		dt_memory_fill(new, 0, dmabuf->size, buf->poison);
		ret = dt_fence_add_copy(buf, new);
		if (ret)
			goto err_new;
	} else {
		dt_memory_copy(new, old);
		dt_memory_fill(old, 0, dmabuf->size, buf->poison);
	}
	list_add(&old->node, &buf->old);
	WRITE_ONCE(buf->num_old, buf->num_old + 1);
	WRITE_ONCE(buf->kind, kind);
	buf->mem = new;
	dt_count(buf, DMABUF_TEST_MOVES);
	return 0;

err_new:
	dt_memory_put(new);
	return ret;
}

static bool dt_all_p2p(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (!attach->peer2peer)
			return false;
	return true;
}

/* Where a migrating exporter wants a pinned buffer to be */
static int dt_place_pinned(struct dt_buffer *buf)
{
	if (buf->flags & DMABUF_TEST_KEEP_P2P && buf->mem->kind == DMABUF_TEST_DEVICE_MEMORY) {
		if (dt_all_p2p(buf->dmabuf))
			return 0;
		if (buf->pins)
			return -EINVAL;
	}
	return buf->pins ? 0 : dt_move_locked(buf, DMABUF_TEST_SYSTEM);
}

static int dt_pin(struct dma_buf_attachment *attach)
{
	struct dt_buffer *buf = attach->dmabuf->priv;
	struct dt_attachment *mine = attach->priv;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = dt_behave(buf, DMABUF_TEST_OP_PIN);
	if (ret)
		return ret;
	if (buf->revoked)
		return -ENODEV;
	if (buf->mode == DMABUF_TEST_MIGRATING) {
		ret = dt_place_pinned(buf);
		if (ret)
			return ret;
	}

	mine->pins++;
	WRITE_ONCE(buf->pins, buf->pins + 1);
	dt_count(buf, DMABUF_TEST_PINS);
	return 0;
}

static void dt_unpin(struct dma_buf_attachment *attach)
{
	struct dt_buffer *buf = attach->dmabuf->priv;
	struct dt_attachment *mine = attach->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (WARN(!mine->pins, "%s unpins what it did not pin\n", dev_name(attach->dev)))
		return;
	mine->pins--;
	WRITE_ONCE(buf->pins, buf->pins - 1);
	dt_count(buf, DMABUF_TEST_UNPINS);
}

static struct sg_table *dt_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct dt_buffer *buf = attach->dmabuf->priv;
	struct dt_attachment *mine = attach->priv;
	struct dt_mapping *mapping;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = dt_behave(buf, DMABUF_TEST_OP_MAP);
	if (ret)
		return ERR_PTR(ret);
	if (buf->revoked)
		return ERR_PTR(-ENODEV);
	if (!attach->peer2peer &&
	    (buf->mem->kind != DMABUF_TEST_SYSTEM || buf->flags & DMABUF_TEST_MAP_NEEDS_P2P))
		return ERR_PTR(-EPERM);

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	ret = dt_memory_map(buf->mem, attach->dev, &mapping->sgt, dir);
	if (ret) {
		kfree(mapping);
		return ERR_PTR(ret);
	}
	mapping->mem = dt_memory_get(buf->mem);
	mapping->dev = attach->dev;
	mapping->dir = dir;
	list_add(&mapping->node, &buf->mappings);
	mine->maps++;
	dt_count(buf, DMABUF_TEST_MAPS);
	return &mapping->sgt;
}

static void dt_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	struct dt_mapping *mapping = container_of(sgt, struct dt_mapping, sgt);
	struct dt_buffer *buf = attach->dmabuf->priv;
	struct dt_attachment *mine = attach->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	dt_behave(buf, DMABUF_TEST_OP_UNMAP);
	WARN(dir != mapping->dir, "%s unmaps in another direction than it mapped\n",
	     dev_name(attach->dev));
	dt_memory_unmap(mapping->mem, mapping->dev, sgt, mapping->dir);
	dt_memory_put(mapping->mem);
	list_del(&mapping->node);
	kfree(mapping);
	mine->maps--;
	dt_count(buf, DMABUF_TEST_UNMAPS);
	wake_up_all(&buf->unmapped);
}

/* dma-buf calls it for the first of several, and vunmap after the last. */
static int dt_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dt_buffer *buf = dmabuf->priv;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	ret = dt_behave(buf, DMABUF_TEST_OP_VMAP);
	if (ret)
		return ret;
	if (buf->revoked)
		return -ENODEV;

	ret = dt_memory_vmap(buf->mem, map);
	if (ret)
		return ret;
	WRITE_ONCE(buf->vmapped, dt_memory_get(buf->mem));
	dt_count(buf, DMABUF_TEST_VMAPS);
	return 0;
}

static void dt_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dt_buffer *buf = dmabuf->priv;

	dma_resv_assert_held(dmabuf->resv);

	dt_memory_vunmap(buf->vmapped, map, buf->flags & DMABUF_TEST_KEEP_VMAP);
	dt_memory_put(buf->vmapped);
	WRITE_ONCE(buf->vmapped, NULL);
	dt_count(buf, DMABUF_TEST_VUNMAPS);
	wake_up_all(&buf->unmapped);
}

static vm_fault_t dt_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct dt_buffer *buf = vma->vm_private_data;
	struct dma_resv *resv = buf->dmabuf->resv;
	pgprot_t prot = vma->vm_page_prot;
	vm_fault_t ret;

	/* A signal is looked at before the access is tried again. */
	if (dma_resv_lock_interruptible(resv, NULL))
		return VM_FAULT_NOPAGE;
	if (buf->revoked || vmf->pgoff >= buf->mem->npages) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}

	if (vmf->pgoff >= buf->mem->system_pages)
		prot = pgprot_writecombine(prot);
	ret = vmf_insert_pfn_prot(vma, vmf->address, dt_memory_pfn(buf->mem, vmf->pgoff), prot);
out:
	dma_resv_unlock(resv);
	return ret;
}

static const struct vm_operations_struct dt_vm_ops = {
	.fault = dt_fault,
};

static int dt_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = dmabuf->priv;
	vma->vm_ops = &dt_vm_ops;
	return 0;
}

static int dt_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct dt_buffer *buf = dmabuf->priv;
	struct dt_mapping *mapping;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	if (buf->revoked) {
		ret = -ENODEV;
		goto out;
	}

	list_for_each_entry(mapping, &buf->mappings, node)
		if (mapping->mem->kind == DMABUF_TEST_SYSTEM)
			dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, dir);
	dt_count(buf, DMABUF_TEST_CPU_BEGINS);
out:
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static int dt_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct dt_buffer *buf = dmabuf->priv;
	struct dt_mapping *mapping;

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(mapping, &buf->mappings, node)
		if (mapping->mem->kind == DMABUF_TEST_SYSTEM)
			dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, dir);
	dt_count(buf, DMABUF_TEST_CPU_ENDS);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static void dt_free_old_list(struct list_head *old)
{
	struct dt_memory *mem, *next;

	list_for_each_entry_safe(mem, next, old, node) {
		list_del(&mem->node);
		dt_memory_put(mem);
	}
}

static void dt_release(struct dma_buf *dmabuf)
{
	struct dt_buffer *buf = dmabuf->priv;

	WARN(buf->pins || buf->vmapped || !list_empty(&buf->mappings),
	     "released while it is still in use\n");
	dt_fence_signal_all(buf);
	dt_free_old_list(&buf->old);
	dt_memory_put(buf->mem);
	mutex_destroy(&buf->fence_lock);
	kfree(buf);
}

/* Whether there is such an operation is a property of the table. */
#define DT_OPS(pin_, unpin_, vmap_, vunmap_)             \
	{                                                \
		.attach = dt_attach,                     \
		.detach = dt_detach,                     \
		.pin = pin_,                             \
		.unpin = unpin_,                         \
		.map_dma_buf = dt_map,                   \
		.unmap_dma_buf = dt_unmap,               \
		.begin_cpu_access = dt_begin_cpu_access, \
		.end_cpu_access = dt_end_cpu_access,     \
		.mmap = dt_mmap,                         \
		.vmap = vmap_,                           \
		.vunmap = vunmap_,                       \
		.release = dt_release,                   \
	}

/* [pin][vmap] */
static const struct dma_buf_ops dt_ops[2][2] = {
	{
		DT_OPS(NULL, NULL, NULL, NULL),
		DT_OPS(NULL, NULL, dt_vmap, dt_vunmap),
	},
	{
		DT_OPS(dt_pin, dt_unpin, NULL, NULL),
		DT_OPS(dt_pin, dt_unpin, dt_vmap, dt_vunmap),
	},
};

static const struct dma_buf_ops *dt_choose_ops(const struct dmabuf_test_create *args)
{
	bool pin = args->mode != DMABUF_TEST_STATIC && !(args->flags & DMABUF_TEST_NO_PIN);
	bool vmap = !(args->flags & DMABUF_TEST_NO_VMAP);

	/* It cannot be mapped in one piece. */
	if (args->memory == DMABUF_TEST_MIXED_MEMORY ||
	    (args->memory == DMABUF_TEST_DEVICE_MEMORY && args->segment &&
	     args->segment < args->size))
		vmap = false;
	return &dt_ops[pin][vmap];
}

static bool dt_create_args_valid(const struct dmabuf_test_create *args)
{
	const u32 all_flags = DMABUF_TEST_READ_ONLY | DMABUF_TEST_NO_VMAP | DMABUF_TEST_NO_PIN |
			      DMABUF_TEST_CLEAR_P2P | DMABUF_TEST_REQUIRE_P2P |
			      DMABUF_TEST_REQUIRE_DYNAMIC | DMABUF_TEST_KEEP_P2P |
			      DMABUF_TEST_KEEP_VMAP | DMABUF_TEST_MAP_NEEDS_P2P;

	if (!args->size || !PAGE_ALIGNED(args->size) || args->size > SIZE_MAX / 2)
		return false;
	if (args->segment && (!PAGE_ALIGNED(args->segment) || !is_power_of_2(args->segment) ||
			      args->segment > PAGE_SIZE << MAX_PAGE_ORDER))
		return false;
	if (args->memory == DMABUF_TEST_MIXED_MEMORY && args->size == PAGE_SIZE)
		return false;
	if (args->mode > DMABUF_TEST_REVOKING || args->memory > DMABUF_TEST_MIXED_MEMORY ||
	    args->flags & ~all_flags || args->poison > U8_MAX)
		return false;
	if (args->flags & DMABUF_TEST_NO_PIN && args->mode != DMABUF_TEST_REVOKING)
		return false;
	if (args->flags & DMABUF_TEST_KEEP_P2P && args->mode != DMABUF_TEST_MIGRATING)
		return false;
	return true;
}

struct dma_buf *dt_buffer_create(const struct dmabuf_test_create *args)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dt_buffer *buf;
	struct dma_buf *dmabuf;
	int ret;

	if (!dt_create_args_valid(args))
		return ERR_PTR(-EINVAL);

	buf = kzalloc(sizeof(*buf), GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->mode = args->mode;
	buf->flags = args->flags;
	buf->segment = args->segment >> PAGE_SHIFT;
	buf->move_delay_ms = args->move_delay_ms;
	buf->poison = args->poison;
	buf->kind = args->memory;
	INIT_LIST_HEAD(&buf->old);
	INIT_LIST_HEAD(&buf->mappings);
	mutex_init(&buf->fence_lock);
	INIT_LIST_HEAD(&buf->fences);
	spin_lock_init(&buf->behaviour_lock);
	init_waitqueue_head(&buf->unmapped);

	buf->mem = dt_memory_alloc(args->memory, args->size >> PAGE_SHIFT, buf->segment);
	if (IS_ERR(buf->mem)) {
		ret = PTR_ERR(buf->mem);
		goto err_free;
	}

	info.ops = dt_choose_ops(args);
	info.size = args->size;
	info.flags = args->flags & DMABUF_TEST_READ_ONLY ? O_RDONLY : O_RDWR;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_mem;
	}
	buf->dmabuf = dmabuf;
	return dmabuf;

err_mem:
	dt_memory_put(buf->mem);
err_free:
	kfree(buf);
	return ERR_PTR(ret);
}

/* NULL if it is another exporter's */
struct dt_buffer *dt_buffer_from(struct dma_buf *dmabuf)
{
	return dmabuf->ops->release == dt_release ? dmabuf->priv : NULL;
}

int dt_buffer_move(struct dt_buffer *buf, const struct dmabuf_test_move *args)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	int ret;

	if (args->memory > DMABUF_TEST_DEVICE_MEMORY || args->reserved)
		return -EINVAL;
	if (buf->mode != DMABUF_TEST_DYNAMIC && buf->mode != DMABUF_TEST_MIGRATING)
		return -EOPNOTSUPP;
	/* Or else it could not be mapped in one piece. */
	if (args->memory == DMABUF_TEST_DEVICE_MEMORY && buf->segment && buf->dmabuf->ops->vmap)
		return -EINVAL;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	if (!args->force && (buf->pins || buf->vmapped)) {
		dt_count(buf, DMABUF_TEST_REFUSED_MOVES);
		ret = -EBUSY;
	} else {
		ret = dt_move_locked(buf, args->memory);
	}
	dma_resv_unlock(resv);
	return ret;
}

static bool dt_is_unmapped(struct dt_buffer *buf)
{
	return list_empty_careful(&buf->mappings) && !READ_ONCE(buf->vmapped);
}

int dt_buffer_revoke(struct dt_buffer *buf, struct dmabuf_test_revoke *args)
{
	long timeout = msecs_to_jiffies(args->timeout_ms), left;
	struct dma_resv *resv = buf->dmabuf->resv;
	unsigned int pins;
	ktime_t start;
	int ret;

	if (buf->mode != DMABUF_TEST_REVOKING)
		return -EOPNOTSUPP;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	WRITE_ONCE(buf->revoked, true);
	pins = buf->pins;
	start = ktime_get();
	dt_notify(buf);
	args->notify_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	args->dropped = pins - buf->pins;
	args->result = 0;

	left = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, true, timeout);
	if (left > 0)
		args->result |= DMABUF_TEST_FENCES_SIGNALLED;
	/* Whoever may still write to it has had its time: from here on it shows. */
	dt_zap(buf);
	dt_memory_fill(buf->mem, 0, buf->dmabuf->size, buf->poison);
	dma_resv_unlock(resv);

	left = wait_event_killable_timeout(buf->unmapped, dt_is_unmapped(buf), timeout);
	if (left > 0)
		args->result |= DMABUF_TEST_UNMAPPED;
	args->total_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	args->pinned = READ_ONCE(buf->pins);
	return left < 0 ? left : 0;
}

/* As vfio-pci: the importers are told of this as of a revoke. */
int dt_buffer_unrevoke(struct dt_buffer *buf)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	if (buf->revoked) {
		WRITE_ONCE(buf->revoked, false);
		dt_notify(buf);
	} else {
		ret = -EINVAL;
	}
	dma_resv_unlock(resv);
	return ret;
}

int dt_buffer_free_old(struct dt_buffer *buf)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	LIST_HEAD(old);
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	list_splice_init(&buf->old, &old);
	WRITE_ONCE(buf->num_old, 0);
	dma_resv_unlock(resv);
	dt_free_old_list(&old);
	return 0;
}

int dt_buffer_fence(struct dt_buffer *buf, unsigned int delay_ms)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = dt_fence_add(buf, delay_ms);
	dma_resv_unlock(resv);
	return ret;
}

void dt_buffer_counters(struct dt_buffer *buf, struct dmabuf_test_counters *args)
{
	unsigned int i;

	args->revoked = READ_ONCE(buf->revoked);
	args->memory = READ_ONCE(buf->kind);
	args->old_memory = READ_ONCE(buf->num_old);
	for (i = 0; i < DMABUF_TEST_NUM_COUNTERS; i++)
		args->count[i] = atomic_read(&buf->count[i]);
}

/* With a reference; ERR_PTR(-ENOENT) if the buffer did not have so many. */
struct dt_memory *dt_buffer_memory(struct dt_buffer *buf, unsigned int age)
{
	struct dt_memory *mem = ERR_PTR(-ENOENT), *old;
	struct dma_resv *resv = buf->dmabuf->resv;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ERR_PTR(ret);
	if (!age) {
		mem = dt_memory_get(buf->mem);
	} else {
		list_for_each_entry(old, &buf->old, node) {
			if (--age)
				continue;
			mem = dt_memory_get(old);
			break;
		}
	}
	dma_resv_unlock(resv);
	return mem;
}
