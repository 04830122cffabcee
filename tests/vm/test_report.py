#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the scanner of console logs must find, and what it must leave alone."""

import os
import subprocess
import sys
import tempfile
import unittest

import report

# One line that gives a report away, by kind.
COMPLAINTS = {
    "WARN": "WARNING: CPU: 1 PID: 203 at drivers/dma-buf/dma-buf.c:1540 dma_buf_vmap+0x1f/0x90",
    "WARN of 6.18": "WARNING: drivers/dma-buf/dma-buf.c:1540 at dma_buf_vmap+0x1f/0x90, CPU#1: t/9",
    "BUG": "kernel BUG at mm/slub.c:546!",
    "page fault": "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "bad address": "BUG: unable to handle page fault for address: ffffc90000a01000",
    "page": "BUG: Bad page state in process rxe_test  pfn:12f3c",
    "Oops": "Oops: 0002 [#1] PREEMPT SMP KASAN NOPTI",
    "Oops with a cause": "Oops: general protection fault, probably for non-canonical address",
    "GPF": "general protection fault, probably for non-canonical address 0xdead000000000122: 0000",
    "panic": "Kernel panic - not syncing: sysrq triggered crash",
    "KASAN": "BUG: KASAN: slab-use-after-free in rxe_mr_copy+0x2d1/0x4f0 [rdma_rxe]",
    "KASAN's guess": "KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]",
    "KFENCE": "BUG: KFENCE: out-of-bounds read in test_out_of_bounds_read+0xa6/0x234",
    "UBSAN": "UBSAN: array-index-out-of-bounds in drivers/infiniband/core/umem.c:77:12",
    "SLUB": "BUG kmalloc-64 (Tainted: G        W         ): Redzone overwritten",
    "circular lock": "WARNING: possible circular locking dependency detected",
    "recursive lock": "WARNING: possible recursive locking detected",
    "irq lock": "WARNING: possible irq lock inversion dependency detected",
    "lock state": "WARNING: inconsistent lock state",
    "unlock": "WARNING: bad unlock balance detected!",
    "lock at return": "WARNING: lock held when returning to user space!",
    "RCU usage": "WARNING: suspicious RCU usage",
    "lock without key": "INFO: trying to register non-static key.",
    "sleep": "BUG: sleeping function called from invalid context at mm/util.c:81",
    "schedule": "BUG: scheduling while atomic: rxe_test/241/0x00000002",
    "refcount": "refcount_t: underflow; use-after-free.",
    "list": "list_del corruption. prev->next should be ffff888103a1, but was dead000000000100.",
    "debug objects": "ODEBUG: free active (active state 0) object: ffff8881 object type: work",
    "DMA": "DMA-API: rxe0: device driver frees DMA memory with different size",
    "leaks": "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "leak": "unreferenced object 0xffff888104a3c000 (size 192):",
    "hung task": "INFO: task ibv_dmabuf_ping:311 blocked for more than 120 seconds.",
    "soft lockup": "watchdog: BUG: soft lockup - CPU#0 stuck for 67s! [kworker/u8:1:33]",
    "hard lockup": "watchdog: Watchdog detected hard LOCKUP on cpu 1",
    "workqueue": "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
    "RCU stall": "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "own RCU stall": "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "expedited stall": "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }",
    "duplicate": "sysfs: cannot create duplicate filename '/class/infiniband/rxe0'",
}

HARMLESS = """\
[    0.000000] Linux version 6.12.117 (gcc) #1 SMP PREEMPT
[    0.000000] kasan: KernelAddressSanitizer initialized (generic)
[    0.000000] KASAN: KernelAddressSanitizer initialized
[    0.000000] kfence: initialized - using 2097152 bytes for 255 objects
[    0.010000] DMA-API: preallocated 65536 debug entries
[    0.010000] DMA-API: debugging enabled by kernel config
[    0.020000] Spectre V2 : WARNING: Unprivileged eBPF is enabled, data leaks possible!
[    0.030000] ODEBUG: selftest passed
[    0.031000] ODEBUG: 22 of 22 active objects replaced
[    0.040000] kmemleak: Kernel memory leak detector initialized (mem pool available: 15788)
[    0.500000] rcu: Hierarchical RCU implementation.
[    0.600000] workqueue: drm_fb_helper_damage_work hogged CPU for >10000us 4 times
[    1.000000] debug: mapping [bug] table
[    2.000000] clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable
[    9.768544] dummy0 speed is unknown, defaulting to 1000
"""

FAULT_INJECTION = """\
[   31.204018] FAULT_INJECTION: forcing a failure.
               name failslab, interval 1, probability 100, space 0, times 1
[   31.204530] CPU: 1 UID: 0 PID: 211 Comm: dmabuf_test Not tainted 6.12.117 #1
[   31.204871] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2
[   31.205214] Call Trace:
[   31.205301]  <TASK>
[   31.205377]  dump_stack_lvl+0x7b/0xa0
[   31.205512]  should_fail_ex+0x4c1/0x570
[   31.205873]  ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR+0x39a/0x7e0 [ib_uverbs]
[   31.206554]  </TASK>
"""

TRACE = """\
[   12.1] ------------[ cut here ]------------
[   12.2] WARNING: CPU: 0 PID: 1 at init/main.c:1 start+0x1/0x2
[   12.3] Call Trace:
[   12.4] ---[ end trace 0000000000000000 ]---
[   12.5] infiniband rxe0: set active
"""

LOST_TIMER = """\
[ 1082.367702] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[ 1082.370819] rcu: 	1-...!: (0 ticks this GP) idle=cfc0/0/0x0 softirq=3/3 fqs=2 (false positive?)
[ 1082.373310] rcu: 	(detected by 0, t=31252 jiffies, g=419961, q=54936 ncpus=2)
[ 1082.376492] NMI backtrace for cpu 1 skipped: idling at default_idle+0x13/0x20
[ 1082.378788] rcu: rcu_preempt kthread timer wakeup didn't happen for 31251 jiffies! g419961 f0x0
[ 1082.379403] rcu: 	Possible timer handling issue on cpu=1 timer-softirq=65504
"""


class Scan(unittest.TestCase):
    def test_finds_each_complaint(self):
        for prefix in ("", "[   12.345678] ", "[    1.000000][  T203] ", "[    1.000000][    C1] "):
            for kind, line in COMPLAINTS.items():
                with self.subTest(kind=kind, prefix=prefix):
                    reports = report.scan(HARMLESS.splitlines() + [prefix + line + "\r\n"])
                    self.assertEqual(reports, [[prefix + line]])

    def test_leaves_harmless_messages_alone(self):
        self.assertEqual(report.scan(HARMLESS.splitlines()), [])

    def test_leaves_fault_injection_alone(self):
        self.assertEqual(report.scan(FAULT_INJECTION.splitlines()), [])

    def test_finds_what_fault_injection_led_to(self):
        lines = FAULT_INJECTION.splitlines() + [COMPLAINTS["KASAN"]]
        self.assertEqual(report.scan(lines), [[COMPLAINTS["KASAN"]]])

    def test_gives_the_trace_and_no_more(self):
        self.assertEqual(report.scan(TRACE.splitlines()), [TRACE.splitlines()[1:4]])

    def test_counts_reports(self):
        self.assertEqual(len(report.scan(3 * TRACE.splitlines())), 3)

    def test_ends_a_report_that_does_not_end_itself(self):
        reports = report.scan([COMPLAINTS["leak"]] + 500 * ["..."])
        self.assertEqual(len(reports), 1)
        self.assertLess(len(reports[0]), 100)


class EmulatorFault(unittest.TestCase):
    def is_fault(self, text):
        reports = report.scan(text.splitlines())
        self.assertEqual(len(reports), 1)
        return report.is_emulator_fault(reports[0])

    def test_a_stale_breakpoint(self):
        self.assertTrue(self.is_fault("[    3.1] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"))

    def test_a_lost_timer(self):
        self.assertTrue(self.is_fault(LOST_TIMER))

    def test_a_busy_cpu_is_the_kernels(self):
        self.assertFalse(self.is_fault(LOST_TIMER.replace("idle=cfc0/0/0x0",
                                                          "idle=cfc4/1/0x4000000000000000")))
        self.assertFalse(self.is_fault(LOST_TIMER.replace("(0 ticks", "(4 ticks")))

    def test_a_stall_alone_is_the_kernels(self):
        self.assertFalse(self.is_fault(LOST_TIMER[:LOST_TIMER.index("NMI")]))

    def test_other_reports_are_the_kernels(self):
        for kind, line in COMPLAINTS.items():
            with self.subTest(kind=kind):
                self.assertFalse(self.is_fault(line))


class Program(unittest.TestCase):
    def run_on(self, text):
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            program = os.path.join(os.path.dirname(os.path.realpath(__file__)), "report.py")
            return subprocess.run([sys.executable, "-B", program, file.name],
                                  capture_output=True, check=False)

    def test_report(self):
        result = self.run_on(b"\xff\xfe\x00\r\n" + TRACE.encode())
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"init/main.c:1", result.stdout)

    def test_no_report(self):
        result = self.run_on(HARMLESS.encode())
        self.assertEqual((result.returncode, result.stdout), (0, b""))


if __name__ == "__main__":
    unittest.main()
