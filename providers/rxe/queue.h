/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The rings shared with the kernel's rxe driver. Nothing outside this file
 * knows their layout.
 *
 * A ring is one mapping: struct rxe_queue_buf with the two indices, then
 * index_mask + 1 slots of 1 << log2_elem_size bytes. The producer owns
 * producer_index, the consumer owns consumer_index; both stay within
 * index_mask, and a ring with equal indices is empty, so that one slot always
 * stays unused. User space produces work requests and consumes completions.
 *
 * The header lies in memory that anybody who has the mapping can write.
 * Geometry and our own index are therefore kept in struct rxe_ring, checked
 * once against the size of the mapping, and whatever is read from the other
 * side is masked: a scribbled header may yield wrong work, never an access
 * outside the mapping.
 *
 * Locking is the caller's: one thread at a time on our side of a ring.
 */
#ifndef RXE_QUEUE_H
#define RXE_QUEUE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rdma/rdma_user_rxe.h>

struct rxe_ring {
	struct rxe_queue_buf *buf;
	uint32_t mask;
	size_t slot_size;
	uint32_t index;	 /* ours: the next slot to fill, or to read */
	uint32_t seen;	 /* by a producer: the consumer's index when it last looked */
	size_t map_size; /* 0: nothing is mapped */
};

/*
 * Where nothing is mapped, a ring is this: always empty, and always full.
 * Posting and polling then need no look at whether there is a ring.
 */
extern struct rxe_queue_buf rxe_no_ring;

static inline void rxe_ring_init(struct rxe_ring *ring)
{
	*ring = (struct rxe_ring){ .buf = &rxe_no_ring };
}

static inline bool rxe_ring_mapped(const struct rxe_ring *ring)
{
	return ring->map_size;
}

/**
 * rxe_ring_attach() - take charge of a mapped ring
 * @ring:	filled on success, untouched otherwise
 * @buf:	start of the mapping
 * @map_size:	its size
 * @slot_size:	what a slot must at least hold
 *
 * Return: 0 or EPROTO if the header does not fit the mapping.
 */
static inline int rxe_ring_attach(struct rxe_ring *ring, void *buf, size_t map_size,
				  size_t slot_size)
{
	struct rxe_queue_buf *q = buf;
	uint32_t shift, mask;

	if (map_size < sizeof(*q))
		return EPROTO;

	shift = __atomic_load_n(&q->log2_elem_size, __ATOMIC_RELAXED);
	mask = __atomic_load_n(&q->index_mask, __ATOMIC_RELAXED);
	if (shift > 31 || mask == UINT32_MAX || (mask & (mask + 1)))
		return EPROTO;
	if (((uint64_t)1 << shift) < slot_size)
		return EPROTO;
	if (((uint64_t)mask + 1) << shift > map_size - sizeof(*q))
		return EPROTO;

	ring->buf = q;
	ring->mask = mask;
	ring->slot_size = (size_t)1 << shift;
	ring->map_size = map_size;
	return 0;
}

/* Take up our index where the kernel left it, as after a resize. */
static inline void rxe_ring_resume_producer(struct rxe_ring *ring)
{
	ring->index = __atomic_load_n(&ring->buf->producer_index, __ATOMIC_RELAXED) & ring->mask;
	ring->seen = __atomic_load_n(&ring->buf->consumer_index, __ATOMIC_ACQUIRE) & ring->mask;
}

static inline void rxe_ring_resume_consumer(struct rxe_ring *ring)
{
	ring->index = __atomic_load_n(&ring->buf->consumer_index, __ATOMIC_RELAXED) & ring->mask;
}

/* @index: within the mask, as all are that are kept or computed here */
static inline void *rxe_ring_slot(const struct rxe_ring *ring, uint32_t index)
{
	return ring->buf->data + index * ring->slot_size;
}

/**
 * rxe_ring_reserve() - the next slot to fill
 *
 * Nothing is visible to the kernel before rxe_ring_publish().
 *
 * Return: the slot, or NULL if the ring is full.
 */
static inline void *rxe_ring_reserve(struct rxe_ring *ring)
{
	uint32_t index = ring->index;
	uint32_t next = (index + 1) & ring->mask;

	if (next == ring->seen) {
		/* acquire: the kernel is done with the slots it released */
		ring->seen = __atomic_load_n(&ring->buf->consumer_index, __ATOMIC_ACQUIRE) &
			     ring->mask;
		if (next == ring->seen)
			return NULL;
	}
	return rxe_ring_slot(ring, index);
}

/* Our slot is filled, or read. */
static inline void rxe_ring_advance(struct rxe_ring *ring)
{
	ring->index = (ring->index + 1) & ring->mask;
}

/* Hand every filled slot to the kernel. */
static inline void rxe_ring_publish(struct rxe_ring *ring)
{
	__atomic_store_n(&ring->buf->producer_index, ring->index, __ATOMIC_RELEASE);
}

/**
 * rxe_ring_peek() - the next slot to read
 *
 * Return: the slot, or NULL if the ring is empty. It stays ours until
 * rxe_ring_release().
 */
static inline const void *rxe_ring_peek(const struct rxe_ring *ring)
{
	const struct rxe_queue_buf *buf = ring->buf;
	uint32_t index = ring->index;

	/* acquire: what the kernel wrote before it moved the index */
	if (index == __atomic_load_n(&buf->producer_index, __ATOMIC_ACQUIRE))
		return NULL;
	return buf->data + index * ring->slot_size;
}

/**
 * rxe_ring_run() - which slots from @first on are there to read
 * @last:	set to the last of those that lie side by side
 *
 * Return: whether there is any.
 */
static inline bool rxe_ring_run(const struct rxe_ring *ring, uint32_t first, uint32_t *last)
{
	const uint32_t mask = ring->mask;
	const uint32_t end = __atomic_load_n(&ring->buf->producer_index, __ATOMIC_ACQUIRE) & mask;

	*last = end > first ? end - 1 : mask;
	return end != first;
}

/* So many slots are read. */
static inline void rxe_ring_skip(struct rxe_ring *ring, uint32_t count)
{
	ring->index = (ring->index + count) & ring->mask;
}

/* Give every slot that was read and advanced over back to the kernel. */
static inline void rxe_ring_release(struct rxe_ring *ring)
{
	__atomic_store_n(&ring->buf->consumer_index, ring->index, __ATOMIC_RELEASE);
}

/* Forget the slots filled since our index was @index; they must not be published. */
static inline void rxe_ring_rewind(struct rxe_ring *ring, uint32_t index)
{
	ring->index = index & ring->mask;
}

/**
 * rxe_ring_drop() - take entries out of what is still to be read
 * @ring:	a ring of completions
 * @match:	says which are to go
 * @key:	passed to @match
 *
 * The others keep their order and move towards the producer's end.
 */
static inline void rxe_ring_drop(struct rxe_ring *ring,
				 bool (*match)(const void *slot, uint32_t key), uint32_t key)
{
	uint32_t from, to;

	from = __atomic_load_n(&ring->buf->producer_index, __ATOMIC_ACQUIRE) & ring->mask;
	to = from;

	while (from != ring->index) {
		from = (from - 1) & ring->mask;
		if (match(rxe_ring_slot(ring, from), key))
			continue;
		to = (to - 1) & ring->mask;
		if (to != from)
			memcpy(rxe_ring_slot(ring, to), rxe_ring_slot(ring, from), ring->slot_size);
	}

	ring->index = to;
	rxe_ring_release(ring);
}

int rxe_ring_map(struct rxe_ring *ring, int fd, const struct mminfo *info, size_t slot_size);
void rxe_ring_unmap(struct rxe_ring *ring);

#endif /* RXE_QUEUE_H */
