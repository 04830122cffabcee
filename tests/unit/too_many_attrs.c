// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Must not compile: seven attributes, where an ioctl has room for six.
 */
#include "ext.h"

int too_many(const struct ext_device *device);

int too_many(const struct ext_device *device)
{
	struct ib_uverbs_attr attrs[EXT_MAX_ATTRS + 1] = {};

	return ext_ioctl(device, 0, 0, attrs);
}
