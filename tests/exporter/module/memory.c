// SPDX-License-Identifier: GPL-2.0
/*
 * The memory behind a dma-buf: system memory, or that of a PCI device.
 */

#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* What the pages of a buffer come in where it does not matter */
#define DT_LARGE_ORDER 9

/*
 * As GPU drivers do it: begin_cpu_access() and end_cpu_access() are where caches are cared for. An
 * importer may also map the memory for one device more than once.
 */
#define MAP_ATTRS DMA_ATTR_SKIP_CPU_SYNC

/**
 * struct dt_device - the PCI device whose memory is handed out
 * @phys: of the BAR
 * @vaddr: all of it
 * @npages: its size
 * @used: a bit for each page
 * @users: buffers' memory in it
 * @released: woken when @users drops to 0
 */
struct dt_device {
	phys_addr_t phys;
	void __iomem *vaddr;
	unsigned long npages;
	unsigned long *used;
	unsigned int users;
	wait_queue_head_t released;
};

/* For dt_device and what is in it, but for the constants. */
static DEFINE_MUTEX(pool_lock);
static struct dt_device *dt_device;

/* A multiple of a page that lies in one piece */
static struct page *alloc_piece(struct dt_memory *mem, unsigned long left, unsigned int *order)
{
	struct page *page;

	if (mem->segment) {
		*order = ilog2(mem->segment);
		return alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, *order);
	}

	*order = min_t(unsigned int, ilog2(left), DT_LARGE_ORDER);
	for (; *order; (*order)--) {
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN, *order);
		if (page)
			return page;
	}
	return alloc_page(GFP_KERNEL | __GFP_ZERO);
}

static void free_system(struct dt_memory *mem)
{
	unsigned long i;

	vunmap(mem->kept);
	for (i = 0; i < mem->system_pages && mem->pages[i]; i++)
		__free_page(mem->pages[i]);
	kvfree(mem->pages);
}

static int alloc_system(struct dt_memory *mem)
{
	struct page *page, *next;
	unsigned long n = 0, i;
	unsigned int order;
	LIST_HEAD(adjacent);
	int ret = -ENOMEM;

	mem->pages = kvcalloc(mem->system_pages, sizeof(*mem->pages), GFP_KERNEL);
	if (!mem->pages)
		return -ENOMEM;

	while (n < mem->system_pages) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			goto out;
		}
		page = alloc_piece(mem, mem->system_pages - n, &order);
		if (!page)
			goto out;
		/* Held back until the end, so that it does not come again. */
		if (mem->segment && n && page_to_pfn(page) == page_to_pfn(mem->pages[n - 1]) + 1) {
			list_add(&page->lru, &adjacent);
			continue;
		}

		split_page(page, order);
		for (i = 0; i < 1UL << order; i++) {
			if (n < mem->system_pages)
				mem->pages[n++] = page + i;
			else
				__free_page(page + i);
		}
		cond_resched();
	}
	ret = 0;

out:
	list_for_each_entry_safe(page, next, &adjacent, lru)
		__free_pages(page, ilog2(mem->segment));
	if (ret)
		free_system(mem);
	return ret;
}

/* This and the next for device memory only */
static unsigned long num_segments(const struct dt_memory *mem)
{
	return DIV_ROUND_UP(mem->npages - mem->system_pages, mem->segment);
}

/* The last one may be shorter. */
static unsigned long segment_pages(const struct dt_memory *mem, unsigned long segment)
{
	return min(mem->segment, mem->npages - mem->system_pages - segment * mem->segment);
}

static void free_device_locked(struct dt_memory *mem, unsigned long segments)
{
	lockdep_assert_held(&pool_lock);

	while (segments--)
		bitmap_clear(mem->device->used, mem->first[segments], segment_pages(mem, segments));
}

static void free_device(struct dt_memory *mem)
{
	mutex_lock(&pool_lock);
	free_device_locked(mem, num_segments(mem));
	if (!--mem->device->users)
		wake_up(&mem->device->released);
	mutex_unlock(&pool_lock);
	kvfree(mem->first);
}

static int alloc_device(struct dt_memory *mem)
{
	unsigned long start = 0, segments, npages, i;
	struct dt_device *device;
	int ret = 0;

	if (!mem->segment)
		mem->segment = mem->npages - mem->system_pages;
	segments = num_segments(mem);
	mem->first = kvcalloc(segments, sizeof(*mem->first), GFP_KERNEL);
	if (!mem->first)
		return -ENOMEM;

	mutex_lock(&pool_lock);
	device = dt_device;
	mem->device = device;
	if (!device) {
		ret = -ENODEV;
		goto out;
	}
	for (i = 0; i < segments; i++) {
		npages = segment_pages(mem, i);
		start = bitmap_find_next_zero_area(device->used, device->npages, start, npages, 0);
		if (start >= device->npages) {
			free_device_locked(mem, i);
			ret = -ENOSPC;
			goto out;
		}
		bitmap_set(device->used, start, npages);
		mem->first[i] = start;
		/* One page apart, so that the next is not adjacent. */
		start += npages + 1;
	}
	device->users++;

out:
	mutex_unlock(&pool_lock);
	if (ret)
		kvfree(mem->first);
	else
		dt_memory_fill(mem, 0, (u64)mem->npages << PAGE_SHIFT, 0);
	return ret;
}

static unsigned long system_pages(enum dmabuf_test_memory kind, unsigned long npages)
{
	switch (kind) {
	case DMABUF_TEST_SYSTEM:
		return npages;
	case DMABUF_TEST_MIXED_MEMORY:
		return npages / 2;
	default:
		return 0;
	}
}

/*
 * Returns zeroed memory, or an ERR_PTR: ENODEV, there is no device; ENOSPC, it
 * has no such memory left.
 */
struct dt_memory *dt_memory_alloc(enum dmabuf_test_memory kind, unsigned long npages,
				  unsigned long segment)
{
	struct dt_memory *mem;
	int ret = 0;

	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	kref_init(&mem->ref);
	INIT_LIST_HEAD(&mem->node);
	mem->kind = kind;
	mem->npages = npages;
	mem->segment = segment;
	mem->system_pages = system_pages(kind, npages);

	if (mem->system_pages)
		ret = alloc_system(mem);
	if (!ret && mem->system_pages < npages) {
		ret = alloc_device(mem);
		if (ret && mem->system_pages)
			free_system(mem);
	}
	if (ret) {
		kfree(mem);
		return ERR_PTR(ret);
	}
	return mem;
}

struct dt_memory *dt_memory_get(struct dt_memory *mem)
{
	kref_get(&mem->ref);
	return mem;
}

static void memory_release(struct kref *ref)
{
	struct dt_memory *mem = container_of(ref, struct dt_memory, ref);

	if (mem->system_pages)
		free_system(mem);
	if (mem->system_pages < mem->npages)
		free_device(mem);
	kfree(mem);
}

void dt_memory_put(struct dt_memory *mem)
{
	kref_put(&mem->ref, memory_release);
}

/* In pages from the start of the device's memory */
static unsigned long device_page(const struct dt_memory *mem, unsigned long page)
{
	page -= mem->system_pages;
	return mem->first[page / mem->segment] + page % mem->segment;
}

unsigned long dt_memory_pfn(const struct dt_memory *mem, unsigned long page)
{
	if (page < mem->system_pages)
		return page_to_pfn(mem->pages[page]);
	return PHYS_PFN(mem->device->phys) + device_page(mem, page);
}

static void __iomem *device_vaddr(const struct dt_memory *mem, unsigned long page)
{
	return mem->device->vaddr + (device_page(mem, page) << PAGE_SHIFT);
}

/* Where the CPU reaches one page, until the matching unmap_page(). */
static void map_page(struct dt_memory *mem, unsigned long page, struct iosys_map *map)
{
	if (page < mem->system_pages)
		iosys_map_set_vaddr(map, kmap_local_page(mem->pages[page]));
	else
		iosys_map_set_vaddr_iomem(map, device_vaddr(mem, page));
}

static void unmap_page(struct iosys_map *map)
{
	if (!map->is_iomem)
		kunmap_local(map->vaddr);
}

/* Both are as large as each other. */
void dt_memory_copy(struct dt_memory *to, struct dt_memory *from)
{
	struct iosys_map to_map, from_map;
	unsigned long i, n;
	u64 part[32];

	for (i = 0; i < to->npages; i++) {
		map_page(from, i, &from_map);
		map_page(to, i, &to_map);
		for (n = 0; n < PAGE_SIZE; n += sizeof(part)) {
			iosys_map_memcpy_from(part, &from_map, n, sizeof(part));
			iosys_map_memcpy_to(&to_map, n, part, sizeof(part));
		}
		unmap_page(&to_map);
		unmap_page(&from_map);
		cond_resched();
	}
}

/* The caller checked the range here and in dt_memory_find_other(). */
void dt_memory_fill(struct dt_memory *mem, u64 offset, u64 length, u8 value)
{
	struct iosys_map map;
	size_t part;

	for (; length; offset += part, length -= part) {
		part = min_t(u64, length, PAGE_SIZE - offset_in_page(offset));
		map_page(mem, offset >> PAGE_SHIFT, &map);
		iosys_map_memset(&map, offset_in_page(offset), value, part);
		unmap_page(&map);
		cond_resched();
	}
}

/* Returns the offset of the first byte that is not @value, or U64_MAX. */
u64 dt_memory_find_other(struct dt_memory *mem, u64 offset, u64 length, u8 value, u8 *found)
{
	u8 copy[256];
	struct iosys_map map;
	size_t part;
	u8 *other;

	for (; length; offset += part, length -= part) {
		part = min_t(u64, length, sizeof(copy) - offset % sizeof(copy));
		map_page(mem, offset >> PAGE_SHIFT, &map);
		iosys_map_memcpy_from(copy, &map, offset_in_page(offset), part);
		unmap_page(&map);
		other = memchr_inv(copy, value, part);
		if (other) {
			*found = *other;
			return offset + (other - copy);
		}
		if (PAGE_ALIGNED(offset))
			cond_resched();
	}
	return U64_MAX;
}

int dt_memory_vmap(struct dt_memory *mem, struct iosys_map *map)
{
	void *vaddr;

	if (mem->kind == DMABUF_TEST_DEVICE_MEMORY) {
		/* An address in steps cannot be had for it. */
		if (num_segments(mem) > 1)
			return -EOPNOTSUPP;
		iosys_map_set_vaddr_iomem(map, device_vaddr(mem, 0));
		return 0;
	}

	vaddr = mem->kept;
	if (!vaddr)
		vaddr = vmap(mem->pages, mem->npages, VM_MAP, PAGE_KERNEL);
	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

void dt_memory_vunmap(struct dt_memory *mem, struct iosys_map *map, bool keep)
{
	if (mem->kind != DMABUF_TEST_SYSTEM)
		return;
	if (keep)
		mem->kept = map->vaddr;
	else
		vunmap(map->vaddr);
}

static void unmap_entries(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
			  unsigned int n, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgt->sgl, sg, n, i) {
		if (i < mem->system_pages)
			dma_unmap_page_attrs(dev, sg_dma_address(sg), sg_dma_len(sg), dir,
					     MAP_ATTRS);
		else
			dma_unmap_resource(dev, sg_dma_address(sg), sg_dma_len(sg), dir, MAP_ATTRS);
	}
}

/* A page of system memory, or a segment of the device's */
static dma_addr_t map_entry(struct dt_memory *mem, struct device *dev, unsigned int i,
			    size_t *length, enum dma_data_direction dir)
{
	unsigned long segment = i - mem->system_pages;

	if (i < mem->system_pages) {
		*length = PAGE_SIZE;
		return dma_map_page_attrs(dev, mem->pages[i], 0, PAGE_SIZE, dir, MAP_ATTRS);
	}
	*length = segment_pages(mem, segment) << PAGE_SHIFT;
	return dma_map_resource(dev, mem->device->phys + (mem->first[segment] << PAGE_SHIFT),
				*length, dir, MAP_ATTRS);
}

/* As GPU drivers do it: only DMA addresses, no struct pages, no lengths for the CPU. */
static int map_entries(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct scatterlist *sg;
	dma_addr_t addr;
	size_t length;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(sgt, mem->system_pages + num_segments(mem), GFP_KERNEL);
	if (ret)
		return ret;

	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, NULL, 0, 0);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		addr = map_entry(mem, dev, i, &length, dir);
		if (dma_mapping_error(dev, addr)) {
			unmap_entries(mem, dev, sgt, i, dir);
			sg_free_table(sgt);
			return -EIO;
		}
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = length;
	}
	return 0;
}

int dt_memory_map(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
		  enum dma_data_direction dir)
{
	int ret;

	if (mem->kind != DMABUF_TEST_SYSTEM)
		return map_entries(mem, dev, sgt, dir);

	ret = sg_alloc_table_from_pages(sgt, mem->pages, mem->npages, 0,
					(size_t)mem->npages << PAGE_SHIFT, GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, sgt, dir, MAP_ATTRS);
	if (ret)
		sg_free_table(sgt);
	return ret;
}

void dt_memory_unmap(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	if (mem->kind != DMABUF_TEST_SYSTEM)
		unmap_entries(mem, dev, sgt, sgt->nents, dir);
	else
		dma_unmap_sgtable(dev, sgt, dir, MAP_ATTRS);
	sg_free_table(sgt);
}

static int largest_bar(struct pci_dev *pdev)
{
	resource_size_t size = 0;
	int bar = -ENODEV, i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (pci_resource_flags(pdev, i) & IORESOURCE_MEM &&
		    pci_resource_len(pdev, i) > size) {
			size = pci_resource_len(pdev, i);
			bar = i;
		}
	}
	return bar;
}

static int dt_device_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct dt_device *device;
	int bar, ret;

	device = devm_kzalloc(&pdev->dev, sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;

	bar = largest_bar(pdev);
	if (bar < 0)
		return bar;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_request_region(pdev, bar, DMABUF_TEST_NAME);
	if (ret)
		return ret;

	device->phys = pci_resource_start(pdev, bar);
	device->npages = pci_resource_len(pdev, bar) >> PAGE_SHIFT;
	device->vaddr = devm_ioremap_wc(&pdev->dev, device->phys, pci_resource_len(pdev, bar));
	device->used = devm_bitmap_zalloc(&pdev->dev, device->npages, GFP_KERNEL);
	if (!device->vaddr || !device->used)
		return -ENOMEM;
	init_waitqueue_head(&device->released);
	pci_set_drvdata(pdev, device);

	mutex_lock(&pool_lock);
	if (dt_device)
		ret = -EBUSY;
	else
		dt_device = device;
	mutex_unlock(&pool_lock);
	return ret;
}

static void dt_device_remove(struct pci_dev *pdev)
{
	struct dt_device *device = pci_get_drvdata(pdev);

	mutex_lock(&pool_lock);
	dt_device = NULL;
	mutex_unlock(&pool_lock);

	/* Its buffers cannot do without. Unloading the module finds none. */
	wait_event(device->released, !READ_ONCE(device->users));
	/* Whoever was the last is done with the device when the lock is free. */
	mutex_lock(&pool_lock);
	mutex_unlock(&pool_lock);
}

/* QEMU's ivshmem-plain; others by way of the driver's new_id file in sysfs. */
static const struct pci_device_id dt_device_ids[] = {
	{ PCI_VDEVICE(REDHAT_QUMRANET, 0x1110) },
	{},
};
MODULE_DEVICE_TABLE(pci, dt_device_ids);

static struct pci_driver dt_device_driver = {
	.name = DMABUF_TEST_NAME,
	.id_table = dt_device_ids,
	.probe = dt_device_probe,
	.remove = dt_device_remove,
};

int dt_device_register(void)
{
	return pci_register_driver(&dt_device_driver);
}

void dt_device_unregister(void)
{
	pci_unregister_driver(&dt_device_driver);
}
