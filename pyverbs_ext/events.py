# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Events of regions that are revoked."""
import dataclasses
import os
import threading
from typing import Any

from . import library
from .device import known
from .enums import EventType


@dataclasses.dataclass(frozen=True)
class Event:
    """What happened to a watched region."""
    type: EventType
    cookie: Any


class EventChannel:
    """Where events of a context's regions are read.

    Every method may be called by any thread, close() when no other one is.
    """

    def __init__(self, context, nonblocking=False):
        """
        :param context: pyverbs' Context, to be closed after the channel
        :param nonblocking: get_event() raises BlockingIOError's errno, EAGAIN,
                            as PyverbsRDMAError if there is none
        :raises PyverbsRDMAError: EOPNOTSUPP, the kernel has no such events
        """
        self._context = library.make_context(context)
        self._channel = library.create_channel(self._context)
        self._lock = threading.Lock()
        self._watches = {}
        self._last = 0
        if nonblocking:
            os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """For select, poll and asyncio: readable when there is an event."""
        return self._channel.contents.fd

    def watch(self, mr, cookie: Any = None):
        """Have an event when the region is revoked, at once if it was.

        :param mr: PinnedDmaBufMR, which has to live until the event or unwatch
        :param cookie: anything, for the event; the region if it is not given
        """
        with self._lock:
            self._last += 1
            number = self._last
            self._watches[number] = (mr, mr if cookie is None else cookie)
        try:
            library.watch(mr._mr, self._channel, number)
        except Exception:
            with self._lock:
                del self._watches[number]
            raise

    def unwatch(self, mr):
        """No event of the region is delivered any more.

        :raises PyverbsRDMAError: ENOENT, there was no watch whose event was
                                  not delivered
        """
        try:
            library.unwatch(mr._mr, self._channel)
        finally:
            with self._lock:
                self._watches = {number: entry for number, entry
                                 in self._watches.items()
                                 if entry[0] is not mr}

    def get_event(self) -> Event:
        """Wait for an event.

        :raises PyverbsRDMAError: EAGAIN, there is none (nonblocking); EIO, and
                                  the device is gone
        """
        while True:
            event = library.get_event(self._channel)
            with self._lock:
                entry = self._watches.pop(event.cookie, None)
            # An unwatch may have come between the two.
            if entry:
                return Event(known(EventType, event.type), entry[1])

    def close(self):
        """Give the descriptor back; harmless the second time."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            library.destroy_channel(channel)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
