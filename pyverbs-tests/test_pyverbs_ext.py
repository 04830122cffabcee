# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""pyverbs_ext: what it tells, its errors, its events."""
import errno
import os
import select
import threading

from pyverbs.mr import DmaBufMR
from pyverbs.pyverbs_error import PyverbsRDMAError
from pyverbs_ext import (Access, DmaBufRegistrationError, EventChannel,
                         EventType, Mode, MRFlags, PinFlags, Placement,
                         Reason, ReportSource, State, probe, query_caps,
                         reason_str)

import buffers
import cases
import uapi
from buffers import PAGE
from cases import each_exporter

POLICY = '/sys/module/ib_uverbs/parameters/dmabuf_pin_policy'


class DeviceTest(cases.PatchedCase):
    """What a device can do."""

    def test_caps(self):
        """As the kernel says it."""
        caps = query_caps(self.context)
        self.assertEqual(caps.version, self.caps.version)
        self.assertEqual(caps.access_flags, self.caps.access_flags)
        self.assertIn(Access.PINNED, caps.access_flags)

    @each_exporter(4 * PAGE)
    def test_probe(self, dmabuf):
        """A registration that would succeed."""
        report = probe(self.context, PAGE, uapi.LOCAL_WRITE, dmabuf.fd,
                       offset=PAGE)
        self.assertEqual((report.err, report.reason), (0, Reason.NONE))
        self.assertEqual(report.source, ReportSource.PROBE)
        self.assertEqual(report.placement, Placement.SYSTEM)
        self.assertEqual(report.dmabuf_size, dmabuf.size)
        self.assertEqual(report.dmabuf_inode, dmabuf.inode)
        self.assertEqual(report.exporter, dmabuf.exporter)
        self.assertEqual(report.charge, dmabuf.size)

    def test_probe_that_fails(self):
        """A registration that would not."""
        dmabuf = self.dmabuf('heap', PAGE)
        report = probe(self.context, PAGE, uapi.LOCAL_WRITE, dmabuf.fd,
                       iova=1)
        self.assertEqual(report.err, errno.EINVAL)
        self.assertEqual(report.reason, Reason.MISALIGNED)
        self.assertEqual(report.reason_str, reason_str(Reason.MISALIGNED))


class RegionTest(cases.PatchedCase):
    """What a region is, and its memory."""

    @each_exporter(8 * PAGE)
    def test_info(self, dmabuf):
        """Each field."""
        mr = self.pinned(dmabuf, 3 * PAGE, offset=PAGE + 5)
        self.assertIsInstance(mr, DmaBufMR)
        info = mr.info
        self.assertEqual(info.mode, Mode.PINNED)
        self.assertEqual(info.state, State.LIVE)
        self.assertFalse(mr.revoked)
        self.assertEqual(info.placement, Placement.SYSTEM)
        self.assertIn(MRFlags.REQUESTED_PIN, info.flags)
        self.assertEqual((info.offset, info.iova), (PAGE + 5, PAGE + 5))
        self.assertEqual(info.length, 3 * PAGE)
        self.assertEqual(info.dmabuf_inode, dmabuf.inode)
        self.assertEqual(info.exporter, dmabuf.exporter)

    @each_exporter(4 * PAGE)
    def test_memory(self, dmabuf):
        """The CPU's access, across pages and not from a page's start."""
        mr = self.pinned(dmabuf, 3 * PAGE, offset=5)
        data = bytes(range(256)) * 17
        mr.write(data, len(data), PAGE - 100)
        self.assertEqual(mr.read(len(data), PAGE - 100), data)
        self.assertEqual(dmabuf.read(PAGE - 95, len(data)), data)
        self.assertEqual(dmabuf.read(PAGE - 96, 1), bytes(1))
        mr.write('text', 2)
        self.assertEqual(dmabuf.read(5, 4), b'te' + bytes(2))

    def test_revocable(self):
        """The flag, with the owner's consent, where the exporter can."""
        if not buffers.RevocableDmaBuf.available():
            self.skipTest('the module of tests/exporter is not loaded')
        dmabuf = self.closed_at_end(buffers.RevocableDmaBuf(PAGE))
        mr = self.pinned(dmabuf, pin_flags=PinFlags.ALLOW_REVOKE)
        self.assertIn(MRFlags.REVOCABLE, mr.info.flags)


class ErrorTest(cases.PatchedCase):
    """Registrations that fail say why."""

    def expect(self, number, reason, dmabuf, length=PAGE, **kwargs):
        """It fails like that; returns the exception."""
        with self.assertRaises(DmaBufRegistrationError) as caught:
            self.pinned(dmabuf, length, **kwargs)
        error = caught.exception
        self.assertIsInstance(error, PyverbsRDMAError)
        self.assertEqual(error.error_code, number)
        self.assertEqual(error.reason, reason)
        self.assertIn(reason_str(reason), str(error))
        return error

    def test_range(self):
        """Past the end of the dma-buf."""
        error = self.expect(errno.EINVAL, Reason.BAD_RANGE,
                            self.dmabuf('heap', PAGE), PAGE + 1)
        self.assertEqual(error.report.dmabuf_size, PAGE)

    def test_no_dmabuf(self):
        """A descriptor of something else."""
        with open(os.devnull, 'rb') as null:
            self.expect(errno.EINVAL, Reason.BAD_FD,
                        buffers.DmaBuf(null.fileno(), PAGE))

    def test_read_only(self):
        """Writable access to a read-only dma-buf."""
        self.expect(errno.EACCES, Reason.READ_ONLY_FD,
                    self.dmabuf('heap', PAGE, mode=os.O_RDONLY))

    def test_access(self):
        """Remote write without local write."""
        self.expect(errno.EINVAL, Reason.BAD_ACCESS,
                    self.dmabuf('heap', PAGE), access=uapi.REMOTE_WRITE)

    def test_flags(self):
        """A flag that there is not."""
        self.expect(errno.EINVAL, Reason.BAD_FLAGS,
                    self.dmabuf('heap', PAGE), pin_flags=1 << 5)

    def test_limit(self):
        """RLIMIT_MEMLOCK."""
        dmabuf = self.dmabuf('heap', 4 * PAGE)
        with cases.memory_limited(3 * PAGE):
            error = self.expect(errno.ENOMEM, Reason.MEMLOCK, dmabuf)
        self.assertEqual(error.report.memlock_limit, 3 * PAGE)

    def set_policy(self, policy):
        """The administrator's."""
        with open(POLICY, 'w', encoding='ascii') as parameter:
            parameter.write(policy)

    def test_policy(self):
        """The administrator forbids it."""
        self.addCleanup(self.set_policy, 'on')
        self.set_policy('off')
        self.expect(errno.EPERM, Reason.POLICY, self.dmabuf('heap', PAGE))

    def test_device(self):
        """Peer to peer to system memory, or by a device that cannot."""
        can = self.caps.access_flags & Access.REQUIRE_P2P
        self.expect(errno.EOPNOTSUPP,
                    Reason.IN_SYSTEM_MEMORY if can else
                    Reason.NO_DEVICE_SUPPORT, self.dmabuf('heap', PAGE),
                    pin_flags=PinFlags.REQUIRE_P2P)


class EventTest(cases.PatchedCase):
    """Events of regions that are revoked."""

    def setUp(self):
        super().setUp()
        if not buffers.RevocableDmaBuf.available():
            self.skipTest('the module of tests/exporter is not loaded')
        self.channel = self.closed_at_end(
            EventChannel(self.context, nonblocking=True))

    def region(self):
        """A dma-buf and a region that may be revoked."""
        dmabuf = self.closed_at_end(buffers.RevocableDmaBuf(PAGE))
        return dmabuf, self.pinned(dmabuf, pin_flags=PinFlags.ALLOW_REVOKE)

    def expect_none(self):
        """No event."""
        with self.assert_errno(errno.EAGAIN):
            self.channel.get_event()

    def test_event(self):
        """One event for each watch, with its cookie."""
        dmabuf, mr = self.region()
        self.expect_none()
        self.channel.watch(mr)
        self.channel.watch(mr, 'cookie')
        dmabuf.revoke()
        readable, _, _ = select.select([self.channel], [], [], cases.PATIENCE)
        self.assertEqual(readable, [self.channel])
        events = [self.channel.get_event() for _ in range(2)]
        self.assertEqual({event.type for event in events},
                         {EventType.REVOKED})
        self.assertEqual({event.cookie for event in events}, {mr, 'cookie'})
        self.expect_none()
        self.assertTrue(mr.revoked)

    def test_watched_too_late(self):
        """The event of what was revoked already comes at once."""
        dmabuf, mr = self.region()
        dmabuf.revoke()
        self.channel.watch(mr, 1)
        self.assertEqual(self.channel.get_event().cookie, 1)

    def test_unwatch(self):
        """No event after it."""
        dmabuf, mr = self.region()
        self.channel.watch(mr)
        self.channel.unwatch(mr)
        dmabuf.revoke()
        self.expect_none()
        with self.assert_errno(errno.ENOENT):
            self.channel.unwatch(mr)

    def test_waiting(self):
        """A thread waits while others work."""
        channel = self.closed_at_end(EventChannel(self.context))
        dmabuf, mr = self.region()
        channel.watch(mr, 'here')
        cookies = []
        thread = threading.Thread(
            target=lambda: cookies.append(channel.get_event().cookie))
        thread.start()
        dmabuf.revoke()
        thread.join(cases.PATIENCE)
        self.assertEqual(cookies, ['here'])
