# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Exceptions, in pyverbs' manner."""
from typing import Optional

from pyverbs.pyverbs_error import PyverbsRDMAError

from .device import Report
from .enums import Reason


class DmaBufRegistrationError(PyverbsRDMAError):
    """A pinned region could not be registered."""

    def __init__(self, error_code: int, reason: Reason, text: str,
                 report: Optional[Report]):
        super().__init__(f'Failed to register a pinned dma-buf MR: {text}',
                         error_code)
        #: why; NONE if nothing was found out
        self.reason = reason
        #: what a probe found, None if the kernel cannot probe
        self.report = report
