# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Moving data between dma-bufs by RDMA, and looking at every byte of it."""
import functools
import os
import struct

from pyverbs.mr import MR

import cases
import pairs
import uapi
from buffers import PAGE
from cases import e
from pairs import at

ALL = (uapi.LOCAL_WRITE | uapi.REMOTE_WRITE | uapi.REMOTE_READ |
       uapi.REMOTE_ATOMIC)
MTU = 1024
SIZES = (1, 7, MTU - 1, MTU, MTU + 1, PAGE, 3 * PAGE + 5, 64 * 1024)
SIZE = 32 * PAGE
PAIRS = [('udmabuf', 'udmabuf'), ('heap', 'heap'), ('udmabuf', 'heap'),
         ('heap', 'udmabuf')]


class Side:
    """A dma-buf of random bytes, a region over it, what it should hold."""

    def __init__(self, case, exporter, **kwargs):
        self.case = case
        self.dmabuf = case.dmabuf(exporter, SIZE)
        self.expected = bytearray(os.urandom(SIZE))
        self.dmabuf.write(self.expected)
        self.mr = case.register(self.dmabuf, access=ALL, **kwargs)

    def expect(self, offset, data):
        """From now on these bytes are there."""
        self.expected[offset:offset + len(data)] = data

    def check(self):
        """All bytes are right: those that were moved and all others."""
        found = self.dmabuf.read()
        if found != self.expected:
            first = next(i for i in range(SIZE)
                         if found[i] != self.expected[i])
            wrong = sum(a != b for a, b in zip(found, self.expected))
            self.case.fail(f'{wrong} bytes are wrong, the first at {first}')


def each_pair(**kwargs):
    """Decorator: the test takes two sides, and runs for PAIRS."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for local, remote in PAIRS:
                with self.subTest(local=local, remote=remote):
                    test(self, Side(self, local, **kwargs),
                         Side(self, remote, **kwargs))
        return run
    return decorate


class TrafficCase(cases.PatchedCase):
    """Two queue pairs, and a dma-buf on each side."""

    PAIR = pairs.RcPair

    def setUp(self):
        super().setUp()
        self.pair = self.PAIR(self)

    def write(self, local, remote, source, target, size):
        """RDMA write, then check both dma-bufs."""
        self.pair.run(e.IBV_WR_RDMA_WRITE, (local.mr, source, size),
                      at(remote.mr, target))
        remote.expect(target, local.expected[source:source + size])
        local.check()
        remote.check()

    def read(self, local, remote, target, source, size):
        """RDMA read, then check both dma-bufs."""
        self.pair.run(e.IBV_WR_RDMA_READ, (local.mr, target, size),
                      at(remote.mr, source))
        local.expect(target, remote.expected[source:source + size])
        local.check()
        remote.check()

    def send(self, local, remote, source, target, size):
        """Send and receive, then check both dma-bufs."""
        self.pair.receive((remote.mr, target, size))
        self.pair.run(e.IBV_WR_SEND, (local.mr, source, size))
        completion = self.pair.expect(1)
        self.assertEqual(completion.byte_len, size)
        remote.expect(target, local.expected[source:source + size])
        local.check()
        remote.check()


class DataTest(TrafficCase):
    """Write, read and send between each pair of exporters."""

    @each_pair()
    def test_write(self, local, remote):
        """RDMA writes below, at and above the MTU."""
        for size in SIZES:
            with self.subTest(size=size):
                self.write(local, remote, 0, 0, size)
                self.write(local, remote, 3, 2 * PAGE - 1, size)

    @each_pair()
    def test_read(self, local, remote):
        """RDMA reads below, at and above the MTU."""
        for size in SIZES:
            with self.subTest(size=size):
                self.read(local, remote, 0, 0, size)
                self.read(local, remote, 2 * PAGE - 1, 5, size)

    @each_pair()
    def test_send(self, local, remote):
        """Messages below, at and above the MTU."""
        for size in SIZES:
            with self.subTest(size=size):
                self.send(local, remote, 0, 0, size)
                self.send(local, remote, 100, 3 * PAGE - 3, size)

    @each_pair()
    def test_write_with_immediate(self, local, remote):
        """The receiver learns of the write, and the data is there."""
        self.pair.receive((remote.mr, 0, 1))
        self.pair.run(e.IBV_WR_RDMA_WRITE_WITH_IMM,
                      (local.mr, 0, 2 * PAGE), at(remote.mr, PAGE))
        self.pair.expect(1)
        remote.expect(PAGE, local.expected[:2 * PAGE])
        remote.check()

    @each_pair()
    def test_all_of_it(self, local, remote):
        """The first and the last byte, and everything between."""
        self.write(local, remote, 0, 0, SIZE)
        self.read(local, remote, SIZE - 1, 0, 1)
        self.send(local, remote, 0, SIZE - 1, 1)

    @each_pair()
    def test_new_data(self, local, remote):
        """What the CPU writes after registration is what is sent."""
        for _ in range(3):
            data = os.urandom(SIZE)
            local.dmabuf.write(data)
            local.expect(0, data)
            self.write(local, remote, 0, 0, SIZE)

    @each_pair()
    def test_by_libibverbs(self, local, remote):
        """Regions from libibverbs carry data like those of the ioctl."""
        for side in (local, remote):
            side.mr = self.pinned(side.dmabuf, access=ALL)
        self.write(local, remote, 1, 2, 5000)
        self.read(local, remote, 3, 4, 5000)
        self.send(local, remote, 5, 6, 5000)

    @each_pair(bits=0)
    def test_plain_registration(self, local, remote):
        """Regions without the new bits."""
        self.write(local, remote, 1, 2, 5000)
        self.read(local, remote, 3, 4, 5000)

    def test_with_ordinary_memory(self):
        """Between a dma-buf and ordinary memory, both ways."""
        for exporter in ('udmabuf', 'heap'):
            with self.subTest(exporter=exporter):
                remote = Side(self, exporter)
                mr = self.closed_at_end(MR(self.pd, SIZE, uapi.LOCAL_WRITE))
                data = os.urandom(SIZE)
                mr.write(data, SIZE)
                plain = pairs.SGE(mr.buf, SIZE, mr.lkey)
                for opcode in (e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ):
                    wr = pairs.SendWR(opcode=opcode, num_sge=1, sg=[plain])
                    wr.set_wr_rdma(*at(remote.mr))
                    self.pair.qps[0].post_send(wr)
                    self.pair.expect(0)
                    remote.expect(0, data)
                    remote.check()
                    if opcode == e.IBV_WR_RDMA_WRITE:
                        data = os.urandom(SIZE)
                        remote.dmabuf.write(data)
                self.assertEqual(mr.read(SIZE, 0), data)


class SharedReceiveTest(TrafficCase):
    """Messages to a shared receive queue."""

    PAIR = pairs.SrqPair

    @each_pair()
    def test_send(self, local, remote):
        """Each message takes the queue's next buffer."""
        for size in SIZES:
            with self.subTest(size=size):
                self.send(local, remote, 3, PAGE - 1, size)

    def test_both_sides(self):
        """A buffer serves whichever queue pair gets a message."""
        sides = Side(self, 'udmabuf'), Side(self, 'heap')
        target = sides[1]
        for sender in (0, 1, 1, 0):
            offset = 2 * PAGE * (sender + 1)
            self.pair.receive((target.mr, offset, PAGE))
            self.pair.post(sender, e.IBV_WR_SEND, (sides[0].mr, 7, PAGE))
            self.pair.expect(sender)
            self.pair.expect(1 - sender)
            target.expect(offset, sides[0].expected[7:7 + PAGE])
            target.check()


class ExtendedTest(TrafficCase):
    """Work requests by ibv_wr_post(3)."""

    PAIR = pairs.ExtendedPair

    @each_pair()
    def test_operations(self, local, remote):
        """Write, read, send and atomics."""
        self.write(local, remote, 1, 2, 5000)
        self.read(local, remote, 3, 4, 5000)
        self.send(local, remote, 5, 6, 5000)
        for opcode, operands, sum_of in (
                (e.IBV_WR_ATOMIC_FETCH_AND_ADD, (5,), lambda old: old + 5),
                (e.IBV_WR_ATOMIC_CMP_AND_SWP, (1, 2), lambda old: old)):
            start = struct.pack('=Q', 1 << 40)
            remote.dmabuf.write(start, PAGE)
            self.pair.run(opcode, (local.mr, 64, 8), at(remote.mr, PAGE),
                          operands)
            local.expect(64, start)
            remote.expect(PAGE, struct.pack('=Q', sum_of(1 << 40)))
            local.check()
            remote.check()


class DatagramTest(TrafficCase):
    """Datagrams: a receive buffer begins with 40 bytes of the route."""

    PAIR = pairs.UdPair

    @each_pair()
    def test_send(self, local, remote):
        """Messages up to the MTU, and what lies beside them."""
        for size in (1, 7, MTU - 1, MTU):
            with self.subTest(size=size):
                self.pair.receive((remote.mr, PAGE - 41,
                                   pairs.GRH_LENGTH + size))
                self.pair.run(e.IBV_WR_SEND, (local.mr, 11, size))
                completion = self.pair.expect(1)
                self.assertEqual(completion.byte_len,
                                 pairs.GRH_LENGTH + size)
                # the route is the network's, not ours
                start = PAGE - 41
                remote.expect(start, remote.dmabuf.read(start,
                                                        pairs.GRH_LENGTH))
                remote.expect(PAGE - 1, local.expected[11:11 + size])
                local.check()
                remote.check()


class PlaceTest(TrafficCase):
    """Regions that are a part of a dma-buf, or that lie over each other."""

    @each_pair()
    def test_offset(self, local, remote):
        """A region's first byte is the dma-buf's byte at its offset."""
        for offset in (1, PAGE, 3 * PAGE + 17):
            with self.subTest(offset=offset):
                part = self.register(remote.dmabuf, 2 * PAGE, ALL, offset)
                self.pair.run(e.IBV_WR_RDMA_WRITE, (local.mr, 9, 2 * PAGE),
                              at(part))
                remote.expect(offset, local.expected[9:9 + 2 * PAGE])
                remote.check()
                part.close()

    @each_pair()
    def test_iova(self, local, remote):
        """The address of a region has nothing to do with its offset."""
        for iova in (0, PAGE, 1 << 40, (1 << 64) - 16 * PAGE):
            with self.subTest(iova=iova):
                part = self.register(remote.dmabuf, 2 * PAGE, ALL,
                                     5 * PAGE + 11, iova + 11)
                self.pair.run(e.IBV_WR_RDMA_WRITE, (local.mr, 0, PAGE),
                              at(part, PAGE))
                remote.expect(6 * PAGE + 11, local.expected[:PAGE])
                remote.check()
                # and as the side that sends
                self.pair.run(e.IBV_WR_RDMA_WRITE, (part, 13, PAGE),
                              at(local.mr, 7))
                start = 5 * PAGE + 11 + 13
                local.expect(7, remote.expected[start:start + PAGE])
                local.check()
                part.close()

    def test_overlapping_regions(self):
        """Regions over the same bytes see each other's data."""
        for exporter in ('udmabuf', 'heap'):
            with self.subTest(exporter=exporter):
                side = Side(self, exporter)
                low = self.register(side.dmabuf, 8 * PAGE, ALL)
                high = self.register(side.dmabuf, 8 * PAGE, ALL, 4 * PAGE)
                self.pair.run(e.IBV_WR_RDMA_WRITE, (low, 0, PAGE),
                              at(high, PAGE))
                side.expect(5 * PAGE, side.expected[:PAGE])
                side.check()
                self.pair.run(e.IBV_WR_RDMA_WRITE, (low, 5 * PAGE, PAGE),
                              at(high, 7 * PAGE))
                side.expect(11 * PAGE, side.expected[:PAGE])
                side.check()

    @each_pair()
    def test_region_survives_its_neighbours(self, local, remote):
        """Regions share what is pinned, and one's end is not the other's."""
        others = [self.register(remote.dmabuf, PAGE, ALL, i * PAGE)
                  for i in range(8)]
        remote.mr.close()
        for index in (3, 0, 7, 5):
            others[index].close()
        left = others[6]
        remote.dmabuf.write(bytes(SIZE))
        remote.expect(0, bytes(SIZE))
        self.pair.run(e.IBV_WR_RDMA_WRITE, (local.mr, 0, PAGE), at(left))
        remote.expect(6 * PAGE, local.expected[:PAGE])
        remote.check()

    @each_pair()
    def test_fd_closed(self, local, remote):
        """Data moves after the dma-buf's fd was closed."""
        fd = os.dup(remote.dmabuf.fd)
        part = self.closed_at_end(cases.regions.RawDmaBufMR(
            self.context, self.pd, PAGE, ALL | uapi.PINNED, fd))
        os.close(fd)
        self.pair.run(e.IBV_WR_RDMA_WRITE, (local.mr, 0, PAGE), at(part))
        remote.expect(0, local.expected[:PAGE])
        remote.check()

    def test_read_only_dmabuf(self):
        """Data is sent from a dma-buf that was opened read-only."""
        source = self.dmabuf('heap', PAGE, mode=os.O_RDONLY)
        mr = self.register(source, access=uapi.REMOTE_READ)
        target = Side(self, 'udmabuf')
        self.pair.run(e.IBV_WR_RDMA_READ, (target.mr, 5, PAGE), at(mr))
        target.expect(5, bytes(PAGE))
        target.check()


class AtomicTest(TrafficCase):
    """Atomic operations on a dma-buf."""

    def atomic(self, opcode, local, remote, offset, operands):
        """Do one; returns what was there before."""
        self.pair.run(opcode, (local.mr, 64, 8), at(remote.mr, offset),
                      operands)
        old = local.dmabuf.read(64, 8)
        local.expect(64, old)
        return struct.unpack('=Q', old)[0]

    @each_pair()
    def test_fetch_and_add(self, local, remote):
        """The sum is there, and the old value comes back."""
        for offset in (0, 8, 3 * PAGE - 8, SIZE - 8):
            start = 0xfffffffffffffff0
            remote.dmabuf.write(struct.pack('=Q', start), offset)
            old = self.atomic(e.IBV_WR_ATOMIC_FETCH_AND_ADD, local, remote,
                              offset, (0x25,))
            self.assertEqual(old, start)
            remote.expect(offset, struct.pack('=Q', 0x15))
            local.check()
            remote.check()

    @each_pair()
    def test_compare_and_swap(self, local, remote):
        """Swapped when equal, left alone when not."""
        remote.dmabuf.write(struct.pack('=Q', 17), 2 * PAGE)
        remote.expect(2 * PAGE, struct.pack('=Q', 17))
        old = self.atomic(e.IBV_WR_ATOMIC_CMP_AND_SWP, local, remote,
                          2 * PAGE, (18, 99))
        self.assertEqual(old, 17)
        remote.check()
        old = self.atomic(e.IBV_WR_ATOMIC_CMP_AND_SWP, local, remote,
                          2 * PAGE, (17, 99))
        self.assertEqual(old, 17)
        remote.expect(2 * PAGE, struct.pack('=Q', 99))
        local.check()
        remote.check()


class ProtectionTest(TrafficCase):
    """Accesses that a region does not allow fail and change nothing."""

    def refused(self, opcode, sge, remote, side, atomic=None):
        """The other side's region refuses, and stays as it was."""
        self.pair.run(opcode, sge, remote, atomic,
                      status=e.IBV_WC_REM_ACCESS_ERR)
        side.check()
        # the queue pairs are in error now
        self.pair = pairs.RcPair(self)

    def test_rights(self):
        """A remote access that was not granted."""
        local = Side(self, 'heap')
        for exporter in ('udmabuf', 'heap'):
            remote = Side(self, exporter)
            for access, opcode, atomic in (
                    (uapi.LOCAL_WRITE | uapi.REMOTE_READ,
                     e.IBV_WR_RDMA_WRITE, None),
                    (uapi.LOCAL_WRITE | uapi.REMOTE_WRITE,
                     e.IBV_WR_RDMA_READ, None),
                    (uapi.LOCAL_WRITE | uapi.REMOTE_WRITE | uapi.REMOTE_READ,
                     e.IBV_WR_ATOMIC_FETCH_AND_ADD, (1,))):
                with self.subTest(exporter=exporter, opcode=int(opcode)):
                    mr = self.register(remote.dmabuf, access=access)
                    self.refused(opcode, (local.mr, 0, 8), at(mr), remote,
                                 atomic)

    def test_outside(self):
        """A byte before and a byte after the region, inside the dma-buf."""
        local = Side(self, 'heap')
        for exporter in ('udmabuf', 'heap'):
            remote = Side(self, exporter)
            mr = self.register(remote.dmabuf, 2 * PAGE, ALL, 4 * PAGE)
            for offset, size in ((-1, 2), (2 * PAGE, 1), (2 * PAGE - 1, 2),
                                 (PAGE, PAGE + 1), (-PAGE, 1)):
                with self.subTest(exporter=exporter, offset=offset):
                    self.refused(e.IBV_WR_RDMA_WRITE, (local.mr, 0, size),
                                 at(mr, offset), remote)

    def test_after_deregistration(self):
        """A key does nothing any more once its region is gone."""
        local = Side(self, 'heap')
        for exporter in ('udmabuf', 'heap'):
            with self.subTest(exporter=exporter):
                remote = Side(self, exporter)
                remote.mr.close()
                self.refused(e.IBV_WR_RDMA_WRITE, (local.mr, 0, 100),
                             at(remote.mr), remote)
