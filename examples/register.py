#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""register.py [DEVICE]: registers a dma-buf of a DMA heap as a pinned region.

Says what it is, or why it is none.
"""
import fcntl
import os
import struct
import sys

import pyverbs_ext
from pyverbs.device import Context, get_device_list
from pyverbs.pd import PD

SIZE = 1 << 20
# IBV_ACCESS_LOCAL_WRITE, _REMOTE_WRITE, _REMOTE_READ, which are in another
# module of pyverbs in each of its releases
ACCESS = 1 | 2 | 4
DMA_HEAP_IOCTL_ALLOC = 0xc0184800


def allocate(size):
    """A dma-buf of the DMA heap "system"; see linux/dma-heap.h."""
    heap = os.open('/dev/dma_heap/system', os.O_RDONLY | os.O_CLOEXEC)
    try:
        request = struct.pack('=QIIQ', size, 0, os.O_RDWR | os.O_CLOEXEC, 0)
        answer = fcntl.ioctl(heap, DMA_HEAP_IOCTL_ALLOC, request)
    finally:
        os.close(heap)
    return struct.unpack('=QIIQ', answer)[1]


def main():
    if len(sys.argv) > 1:
        name = sys.argv[1]
    else:
        name = get_device_list()[0].name.decode()
    fd = allocate(SIZE)
    with Context(name=name) as context, PD(context) as pd:
        try:
            mr = pyverbs_ext.PinnedDmaBufMR(context, pd, SIZE, ACCESS, fd)
        except pyverbs_ext.DmaBufRegistrationError as ex:
            sys.exit(f'not registered: {ex.report.reason_str}')
        with mr:
            print(f'registered: lkey 0x{mr.lkey:x}, rkey 0x{mr.rkey:x}')
            info = mr.info
            print(f'{info.exporter}, {info.dmabuf_size} bytes, inode '
                  f'{info.dmabuf_inode}; {info.charged} bytes charged')
            mr.write(b'written by the CPU', 18)
    os.close(fd)


if __name__ == '__main__':
    main()
