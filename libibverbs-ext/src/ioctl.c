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

int ext_ioctl_as(uint32_t driver_id, int cmd_fd, uint16_t object, uint16_t method,
		 struct ib_uverbs_attr *attrs, unsigned int num_attrs)
{
	union ioctl_buffer buf;

	memset(&buf, 0, sizeof(buf));
	buf.hdr.length = sizeof(buf.hdr) + num_attrs * sizeof(*attrs);
	buf.hdr.object_id = object;
	buf.hdr.method_id = method;
	buf.hdr.num_attrs = num_attrs;
	buf.hdr.driver_id = driver_id;
	/* the kernel writes into the attributes; after a failure they may be sent again */
	if (num_attrs)
		memcpy(buf.hdr.attrs, attrs, num_attrs * sizeof(*attrs));
	if (ioctl(cmd_fd, RDMA_VERBS_IOCTL, &buf.hdr))
		return errno;
	if (num_attrs)
		memcpy(attrs, buf.hdr.attrs, num_attrs * sizeof(*attrs));
	return 0;
}

int ext_ioctl(int cmd_fd, uint16_t object, uint16_t method, struct ib_uverbs_attr *attrs,
	      unsigned int num_attrs)
{
	uint32_t id;
	bool cached;
	int err;

	err = ext_get_driver_id(cmd_fd, &id, &cached);
	if (err)
		return err;

	err = ext_ioctl_as(id, cmd_fd, object, method, attrs, num_attrs);
	if (err != EINVAL || !cached)
		return err;

	/* EINVAL is the method's own answer, or says that the id is out of date. */
	if (ext_check_driver_id(cmd_fd, id) != EINVAL)
		return EINVAL;
	err = ext_find_driver_id(cmd_fd, &id);
	if (err)
		return err;
	return ext_ioctl_as(id, cmd_fd, object, method, attrs, num_attrs);
}
