# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""rdma-core's own Python tests, on both kernels and with both providers."""

import collections

import known_flaky
import machine
import report

TIMEOUT = 2400  # seconds, for a busy machine

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


def run(build):
    """Return the results by configuration."""
    arguments = ["--times", str(known_flaky.TIMES)]
    for test in known_flaky.KNOWN_FLAKY:
        arguments += ["--repeat", test]
    results = {}
    for kernel in (machine.UNPATCHED, machine.PATCHED):
        providers = [provider for provider, on in CONFIGURATIONS if on == kernel]
        records = machine.run("pyverbs", kernel, build, providers, *arguments, timeout=TIMEOUT)
        for provider in providers:
            results[provider, kernel] = results_of(
                record for record in records if record["provider"] == provider)
    return results


def outcome(runs):
    """What a test counts as: of several runs the best."""
    outcomes = [outcome for outcome, _ in runs] or ["missing"]
    return "ok" if "ok" in outcomes else outcomes[0]


def reason(runs):
    """The last line that says why."""
    detail = next((detail for _, detail in runs if detail), "")
    return detail.splitlines()[-1] if detail else ""


def is_worse(base, other, same):
    """same: it has to be the same, even if it is better."""
    if same:
        return base != other
    return base == "ok" != other or base != "skipped" == other


def cell(runs):
    if len(runs) > 1:
        passed = sum(outcome == "ok" for outcome, _ in runs)
        return f"ok in {passed} of {len(runs)}"
    return outcome(runs)


def judge(results, found):
    tests = list(results[BASE])
    for other in results.values():
        tests += [test for test in other if test not in tests]
    differences = found.table("Tests that are not the same everywhere", "test",
                              *CONFIGURATIONS.values(), "why")
    flaky = found.table("Known to pass by chance: run several times, and passed if once", "test",
                        *CONFIGURATIONS.values(), "why")
    for test in tests:
        runs = [results[configuration][test] for configuration in CONFIGURATIONS]
        outcomes = [outcome(each) for each in runs]
        if test in known_flaky.KNOWN_FLAKY:
            flaky.append([test, *map(cell, runs), known_flaky.KNOWN_FLAKY[test]])
        elif len(set(outcomes)) > 1:
            why = "; ".join(sorted(filter(None, map(reason, runs))))
            differences.append([test, *outcomes, why])
        for (provider, _), name, other in zip(list(CONFIGURATIONS)[1:],
                                              list(CONFIGURATIONS.values())[1:], runs[1:]):
            if is_worse(outcomes[0], outcome(other), provider == machine.STOCK):
                found.worse.append(f"{test}: {outcomes[0]} before, {outcome(other)} with {name}: "
                                   f"{reason(other)}")


def count(results, found):
    rows = found.table("Number of tests", "", "ok", "skipped", "other")
    for configuration, name in CONFIGURATIONS.items():
        outcomes = [outcome(runs) for runs in results[configuration].values()]
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
        if all(outcome(each[test]) not in ("ok", "skipped") for each in results.values()):
            rows.append([test, reason(runs)])


def compare(build):
    results = run(build)
    found = report.Report("rdma-core's Python tests", TEXT)
    count(results, found)
    judge(results, found)
    list_failures(results, found)
    list_skips(results, found)
    return found
