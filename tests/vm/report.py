#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Find what a kernel complains about in its console log.

As a program: print the reports found in the given files; status 1 if there are any.
"""

import re
import sys

# The time stamp, and with CONFIG_PRINTK_CALLER the task or CPU, before each message.
_PREFIX = re.compile(r"^\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")

# Matched at the start of a message. A stack dump alone is no report: fault injection prints one
# for each failure that it makes.
_START = (
    r"WARNING: (?!Spectre|Unprivileged eBPF)",
    r"general protection fault",
    r"double fault",
    r"Oops: ",
    r"Kernel panic",
    r"UBSAN: ",
    r"KCSAN: ",
    r"ODEBUG: (?!selftest passed|\d+ of \d+ active objects replaced)",
    r"refcount_t: ",
    r"kernel BUG at ",
    r"(?:list_add|list_del) corruption",
    r"kmemleak: [1-9]\d* new suspected memory leaks",
    r"unreferenced object 0x",
    r"(?:rcu: )?INFO: rcu\S* .*(?:detected|self-detected) (?:expedited )?stalls?",
    r"INFO: task .* blocked for more than",
    r"INFO: trying to register non-static key",
    r"INFO: possible ",
    r"DMA-API: (?!preallocated|debugging enabled|debugging disabled)",
    r"irq \d+: nobody cared",
    r"sysfs: cannot create duplicate filename",
    r"kobject.*tried to (?:init|add) an (?:initialized|uninitialized) object",
)

# Matched anywhere in a message.
_ANYWHERE = (
    r"\bBUG\b(?::| \S+ \()",
    r"\bKASAN: (?!KernelAddressSanitizer initialized)",
    r"\bKFENCE: (?!initialized)",
    r"soft lockup",
    r"hard LOCKUP",
    r"possible (?:circular|recursive|irq) lock",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"sleeping function called from invalid context",
    r"scheduling while atomic",
)

_REPORT = re.compile("|".join([f"^(?:{p})" for p in _START] + list(_ANYWHERE)))
_END = re.compile(r"---\[ end (?:trace|Kernel panic)")
_MAX_LINES = 60

# A CPU that is idle and has had no tick since the grace period began, see print_cpu_stall_info()
_IDLE_WITHOUT_TICKS = re.compile(r"\d+-\S*: \(0 ticks this GP\) idle=[0-9a-f]+/0/0x0 ")
_LOST_TIMER = re.compile(r"rcu: \S+ kthread timer wakeup didn't happen for ")


def scan(lines):
    """Return the reports in a console log: a list of lists of lines, each from the line that
    gives it away to the end of its trace, or for as long as a trace usually is."""
    reports = []
    left = 0
    for line in lines:
        line = line.rstrip("\r\n")
        message = _PREFIX.sub("", line)
        if left:
            reports[-1].append(line)
            left -= 1
            if _END.search(message):
                left = 0
        elif _REPORT.search(message):
            reports.append([line])
            left = _MAX_LINES - 1
    return reports


def scan_file(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return scan(file)


def is_emulator_fault(lines):
    """Is a report of what only QEMU's multi-threaded emulation does?

    An emulated CPU stumbles over a breakpoint that another one was just patching in or out,
    because it runs a translation made a moment before (seen once in some 30 boots). On real
    CPUs the kernel waits until all of them see the same code.

    A CPU sleeps for good, with interrupts on: its local APIC has the timer's interrupt both in
    service and pending, and so gives it no other one (seen in one of some 10 long runs of the
    fuzzer). A CPU that the kernel itself keeps from its ticks is not idle.
    """
    return ("Oops: int3: " in "\n".join(lines) or
            any(map(_IDLE_WITHOUT_TICKS.search, lines)) and any(map(_LOST_TIMER.search, lines)))


def main(paths):
    found = False
    for path in paths:
        for report in scan_file(path):
            found = True
            print(f"{path}:", *report, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
