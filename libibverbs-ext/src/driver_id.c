// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The kernel wants the driver id of the device in every ioctl and libibverbs
 * keeps it to itself, so it is found here: by RDMA netlink, or, where netlink is
 * closed or does not tell, by trying.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <rdma/ib_user_ioctl_cmds.h>

#include "ext.h"

/*
 * No kernel has such a method, whatever it may learn: method keys have five
 * bits. The kernel looks at the driver id first (EINVAL) and at the method then
 * (EPROTONOSUPPORT).
 */
#define NO_SUCH_METHOD 0x0fff

/* enum rdma_driver_id grows from the bottom; there were 20 in 2024. */
#define NUM_DRIVER_IDS 64

/*
 * Indexed by device number. An entry is one word, so that neither threads nor
 * fork need a lock; two devices that share an entry only ask more often.
 */
#define CACHE_SIZE 256
#define ENTRY_VALID (1ULL << 31)

static _Atomic uint64_t cache[CACHE_SIZE];

static _Atomic uint64_t *cache_entry(dev_t rdev)
{
	return &cache[minor(rdev) % CACHE_SIZE];
}

/* The kernel's device numbers have 12 + 20 bits, driver ids far fewer than 31. */
static uint64_t cache_key(dev_t rdev)
{
	return (uint64_t)major(rdev) << 52 | (uint64_t)minor(rdev) << 32 | ENTRY_VALID;
}

static bool cache_lookup(dev_t rdev, uint32_t *id)
{
	uint64_t entry = atomic_load_explicit(cache_entry(rdev), memory_order_relaxed);

	*id = entry & (ENTRY_VALID - 1);
	return (entry & ~(ENTRY_VALID - 1)) == cache_key(rdev);
}

static void cache_store(dev_t rdev, uint32_t id)
{
	atomic_store_explicit(cache_entry(rdev), cache_key(rdev) | id, memory_order_relaxed);
}

static int uverbs_number(int cmd_fd, dev_t *rdev)
{
	struct stat st;

	if (fstat(cmd_fd, &st))
		return errno;
	if (!S_ISCHR(st.st_mode))
		return ENOTTY;
	*rdev = st.st_rdev;
	return 0;
}

int ext_check_driver_id(int cmd_fd, uint32_t id)
{
	int err = ext_ioctl_as(id, cmd_fd, UVERBS_OBJECT_DEVICE, NO_SUCH_METHOD, NULL, 0);

	return err == EPROTONOSUPPORT ? 0 : err;
}

static int try_driver_ids(int cmd_fd, uint32_t *id)
{
	int err = EINVAL;

	for (*id = 0; *id < NUM_DRIVER_IDS; (*id)++) {
		err = ext_check_driver_id(cmd_fd, *id);
		if (err != EINVAL)
			break;
	}
	return err;
}

int ext_find_driver_id(int cmd_fd, uint32_t *id)
{
	dev_t rdev;
	int err;

	err = uverbs_number(cmd_fd, &rdev);
	if (err)
		return err;

	/*
	 * @cmd_fd may belong to a removed device whose number another one has
	 * taken: netlink's answer is good only if the device agrees.
	 */
	if (ext_nldev_driver_id(rdev, id) || ext_check_driver_id(cmd_fd, *id)) {
		err = try_driver_ids(cmd_fd, id);
		if (err)
			return err;
	}
	cache_store(rdev, *id);
	return 0;
}

int ext_get_driver_id(int cmd_fd, uint32_t *id, bool *cached)
{
	dev_t rdev;
	int err;

	err = uverbs_number(cmd_fd, &rdev);
	if (err)
		return err;

	*cached = cache_lookup(rdev, id);
	return *cached ? 0 : ext_find_driver_id(cmd_fd, id);
}
