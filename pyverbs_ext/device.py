# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What a device can do, and how a registration would go."""
import dataclasses

from . import library
from .enums import Access, MRFlags, Placement, Reason, ReportSource


@dataclasses.dataclass(frozen=True)
class Caps:
    """What kernel and device can do; see ibv_ext_query_dmabuf_caps(3)."""
    version: int
    access_flags: Access


@dataclasses.dataclass(frozen=True)
class Report:
    """How a registration went or would go; see ibv_ext_reg_dmabuf_mr(3).

    Sizes are in bytes. What could not be learned is zero, or unknown.
    """
    reason: Reason
    source: ReportSource
    err: int
    probe_err: int
    placement: Placement
    flags: MRFlags
    dmabuf_size: int
    dmabuf_inode: int
    dma_segments: int
    charge: int
    page_size: int
    memlock_limit: int
    memlock_used: int
    exporter: str

    @property
    def reason_str(self) -> str:
        """A short sentence."""
        return library.reason_str(self.reason)


# A newer kernel may have values that this module does not know.
def known(kind, value):
    """The enum's member, or the number if there is none."""
    try:
        return kind(value)
    except ValueError:
        return value


def make_report(struct) -> Report:
    """From the library's struct."""
    fields = {name: getattr(struct, name) for name, *_ in struct._fields_}
    fields.update(reason=known(Reason, struct.reason),
                  source=known(ReportSource, struct.source),
                  placement=known(Placement, struct.placement),
                  flags=MRFlags(struct.flags),
                  exporter=struct.exporter.decode())
    return Report(**fields)


def query_caps(context) -> Caps:
    """What kernel and device can do.

    :param context: pyverbs' Context
    :raises PyverbsRDMAError: EOPNOTSUPP, the kernel has no pinned regions
    """
    caps = library.query_caps(library.make_context(context))
    return Caps(caps.version, Access(caps.access_flags))


def probe(context, length, access, dmabuf, *, offset=0, iova=None,
          pin_flags=0) -> Report:
    """How a registration would go; all is done short of making an MR.

    The provider is not asked: one without reg_dmabuf_mr fails all the same.

    :param context: pyverbs' Context
    :param length: bytes
    :param access: enum ibv_access_flags
    :param dmabuf: descriptor of the dma-buf
    :param offset: of the first byte in the dma-buf
    :param iova: as the device sees it; the offset if it is not given
    :param pin_flags: PinFlags
    :raises PyverbsRDMAError: EOPNOTSUPP, the kernel cannot probe
    """
    attr = library.MRAttr(pin_flags=pin_flags, offset=offset, length=length,
                          iova=offset if iova is None else iova, fd=dmabuf,
                          access=access)
    return make_report(library.probe(context.cmd_fd, attr))
