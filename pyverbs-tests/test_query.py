# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the kernel says about a device and about a region."""
import errno

from pyverbs.mr import MR

import cases
import uapi
from buffers import PAGE
from cases import each_exporter


class CapsTest(cases.PatchedCase):
    """QUERY_DMABUF_CAPS."""

    def test_caps(self):
        """Magic, version, and bits that this project knows."""
        self.assertEqual(self.caps.magic, uapi.MAGIC)
        self.assertEqual(self.caps.version, uapi.VERSION)
        self.assertTrue(self.caps.access_flags & uapi.PINNED)
        self.assertFalse(self.caps.access_flags & ~uapi.PIN_BITS)

    def test_larger_struct(self):
        """A newer program's larger struct is filled up with zeroes."""
        caps, rest = uapi.query_caps(self.context, 64)
        self.assertEqual(caps, self.caps)
        self.assertEqual(rest, bytes(48))

    def test_smaller_struct(self):
        """A struct without the first version's fields is refused."""
        with self.assert_errno(errno.EINVAL, errno.ENOSPC):
            uapi.query_caps(self.context, 12)


class InfoTest(cases.PatchedCase):
    """QUERY_DMABUF_MR."""

    @each_exporter(32 * PAGE)
    def test_fields(self, dmabuf):
        """Each field of a region in the middle of a dma-buf."""
        names = {'udmabuf': 'udmabuf', 'heap': 'system'}
        mr = self.register(dmabuf, 3 * PAGE + 7, offset=5 * PAGE + 100,
                           iova=0x7fff00000000 + 100)
        info = uapi.query_mr(self.context, mr.handle)
        self.assertEqual(info.mode, uapi.MODE_PINNED)
        self.assertEqual(info.state, uapi.STATE_LIVE)
        self.assertEqual(info.placement, uapi.PLACEMENT_SYSTEM)
        self.assertTrue(info.flags & uapi.MR_REQUESTED_PIN)
        self.assertFalse(info.flags & uapi.MR_REVOCABLE)
        self.assertEqual(info.offset, 5 * PAGE + 100)
        self.assertEqual(info.length, 3 * PAGE + 7)
        self.assertEqual(info.iova, 0x7fff00000000 + 100)
        self.assertEqual(info.dmabuf_size, 32 * PAGE)
        self.assertEqual(info.dmabuf_inode, dmabuf.inode)
        self.assertEqual(info.charged, 32 * PAGE)
        self.assertEqual(info.exporter, dmabuf.exporter)
        self.assertIn(info.exporter, names.values())
        if info.flags & uapi.MR_CPU_ACCESS:
            self.assertEqual(info.dma_segments, 0)
        else:
            self.assertGreater(info.dma_segments, 0)

    def test_software_device(self):
        """rxe has no DMA and says so."""
        if not self.device.startswith('rxe'):
            self.skipTest(f'{self.device} is no Soft-RoCE device')
        mr = self.register(self.dmabuf('heap', PAGE))
        info = uapi.query_mr(self.context, mr.handle)
        self.assertTrue(info.flags & uapi.MR_CPU_ACCESS)

    def test_iova_defaults_of_libibverbs(self):
        """pyverbs takes the offset as iova."""
        mr = self.pinned(self.dmabuf('heap', 4 * PAGE), PAGE, offset=PAGE + 1)
        info = uapi.query_mr(self.context, mr.handle)
        self.assertEqual((info.offset, info.iova), (PAGE + 1, PAGE + 1))

    def test_ordinary_region(self):
        """A region over ordinary memory is not one of these."""
        mr = self.closed_at_end(MR(self.pd, PAGE, uapi.LOCAL_WRITE))
        with self.assert_errno(errno.EINVAL):
            uapi.query_mr(self.context, mr.handle)

    def test_no_region(self):
        """A handle of nothing."""
        with self.assert_errno(errno.ENOENT):
            uapi.query_mr(self.context, 0xfffff)

    def test_handle_of_another_fd(self):
        """Handles are those of the device fd that made them."""
        regions = [self.register(self.dmabuf('heap', PAGE)) for _ in range(4)]
        other = self.closed_at_end(cases.Context(name=self.device))
        with self.assert_errno(errno.ENOENT):
            uapi.query_mr(other, max(mr.handle for mr in regions))
