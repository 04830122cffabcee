# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""The caller's terminal, connected to the consoles of the machines, one at a time."""

import os
import sys
import termios
import tty

ESCAPE = 0x1d  # Ctrl-]
END_OF_FILE = b"\4"
HELP = "Ctrl-] q ends the run, Ctrl-] and a digit goes to that node, Ctrl-] Ctrl-] sends Ctrl-]."


class Terminal:
    def __init__(self):
        self.input = sys.stdin.fileno()
        self._is_tty = os.isatty(self.input)
        self._saved = termios.tcgetattr(self.input) if self._is_tty else None
        self._escaped = False
        self._ended = False
        self._outputs = {}  # what machines wrote while another one had the terminal
        self._pending = {}  # what is still to be sent
        self._channels = {}
        self._current = None
        self.quit = False

    def __enter__(self):
        if self._is_tty:
            print(HELP, file=sys.stderr)
            tty.setraw(self.input)
        return self

    def __exit__(self, *_):
        if self._is_tty:
            termios.tcsetattr(self.input, termios.TCSADRAIN, self._saved)

    def connect(self, number, channel):
        self._channels[number] = channel
        self._outputs[number] = b""
        self._pending[number] = b""
        if self._current is None:
            self._current = number

    def disconnect(self, number):
        """A command has ended: show a terminal where one goes on."""
        self._show(number)
        del self._channels[number]
        if self._channels:
            self._show(min(self._channels))

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
            self._ended = True
            data = END_OF_FILE
        for byte in data:
            self._take(byte)
        self.flush()

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
        elif byte == ESCAPE and self._is_tty:
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

    def wants_input(self):
        return not self._ended and not any(self._pending.values())
