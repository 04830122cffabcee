# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""rdma-core's own Python tests, on both kernels and with both providers."""

import collections
import math

import known_flaky
import machine
import report

TIMEOUT = 2400  # seconds, for a busy machine

# Of tests that pass by chance: how unlikely a difference has to be to count
SIGNIFICANCE = 0.01

BASE = (machine.STOCK, machine.UNPATCHED)
CONFIGURATIONS = {
    BASE: "rdma-core's provider, unpatched kernel",
    (machine.STOCK, machine.PATCHED): "rdma-core's provider, patched kernel",
    (machine.OURS, machine.PATCHED): "this project's provider, patched kernel",
}
PLUGINS = {machine.STOCK: "librxe-rdmav", machine.OURS: "librxe-dmabuf-rdmav"}

TEXT = """\
rdma-core's Python tests as the distribution's python3-pyverbs ships them, but for those of other
devices (mlx5, efa, CUDA). Required: the same results on the patched kernel as on the unpatched one
with rdma-core's provider; all that passes with that passes with this project's, which skips no
test that the other does not."""


def results_of(records):
    """Return by test what became of it: a list of (outcome, detail), one for each run."""
    results = collections.defaultdict(list)
    for record in records:
        plugins = record.get("providers", [])
        if not all(name.startswith(PLUGINS[record["provider"]]) for name in plugins):
            raise SystemExit(f"comparison: {record['test']} ran with {plugins}")
        results[record["test"]].append((record["outcome"], record["detail"]))
    return results


def run(host):
    """Return the results by configuration."""
    arguments = ["--times", str(known_flaky.TIMES)]
    for test in known_flaky.KNOWN_FLAKY:
        arguments += ["--repeat", test]
    results = {}
    for kernel in (machine.UNPATCHED, machine.PATCHED):
        providers = [provider for provider, on in CONFIGURATIONS if on == kernel]
        records = host.run("pyverbs", kernel, providers, *arguments, timeout=TIMEOUT)
        for provider in providers:
            results[provider, kernel] = results_of(
                record for record in records if record["provider"] == provider)
    return results


def outcome(runs):
    """What a test that is run once counts as."""
    return runs[0][0] if runs else "missing"


def passes(runs):
    return sum(outcome == "ok" for outcome, _ in runs)


def reason(runs):
    """The last line that says why."""
    detail = next((detail for _, detail in runs if detail), "")
    return detail.splitlines()[-1] if detail else ""


def is_worse(base, other, same):
    """same: it has to be the same, even if it is better."""
    base, other = outcome(base), outcome(other)
    if same:
        return base != other
    return base == "ok" != other or base != "skipped" == other


def is_fewer(some, others):
    """Are there fewer passes in some than in others, and more so than by chance (Fisher's exact
    test)?"""
    passed, number = passes(some), len(some) + len(others)
    all_passed = passed + passes(others)
    ways = sum(math.comb(all_passed, i) * math.comb(number - all_passed, len(some) - i)
               for i in range(passed + 1))
    return ways / math.comb(number, len(some)) < SIGNIFICANCE


def is_worse_by_chance(base, other, same):
    """is_worse() for lists of runs"""
    known = {"ok", "failed", "error"} | {outcome for outcome, _ in base}
    if any(outcome not in known for outcome, _ in other):
        # A new crash, hang or skip is not by chance.
        return True
    return is_fewer(other, base) or same and is_fewer(base, other)


def ok_of(runs):
    return f"ok in {passes(runs)} of {len(runs)}"


def judge(results, found):
    tests = list(results[BASE])
    for other in results.values():
        tests += [test for test in other if test not in tests]
    differences = found.table("Tests that are not the same everywhere", "test",
                              *CONFIGURATIONS.values(), "why")
    flaky = found.table("Known to pass by chance, and so run several times", "test",
                        *CONFIGURATIONS.values(), "why")
    for test in tests:
        runs = {configuration: results[configuration][test] for configuration in CONFIGURATIONS}
        if test in known_flaky.KNOWN_FLAKY:
            compare_test, show = is_worse_by_chance, ok_of
            flaky.append([test, *map(ok_of, runs.values()), known_flaky.KNOWN_FLAKY[test]])
        else:
            compare_test, show = is_worse, outcome
            if len({outcome(each) for each in runs.values()}) > 1:
                why = "; ".join(sorted(set(filter(None, map(reason, runs.values())))))
                differences.append([test, *map(outcome, runs.values()), why])
        for configuration, name in CONFIGURATIONS.items():
            other = runs[configuration]
            if compare_test(runs[BASE], other, configuration[0] == machine.STOCK):
                found.worse.append(f"{test}: {show(runs[BASE])} with {CONFIGURATIONS[BASE]}, "
                                   f"{show(other)} with {name}: {reason(other)}")


def count(results, found):
    rows = found.table("Number of tests, without those that pass by chance",
                       "", "ok", "skipped", "other")
    for configuration, name in CONFIGURATIONS.items():
        outcomes = [outcome(runs) for test, runs in results[configuration].items()
                    if test not in known_flaky.KNOWN_FLAKY]
        passed, skipped = outcomes.count("ok"), outcomes.count("skipped")
        rows.append([name, str(passed), str(skipped), str(len(outcomes) - passed - skipped)])
        if not passed:
            found.worse.append(f"no test passed with {name}")


def list_skips(results, found):
    rows = found.table("Why tests are skipped", "reason", *CONFIGURATIONS.values())
    reasons = collections.defaultdict(collections.Counter)
    for configuration in CONFIGURATIONS:
        for runs in results[configuration].values():
            if outcome(runs) == "skipped":
                reasons[reason(runs)][configuration] += 1
    for text, counts in sorted(reasons.items()):
        rows.append([text, *(str(counts[configuration]) for configuration in CONFIGURATIONS)])


def list_failures(results, found):
    rows = found.table("Tests that fail everywhere", "test", "why")
    for test, runs in results[BASE].items():
        outcomes = {outcome(each[test]) for each in results.values()}
        if test not in known_flaky.KNOWN_FLAKY and not outcomes & {"ok", "skipped"}:
            rows.append([test, reason(runs)])


def compare(host):
    results = run(host)
    found = report.Report("rdma-core's Python tests", TEXT)
    count(results, found)
    judge(results, found)
    list_failures(results, found)
    list_skips(results, found)
    return found
