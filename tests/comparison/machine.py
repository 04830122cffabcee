# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Run the guest-* scripts in virtual machines and read their records."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(TOP, "build/comparison")

PATCHED = "stock"  # names of kernels in build/kernels
UNPATCHED = "stock-unpatched"

STOCK = "rdma-core"  # names of providers
OURS = "this project"


class Host:
    """What the virtual machines take from the host: a build, and the root of their user space."""

    def __init__(self, build, root):
        self._root = root
        self._build = build
        # Each tree has its results.
        name = "" if root == "/" else os.path.basename(os.path.realpath(root))
        self.results = os.path.join(RESULTS, name)

    def _driver(self, provider):
        """What RDMAV_DRIVERS has to be for a provider."""
        if provider == STOCK:
            return "rxe"
        return os.path.join(self._build, "providers/rxe/librxe-dmabuf")

    def run(self, piece, kernel, providers, *arguments, timeout):
        """Return the records of the script guest-PIECE."""
        log = os.path.join(self.results, f"{piece}-{kernel}")
        records = os.path.join(log, f"{piece}.jsonl")
        os.makedirs(log, exist_ok=True)
        if os.path.exists(records):
            os.unlink(records)
        command = [os.path.join(TOP, "tests/vm/run"), "--kernel", kernel, "--root", self._root,
                   "--timeout", str(timeout), "--log", log, "--",
                   os.path.join(HERE, f"guest-{piece}"), *arguments]
        command += [f"{provider}={self._driver(provider)}" for provider in providers]
        status = subprocess.run(command, cwd=TOP).returncode
        if status:
            sys.exit(f"comparison: {piece} on {kernel}: status {status}")
        with open(records, encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        for provider in providers:
            if not any(record["provider"] == provider for record in found):
                sys.exit(f"comparison: {piece} on {kernel}: nothing was run with {provider}'s "
                         "provider")
        return found
