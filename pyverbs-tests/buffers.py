# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""dma-bufs from the exporters that every machine has."""
import fcntl
import mmap
import os
import re
import struct

PAGE = mmap.PAGESIZE

_UDMABUF_CREATE = 0x40187542
_UDMABUF_FLAGS_CLOEXEC = 1
_DMA_HEAP_IOCTL_ALLOC = 0xc0184800
_DMA_BUF_IOCTL_SYNC = 0x40086200
_SYNC_READ, _SYNC_RW = 1, 3
_SYNC_START, _SYNC_END = 0, 4

MFD_HUGETLB = 4

_F_ADD_SEALS = 1033
_F_SEAL_SHRINK = 2


def round_up(size, unit=PAGE):
    """The next multiple of unit."""
    return (size + unit - 1) // unit * unit


class DmaBuf:
    """A dma-buf; read() and write() are the CPU's, through its own mapping."""

    def __init__(self, fd, size):
        self.fd = fd
        self.size = size

    def close(self):
        """Give the fd back; regions keep the memory."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    @property
    def inode(self):
        """The number that names it in debugfs."""
        return os.fstat(self.fd).st_ino

    @property
    def exporter(self):
        """The exporter's name, as the kernel has it."""
        with open(f'/proc/self/fdinfo/{self.fd}', encoding='ascii') as info:
            return re.search(r'^exp_name:\s*(\S+)', info.read(), re.M)[1]

    def _sync(self, flags):
        fcntl.ioctl(self.fd, _DMA_BUF_IOCTL_SYNC, struct.pack('=Q', flags))

    def read(self, offset=0, length=None):
        """Bytes of it."""
        length = self.size - offset if length is None else length
        with mmap.mmap(self.fd, self.size, prot=mmap.PROT_READ) as view:
            self._sync(_SYNC_START | _SYNC_READ)
            data = view[offset:offset + length]
            self._sync(_SYNC_END | _SYNC_READ)
        return data

    def write(self, data, offset=0):
        """Change bytes of it."""
        with mmap.mmap(self.fd, self.size) as view:
            self._sync(_SYNC_START | _SYNC_RW)
            view[offset:offset + len(data)] = data
            self._sync(_SYNC_END | _SYNC_RW)


def udmabuf(size, memfd_flags=0, unit=PAGE):
    """A memfd made a dma-buf; unit is the size of its pages."""
    size = round_up(size, unit)
    memfd = os.memfd_create('udmabuf', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
                            | memfd_flags)
    try:
        # udmabuf does not allocate huge pages by itself. Ordinary pages it must
        # allocate: Linux 6.12 does not clear those that fallocate() left unwritten.
        if memfd_flags & MFD_HUGETLB:
            os.posix_fallocate(memfd, 0, size)
        else:
            os.ftruncate(memfd, size)
        fcntl.fcntl(memfd, _F_ADD_SEALS, _F_SEAL_SHRINK)
        dev = os.open('/dev/udmabuf', os.O_RDWR | os.O_CLOEXEC)
        try:
            # a bytearray, or ioctl() would not return what the kernel did
            data = bytearray(struct.pack('=IIQQ', memfd,
                                         _UDMABUF_FLAGS_CLOEXEC, 0, size))
            fd = fcntl.ioctl(dev, _UDMABUF_CREATE, data, True)
        finally:
            os.close(dev)
    finally:
        os.close(memfd)
    return DmaBuf(fd, size)


def heap(size, mode=os.O_RDWR, name='system'):
    """A dma-buf of a DMA heap."""
    size = round_up(size)
    dev = os.open(f'/dev/dma_heap/{name}', os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = bytearray(struct.pack('=QIIQ', size, 0, mode | os.O_CLOEXEC, 0))
        fcntl.ioctl(dev, _DMA_HEAP_IOCTL_ALLOC, data, True)
    finally:
        os.close(dev)
    return DmaBuf(struct.unpack('=QIIQ', data)[1], size)


class RevocableDmaBuf(DmaBuf):
    """One of the test exporter (tests/exporter), whose memory it takes back
    when it is told to."""

    _DEVICE = '/dev/dmabuf_test'
    _CREATE, _REVOKE = 0x4020d700, 0xc028d703
    _REVOKING = 3
    _TIMEOUT_MS = 10000

    def __init__(self, size):
        self._device = os.open(self._DEVICE, os.O_RDWR | os.O_CLOEXEC)
        super().__init__(-1, size)
        create = struct.pack('=QIIIIII', size, 0, self._REVOKING, 0, 0, 0, 0)
        self.fd = fcntl.ioctl(self._device, self._CREATE, bytearray(create))

    @classmethod
    def available(cls):
        """Whether the exporter's module is loaded."""
        return os.path.exists(cls._DEVICE)

    def revoke(self):
        """Returns when no importer uses the memory any more."""
        fcntl.ioctl(self._device, self._REVOKE, bytearray(
            struct.pack('=iIIIIIQQ', self.fd, self._TIMEOUT_MS, *[0] * 6)))

    def close(self):
        super().close()
        if self._device >= 0:
            os.close(self._device)
            self._device = -1


EXPORTERS = {'udmabuf': udmabuf, 'heap': heap}


def count():
    """How many dma-bufs exist, or None if debugfs does not say."""
    try:
        with open('/sys/kernel/debug/dma_buf/bufinfo',
                  encoding='ascii') as info:
            return int(re.search(r'^Total (\d+) objects', info.read(),
                                 re.M)[1])
    except OSError:
        return None
