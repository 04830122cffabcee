# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""A command's run in one or several machines, from power on to power off."""

import math
import selectors
import sys
import time

# How long the command may go on in other machines after it has failed in one, in seconds.
GRACE = 5
# How long a machine may take to power off, with a search for memory leaks before that.
POWER_OFF = 180
# How often to try to send what a machine did not take.
RETRY = 0.05


class Output:
    """One of a machine's output streams, passed on as it comes. With a prefix, which is put
    before each line, only whole lines are."""

    def __init__(self, stream, prefix):
        self._stream = stream
        self._prefix = prefix
        self._partial = b""

    def write(self, data):
        if self._prefix:
            lines = (self._partial + data).split(b"\n")
            self._partial = lines.pop()
            data = b"".join(self._prefix + line + b"\n" for line in lines)
        self._stream.write(data)
        self._stream.flush()

    def finish(self):
        if self._partial:
            self.write(b"\n")


class Session:
    """Machines that start the command together and power off together."""

    def __init__(self, machines, timeout, log, terminal=None):
        """log is called with the text of each event; terminal is a Terminal or None."""
        self._machines = machines
        self._log = log
        self._terminal = terminal
        self._end = time.monotonic() + timeout
        self._overdue = "time-out"
        self._selector = selectors.DefaultSelector()
        self._outputs = []
        self._ready = set()
        self._off = set()
        self.statuses = {}  # by machine, in the order in which the command ended
        self.taints = {}  # of the kernels, by machine
        self.failure = None  # what went wrong, if it was not the command
        self.timed_out = False

        for machine in machines:
            prefix = f"[node {machine.number}] ".encode() if len(machines) > 1 else b""
            for name, channel in machine.channels.items():
                if name == "control":
                    handler = _lines(lambda words, machine=machine: self._told(machine, words))
                elif name == "terminal":
                    terminal.connect(machine.number, channel)
                    handler = (lambda data, number=machine.number: terminal.output(number, data))
                else:
                    output = Output(getattr(sys, name).buffer, prefix)
                    self._outputs.append(output)
                    handler = output.write
                self._selector.register(channel, selectors.EVENT_READ, (machine, name, handler))

    def run(self):
        """Return when all machines are off, or one has failed, or the time is over."""
        while len(self._off) < len(self._machines) and not self.failure:
            left = self._end - time.monotonic()
            if left <= 0:
                self._time_is_over()
                break
            if self._terminal:
                left = self._serve_terminal(left)
                if self._terminal.quit:
                    break
            for key, _ in self._selector.select(None if left == math.inf else left):
                if not key.data:
                    self._terminal.read()
                elif key.fileobj in self._selector.get_map():
                    self._read(key)
        for output in self._outputs:
            output.finish()

    def _serve_terminal(self, left):
        """Pass on what was typed, once there is a command for it; return how long to wait."""
        terminal = self._terminal
        running = len(self._ready) == len(self._machines)
        if running:
            terminal.flush()
        listening = terminal.input in self._selector.get_map()
        if terminal.wants_input() and not listening:
            self._selector.register(terminal.input, selectors.EVENT_READ)
        elif listening and not terminal.wants_input():
            self._selector.unregister(terminal.input)
        return min(left, RETRY) if running and terminal.has_pending() else left

    def _read(self, key):
        """Read once from a channel; return whether there was something."""
        machine, name, handler = key.data
        try:
            data = key.fileobj.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if name == "control":
            # What the machine wrote before that comes first.
            for other in list(self._selector.get_map().values()):
                if other.data and other.data[0] is machine and other is not key:
                    while self._read(other):
                        pass
        if data:
            handler(data)
            return True
        self._selector.unregister(key.fileobj)
        if name == "control":
            self._machine_is_off(machine)
        return False

    def _machine_is_off(self, machine):
        self._off.add(machine)
        self._log(f"node {machine.number} is off")
        if machine not in self.statuses:
            self.failure = f"node {machine.number} ended before the command did"
        elif machine not in self.taints:
            self.failure = f"node {machine.number} did not power off in good order"

    def _told(self, machine, words):
        if words[0] == "ready":
            self._log(f"node {machine.number} is ready")
            self._ready.add(machine)
            if len(self._ready) == len(self._machines):
                self._tell_all("go")
        elif words[0] == "status":
            self._log(f"node {machine.number}: status {words[1]}")
            self._command_ended(machine, int(words[1]))
        elif words[0] == "taint":
            self.taints[machine] = int(words[1])

    def _command_ended(self, machine, status):
        self.statuses[machine] = status
        if self._terminal:
            self._terminal.disconnect(machine.number)
        if len(self.statuses) == len(self._machines):
            self._tell_all("off")
            self._limit(POWER_OFF, "a machine does not power off")
        elif status and not self._terminal:
            self._limit(GRACE, None)

    def _tell_all(self, word):
        for machine in self._machines:
            machine.send(word)

    def _limit(self, seconds, overdue):
        end = time.monotonic() + seconds
        if end < self._end:
            self._end = end
            self._overdue = overdue

    def _time_is_over(self):
        if self._overdue == "time-out":
            self.timed_out = True
        else:
            self.failure = self._overdue


def _lines(handler):
    """Return a function that takes data as it comes and calls handler with each line's words."""
    partial = b""

    def take(data):
        nonlocal partial
        *lines, partial = (partial + data).split(b"\n")
        for line in lines:
            handler(line.decode().split())

    return take
