# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Pinned memory regions over dma-bufs."""
import dataclasses
import errno
import fcntl
import mmap
import struct

from pyverbs.mr import DmaBufMR
from pyverbs.pyverbs_error import PyverbsRDMAError

from . import library
from .device import known, probe, query_caps
from .enums import Access, Mode, MRFlags, PinFlags, Placement, Reason, State
from .errors import DmaBufRegistrationError

# linux/dma-buf.h
_DMA_BUF_IOCTL_SYNC = 0x40086200
_SYNC_READ, _SYNC_RW = 1, 3
_SYNC_START, _SYNC_END = 0, 4


@dataclasses.dataclass(frozen=True)
class MRInfo:
    """What an MR is; see ibv_ext_query_dmabuf_mr(3). Sizes are in bytes."""
    mode: Mode
    state: State
    placement: Placement
    flags: MRFlags
    offset: int
    length: int
    iova: int
    dmabuf_size: int
    dmabuf_inode: int
    charged: int
    dma_segments: int
    exporter: str


def _pin_access(pin_flags):
    access = Access.PINNED
    if pin_flags & PinFlags.REQUIRE_P2P:
        access |= Access.REQUIRE_P2P
    if pin_flags & PinFlags.ALLOW_REVOKE:
        access |= Access.ALLOW_REVOKE
    return access


class PinnedDmaBufMR(DmaBufMR):
    """A pinned region, by libibverbs and the device's provider.

    A pyverbs DmaBufMR: its keys go into SGEs and work requests, close() ends
    it. As with that class, the address for the device is the offset in the
    dma-buf. The dma-buf's descriptor stays the caller's, for read() and
    write(), which are the CPU's; it may be closed if they are not used.
    """

    def __init__(self, context, pd, length, access, dmabuf, *, offset=0,
                 pin_flags=0):
        """
        :param context: the Context of the PD, which pyverbs does not tell
        :param pd: pyverbs' PD
        :param length: bytes
        :param access: enum ibv_access_flags
        :param dmabuf: descriptor of the dma-buf
        :param offset: of the first byte in the dma-buf
        :param pin_flags: PinFlags
        :raises DmaBufRegistrationError: with the reason
        """
        self._mr = None
        bits = _check_device(context, pin_flags)
        try:
            super().__init__(pd, length, int(access | bits), dmabuf=dmabuf,
                             offset=offset)
        except PyverbsRDMAError as err:
            raise _explain(err, context, length, access, dmabuf, offset,
                           pin_flags) from err
        self.context = context
        self.dmabuf_fd = dmabuf
        self.iova = offset
        self._mr = library.make_mr(library.make_context(context), self.handle)

    @property
    def info(self) -> MRInfo:
        """What it is now.

        :raises PyverbsRDMAError: EIO, the device is gone
        """
        answer = library.query_mr(self._mr)
        fields = {name: getattr(answer, name) for name, *_ in answer._fields_}
        fields.update(mode=known(Mode, answer.mode),
                      state=known(State, answer.state),
                      placement=known(Placement, answer.placement),
                      flags=MRFlags(answer.flags),
                      exporter=answer.exporter.decode())
        return MRInfo(**fields)

    @property
    def revoked(self) -> bool:
        """Whether the exporter took the memory back."""
        return self.info.state == State.REVOKED

    def _sync(self, flags):
        fcntl.ioctl(self.dmabuf_fd, _DMA_BUF_IOCTL_SYNC,
                    struct.pack('=Q', flags))

    def _view(self, start, length, prot):
        """Of the dma-buf from a page's start on, and where the bytes are."""
        first = start - start % mmap.ALLOCATIONGRANULARITY
        view = mmap.mmap(self.dmabuf_fd, start + length - first, prot=prot,
                         offset=first)
        return view, start - first

    def read(self, length, offset):
        """Bytes of the region, by the CPU.

        :param offset: of the first byte in the region
        """
        view, start = self._view(self.iova + offset, length, mmap.PROT_READ)
        with view:
            self._sync(_SYNC_START | _SYNC_READ)
            data = view[start:start + length]
            self._sync(_SYNC_END | _SYNC_READ)
        return data

    def write(self, data, length, offset=0):
        """Change bytes of the region, by the CPU.

        :param data: str or bytes, of which length bytes are written
        :param offset: of the first byte in the region
        """
        data = data.encode() if isinstance(data, str) else bytes(data)
        view, start = self._view(self.iova + offset, length,
                                 mmap.PROT_READ | mmap.PROT_WRITE)
        with view:
            self._sync(_SYNC_START | _SYNC_RW)
            view[start:start + length] = data[:length]
            self._sync(_SYNC_END | _SYNC_RW)


def _check_device(context, pin_flags):
    """The access bits, if the device takes them: another kernel may give them
    another meaning."""
    try:
        caps = query_caps(context)
    except PyverbsRDMAError as err:
        reason = (Reason.NO_KERNEL_SUPPORT
                  if err.error_code == errno.EOPNOTSUPP else Reason.NONE)
        raise DmaBufRegistrationError(err.error_code, reason,
                                      library.reason_str(reason),
                                      None) from err
    bits = _pin_access(pin_flags)
    # ~ of a flag's own kind leaves out what it does not know.
    if pin_flags & ~int(PinFlags.REQUIRE_P2P | PinFlags.ALLOW_REVOKE):
        raise DmaBufRegistrationError(
            errno.EINVAL, Reason.BAD_FLAGS,
            library.reason_str(Reason.BAD_FLAGS), None)
    if bits & ~caps.access_flags:
        raise DmaBufRegistrationError(
            errno.EOPNOTSUPP, Reason.NO_DEVICE_SUPPORT,
            library.reason_str(Reason.NO_DEVICE_SUPPORT), None)
    return bits


def _explain(err, context, length, access, dmabuf, offset, pin_flags):
    """As ibv_ext_reg_dmabuf_mr(3) does: what a probe finds is the reason only
    if it fails with the same errno value."""
    number = err.error_code
    if number == errno.EINTR:
        return _error(number, Reason.INTERRUPTED, None)
    if number == errno.ETIMEDOUT:
        # A second attempt would take as long again.
        return _error(number, Reason.TIMED_OUT, None)
    try:
        report = probe(context, length, access, dmabuf, offset=offset,
                       pin_flags=pin_flags)
    except PyverbsRDMAError as probe_err:
        gone = (probe_err.error_code == number
                and number in (errno.EIO, errno.ENODEV))
        return _error(number, Reason.DEVICE_REMOVED if gone else Reason.NONE,
                      None)
    if report.probe_err == number:
        return _error(number, report.reason, report)
    if number == errno.EOPNOTSUPP and not report.probe_err:
        return _error(number, Reason.NO_PROVIDER_SUPPORT, report)
    return _error(number, Reason.NONE, report)


def _error(number, reason, report):
    return DmaBufRegistrationError(number, reason, library.reason_str(reason),
                                   report)
