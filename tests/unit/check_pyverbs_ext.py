#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""check_pyverbs_ext.py COMPILER SOURCE INCLUDE

The enums and structs of pyverbs_ext are those of the C headers, none missing. Needs neither pyverbs
nor the library.
"""
import ctypes
import enum
import os
import re
import subprocess
import sys
import tempfile
import types
from unittest import mock

COMPILER, SOURCE, INCLUDE = sys.argv[1:]

ENUMS = {
    'Access': 'IBV_EXT_ACCESS_DMABUF_',
    'PinFlags': 'IBV_EXT_DMABUF_PIN_',
    'Reason': 'IBV_EXT_DMABUF_REASON_',
    'Mode': 'IBV_EXT_DMABUF_MODE_',
    'State': 'IBV_EXT_DMABUF_STATE_',
    'Placement': 'IBV_EXT_DMABUF_PLACEMENT_',
    'MRFlags': 'IBV_EXT_DMABUF_MR_',
    'ReportSource': 'IBV_EXT_DMABUF_REPORT_',
    'EventType': 'IBV_EXT_DMABUF_EVENT_',
}
STRUCTS = {
    'Caps': 'ibv_ext_dmabuf_caps',
    'MRAttr': 'ibv_ext_dmabuf_mr_attr',
    'Report': 'ibv_ext_dmabuf_report',
    'MRInfo': 'ibv_ext_dmabuf_mr_info',
    'Event': 'ibv_ext_dmabuf_event',
    'EventChannel': 'ibv_ext_dmabuf_event_channel',
    'MR': 'ibv_mr',
}
# Only what is used of it
PARTS = {'Context': 'ibv_context'}


def load(name):
    """A module of pyverbs_ext, without the package's own imports."""
    package = types.ModuleType('pyverbs_ext')
    package.__path__ = [os.path.join(SOURCE, 'pyverbs_ext')]
    with mock.patch.dict(sys.modules, {
            'pyverbs_ext': package, 'pyverbs': mock.MagicMock(),
            'pyverbs.pyverbs_error': mock.MagicMock()}), \
            mock.patch('ctypes.CDLL'):
        return __import__(f'pyverbs_ext.{name}', fromlist=['x'])


def python_facts():
    """{C expression: value}"""
    enums, library = load('enums'), load('library')
    facts = {}
    for name, prefix in ENUMS.items():
        for member in getattr(enums, name).__members__.values():
            facts[prefix + member.name] = member.value
    missing = {name for name, kind in vars(enums).items()
               if isinstance(kind, type) and issubclass(kind, enum.Enum)
               and kind.__module__ == enums.__name__} - ENUMS.keys()
    assert not missing, missing
    for name, tag in (STRUCTS | PARTS).items():
        struct = getattr(library, name)
        if name in STRUCTS:
            facts[f'sizeof(struct {tag})'] = ctypes.sizeof(struct)
        for field, *_ in struct._fields_:
            place = getattr(struct, field)
            facts[f'offsetof(struct {tag}, {field})'] = place.offset
            facts[f'sizeof(((struct {tag} *)0)->{field})'] = place.size
    return facts


def c_facts(expressions):
    """What the compiler says."""
    program = ['#include <stdio.h>', '#include <infiniband/verbs_ext.h>',
               'int main(void) {']
    program += [f'printf("%lld\\n", (long long)({text}));'
                for text in expressions]
    program.append('return 0; }')
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'facts')
        subprocess.run([COMPILER, '-x', 'c', '-', '-o', path,
                        f'-I{SOURCE}/libibverbs-ext/include', f'-I{INCLUDE}'],
                       input='\n'.join(program), text=True, check=True)
        out = subprocess.run([path], capture_output=True, text=True,
                             check=True).stdout
    return dict(zip(expressions, map(int, out.split())))


def header_names():
    """Every enumerator of the header."""
    with open(os.path.join(SOURCE, 'libibverbs-ext/include/infiniband/'
                           'verbs_ext.h'), encoding='utf-8') as header:
        return set(re.findall(r'^\t(IBV_EXT_\w+) ?=', header.read(), re.M))


def main():
    """Exit status 1 if anything differs."""
    facts = python_facts()
    compiled = c_facts(list(facts))
    wrong = {text: (value, compiled[text]) for text, value in facts.items()
             if compiled[text] != value}
    for text, (python, c) in wrong.items():
        print(f'{text} is {c} in C and {python} in pyverbs_ext')
    missing = header_names() - facts.keys()
    if missing:
        print('not in pyverbs_ext:', *sorted(missing))
    print(f'{len(facts)} compared')
    return bool(wrong or missing)


if __name__ == '__main__':
    sys.exit(main())
