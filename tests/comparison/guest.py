# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the scripts that run in the virtual machine share."""

import json
import os
import subprocess

DEVICE = "rxe0"
CONFIG = "/etc/libibverbs.d"


def only_drivers_of_environment():
    """Have libibverbs read no configuration, so that RDMAV_DRIVERS alone decides.

    A provider that does not register then leaves no device, instead of leaving it to the other.
    """
    empty = "/tmp/no-drivers"
    os.makedirs(empty, exist_ok=True)
    subprocess.run(["mount", "--bind", empty, CONFIG], check=True)


class Records:
    """A file of the host, one JSON object for each line, written as they come."""

    def __init__(self, name):
        path = os.path.join(os.environ["VM_RESULTS"], name)
        self._file = open(path, "w", encoding="utf-8")

    def add(self, **record):
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
