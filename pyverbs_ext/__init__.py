# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Pinned dma-buf memory regions for pyverbs, by libibverbs-ext.

Import it before pyverbs opens a device: with the library comes the Soft-RoCE
provider, which has to be there when libibverbs looks for providers.
"""
from .device import Caps, Report, probe, query_caps
from .enums import (Access, EventType, Mode, MRFlags, PinFlags, Placement,
                    Reason, ReportSource, State)
from .errors import DmaBufRegistrationError
from .events import Event, EventChannel
from .library import reason_str
from .mr import MRInfo, PinnedDmaBufMR

__all__ = ['Access', 'Caps', 'DmaBufRegistrationError', 'Event',
           'EventChannel', 'EventType', 'MRFlags', 'MRInfo', 'Mode',
           'PinFlags', 'PinnedDmaBufMR', 'Placement', 'Reason', 'Report',
           'ReportSource', 'State', 'probe', 'query_caps', 'reason_str']
