# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Run a case's two ends."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import cases
import guest

TIME_LIMIT = 45  # seconds
OUTPUT = 4000  # characters kept of what a program prints

LISTEN = "0A"  # a TCP socket's state in /proc/net/tcp


def tcp_listens():
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(name, encoding="ascii") as file:
            if any(line.split()[3] == LISTEN for line in file):
                return True
    return False


def cm_listens():
    output = subprocess.run(["rdma", "-j", "resource", "show", "cm_id"], check=True,
                            stdout=subprocess.PIPE).stdout
    return any(cm_id.get("state") == "LISTEN" for cm_id in json.loads(output or "[]"))


LISTENS = {cases.TCP: tcp_listens, cases.CM: cm_listens}


class Program:
    """One end of a case: a running process."""

    def __init__(self, name, command, environment):
        self._log = f"/tmp/{name}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, env=environment, start_new_session=True)

    def running(self):
        return self._process.poll() is None

    def wait(self, end):
        """Return what went wrong, or nothing."""
        try:
            status = self._process.wait(max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "hung"
        if status < 0:
            return signal.Signals(-status).name
        return f"exit status {status}" if status else ""

    def output(self):
        with open(self._log, "rb") as log:
            return log.read().decode(errors="replace")

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def words(command, settings):
    return [word.format(**settings) for word in command.split()]


def attempt(case, driver, settings):
    """Run both ends; return what went wrong, or nothing, and what they printed."""
    environment = dict(os.environ, RDMAV_DRIVERS=driver)
    environment.update((name, value.format(**settings)) for name, value in case.environment.items())
    server = Program("server", words(case.server, settings), environment)
    end = time.monotonic() + TIME_LIMIT
    client = None
    try:
        while server.running() and not LISTENS[case.listens]() and time.monotonic() < end:
            time.sleep(0.05)
        if not server.running():
            return f"server: {server.wait(end) or 'ended early'}", server.output()[-OUTPUT:]
        client = Program("client", words(case.client, settings), environment)
        problem = client.wait(end)
        if problem:
            problem = f"client: {problem}"
        elif not re.search(case.expected, client.output(), re.MULTILINE):
            problem = "client: no result"
        else:
            problem = server.wait(end)
            problem = problem and f"server: {problem}"
        return problem, client.output()[-OUTPUT:] + "\n--- server:\n" + server.output()[-OUTPUT:]
    finally:
        server.end()
        if client:
            client.end()


def values():
    """Return what stands in the commands for the machine's device and address."""
    return {"device": guest.DEVICE, "ip": os.environ["VM_IP"], "gid": os.environ["VM_GID_INDEX"]}
