# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the tests have in common: a device, dma-bufs, a look for leaks."""
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
from pyverbs.device import Context, get_device_list
from pyverbs.pd import PD
from pyverbs.pyverbs_error import PyverbsRDMAError

import buffers
import regions
import uapi

try:
    import pyverbs.enums as libibverbs
except ImportError:
    import pyverbs.libibverbs_enums as libibverbs

# until a thing that happens soon counts as not happening, in seconds
PATIENCE = 10
NOBODY = 65534
# the device under test; the first if it has no name. run's --dev sets it.
DEVICE = None


def _names_of_enums():
    """libibverbs' enumerators; pyverbs 65 has each in its enum only."""
    names = dict(vars(libibverbs))
    for kind in list(names.values()):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            names.update(kind.__members__)
    return types.SimpleNamespace(**names)


e = _names_of_enums()


def device_name():
    """The device under test."""
    if DEVICE:
        return DEVICE
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
