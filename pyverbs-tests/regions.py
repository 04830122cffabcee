# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Memory regions over dma-bufs."""
from pyverbs.mr import DmaBufMR

import uapi


class PinnedDmaBufMR(DmaBufMR):
    """A pinned region, through libibverbs and the provider.

    pyverbs passes the access flags to ibv_reg_dmabuf_mr() as they are, and the
    bits of this project with them. As with DmaBufMR the iova is the offset.
    """

    def __init__(self, pd, length, access, dmabuf, offset=0, pin_bits=0):
        super().__init__(pd, length, access | uapi.PINNED | pin_bits,
                         dmabuf=dmabuf.fd, offset=offset)
        self.buffer = dmabuf
        self.iova = offset


class RawDmaBufMR:
    """A region made by the kernel's ioctl alone, so with any iova."""

    def __init__(self, context, pd, length, access, fd, offset=0, iova=None):
        self.context = context
        self.iova = offset if iova is None else iova
        self.length = length
        self.handle, self.lkey, self.rkey = uapi.reg_mr(
            context, pd.handle, offset, length, self.iova, fd, access)

    def close(self):
        """Deregister; harmless the second time."""
        if self.handle is not None:
            uapi.dereg_mr(self.context, self.handle)
            self.handle = None
