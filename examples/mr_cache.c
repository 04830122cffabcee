// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Not thread-safe: the caller has a lock, or a cache for each thread. A list is searched;
 * with more than some hundred regions take a hash table.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mr_cache.h"

struct entry {
	struct entry *next; /* used last comes first */
	struct ibv_mr *mr;
	ino_t inode;
	uint64_t offset;
	uint64_t length;
	int access;
	unsigned int users;
	bool revoked;
};

struct mr_cache {
	struct ibv_pd *pd;
	struct ibv_ext_dmabuf_event_channel *channel;
	uint32_t pin_flags;
	unsigned int unused;
	struct entry *entries;
};

struct mr_cache *mr_cache_create(struct ibv_pd *pd, unsigned int unused)
{
	struct mr_cache *cache = calloc(1, sizeof(*cache));
	struct ibv_ext_dmabuf_caps caps;

	if (!cache)
		return NULL;
	/* Consent where the device can: an exporter that may revoke refuses without it. */
	if (!ibv_ext_query_dmabuf_caps(pd->context, &caps) &&
	    caps.access_flags & IBV_EXT_ACCESS_DMABUF_ALLOW_REVOKE)
		cache->pin_flags = IBV_EXT_DMABUF_PIN_ALLOW_REVOKE;
	cache->pd = pd;
	cache->unused = unused;
	cache->channel = ibv_ext_create_dmabuf_event_channel(pd->context);
	if (!cache->channel || fcntl(cache->channel->fd, F_SETFL, O_NONBLOCK)) {
		mr_cache_destroy(cache);
		return NULL;
	}
	return cache;
}

static void unlink_entry(struct mr_cache *cache, struct entry *entry)
{
	struct entry **at = &cache->entries;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
}

static void free_entry(struct mr_cache *cache, struct entry *entry)
{
	unlink_entry(cache, entry);
	/* No event with this entry as its cookie comes after that. */
	ibv_ext_unwatch_dmabuf_mr(entry->mr, cache->channel);
	ibv_dereg_mr(entry->mr);
	free(entry);
}

/* A region whose memory is gone is not handed out again. Its last user drops it. */
static void take_events(struct mr_cache *cache)
{
	struct ibv_ext_dmabuf_event event;
	struct entry *entry;

	while (!ibv_ext_get_dmabuf_event(cache->channel, &event)) {
		entry = event.cookie;
		entry->revoked = true;
		if (!entry->users)
			free_entry(cache, entry);
	}
}

/* The oldest of those that nobody uses go. */
static void shrink(struct mr_cache *cache, unsigned int unused)
{
	struct entry *entry, *next;
	unsigned int seen = 0;

	for (entry = cache->entries; entry; entry = next) {
		next = entry->next;
		if (!entry->users && ++seen > unused)
			free_entry(cache, entry);
	}
}

static struct entry *find(struct mr_cache *cache, ino_t inode, uint64_t offset, uint64_t length,
			  int access)
{
	struct entry *entry;

	for (entry = cache->entries; entry; entry = entry->next)
		if (entry->inode == inode && entry->offset == offset && entry->length == length &&
		    entry->access == access && !entry->revoked)
			return entry;
	return NULL;
}

static struct entry *add(struct mr_cache *cache, int fd, const struct entry *wanted)
{
	struct ibv_ext_dmabuf_mr_attr attr = {
		.pin_flags = cache->pin_flags,
		.offset = wanted->offset,
		.length = wanted->length,
		.iova = wanted->offset,
		.fd = fd,
		.access = wanted->access,
	};
	struct entry *entry = malloc(sizeof(*entry));
	int err;

	if (!entry)
		return NULL;
	*entry = *wanted;
	entry->mr = ibv_ext_reg_dmabuf_mr(cache->pd, &attr, NULL);
	/* Unused regions may be what the limit is spent on. */
	if (!entry->mr && errno == ENOMEM) {
		shrink(cache, 0);
		entry->mr = ibv_ext_reg_dmabuf_mr(cache->pd, &attr, NULL);
	}
	if (!entry->mr) {
		free(entry);
		return NULL;
	}
	err = ibv_ext_watch_dmabuf_mr(entry->mr, cache->channel, entry);
	if (err) {
		ibv_dereg_mr(entry->mr);
		free(entry);
		errno = err;
		return NULL;
	}
	entry->next = cache->entries;
	cache->entries = entry;
	return entry;
}

struct ibv_mr *mr_cache_get(struct mr_cache *cache, int fd, uint64_t offset, uint64_t length,
			    int access)
{
	struct entry *entry;
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	take_events(cache);
	entry = find(cache, st.st_ino, offset, length, access);
	if (entry) {
		unlink_entry(cache, entry);
		entry->next = cache->entries;
		cache->entries = entry;
	} else {
		entry = add(cache, fd,
			    &(struct entry){ .inode = st.st_ino,
					     .offset = offset,
					     .length = length,
					     .access = access });
		if (!entry)
			return NULL;
	}
	entry->users++;
	return entry->mr;
}

void mr_cache_put(struct mr_cache *cache, struct ibv_mr *mr)
{
	struct entry *entry = cache->entries;

	while (entry->mr != mr)
		entry = entry->next;
	take_events(cache);
	if (!--entry->users && entry->revoked)
		free_entry(cache, entry);
	shrink(cache, cache->unused);
}

void mr_cache_destroy(struct mr_cache *cache)
{
	shrink(cache, 0);
	if (cache->channel)
		ibv_ext_destroy_dmabuf_event_channel(cache->channel);
	free(cache);
}
