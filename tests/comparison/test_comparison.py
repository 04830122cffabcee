#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Test that a comparison finds what is worse. Needs no virtual machine."""

import importlib.machinery
import importlib.util
import os
import signal
import time
import unittest
from unittest import mock

import cases
import compare_programs
import compare_pyverbs
import compare_rates
import known_flaky
import machine
import programs

HERE = os.path.dirname(os.path.realpath(__file__))
FLAKY = next(iter(known_flaky.KNOWN_FLAKY))
SETTINGS = {"device": "rxe0", "ip": "10.77.0.1", "gid": "1"}


def guest_script(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Pyverbs(unittest.TestCase):
    """compare_pyverbs on made-up records"""

    def worse(self, unpatched, patched, ours, test="tests.a.B.c"):
        """Compare outcomes of one test beside another that always passes."""
        def run(piece, kernel, providers, *arguments, timeout):
            outcomes = {(machine.STOCK, machine.UNPATCHED): unpatched,
                        (machine.STOCK, machine.PATCHED): patched,
                        (machine.OURS, machine.PATCHED): ours}
            return [{"provider": provider, "test": name, "outcome": outcome, "detail": "",
                     "providers": [compare_pyverbs.PLUGINS[provider] + "34.so"]}
                    for provider in providers
                    for name, list_of in ((test, outcomes[provider, kernel]), ("other", ["ok"]))
                    for outcome in list_of]
        return compare_pyverbs.compare(mock.Mock(run=run)).worse

    def test_same(self):
        for outcome in ("ok", "skipped", "failed"):
            self.assertEqual(self.worse([outcome], [outcome], [outcome]), [])

    def test_kernel_changes_a_result(self):
        for before, after in (("ok", "failed"), ("failed", "ok"), ("skipped", "ok"),
                              ("ok", "skipped"), ("failed", "crashed")):
            self.assertEqual(len(self.worse([before], [after], [before])), 1, (before, after))

    def test_provider_is_worse(self):
        for before, after in (("ok", "failed"), ("ok", "error"), ("ok", "crashed"), ("ok", "hung"),
                              ("ok", "skipped"), ("failed", "skipped")):
            self.assertEqual(len(self.worse([before], [before], [after])), 1, (before, after))

    def test_provider_is_better(self):
        for before in ("skipped", "failed"):
            self.assertEqual(self.worse([before], [before], ["ok"]), [])

    def test_missing(self):
        self.assertEqual(len(self.worse(["ok"], ["ok"], [])), 1)

    def test_by_chance(self):
        some, all_passed, none = ["ok", "failed"] * 4, ["ok"] * 8, ["failed"] * 8
        self.assertEqual(self.worse(some, ["ok"] + none[1:], all_passed, FLAKY), [])
        self.assertEqual(len(self.worse(all_passed, all_passed, none, FLAKY)), 1)
        self.assertEqual(len(self.worse(some, some, ["ok"] * 7 + ["crashed"], FLAKY)), 1)
        # The list is of names: any other test has one chance.
        self.assertEqual(len(self.worse(["ok"], ["ok"], ["failed", "ok"])), 1)

    def test_wrong_provider(self):
        record = {"provider": machine.OURS, "test": "a", "outcome": "ok", "detail": "",
                  "providers": ["librxe-rdmav34.so"]}
        with self.assertRaises(SystemExit):
            compare_pyverbs.results_of([record])


class Programs(unittest.TestCase):
    """compare_programs and compare_rates on made-up records"""

    def worse(self, stock, ours):
        def record(provider, passed):
            problems = [] if passed else [{"problem": "hung", "output": ""}]
            return {"provider": provider, "group": "g", "case": "c", "passed": passed,
                    "problems": problems}
        host = mock.Mock()
        host.run.return_value = [record(machine.STOCK, stock), record(machine.OURS, ours)]
        with mock.patch("builtins.print"):
            return compare_programs.compare(host).worse

    def test_programs(self):
        self.assertEqual(self.worse(True, True), [])
        self.assertEqual(self.worse(False, True), [])
        self.assertEqual(len(self.worse(True, False)), 1)
        self.assertEqual(self.worse(False, False), ["no program succeeded"])

    def rates(self, ours):
        records = [{"provider": provider, "case": "RC", "round": number, **result}
                   for number in range(compare_rates.ROUNDS)
                   for provider, result in ((machine.STOCK, {"rate": 1000}), (machine.OURS, ours))]
        host = mock.Mock()
        host.run.return_value = records
        with mock.patch("builtins.print"):
            return compare_rates.compare(host).worse

    def test_rates(self):
        self.assertEqual(self.rates({"rate": 990}), [])
        self.assertEqual(len(self.rates({"rate": 500})), 1)
        self.assertEqual(len(self.rates({"problem": "hung", "output": ""})), 1)

    def test_interval(self):
        # From tables of the sign test
        self.assertEqual(compare_rates.interval(range(1, 10)), (2, 8))
        self.assertEqual(compare_rates.interval(range(1, 16)), (4, 12))


class Attempt(unittest.TestCase):
    """Both ends of a case, with shells as programs"""

    def attempt(self, server, client, expected="^done$"):
        case = cases.Case("group", "name", server, client, expected)
        with mock.patch.dict(programs.LISTENS, {cases.TCP: lambda: True}), \
                mock.patch.object(programs, "TIME_LIMIT", 2):
            return programs.attempt(case, "rxe", SETTINGS)[0]

    def test_success(self):
        self.assertEqual(self.attempt("sleep 0.2", "echo done"), "")

    def test_failures(self):
        self.assertEqual(self.attempt("sleep 0.2", "echo nothing"), "client: no result")
        self.assertEqual(self.attempt("sleep 0.2", "false"), "client: exit status 1")
        self.assertEqual(self.attempt("sleep 9", "echo done"), "server: hung")
        self.assertEqual(self.attempt("sleep 9", "sleep 9"), "client: hung")

    def test_commands(self):
        for case in cases.CASES:
            for command in (case.server, case.client, *case.environment.values()):
                self.assertNotIn("{", " ".join(programs.words(command, SETTINGS)))


class Sample(unittest.TestCase):
    """What the runner of rdma-core's tests has to cope with"""

    def passing(self):
        print("text")

    def failing(self):
        self.fail("because")

    def skipping(self):
        self.skipTest("why not")

    def crashing(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def hanging(self):
        time.sleep(60)


class Runner(unittest.TestCase):
    def test_outcomes(self):
        script = guest_script("guest-pyverbs")
        names = ("passing", "failing", "crashing", "hanging", "skipping", "passing")
        with mock.patch.object(script, "TIME_LIMIT", 2):
            reports = list(script.run_tests(names, {name: Sample(name) for name in names}, "rxe"))
        self.assertEqual(tuple(name for name, _ in reports), names)
        self.assertEqual([report["outcome"] for _, report in reports],
                         ["ok", "failed", "crashed", "hung", "skipped", "ok"])
        self.assertIn("because", reports[1][1]["detail"])
        self.assertEqual(reports[2][1]["detail"], "SIGSEGV")
        self.assertEqual(reports[4][1]["detail"], "why not")
        self.assertIn("text", reports[5][1]["output"])


if __name__ == "__main__":
    unittest.main()
