# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Programs that people run on RDMA devices, with both providers."""

import machine
import report

TIMEOUT = 2400  # seconds, for a busy machine

TEXT = """\
Each program of `tests/comparison/cases.py`, server and client in one virtual machine on the patched
kernel. What works with rdma-core's provider has to work with this project's. What fails is tried
again, which the table tells."""


def outcome(record):
    if not record["passed"]:
        return record["problems"][-1]["problem"]
    if record["problems"]:
        problems = ", ".join(problem["problem"] for problem in record["problems"])
        return f"ok at last, after: {problems}"
    return "ok"


def compare(host):
    providers = (machine.STOCK, machine.OURS)
    records = host.run("programs", machine.PATCHED, providers, timeout=TIMEOUT)
    found = report.Report("Programs", TEXT)
    rows = found.table("Programs", "", "program", "rdma-core's provider", "this project's provider")
    cases = {}
    for record in records:
        cases.setdefault((record["group"], record["case"]), {})[record["provider"]] = record
    for (group, name), by_provider in cases.items():
        stock, ours = (by_provider[provider] for provider in providers)
        rows.append([group, f"`{name}`", outcome(stock), outcome(ours)])
        if stock["passed"] and not ours["passed"]:
            found.worse.append(f"{name}: {outcome(ours)}")
            print(f"{name}: {outcome(ours)}\n{ours['problems'][-1]['output']}\n")
    if not any(record["passed"] for record in records):
        found.worse.append("no program succeeded")
    return found
