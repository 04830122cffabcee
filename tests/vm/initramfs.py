# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Write the initramfs that takes a kernel from its image to the host's root over 9p."""

import lzma
import os
import stat


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


class ModuleTree:
    """The modules of a kernel: its directory lib/modules/<release>."""

    def __init__(self, directory):
        self._directory = directory
        with self._open("modules.builtin") as file:
            self._builtin = {_module_name(line.strip()) for line in file}
        self._paths = {}
        self._needs = {}
        with self._open("modules.dep") as file:
            for line in file:
                path, _, needs = line.partition(":")
                name = _module_name(path)
                self._paths[name] = path
                self._needs[name] = [_module_name(need) for need in needs.split()]

    def _open(self, name):
        return open(os.path.join(self._directory, name), encoding="ascii")

    def has(self, name):
        return name in self._paths

    def closure(self, names):
        """Return (name, contents) of the modules to insert to have all of names, in the order
        in which to insert them."""
        order = []

        def visit(name):
            if name in self._builtin or name in order:
                return
            if name not in self._paths:
                raise FileNotFoundError(f"{self._directory}: {name} is neither a module "
                                        "nor built in")
            for need in self._needs[name]:
                visit(need)
            order.append(name)

        for name in names:
            visit(name)
        return [(name, self._contents(self._paths[name])) for name in order]

    def _contents(self, path):
        contents = _read(os.path.join(self._directory, path))
        if path.endswith(".xz"):
            return lzma.decompress(contents)
        if path.endswith(".ko"):
            return contents
        raise ValueError(f"{path}: unknown compression")


def build(modules, busybox, files):
    """Return an initramfs of busybox, modules, and files: a dict of path to contents.

    /init and whatever is to be run must be among files; all of them are made executable.
    """
    archive = Archive()
    for name in ("bin", "dev", "host", "newroot", "proc", "vm", "vm/modules"):
        archive.directory(name)
    archive.file("bin/busybox", _read(busybox), 0o755)
    for number, (name, content) in enumerate(modules):
        archive.file(f"vm/modules/{number:02}-{name}.ko", content)
    for name, content in files.items():
        archive.file(name, content, 0o755)
    return archive.finish()
