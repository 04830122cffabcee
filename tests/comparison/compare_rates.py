# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Messages per second of 1-byte sends, with both providers."""

import collections
import os
import statistics

import machine
import report

TIMEOUT = 2400  # seconds, for a busy machine
ROUNDS = 9
# Fewer bound no median with a confidence of 95 %.
LEAST_ROUNDS = 6

# A ratio below this is worse for certain, one between it and 1 may be chance: see README.md.
WORSE = 0.85

TEXT = """\
`ib_send_bw -s 1` in one virtual machine on the patched kernel, with the providers in turns that are
shuffled each round. A ratio is the median of the ratios of each round, in brackets the values
between which it lies with a confidence of 95 %. The CPU is emulated: only ratios mean something,
and not much with other work on the machine (a load average above some 3), when perftest also finds
no clock rate and so no result in some rounds."""


def interval(values):
    """Return the values between which the median lies with a confidence of 95 %, by rank."""
    values = sorted(values)
    count = len(values)
    weight, tail, rank = 0.5 ** count, 0.0, 0
    while tail + weight <= 0.025:
        tail += weight
        weight *= (count - rank) / (rank + 1)
        rank += 1
    rank = max(rank - 1, 0)
    return values[rank], values[count - 1 - rank]


def compare(host):
    providers = (machine.STOCK, machine.OURS)
    before = os.getloadavg()[0]
    records = host.run("rates", machine.PATCHED, providers, "--rounds", str(ROUNDS),
                       timeout=TIMEOUT)
    found = report.Report("Messages per second", TEXT)
    load = f"load average of the host {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    rows = found.table(f"1-byte sends, {load}", "", "rdma-core's provider, 1/s",
                       "this project's provider, 1/s", "ratio", "rounds")
    rates = collections.defaultdict(lambda: collections.defaultdict(dict))
    for record in records:
        if "problem" in record:
            print(f"{record['case']}, {record['provider']}'s provider: {record['problem']}")
        else:
            rates[record["case"]][record["round"]][record["provider"]] = record["rate"]
    for case in dict.fromkeys(record["case"] for record in records):
        pairs = [tuple(pair[provider] for provider in providers)
                 for pair in rates[case].values() if len(pair) == len(providers)]
        if len(pairs) < LEAST_ROUNDS:
            found.worse.append(f"{case}: only {len(pairs)} of {ROUNDS} rounds had results")
            continue
        ratios = [ours / stock for stock, ours in pairs]
        low, high = interval(ratios)
        rows.append([case, *(f"{statistics.median(values):.0f}" for values in zip(*pairs)),
                     f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})",
                     str(len(pairs))])
        if high < WORSE:
            found.worse.append(f"{case}: {rows[-1][3]} of rdma-core's rate")
    return found
