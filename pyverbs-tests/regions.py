# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Memory regions made by the kernel's ioctl alone."""
import uapi


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
