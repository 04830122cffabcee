# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Which lines of the kernel series a guided run of the fuzzer has reached.

Each place that kcov knows is a call in an object file, whose debugging information tells the
line, through all inlined functions. What the fuzzer has reached are addresses of one boot; the
guest tells where the sections of the modules were then.
"""

import bisect
import collections
import os
import re
import subprocess

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TREE = os.path.join(TOP, "build/kernel/linux-6.12")
OBJECTS = os.path.join(TOP, "build/kernel/debug-obj")
KERNEL = os.path.join(TOP, "build/kernels/debug")

# What is instrumented, of what the series changes
MODULES = ("ib_core", "ib_uverbs", "rdma_rxe")
BUILT_IN = ("drivers/dma-buf/dma-buf.o", "kernel/cgroup/rdma.o")

# What a run has to reach: expressions for "file:function". There must be such functions, each of
# them reached, and half of the lines of all of them.
GROUPS = {
    "revocation": r"/dmabuf_\w+\.c:\w*(revoke|invalidate|revoked)$",
    "watches": r"/dmabuf_watch\.c:",
    "DMA importers": r"/dmabuf_dma\.c:",
    "policy": r"/dmabuf_policy\.c:",
    "device removal": r":\w*(importer_unregister|function_leave|disassociate)$",
}

Place = collections.namedtuple("Place", "module section offset")


def _run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, text=True, check=True).stdout


def _calls(path):
    """Yield section and return address of each call of kcov's function in an object file."""
    section = None
    for line in _run("readelf", "-rW", path).splitlines():
        if line.startswith("Relocation section"):
            section = line.split("'")[1].removeprefix(".rela")
        elif "__sanitizer_cov_trace_pc" in line:
            yield section, int(line.split()[0], 16) + 4


def _source_lines(path, calls):
    """Return for each call its [(function, file, line), ...], the innermost inlined one first."""
    found = {}
    by_section = collections.defaultdict(list)
    for section, address in calls:
        by_section[section].append(address)
    for section, addresses in by_section.items():
        # The call itself and not what follows it
        text = _run("addr2line", "-e", path, "-j", section, "-a", "-f", "-i",
                    data="".join(f"{address - 1:#x}\n" for address in addresses))
        blocks = re.split(r"^0x([0-9a-f]+)\n", text, flags=re.M)[1:]
        for address, block in zip(blocks[::2], blocks[1::2]):
            lines = block.splitlines()
            frames = []
            for function, place in zip(lines[::2], lines[1::2]):
                file, _, number = place.partition(" ")[0].rpartition(":")
                file = os.path.normpath(os.path.join(OBJECTS, file))
                frames.append((function, os.path.relpath(file, TREE),
                               int(number) if number.isdigit() else 0))
            found[section, int(address, 16) + 1] = frames
    return found


def _module_file(name):
    for directory, _, files in os.walk(os.path.join(KERNEL, "lib/modules")):
        if f"{name}.ko" in files:
            return os.path.join(directory, f"{name}.ko")
    raise FileNotFoundError(f"{name}.ko in {KERNEL}")


def _symbols(path):
    """Return {(section number or None, name): value}; and of what has a name twice nothing."""
    values = collections.defaultdict(list)
    for line in _run("nm", path).splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tTwW":
            values[fields[2]].append(int(fields[0], 16))
    return {name: found[0] for name, found in values.items() if len(found) == 1}


def _all_places():
    """Return {Place: frames} of all that is instrumented."""
    places = {}
    for module in MODULES:
        path = _module_file(module)
        for (section, offset), frames in _source_lines(path, _calls(path)).items():
            places[Place(module, section, offset)] = frames
    linked = _symbols(os.path.join(OBJECTS, "vmlinux"))
    for name in BUILT_IN:
        path = os.path.join(OBJECTS, name)
        symbols = sorted((value, symbol) for symbol, value in _symbols(path).items())
        for (section, offset), frames in _source_lines(path, _calls(path)).items():
            index = bisect.bisect(symbols, (offset,)) - 1
            if section != ".text" or index < 0 or symbols[index][1] not in linked:
                continue
            start, symbol = symbols[index]
            address = linked[symbol] + offset - start - linked["_text"]
            places[Place("vmlinux", "_text", address)] = frames
    return places


def _series_lines():
    """Return {file: set of lines} that the series added or changed."""
    lines = collections.defaultdict(set)
    file = None
    for line in _run("git", "-C", TREE, "diff", "-U0", "--no-renames", "base", "--",
                     "*.c", "*.h").splitlines():
        if line.startswith("+++ b/"):
            file = line[6:]
        match = re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line)
        if match:
            first, count = int(match[1]), int(match[2] or 1)
            lines[file].update(range(first, first + count))
    return lines


def read_reached(directory):
    """Return the places that a run has reached, from what the guest saved in a directory."""
    sections = []
    with open(os.path.join(directory, "sections"), encoding="ascii") as file:
        for line in file:
            module, section, start = line.split()
            sections.append((int(start, 16), module, section))
    sections.sort()
    starts = [section[0] for section in sections]
    reached = set()
    with open(os.path.join(directory, "reached"), encoding="ascii") as file:
        for line in file:
            address = int(line, 16)
            index = bisect.bisect(starts, address) - 1
            if index >= 0:
                start, module, section = sections[index]
                reached.add(Place(module, section, address - start))
    return reached


class Report:
    """What was reached of the series: [function][line] -> bool, and of the groups."""

    def __init__(self, reached):
        series = _series_lines()
        self.functions = collections.defaultdict(dict)
        for place, frames in _all_places().items():
            for function, file, line in frames:
                if line in series.get(file, ()):
                    known = self.functions[file, function]
                    known[line] = known.get(line, False) or place in reached

    def groups(self):
        """Yield name, [lines reached or not] of each function in it."""
        for name, expression in GROUPS.items():
            yield name, [list(lines.values()) for (file, function), lines in
                         self.functions.items() if re.search(expression, f"{file}:{function}")]

    def missing(self):
        """Return the names of the groups that were not reached."""
        return [name for name, functions in self.groups()
                if not functions or not all(map(any, functions)) or
                2 * sum(map(sum, functions)) < sum(map(len, functions))]

    def text(self):
        out = []
        by_file = collections.defaultdict(list)
        for (file, function), lines in sorted(self.functions.items()):
            by_file[file].append((function, lines))
        known = sum(len(lines) for lines in self.functions.values())
        hit = sum(sum(lines.values()) for lines in self.functions.values())
        for file, functions in by_file.items():
            never = [name for name, lines in functions if not any(lines.values())]
            partly = [(name, sorted(line for line, was in lines.items() if not was))
                      for name, lines in functions if any(lines.values())]
            if never:
                out.append(f"{file}: never reached: {', '.join(never)}")
            out += [f"{file}: {name}: not reached: {', '.join(map(str, lines))}"
                    for name, lines in partly if lines]
        for name, functions in self.groups():
            out.append(f"{name}: {sum(map(any, functions))} of {len(functions)} functions, "
                       f"{sum(map(sum, functions))} of {sum(map(len, functions))} lines")
        out.append(f"{hit} of {known} lines of the series with code were reached")
        return "\n".join(out)
