# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Registering and deregistering pinned regions."""
import errno
import os
import resource

from pyverbs.mr import DmaBufMR

import buffers
import cases
import regions
import uapi
from buffers import PAGE
from cases import each_exporter

# of the dma-bufs in ChargeTest
SIZE = 64 * PAGE


class RegisterTest(cases.PatchedCase):
    """Registrations that succeed."""

    @each_exporter(4 * PAGE)
    def test_by_libibverbs(self, dmabuf):
        """A pinned region through pyverbs, libibverbs and the provider."""
        mr = self.pinned(dmabuf)
        self.assertEqual(mr.length, 4 * PAGE)
        info = uapi.query_mr(self.context, mr.handle)
        self.assertEqual(info.mode, uapi.MODE_PINNED)
        self.assertTrue(info.flags & uapi.MR_REQUESTED_PIN)
        handle = mr.handle
        mr.close()
        with self.assert_errno(errno.ENOENT):
            uapi.query_mr(self.context, handle)

    @each_exporter(4 * PAGE)
    def test_by_ioctl(self, dmabuf):
        """A pinned region by the kernel's ioctl alone."""
        mr = self.register(dmabuf)
        handle = mr.handle
        uapi.query_mr(self.context, handle)
        mr.close()
        with self.assert_errno(errno.ENOENT):
            uapi.query_mr(self.context, handle)

    @each_exporter(PAGE)
    def test_deregister_twice(self, dmabuf):
        """The second deregistration finds nothing."""
        mr = self.register(dmabuf)
        handle = mr.handle
        mr.close()
        with self.assert_errno(errno.ENOENT):
            uapi.dereg_mr(self.context, handle)

    @each_exporter(16 * PAGE)
    def test_sizes_and_offsets(self, dmabuf):
        """Regions of any size at any place."""
        size = dmabuf.size
        places = [(0, 1), (0, PAGE - 1), (0, PAGE), (0, PAGE + 1), (1, 1),
                  (PAGE - 1, 2), (3 * PAGE + 5, 4 * PAGE), (size - 1, 1),
                  (0, size)]
        for offset, length in places:
            with self.subTest(offset=offset, length=length):
                mr = self.register(dmabuf, length, offset=offset)
                info = uapi.query_mr(self.context, mr.handle)
                self.assertEqual((info.offset, info.length),
                                 (offset, length))
                mr.close()

    @each_exporter(PAGE)
    def test_keys_are_distinct(self, dmabuf):
        """Each region has its own keys."""
        mrs = [self.register(dmabuf) for _ in range(20)]
        self.assertEqual(len({mr.lkey for mr in mrs}), 20)
        self.assertEqual(len({mr.rkey for mr in mrs}), 20)
        self.assertNotIn(0, {mr.lkey for mr in mrs})

    @each_exporter(PAGE)
    def test_rights(self, dmabuf):
        """Each set of rights that makes sense."""
        local, read = uapi.LOCAL_WRITE, uapi.REMOTE_READ
        write, atomic = uapi.REMOTE_WRITE, uapi.REMOTE_ATOMIC
        for access in (0, local, read, local | read, local | write,
                       local | atomic, local | read | write | atomic,
                       local | uapi.RELAXED_ORDERING):
            with self.subTest(access=access):
                self.register(dmabuf, access=access).close()

    def test_read_only_dmabuf(self):
        """A dma-buf opened read-only takes regions that are not written."""
        dmabuf = self.dmabuf('heap', PAGE, mode=os.O_RDONLY)
        for access in (0, uapi.REMOTE_READ):
            self.register(dmabuf, access=access)

    @each_exporter(2 * PAGE)
    def test_plain_registration(self, dmabuf):
        """Without the new bits rxe's regions are pinned all the same."""
        mr = self.register(dmabuf, bits=0)
        info = uapi.query_mr(self.context, mr.handle)
        self.assertEqual(info.mode, uapi.MODE_PINNED)
        self.assertFalse(info.flags & uapi.MR_REQUESTED_PIN)

    @each_exporter(2 * PAGE)
    def test_plain_by_libibverbs(self, dmabuf):
        """ibv_reg_dmabuf_mr() without the new bits."""
        self.pinned(self.dmabuf('heap', PAGE))  # skips without a provider
        mr = self.closed_at_end(DmaBufMR(
            self.pd, dmabuf.size, uapi.LOCAL_WRITE, dmabuf=dmabuf.fd))
        info = uapi.query_mr(self.context, mr.handle)
        self.assertFalse(info.flags & uapi.MR_REQUESTED_PIN)


class LifetimeTest(cases.PatchedCase):
    """What keeps what alive."""

    def test_region_keeps_the_dmabuf(self):
        """A region keeps the memory after the last fd was closed."""
        for name in buffers.EXPORTERS:
            with self.subTest(exporter=name):
                before = buffers.count()
                dmabuf = buffers.EXPORTERS[name](PAGE)
                inode = dmabuf.inode
                mr = self.register(dmabuf)
                dmabuf.close()
                self.assertEqual(buffers.count(), before + 1)
                info = uapi.query_mr(self.context, mr.handle)
                self.assertEqual(info.dmabuf_inode, inode)
                mr.close()

    @each_exporter(4 * PAGE)
    def test_exit_releases(self, dmabuf):
        """What was not deregistered goes with the process."""
        child = os.fork()
        if not child:
            try:
                context = cases.Context(name=self.device)
                pd = cases.PD(context)
                for _ in range(3):
                    uapi.reg_mr(context, pd.handle, 0, PAGE, 0, dmabuf.fd,
                                uapi.LOCAL_WRITE | uapi.PINNED)
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_pd_is_busy(self):
        """A protection domain cannot go before its regions."""
        pd = cases.PD(self.context)
        dmabuf = self.dmabuf('heap', PAGE)
        handle = uapi.reg_mr(self.context, pd.handle, 0, PAGE, 0, dmabuf.fd,
                             uapi.LOCAL_WRITE | uapi.PINNED)[0]
        with self.assert_errno(errno.EBUSY):
            pd.close()
        uapi.dereg_mr(self.context, handle)
        pd.close()


class ChargeTest(cases.PatchedCase):
    """Pinned memory counts against RLIMIT_MEMLOCK, once for each dma-buf."""

    def charged(self):
        """What this process has pinned since the test began."""
        return cases.pinned_bytes() - self.before['pinned bytes']

    @each_exporter(SIZE)
    def test_whole_dmabuf_once(self, dmabuf):
        """Regions over one dma-buf share the charge for all of it."""
        first = self.register(dmabuf, PAGE)
        self.assertEqual(self.charged(), SIZE)
        second = self.register(dmabuf, PAGE, offset=8 * PAGE)
        self.assertEqual(self.charged(), SIZE)
        for mr in (first, second):
            info = uapi.query_mr(self.context, mr.handle)
            self.assertEqual(info.charged, SIZE)
        first.close()
        self.assertEqual(self.charged(), SIZE)
        second.close()
        self.assertEqual(self.charged(), 0)

    def test_each_dmabuf(self):
        """Two dma-bufs are two charges."""
        mrs = [self.register(self.dmabuf('heap', SIZE))
               for _ in range(2)]
        self.assertEqual(self.charged(), 2 * SIZE)
        for mr in mrs:
            mr.close()
        self.assertEqual(self.charged(), 0)

    def test_two_device_fds(self):
        """The same dma-buf through two fds of the device is one charge."""
        dmabuf = self.dmabuf('udmabuf', SIZE)
        self.register(dmabuf)
        context = self.closed_at_end(cases.Context(name=self.device))
        pd = self.closed_at_end(cases.PD(context))
        self.closed_at_end(regions.RawDmaBufMR(
            context, pd, PAGE, uapi.LOCAL_WRITE | uapi.PINNED, dmabuf.fd))
        self.assertEqual(self.charged(), SIZE)

    @each_exporter(SIZE)
    def test_limit(self, dmabuf):
        """Over RLIMIT_MEMLOCK: ENOMEM; and nothing stays charged."""
        other = self.dmabuf('heap', PAGE)
        with cases.memory_limited(SIZE - PAGE), \
                self.assert_errno(errno.ENOMEM):
            # the region is small, but all of the dma-buf is pinned
            self.register(dmabuf, PAGE)
        self.assertEqual(self.charged(), 0)
        with cases.memory_limited(SIZE):
            mr = self.register(dmabuf, PAGE)
            with self.assert_errno(errno.ENOMEM):
                self.register(other)
            # no new charge
            self.register(dmabuf, PAGE, offset=PAGE).close()
            mr.close()
            self.register(other).close()
        self.assertEqual(self.charged(), 0)

    def test_no_limit_at_all(self):
        """RLIMIT_MEMLOCK of 0: EPERM."""
        dmabuf = self.dmabuf('heap', PAGE)
        with cases.memory_limited(0), self.assert_errno(errno.EPERM):
            self.register(dmabuf)

    @each_exporter(SIZE)
    def test_plain_is_free(self, dmabuf):
        """Without the new bits nothing is charged, as ever."""
        with cases.memory_limited(0):
            self.register(dmabuf, bits=0)
        self.assertEqual(self.charged(), 0)

    def test_root_counts(self):
        """CAP_IPC_LOCK exempts from the limit but not from the count."""
        dmabuf = self.dmabuf('udmabuf', SIZE)
        saved = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_MEMLOCK, saved)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, saved[1]))
        self.register(dmabuf)
        self.assertEqual(self.charged(), SIZE)
