# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Write the initramfs that takes a kernel from its image to the host's root over 9p."""

import lzma
import os
import stat

# What a kernel needs to reach the host's file system. Each is either built in or a module.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p")


class Archive:
    """A cpio archive in the "newc" format, the one that the kernel unpacks."""

    def __init__(self):
        self._data = bytearray()
        self._inode = 0

    def _add(self, name, mode, content):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        self._data += b"070701" + b"".join(b"%08x" % field for field in fields)
        self._data += encoded
        self._pad()
        self._data += content
        self._pad()

    def _pad(self):
        self._data += bytes(-len(self._data) % 4)

    def directory(self, name):
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, content, mode=0o644):
        self._add(name, stat.S_IFREG | mode, content)

    def finish(self):
        self._add("TRAILER!!!", 0, b"")
        return bytes(self._data)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def boot_modules(tree):
    """Return (name, contents) of the modules to insert, in the order in which to insert them.

    tree is the kernel's lib/modules/<release> directory.
    """
    with open(os.path.join(tree, "modules.builtin"), encoding="ascii") as file:
        builtin = {_module_name(line.strip()) for line in file}
    paths = {}
    needs = {}
    with open(os.path.join(tree, "modules.dep"), encoding="ascii") as file:
        for line in file:
            path, _, rest = line.partition(":")
            paths[_module_name(path)] = path
            needs[_module_name(path)] = [_module_name(need) for need in rest.split()]

    order = []

    def visit(name):
        if name in builtin or name in order:
            return
        if name not in paths:
            raise FileNotFoundError(f"{tree}: neither built in nor a module: {name}")
        for need in needs[name]:
            visit(need)
        order.append(name)

    for name in BOOT_MODULES:
        visit(name)

    modules = []
    for name in order:
        content = _read(os.path.join(tree, paths[name]))
        if paths[name].endswith(".xz"):
            content = lzma.decompress(content)
        elif not paths[name].endswith(".ko"):
            raise ValueError(f"{paths[name]}: unknown module compression")
        modules.append((name, content))
    return modules


def build(modules, busybox, files):
    """Return an initramfs of busybox, modules, and files: a dict of path to contents.

    /init and whatever is to be run must be among files; all of them are made executable.
    """
    archive = Archive()
    for name in ("bin", "dev", "host", "newroot", "vm", "vm/modules"):
        archive.directory(name)
    archive.file("bin/busybox", _read(busybox), 0o755)
    for number, (name, content) in enumerate(modules):
        archive.file(f"vm/modules/{number:02}-{name}.ko", content)
    for name, content in files.items():
        archive.file(name, content, 0o755)
    return archive.finish()
