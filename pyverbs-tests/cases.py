# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the tests have in common: a device, queue pairs, a look for leaks."""
import contextlib
import enum
import errno
import functools
import json
import os
import resource
import subprocess
import time
import types
import unittest

import pyverbs_ext
from pyverbs.addr import AHAttr, GlobalRoute
from pyverbs.cq import CQ
from pyverbs.device import Context, get_device_list
from pyverbs.pd import PD
from pyverbs.pyverbs_error import PyverbsRDMAError
from pyverbs.qp import QP, QPAttr, QPCap, QPInitAttr
from pyverbs.wr import RecvWR, SGE, SendWR

import buffers
import regions
import uapi

try:
    import pyverbs.enums as libibverbs
except ImportError:
    import pyverbs.libibverbs_enums as libibverbs

PORT = 1
# until a thing that happens soon counts as not happening, in seconds
PATIENCE = 10
NOBODY = 65534


def _names_of_enums():
    """libibverbs' enumerators; pyverbs 65 has each in its enum only."""
    names = dict(vars(libibverbs))
    for kind in list(names.values()):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            names.update(kind.__members__)
    return types.SimpleNamespace(**names)


e = _names_of_enums()


def device_name():
    """The device under test: $RDMA_DEVICE, or the first."""
    if 'RDMA_DEVICE' in os.environ:
        return os.environ['RDMA_DEVICE']
    devices = get_device_list()
    if not devices:
        raise unittest.SkipTest('there is no RDMA device')
    return devices[0].name.decode()


def has_interface(context):
    """Whether the kernel has this project's ioctls."""
    try:
        return uapi.query_caps(context)[0].magic == uapi.MAGIC
    except OSError as err:
        if err.errno != errno.EPROTONOSUPPORT:
            raise
        return False


def mr_count(device):
    """How many MRs the device has, by RDMA netlink."""
    out = subprocess.run(['rdma', '-j', 'resource', 'show', 'mr'], check=True,
                         capture_output=True)
    return sum(mr['ifname'] == device for mr in json.loads(out.stdout or '[]'))


def pinned_bytes():
    """What this process has pinned."""
    with open('/proc/self/status', encoding='ascii') as status:
        for line in status:
            if line.startswith('VmPin:'):
                return int(line.split()[1]) * 1024
    raise RuntimeError('no VmPin in /proc/self/status')


@contextlib.contextmanager
def memory_limited(limit):
    """Without root's rights, and with this RLIMIT_MEMLOCK."""
    saved = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, saved[1]))
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, saved)


def each_exporter(size):
    """Decorator: the test takes a dma-buf, and runs for each exporter."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for name in buffers.EXPORTERS:
                with self.subTest(exporter=name):
                    test(self, self.dmabuf(name, size))
        return run
    return decorate


class DeviceCase(unittest.TestCase):
    """A test with an open device, after which nothing may be left over."""

    @classmethod
    def setUpClass(cls):
        cls.device = device_name()
        with Context(name=cls.device) as context:
            cls.patched = has_interface(context)

    def setUp(self):
        self.before = self.in_use()
        # runs after all other clean-ups
        self.addCleanup(self.check_leaks)
        self.context = self.closed_at_end(Context(name=self.device))
        self.pd = self.closed_at_end(PD(self.context))

    def closed_at_end(self, thing):
        """Close it when the test is over, before what it was made from."""
        self.addCleanup(thing.close)
        return thing

    def in_use(self):
        """What could leak."""
        return {'MRs': mr_count(self.device), 'dma-bufs': buffers.count(),
                'pinned bytes': pinned_bytes()}

    def check_leaks(self):
        """Memory may be released a little later, by the kernel's workers."""
        end = time.monotonic() + PATIENCE
        while self.in_use() != self.before and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.in_use(), self.before, 'something leaked')

    def dmabuf(self, exporter, size, **kwargs):
        """A dma-buf that is closed when the test is over."""
        return self.closed_at_end(buffers.EXPORTERS[exporter](size, **kwargs))

    def register(self, dmabuf, length=None, access=uapi.LOCAL_WRITE, offset=0,
                 iova=None, bits=uapi.PINNED):
        """A region made by the ioctl, closed when the test is over."""
        length = dmabuf.size - offset if length is None else length
        return self.closed_at_end(regions.RawDmaBufMR(
            self.context, self.pd, length, access | bits, dmabuf.fd,
            offset, iova))

    def pinned(self, dmabuf, length=None, access=uapi.LOCAL_WRITE, offset=0,
               pin_flags=0):
        """A region made by pyverbs_ext, closed when the test is over."""
        length = dmabuf.size - offset if length is None else length
        try:
            mr = pyverbs_ext.PinnedDmaBufMR(
                self.context, self.pd, length, access, dmabuf.fd,
                offset=offset, pin_flags=pin_flags)
        except PyverbsRDMAError as err:
            # With the variable set, whoever did so wants that provider.
            if (err.error_code == errno.EOPNOTSUPP
                    and 'RDMAV_DRIVERS' not in os.environ):
                self.skipTest('the provider has no reg_dmabuf_mr; see '
                              'RDMAV_DRIVERS in README.md')
            raise
        return self.closed_at_end(mr)

    @contextlib.contextmanager
    def assert_errno(self, *expected):
        """The body fails, with one of these errnos."""
        names = ' or '.join(errno.errorcode[number] for number in expected)
        try:
            yield
        except OSError as err:
            number = err.errno
        except PyverbsRDMAError as err:
            number = err.error_code
        else:
            self.fail(f'succeeded instead of failing with {names}')
        self.assertIn(number, expected,
                      f'{errno.errorcode.get(number, number)} instead of '
                      f'{names}')


class PatchedCase(DeviceCase):
    """A test for a kernel that has this project's patches."""

    def setUp(self):
        if not self.patched:
            self.skipTest('this kernel has no QUERY_DMABUF_CAPS')
        super().setUp()
        self.caps = uapi.query_caps(self.context)[0]
        if not self.caps.access_flags & uapi.PINNED:
            self.skipTest(f'{self.device} does not take part in pinned '
                          'dma-buf regions')


class UnpatchedCase(DeviceCase):
    """A test for a kernel that does not have them."""

    def setUp(self):
        if self.patched:
            self.skipTest('this kernel has QUERY_DMABUF_CAPS')
        super().setUp()


def roce_gid_index(device):
    """The port's RoCE v2 GID with an IPv4 address, else its first GID."""
    base = f'/sys/class/infiniband/{device}/ports/{PORT}'
    for index in range(256):
        try:
            with open(f'{base}/gids/{index}', encoding='ascii') as gid, \
                    open(f'{base}/gid_attrs/types/{index}',
                         encoding='ascii') as kind:
                if gid.read().startswith('0000:0000:0000:0000:0000:ffff:') \
                        and kind.read().strip() == 'RoCE v2':
                    return index
        except OSError:
            continue
    return 0


class RcPair:
    """Two connected reliable queue pairs of one process."""

    DEPTH = 16

    def __init__(self, case):
        self.case = case
        self.gid_index = roce_gid_index(case.device)
        self.gid = case.context.query_gid(PORT, self.gid_index)
        self.cqs = [self._make(CQ, case.context, 4 * self.DEPTH)
                    for _ in range(2)]
        self.qps = [self._qp(cq) for cq in self.cqs]
        for qp, peer in zip(self.qps, reversed(self.qps)):
            self._connect(qp, peer.qp_num)
        self.names = iter(range(1, 1 << 30))

    def _make(self, kind, *args):
        return self.case.closed_at_end(kind(*args))

    def _attr(self, peer_qpn=0):
        route = GlobalRoute(dgid=self.gid, sgid_index=self.gid_index,
                            hop_limit=64)
        attr = QPAttr(port_num=PORT)
        attr.ah_attr = AHAttr(gr=route, is_global=1, port_num=PORT)
        attr.qp_access_flags = (uapi.REMOTE_WRITE | uapi.REMOTE_READ |
                                uapi.REMOTE_ATOMIC)
        attr.path_mtu = e.IBV_MTU_1024
        attr.dest_qp_num = peer_qpn
        attr.max_rd_atomic = 1
        attr.max_dest_rd_atomic = 1
        attr.min_rnr_timer = 12
        attr.timeout = 14
        attr.retry_cnt = 7
        attr.rnr_retry = 7
        return attr

    def _qp(self, cq):
        cap = QPCap(max_send_wr=self.DEPTH, max_recv_wr=self.DEPTH)
        init = QPInitAttr(qp_type=e.IBV_QPT_RC, scq=cq, rcq=cq, cap=cap)
        return self._make(QP, self.case.pd, init, self._attr())

    def _connect(self, qp, peer_qpn):
        qp.to_rts(self._attr(peer_qpn))

    def wait(self, side):
        """The next completion of a side."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            number, completions = self.cqs[side].poll()
            if number:
                return completions[0]
        self.case.fail('no completion came')

    def expect(self, side, status=None):
        """The next completion of a side, which has this status."""
        status = e.IBV_WC_SUCCESS if status is None else status
        completion = self.wait(side)
        self.case.assertEqual(completion.status, status,
                              f'completion status {completion.status}')
        return completion

    def post(self, side, opcode, sge, remote=None, atomic=None):
        """Post one work request; sge is (mr, offset in it, length)."""
        wr = SendWR(wr_id=next(self.names), opcode=opcode, num_sge=1,
                    sg=[make_sge(*sge)])
        if atomic is not None:
            wr.set_wr_atomic(*remote, *atomic)
        elif remote is not None:
            wr.set_wr_rdma(*remote)
        self.qps[side].post_send(wr)

    def run(self, opcode, sge, remote=None, atomic=None, status=None):
        """Post one and wait for it; side 0 is the requester."""
        self.post(0, opcode, sge, remote, atomic)
        return self.expect(0, status)

    def receive(self, sge):
        """Side 1 is ready for a message."""
        self.qps[1].post_recv(RecvWR(wr_id=next(self.names), num_sge=1,
                                     sg=[make_sge(*sge)]))


def make_sge(mr, offset, length):
    """Part of a region."""
    return SGE(mr.iova + offset, length, mr.lkey)


def at(mr, offset=0):
    """Part of a region, for the other side."""
    return mr.rkey, mr.iova + offset
