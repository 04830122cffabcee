# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""The kernel's ioctls behind the verbs, called directly.

With them a test sees the kernel's own answer, whatever the provider and
libibverbs do. The numbers are those of rdma_user_ioctl_cmds.h,
ib_user_ioctl_cmds.h and this project's ib_user_dmabuf.h.
"""
import collections
import ctypes
import errno
import fcntl
import os
import struct

# Access bits of libibverbs, which have the same numbers in the kernel
LOCAL_WRITE = 1 << 0
REMOTE_WRITE = 1 << 1
REMOTE_READ = 1 << 2
REMOTE_ATOMIC = 1 << 3
MW_BIND = 1 << 4
ZERO_BASED = 1 << 5
ON_DEMAND = 1 << 6
RELAXED_ORDERING = 1 << 20

# Access bits of this project
PINNED = 1 << 16
REQUIRE_P2P = 1 << 17
ALLOW_REVOKE = 1 << 18
PIN_BITS = PINNED | REQUIRE_P2P | ALLOW_REVOKE

MAGIC = int.from_bytes(b'dmabufpn', 'big')
VERSION = 1

MODE_DYNAMIC, MODE_PINNED = 1, 2
STATE_LIVE, STATE_REVOKED = 1, 2
PLACEMENT_UNKNOWN, PLACEMENT_SYSTEM, PLACEMENT_DEVICE = 0, 1, 2
MR_REQUESTED_PIN, MR_REVOCABLE, MR_CPU_ACCESS = 1, 2, 4

_RDMA_VERBS_IOCTL = 0xc0181b01
_OBJECT_DEVICE = 0
_OBJECT_MR = 7
_METHOD_QUERY_DMABUF_CAPS = 16
_METHOD_MR_DESTROY = 1
_METHOD_REG_DMABUF_MR = 4
_METHOD_QUERY_DMABUF_MR = 16
_METHOD_NONE = 0xfff
_WRITE_CMD_REREG_MR = 10

_HEADER = struct.Struct('=HHHHQII')
_ATTR = struct.Struct('=HHHHQ')
_MANDATORY = 1

_CAPS = struct.Struct('=QII')
_INFO = struct.Struct('=4I7Q32s')

Caps = collections.namedtuple('Caps', 'magic version access_flags')
MrInfo = collections.namedtuple(
    'MrInfo', 'mode state placement flags offset length iova dmabuf_size '
    'dmabuf_inode charged dma_segments exporter')

_driver_ids = {}


def _inline(attr_id, value, length=8):
    """An attribute whose value is in the attribute itself."""
    return attr_id, length, value


def _handle(attr_id, value):
    """An attribute that names an object."""
    return attr_id, 0, value


def _pointer(attr_id, buf):
    """An attribute whose value is in memory."""
    return attr_id, len(buf), ctypes.addressof(buf)


def _ioctl(fd, driver_id, object_id, method, attrs):
    """Call a method; returns the attributes' data, raises OSError."""
    size = _HEADER.size + _ATTR.size * len(attrs)
    cmd = bytearray(_HEADER.pack(size, object_id, method, len(attrs), 0,
                                 driver_id, 0))
    for attr_id, length, data in attrs:
        cmd += _ATTR.pack(attr_id, length, _MANDATORY, 0,
                          data & 0xffffffffffffffff)
    fcntl.ioctl(fd, _RDMA_VERBS_IOCTL, cmd, True)
    return [_ATTR.unpack_from(cmd, _HEADER.size + i * _ATTR.size)[4]
            for i in range(len(attrs))]


def driver_id(fd):
    """The id that each ioctl on this device has to carry.

    The kernel looks at it before it looks for the method: EPROTONOSUPPORT
    from a method that does not exist says that the id was right.
    """
    device = os.fstat(fd).st_rdev
    if device not in _driver_ids:
        for candidate in range(64):
            try:
                _ioctl(fd, candidate, _OBJECT_DEVICE, _METHOD_NONE, [])
            except OSError as err:
                if err.errno == errno.EPROTONOSUPPORT:
                    _driver_ids[device] = candidate
                    break
        else:
            raise RuntimeError('no driver id is taken')
    return _driver_ids[device]


def query_caps(context, size=_CAPS.size):
    """QUERY_DMABUF_CAPS: (Caps, what came behind it in a larger buffer)."""
    fd = context.cmd_fd
    buf = ctypes.create_string_buffer(b'\xff' * size, size)
    _ioctl(fd, driver_id(fd), _OBJECT_DEVICE, _METHOD_QUERY_DMABUF_CAPS,
           [_pointer(0, buf)])
    return Caps(*_CAPS.unpack_from(buf)), buf.raw[_CAPS.size:]


def query_mr(context, handle):
    """QUERY_DMABUF_MR of the MR with this handle."""
    fd = context.cmd_fd
    buf = ctypes.create_string_buffer(_INFO.size)
    _ioctl(fd, driver_id(fd), _OBJECT_MR, _METHOD_QUERY_DMABUF_MR,
           [_handle(0, handle), _pointer(1, buf)])
    fields = _INFO.unpack(buf.raw)
    return MrInfo(*fields[:-1], fields[-1].split(b'\0')[0].decode())


def reg_mr(context, pd_handle, offset, length, iova, fd, access):
    """REG_DMABUF_MR: (handle, lkey, rkey)."""
    lkey = ctypes.create_string_buffer(4)
    rkey = ctypes.create_string_buffer(4)
    cmd_fd = context.cmd_fd
    data = _ioctl(cmd_fd, driver_id(cmd_fd), _OBJECT_MR,
                  _METHOD_REG_DMABUF_MR,
                  [_handle(0, 0), _handle(1, pd_handle), _inline(2, offset),
                   _inline(3, length), _inline(4, iova),
                   _inline(5, fd & 0xffffffff, 4), _inline(6, access, 4),
                   _pointer(7, lkey), _pointer(8, rkey)])
    return (data[0], int.from_bytes(lkey.raw, 'little'),
            int.from_bytes(rkey.raw, 'little'))


def dereg_mr(context, handle):
    """MR_DESTROY."""
    fd = context.cmd_fd
    _ioctl(fd, driver_id(fd), _OBJECT_MR, _METHOD_MR_DESTROY,
           [_handle(0, handle)])


def rereg_mr(context, handle, flags, pd_handle=0, start=0, length=0, iova=0,
             access=0):
    """The old write() command, which libibverbs does not send for dma-bufs."""
    resp = ctypes.create_string_buffer(8)
    payload = struct.pack('=QIIQQQII', ctypes.addressof(resp), handle, flags,
                          start, length, iova, pd_handle, access)
    header = struct.pack('=IHH', _WRITE_CMD_REREG_MR,
                         (8 + len(payload)) // 4, len(resp) // 4)
    os.write(context.cmd_fd, header + payload)
