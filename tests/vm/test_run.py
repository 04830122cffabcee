#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""tests/vm/run itself, on a real kernel: named in VM_TEST_KERNEL, or "stock-unpatched"."""

import hashlib
import os
import pty
import select
import signal
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
KERNEL = os.environ.get("VM_TEST_KERNEL", "stock-unpatched")
RUN = [os.path.join(HERE, "run"), "--kernel", KERNEL]

# For one start of the machine, on a busy computer.
START = 120


def script(text):
    return ["--", "sh", "-euc", text]


class VmTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="vm test, ")
        self.addCleanup(directory.cleanup)
        self.log = directory.name

    def run_vm(self, *arguments, status=0, **keywords):
        result = subprocess.run(RUN + ["--log", self.log, *arguments], capture_output=True,
                                stdin=subprocess.DEVNULL, check=False, **keywords)
        self.assertEqual(result.returncode, status, result)
        return result

    def assert_no_machines(self):
        """No QEMU is left that has to do with this test's log."""
        for _ in range(50):
            left = subprocess.run(["pgrep", "-fa", "qemu.*" + self.log], check=False,
                                  capture_output=True).stdout
            if not left:
                return
            time.sleep(0.1)
        self.fail(f"still running: {left}")


class Command(VmTest):
    def test_status_output_and_environment(self):
        data = os.urandom(200000)
        with open(os.path.join(self.log, "data"), "wb") as file:
            file.write(data)
        result = self.run_vm(
            "--env", "GREETING=it's a \"test\" = $HOME", *script("""
                cat "$VM_RESULTS/data"
                echo "$GREETING" >&2
                echo to >/dev/stderr
                pwd >&2
                echo "$VM_NODE $VM_NODES $VM_IP $VM_PEER_IP" >&2
                echo written >"$VM_RESULTS/result"
                touch /tmp/x /var/tmp/x /run/x /dev/shm/x
                if touch /usr/x 2>/dev/null; then exit 9; fi
                exit 3"""),
            status=3, cwd="/usr/share")
        self.assertEqual(hashlib.sha256(result.stdout).digest(), hashlib.sha256(data).digest())
        self.assertTrue(result.stderr.decode().startswith(
            "it's a \"test\" = $HOME\nto\n/usr/share\n0 1 10.77.0.1 10.77.0.1\nvm: "), result)
        with open(os.path.join(self.log, "result"), encoding="ascii") as file:
            self.assertEqual(file.read(), "written\n")

    def test_rdma_in_one_machine(self):
        result = self.run_vm(*script("""
            ibv_devinfo -d rxe0 | grep active_mtu
            ibv_rc_pingpong -d rxe0 -g "$VM_GID_INDEX" -n 100 >/dev/null &
            sleep 1
            ibv_rc_pingpong -d rxe0 -g "$VM_GID_INDEX" -n 100 "$VM_IP"
            wait"""))
        self.assertIn(b"4096 (5)", result.stdout)
        self.assertIn(b"100 iters", result.stdout)

    def test_source_tree_in_tmp(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            with open(os.path.join(directory, "file"), "wb") as file:
                file.write(b"found\n")
            result = self.run_vm("--no-rdma", *script("cat file; ! rdma link 2>&1 | grep rxe"),
                                 cwd=directory)
        self.assertEqual(result.stdout, b"found\n")

    def test_command_not_found(self):
        self.run_vm("--no-rdma", "--", "/no/such/program", status=127)


class TwoMachines(VmTest):
    def test_rdma_between_them(self):
        result = self.run_vm("--nodes", "2", *script("""
            if [ "$VM_NODE" -eq 0 ]; then
                ibv_rc_pingpong -d rxe0 -g "$VM_GID_INDEX" -n 100
            else
                sleep 1
                ibv_rc_pingpong -d rxe0 -g "$VM_GID_INDEX" -n 100 "$VM_PEER_IP"
            fi"""))
        for node in (0, 1):
            self.assertRegex(result.stdout.decode(), rf"(?m)^\[node {node}\] .*100 iters")

    def test_failure_of_one_ends_the_other(self):
        # 124 if the other went on until the time-out
        self.run_vm("--nodes", "2", "--timeout", str(START), *script("""
            [ "$VM_NODE" -eq 0 ] || exit 5
            sleep infinity"""), status=5)

    def test_three(self):
        result = self.run_vm("--nodes", "3", "--no-rdma", *script("""
            busybox ping -c 1 -W 5 "$VM_PEER_IP" >/dev/null
            echo pong"""))
        self.assertEqual(sorted(result.stdout.splitlines()),
                         [b"[node 0] pong", b"[node 1] pong", b"[node 2] pong"])


class KernelReports(VmTest):
    def test_crash(self):
        result = self.run_vm("--no-rdma", *script("echo c >/proc/sysrq-trigger"), status=99)
        self.assertIn(b"sysrq triggered crash", result.stderr)

    def test_warning(self):
        """From a module with nothing but a WARN, if the kernel has lkdtm; else a look-alike."""
        result = self.run_vm("--no-rdma", *script("""
            if modprobe -q lkdtm; then
                echo WARNING >/sys/kernel/debug/provoke-crash/DIRECT
            else
                echo '<4>WARNING: CPU: 0 PID: 1 at nowhere.c:1' >/dev/kmsg
            fi"""), status=99)
        self.assertIn(b"WARNING: ", result.stderr)

    def test_warning_that_is_not_in_the_log(self):
        result = self.run_vm("--no-rdma", *script("echo 512 >/proc/sys/kernel/tainted"),
                             status=99)
        self.assertIn(b"kernel report not in", result.stderr)

    def test_leak(self):
        can = "[ -e /sys/kernel/debug/kmemleak ] && modprobe -nq kmemleak-test || echo no"
        if self.run_vm("--no-rdma", "--no-kmemleak", *script(can)).stdout:
            self.skipTest("this kernel has no kmemleak or not its sample")
        self.run_vm("--no-rdma", *script("modprobe kmemleak-test"), status=99)


class Ends(VmTest):
    def test_time_out(self):
        result = self.run_vm("--no-rdma", "--timeout", "15", "--", "sleep", "500", status=124)
        self.assertIn(b"node0.console", result.stderr)
        self.assert_no_machines()

    def test_signals(self):
        # A shell has what it runs in the background ignore it, and all that comes of that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143),
                               (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signal=number):
                with subprocess.Popen(RUN + ["--log", self.log, "--", "sleep", "500"],
                                      stderr=subprocess.DEVNULL) as run:
                    time.sleep(3)
                    run.send_signal(number)
                    self.assertEqual(run.wait(20), status)
                self.assert_no_machines()

    def test_bad_arguments(self):
        self.run_vm(status=2)
        self.run_vm("--nodes", "0", "true", status=2)
        self.run_vm("--kernel", "no-such", "true", status=125)
        self.run_vm("--shell", status=2)


class Shell(VmTest):
    def test_job_control(self):
        """A conversation with the shell in the machine: what to wait for, what to type then."""
        conversation = [
            (b"node0:", b"echo $(stty size) $((40 + 2))\r"),
            (b" 42", b"sleep 100\r"),
            (b"sleep 100", b"\x1a"),
            (b"Stopped", b"kill %1; sleep 50\r"),
            (b"sleep 50", b"\x03"),
            (b"^C", b"exit 7\r"),
        ]
        child, terminal = pty.fork()
        if child == 0:
            os.execv(RUN[0], RUN + ["--log", self.log, "--no-rdma", "--shell"])
        seen = b""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                break
            if conversation and conversation[0][0] in seen:
                time.sleep(1)
                os.write(terminal, conversation.pop(0)[1])
                seen = b""
        else:
            os.kill(child, signal.SIGTERM)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7, seen)
        self.assertEqual(conversation, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
