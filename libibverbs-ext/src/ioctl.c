// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The uverbs ioctl, built from public headers only.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ext.h"

union ioctl_buffer {
	struct ib_uverbs_ioctl_hdr hdr;
	char bytes[sizeof(struct ib_uverbs_ioctl_hdr) +
		   EXT_MAX_ATTRS * sizeof(struct ib_uverbs_attr)];
};

int ext_ioctl_with(const struct ext_device *device, uint16_t object, uint16_t method,
		   struct ib_uverbs_attr *attrs, unsigned int num_attrs)
{
	union ioctl_buffer buf;

	memset(&buf, 0, sizeof(buf));
	buf.hdr.length = sizeof(buf.hdr) + num_attrs * sizeof(*attrs);
	buf.hdr.object_id = object;
	buf.hdr.method_id = method;
	buf.hdr.num_attrs = num_attrs;
	buf.hdr.driver_id = device->driver_id;
	/* After a failure @attrs may be sent again, so the kernel must not write into them. */
	if (num_attrs)
		memcpy(buf.hdr.attrs, attrs, num_attrs * sizeof(*attrs));
	if (ioctl(device->cmd_fd, RDMA_VERBS_IOCTL, &buf.hdr))
		return errno;
	if (num_attrs)
		memcpy(attrs, buf.hdr.attrs, num_attrs * sizeof(*attrs));
	return 0;
}
