// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The kernel wants the driver id of the device in every ioctl and libibverbs
 * keeps it to itself, so it is found here: by RDMA netlink, or, where netlink is
 * closed or does not tell, by trying.
 */
#include <errno.h>
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

int ext_check_driver_id(const struct ext_device *device)
{
	int err = ext_ioctl_with(device, UVERBS_OBJECT_DEVICE, NO_SUCH_METHOD, NULL, 0);

	return err == EPROTONOSUPPORT ? 0 : err;
}

static int try_driver_ids(struct ext_device *device)
{
	int err = EINVAL;

	for (device->driver_id = 0; device->driver_id < NUM_DRIVER_IDS; device->driver_id++) {
		err = ext_check_driver_id(device);
		if (err != EINVAL)
			break;
	}
	return err;
}

int ext_find_driver_id(struct ext_device *device, dev_t rdev)
{
	/*
	 * The context may be of a removed device whose number another one has
	 * taken: netlink's answer is good only if the device agrees.
	 */
	if (!ext_nldev_driver_id(rdev, &device->driver_id) && !ext_check_driver_id(device))
		return 0;
	return try_driver_ids(device);
}
