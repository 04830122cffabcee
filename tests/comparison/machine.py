# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Run one of the guest-* scripts in a virtual machine and read its records."""

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


def driver(name, build):
    """What RDMAV_DRIVERS has to be for a provider."""
    return {STOCK: "rxe", OURS: os.path.join(build, "providers/rxe/librxe-dmabuf")}[name]


def run(piece, kernel, build, providers, *arguments, timeout):
    """Return the records of the script guest-PIECE."""
    log = os.path.join(RESULTS, f"{piece}-{kernel}")
    records = os.path.join(log, f"{piece}.jsonl")
    os.makedirs(log, exist_ok=True)
    if os.path.exists(records):
        os.unlink(records)
    command = [os.path.join(TOP, "tests/vm/run"), "--kernel", kernel, "--timeout", str(timeout),
               "--log", log, "--", os.path.join(HERE, f"guest-{piece}"), *arguments]
    command += [f"{name}={driver(name, build)}" for name in providers]
    status = subprocess.run(command, cwd=TOP).returncode
    if status:
        sys.exit(f"comparison: {piece} on {kernel}: status {status}")
    with open(records, encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    for name in providers:
        if not any(record["provider"] == name for record in found):
            sys.exit(f"comparison: {piece} on {kernel}: nothing was run with {name}'s provider")
    return found
