/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the test exporter share.
 *
 * Lock order: mmap_lock, or the importer's lock; then the dma-buf's reservation
 * lock; then that of the fences; then that of the device memory. The behaviours'
 * lock is innermost.
 */
#ifndef DT_INTERNAL_H
#define DT_INTERNAL_H

#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "../dmabuf_test.h"
#include "../linux_versions.h"

struct device;
struct dt_device;
struct iosys_map;

/**
 * struct dt_memory - what is behind a dma-buf
 * @ref: references
 * @node: in &dt_buffer.old
 * @kind: where it is
 * @npages: size
 * @system_pages: how many of them, the first ones, are system memory
 * @segment: pages that lie next to each other; 0 for system memory: nobody cares
 * @pages: system memory
 * @device: device memory: the device
 * @first: device memory: where each segment starts, in pages
 * @kept: system memory: a vmap that stays, or NULL
 */
struct dt_memory {
	struct kref ref;
	struct list_head node;
	enum dmabuf_test_memory kind;
	unsigned long npages;
	unsigned long system_pages;
	unsigned long segment;
	struct page **pages;
	struct dt_device *device;
	unsigned long *first;
	void *kept;
};

struct dt_memory *dt_memory_alloc(enum dmabuf_test_memory kind, unsigned long npages,
				  unsigned long segment);
struct dt_memory *dt_memory_get(struct dt_memory *mem);
void dt_memory_put(struct dt_memory *mem);
unsigned long dt_memory_pfn(const struct dt_memory *mem, unsigned long page);
void dt_memory_copy(struct dt_memory *to, struct dt_memory *from);
void dt_memory_fill(struct dt_memory *mem, u64 offset, u64 length, u8 value);
u64 dt_memory_find_other(struct dt_memory *mem, u64 offset, u64 length, u8 value, u8 *found);
int dt_memory_vmap(struct dt_memory *mem, struct iosys_map *map);
void dt_memory_vunmap(struct dt_memory *mem, struct iosys_map *map, bool keep);
int dt_memory_map(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
		  enum dma_data_direction dir);
void dt_memory_unmap(struct dt_memory *mem, struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir);
int dt_device_register(void);
void dt_device_unregister(void);

/**
 * struct dt_buffer - the private part of a dma-buf
 * @dmabuf: the dma-buf
 * @mode: enum dmabuf_test_mode
 * @flags: enum dmabuf_test_flags
 * @segment: in pages, of the memory, also of that it moves to; or 0
 * @move_delay_ms: see struct dmabuf_test_create
 * @poison: likewise
 * @mem: the memory; this and all up to @num_old under the reservation lock
 * @old: memory that it left, latest first
 * @vmapped: the memory that dma-buf's vmap shows
 * @mappings: struct dt_mapping
 * @pins: how often it is pinned
 * @revoked: read without the lock, too; as what follows
 * @kind: where @mem is
 * @num_old: length of @old
 * @fence_lock: for @fences
 * @fences: struct dt_fence
 * @behaviour_lock: for @behaviour
 * @behaviour: what each operation does instead of succeeding at once
 * @unmapped: woken when a mapping or a vmap is gone
 * @count: enum dmabuf_test_counter; attach and detach come without any lock
 */
struct dt_buffer {
	struct dma_buf *dmabuf;
	enum dmabuf_test_mode mode;
	u32 flags;
	unsigned long segment;
	unsigned int move_delay_ms;
	u8 poison;

	struct dt_memory *mem;
	struct list_head old;
	struct dt_memory *vmapped;
	struct list_head mappings;
	unsigned int pins;
	bool revoked;
	enum dmabuf_test_memory kind;
	unsigned int num_old;

	struct mutex fence_lock; /* for fences */
	struct list_head fences;

	spinlock_t behaviour_lock; /* for behaviour */
	struct dmabuf_test_behave behaviour[DMABUF_TEST_NUM_OPS];

	wait_queue_head_t unmapped;
	atomic_t count[DMABUF_TEST_NUM_COUNTERS];
};

struct dma_buf *dt_buffer_create(const struct dmabuf_test_create *args);
struct dt_buffer *dt_buffer_from(struct dma_buf *dmabuf);
int dt_buffer_behave(struct dt_buffer *buf, const struct dmabuf_test_behave *args);
int dt_buffer_move(struct dt_buffer *buf, const struct dmabuf_test_move *args);
int dt_buffer_revoke(struct dt_buffer *buf, struct dmabuf_test_revoke *args);
int dt_buffer_unrevoke(struct dt_buffer *buf);
int dt_buffer_free_old(struct dt_buffer *buf);
int dt_buffer_fence(struct dt_buffer *buf, unsigned int delay_ms);
void dt_buffer_counters(struct dt_buffer *buf, struct dmabuf_test_counters *args);
struct dt_memory *dt_buffer_memory(struct dt_buffer *buf, unsigned int age);

int dt_fence_init(void);
void dt_fence_exit(void);
int dt_fence_add(struct dt_buffer *buf, unsigned int delay_ms);
int dt_fence_add_copy(struct dt_buffer *buf, struct dt_memory *to);
void dt_fence_signal_all(struct dt_buffer *buf);

int dt_delay_set(const void *owner, const struct dmabuf_test_delay *args);
int dt_delay_read(struct dmabuf_test_delayed *args);
void dt_delay_close(const void *owner);
void dt_delay_notification(void);

struct dt_importer;

struct dt_importer *dt_importer_create(struct device *dev);
void dt_importer_destroy(struct dt_importer *imp);
int dt_importer_attach(struct dt_importer *imp, const struct dmabuf_test_attach *args);
int dt_importer_step(struct dt_importer *imp, enum dmabuf_test_step step);
int dt_importer_state(struct dt_importer *imp, struct dmabuf_test_importer *state);
int dt_importer_poke(struct dt_importer *imp, const struct dmabuf_test_poke *args);

#endif /* DT_INTERNAL_H */
