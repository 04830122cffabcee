# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""The caller's terminal, connected to the consoles of the machines, one at a time."""

import contextlib
import os
import sys
import termios
import tty

ESCAPE = 0x1d  # Ctrl-]
MAX_PENDING = 65536  # bytes typed that no machine has taken
HELP = "Ctrl-] q ends the run, Ctrl-] and a digit goes to that node, Ctrl-] Ctrl-] sends Ctrl-]."


class Terminal:
    def __init__(self):
        self.input = sys.stdin.fileno()
        self._saved = termios.tcgetattr(self.input)
        self._escaped = False
        self._outputs = {}  # what machines wrote while another one had the terminal
        self._pending = {}  # what is still to be sent
        self._channels = {}
        self._current = None
        self.quit = False

    def __enter__(self):
        print(HELP, file=sys.stderr)
        tty.setraw(self.input)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(termios.error):  # it may have hung up
            termios.tcsetattr(self.input, termios.TCSADRAIN, self._saved)

    def connect(self, number, channel):
        self._channels[number] = channel
        self._outputs[number] = b""
        self._pending[number] = b""
        if self._current is None:
            self._current = number

    def disconnect(self, number):
        """A command has ended: show a terminal where one goes on."""
        current = self._current
        self._show(number)
        del self._channels[number]
        if self._channels:
            self._show(current if current in self._channels else min(self._channels))

    def output(self, number, data):
        if number != self._current:
            self._outputs[number] += data
            return
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def _show(self, number):
        self._current = number
        data, self._outputs[number] = self._outputs[number], b""
        self.output(number, data)

    def read(self):
        """Take what there is of the caller's input."""
        data = os.read(self.input, 4096)
        if not data:
            self.quit = True
        for byte in data:
            self._take(byte)

    def _take(self, byte):
        if self._escaped:
            self._escaped = False
            if byte == ord("q"):
                self.quit = True
                return
            if byte - ord("0") in self._channels:
                self._show(byte - ord("0"))
                return
            if byte != ESCAPE:
                return
        elif byte == ESCAPE:
            self._escaped = True
            return
        self._pending[self._current] += bytes((byte,))

    def flush(self):
        """Send what the machines take of it."""
        for number, channel in self._channels.items():
            if self._pending[number]:
                try:
                    sent = channel.send(self._pending[number])
                except (BlockingIOError, BrokenPipeError):
                    sent = 0
                self._pending[number] = self._pending[number][sent:]

    def has_pending(self):
        return any(self._pending.values())

    def wants_input(self):
        return sum(map(len, self._pending.values())) < MAX_PENDING
