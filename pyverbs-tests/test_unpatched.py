# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""A kernel without the patches says no, and never something else."""
import errno

from pyverbs.mr import MR

import cases
import uapi
from buffers import PAGE
from cases import each_exporter


class UnpatchedTest(cases.UnpatchedCase):
    """Each call on an unpatched kernel."""

    def test_query_caps(self):
        """The method does not exist: EPROTONOSUPPORT."""
        with self.assert_errno(errno.EPROTONOSUPPORT):
            uapi.query_caps(self.context)

    def test_query_mr(self):
        """The method does not exist: EPROTONOSUPPORT."""
        mr = self.closed_at_end(MR(self.pd, PAGE, uapi.LOCAL_WRITE))
        with self.assert_errno(errno.EPROTONOSUPPORT):
            uapi.query_mr(self.context, mr.handle)

    @each_exporter(PAGE)
    def test_bits(self, dmabuf):
        """EOPNOTSUPP where the driver has no dma-bufs, EINVAL where it has."""
        for bits in (uapi.PINNED, uapi.PINNED | uapi.REQUIRE_P2P,
                     uapi.PIN_BITS):
            with self.subTest(bits=bits), \
                    self.assert_errno(errno.EINVAL, errno.EOPNOTSUPP):
                self.register(dmabuf, bits=bits)

    def test_bits_on_ordinary_registration(self):
        """ibv_reg_mr() does not know the bits: EINVAL."""
        for bits in (uapi.PINNED, uapi.PIN_BITS):
            with self.subTest(bits=bits), self.assert_errno(errno.EINVAL):
                MR(self.pd, PAGE, uapi.LOCAL_WRITE | bits)
