# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Bad input: each has its errno, and leaves nothing behind."""
import errno
import mmap
import os
import platform

from pyverbs.mr import MR, MW, MWBindInfo
from pyverbs.pyverbs_error import PyverbsRDMAError
from pyverbs.wr import SendWR

import buffers
import cases
import pairs
import regions
import uapi
from buffers import PAGE
from cases import e, each_exporter

TOP = 1 << 64
MFD_HUGE_2MB = 21 << 26
HUGE = 2 << 20


class RangeTest(cases.PatchedCase):
    """Offsets, lengths and addresses."""

    @each_exporter(4 * PAGE)
    def test_past_the_end(self, dmabuf):
        """A region that ends behind the dma-buf: EINVAL."""
        for offset, length in ((0, 4 * PAGE + 1), (4 * PAGE - 1, 2),
                               (4 * PAGE, 1), (5 * PAGE, PAGE),
                               (0, 1 << 40), (1 << 40, 1)):
            with self.subTest(offset=offset, length=length), \
                    self.assert_errno(errno.EINVAL):
                self.register(dmabuf, length, offset=offset)

    @each_exporter(4 * PAGE)
    def test_overflow(self, dmabuf):
        """offset + length over the end of 64 bits: EINVAL."""
        for offset, length in ((TOP - PAGE, 2 * PAGE), (TOP - 1, 2),
                               (PAGE, TOP - PAGE), (0, TOP - 1),
                               (TOP - PAGE, PAGE)):
            with self.subTest(offset=offset, length=length), \
                    self.assert_errno(errno.EINVAL):
                self.register(dmabuf, length, offset=offset)

    @each_exporter(PAGE)
    def test_zero_length(self, dmabuf):
        """No bytes: EINVAL."""
        for offset in (0, PAGE):
            with self.subTest(offset=offset), \
                    self.assert_errno(errno.EINVAL):
                self.register(dmabuf, 0, offset=offset)

    @each_exporter(4 * PAGE)
    def test_offset_and_iova_disagree(self, dmabuf):
        """Their places in a page have to be the same: EINVAL."""
        for offset, iova in ((0, 1), (1, 0), (PAGE, PAGE + 1),
                             (100, PAGE + 99)):
            with self.subTest(offset=offset, iova=iova), \
                    self.assert_errno(errno.EINVAL):
                self.register(dmabuf, PAGE, offset=offset, iova=iova)


class FdTest(cases.PatchedCase):
    """Things that are no dma-buf."""

    def register_fd(self, fd):
        """Register one page of a file."""
        return self.closed_at_end(regions.RawDmaBufMR(
            self.context, self.pd, PAGE, uapi.LOCAL_WRITE | uapi.PINNED, fd))

    def test_no_dmabuf(self):
        """A file that is no dma-buf: EINVAL."""
        memfd = os.memfd_create('plain')
        self.addCleanup(os.close, memfd)
        os.ftruncate(memfd, PAGE)
        for fd in (memfd, self.context.cmd_fd):
            with self.assert_errno(errno.EINVAL):
                self.register_fd(fd)

    def test_closed_fd(self):
        """A number that is no open file: EBADF."""
        dmabuf = buffers.heap(PAGE)
        fd = dmabuf.fd
        dmabuf.close()
        for number in (fd, -1, 1 << 20):
            with self.subTest(fd=number), self.assert_errno(errno.EBADF):
                self.register_fd(number)

    def test_read_only(self):
        """Writable access to a dma-buf opened read-only: EACCES."""
        dmabuf = self.dmabuf('heap', PAGE, mode=os.O_RDONLY)
        local = uapi.LOCAL_WRITE
        for access in (local, local | uapi.REMOTE_WRITE,
                       local | uapi.REMOTE_ATOMIC):
            with self.subTest(access=access), self.assert_errno(errno.EACCES):
                self.register(dmabuf, access=access)

    def test_hugetlb_udmabuf(self):
        """6.12's udmabuf maps the wrong pages for the CPU: refused."""
        try:
            with open('/proc/sys/vm/nr_hugepages', encoding='ascii') as pages:
                self.addCleanup(self.set_huge_pages, pages.read())
            self.set_huge_pages('4')
            dmabuf = self.closed_at_end(buffers.udmabuf(
                2 * HUGE, buffers.MFD_HUGETLB | MFD_HUGE_2MB, HUGE))
        except OSError as err:
            self.skipTest(f'no udmabuf over huge pages: {err}')
        if not self.device.startswith('rxe'):
            self.skipTest(f'{self.device} does not need the mapping')
        if int(platform.release().split('.', maxsplit=1)[0]) >= 7:
            self.register(dmabuf)
            return
        with self.assert_errno(errno.EOPNOTSUPP):
            self.register(dmabuf)

    @staticmethod
    def set_huge_pages(number):
        """How many the system keeps."""
        with open('/proc/sys/vm/nr_hugepages', 'w', encoding='ascii') as pages:
            pages.write(number)


class AccessTest(cases.PatchedCase):
    """Access flags and the new bits."""

    def test_unknown_bits(self):
        """Bits that mean nothing here: EINVAL."""
        dmabuf = self.dmabuf('heap', PAGE)
        for bit in (uapi.MW_BIND, uapi.ZERO_BASED, uapi.ON_DEMAND, 1 << 7,
                    1 << 10, 1 << 15, 1 << 19, 1 << 21, 1 << 29, 1 << 31):
            for pin in (0, uapi.PINNED):
                with self.subTest(bit=bit, pin=pin), \
                        self.assert_errno(errno.EINVAL):
                    self.register(dmabuf, access=uapi.LOCAL_WRITE | bit,
                                  bits=pin)

    def test_remote_write_without_local(self):
        """Remote write or atomic access without local write: EINVAL."""
        dmabuf = self.dmabuf('heap', PAGE)
        for access in (uapi.REMOTE_WRITE, uapi.REMOTE_ATOMIC,
                       uapi.REMOTE_WRITE | uapi.REMOTE_READ):
            with self.subTest(access=access), self.assert_errno(errno.EINVAL):
                self.register(dmabuf, access=access)

    def test_pin_bits_without_pinned(self):
        """REQUIRE_P2P and ALLOW_REVOKE belong to PINNED: EINVAL."""
        dmabuf = self.dmabuf('heap', PAGE)
        for bits in (uapi.REQUIRE_P2P, uapi.ALLOW_REVOKE,
                     uapi.REQUIRE_P2P | uapi.ALLOW_REVOKE):
            with self.subTest(bits=bits), self.assert_errno(errno.EINVAL):
                self.register(dmabuf, bits=bits)

    def test_bits_that_the_device_does_not_take(self):
        """A bit that QUERY_DMABUF_CAPS does not name: EOPNOTSUPP."""
        dmabuf = self.dmabuf('heap', PAGE)
        refused = [bit for bit in (uapi.REQUIRE_P2P, uapi.ALLOW_REVOKE)
                   if not self.caps.access_flags & bit]
        if not refused:
            self.skipTest(f'{self.device} takes all bits')
        for bit in refused:
            with self.subTest(bit=bit), self.assert_errno(errno.EOPNOTSUPP):
                self.register(dmabuf, bits=uapi.PINNED | bit)

    def test_ordinary_registration(self):
        """ibv_reg_mr() does not know the bits: EINVAL."""
        for bits in (uapi.PINNED, uapi.REQUIRE_P2P, uapi.ALLOW_REVOKE,
                     uapi.PIN_BITS):
            with self.subTest(bits=bits), self.assert_errno(errno.EINVAL):
                MR(self.pd, PAGE, uapi.LOCAL_WRITE | bits)

    def test_pd_of_another_context(self):
        """A protection domain that this device fd does not have: ENOENT."""
        dmabuf = self.dmabuf('heap', PAGE)
        other = self.closed_at_end(cases.Context(name=self.device))
        pds = [self.closed_at_end(cases.PD(other)) for _ in range(4)]
        with self.assert_errno(errno.ENOENT):
            uapi.reg_mr(self.context, pds[-1].handle, 0, PAGE, 0, dmabuf.fd,
                        uapi.LOCAL_WRITE | uapi.PINNED)


class ReregisterTest(cases.PatchedCase):
    """A region over a dma-buf stays what it is."""

    ACCESS, PD, TRANSLATION = 4, 2, 1

    def setUp(self):
        super().setUp()
        self.memory = mmap.mmap(-1, PAGE)
        self.addCleanup(self.memory.close)

    @each_exporter(PAGE)
    def test_dmabuf_region(self, dmabuf):
        """Any change to a dma-buf region: EOPNOTSUPP, and it still works."""
        mr = self.closed_at_end(MR(self.pd, PAGE, uapi.LOCAL_WRITE))
        for bits in (0, uapi.PINNED):
            region = self.register(dmabuf, bits=bits)
            before = uapi.query_mr(self.context, region.handle)
            for flags in (self.ACCESS, self.PD, self.TRANSLATION, 7):
                with self.subTest(bits=bits, flags=flags), \
                        self.assert_errno(errno.EOPNOTSUPP):
                    uapi.rereg_mr(self.context, region.handle, flags,
                                  self.pd.handle, mr.buf, PAGE, mr.buf,
                                  uapi.LOCAL_WRITE)
            after = uapi.query_mr(self.context, region.handle)
            self.assertEqual(after, before)

    def test_bits_on_an_ordinary_region(self):
        """The new bits in a change of an ordinary region are refused."""
        mr = self.closed_at_end(MR(self.pd, PAGE, uapi.LOCAL_WRITE))
        for bits in (uapi.PINNED, uapi.PIN_BITS):
            with self.subTest(bits=bits), \
                    self.assert_errno(errno.EINVAL, errno.EOPNOTSUPP):
                uapi.rereg_mr(self.context, mr.handle, self.ACCESS,
                              access=uapi.LOCAL_WRITE | bits)


class WindowTest(cases.PatchedCase):
    """Memory windows."""

    def test_bind(self):
        """A window cannot be bound on a dma-buf region."""
        try:
            window = self.closed_at_end(MW(self.pd, e.IBV_MW_TYPE_2))
        except PyverbsRDMAError as err:
            if err.error_code == errno.EOPNOTSUPP:
                self.skipTest('the provider or the device has no windows')
            raise
        mr = self.pinned(self.dmabuf('heap', PAGE),
                         access=uapi.LOCAL_WRITE | uapi.REMOTE_WRITE)
        pair = pairs.RcPair(self)
        info = MWBindInfo(mr, mr.iova, PAGE, uapi.REMOTE_WRITE)
        wr = SendWR(opcode=e.IBV_WR_BIND_MW)
        wr.set_bind_wr(window, info)
        try:
            pair.qps[0].post_send(wr)
        except PyverbsRDMAError as err:
            self.assertIn(err.error_code, (errno.EINVAL, errno.EOPNOTSUPP))
            return
        pair.expect(0, e.IBV_WC_MW_BIND_ERR)
