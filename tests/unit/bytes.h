/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the kernel is sent, byte by byte: numbers in the machine's own order.
 */
#ifndef BYTES_H
#define BYTES_H

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE(value, index, size) ((uint64_t)(value) >> (8 * (index)) & 0xff)
#else
#define BYTE(value, index, size) ((uint64_t)(value) >> (8 * ((size) - 1 - (index))) & 0xff)
#endif

#define U16(value) BYTE(value, 0, 2), BYTE(value, 1, 2)
#define U32(value) BYTE(value, 0, 4), BYTE(value, 1, 4), BYTE(value, 2, 4), BYTE(value, 3, 4)
#define U64(value)                                                                  \
	BYTE(value, 0, 8), BYTE(value, 1, 8), BYTE(value, 2, 8), BYTE(value, 3, 8), \
		BYTE(value, 4, 8), BYTE(value, 5, 8), BYTE(value, 6, 8), BYTE(value, 7, 8)

/* struct ib_uverbs_ioctl_hdr, to the driver 14 */
#define IOCTL(length, object, method, num_attrs) \
	U16(length), U16(object), U16(method), U16(num_attrs), U64(0), U32(14), U32(0)
/* struct ib_uverbs_attr: the first half, mandatory; and with what follows */
#define ATTR(id, size) U16(id), U16(size), U16(1), U16(0)
#define ATTR_OBJECT(id, value) ATTR(id, 0), U64(value)
#define ATTR_U64(id, value) ATTR(id, 8), U64(value)
#define ATTR_U32(id, value) ATTR(id, 4), U32(value), U32(0)

#endif /* BYTES_H */
