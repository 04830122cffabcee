# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What a guest boots from: the kernel, and an initramfs with its settings and its command."""

import os
import shlex
import shutil

import initramfs

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# Inserted from the initramfs, decompressed: many times faster than modprobe over 9p.
ROOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p")
RDMA_MODULES = ("ib_uverbs", "rdma_ucm", "rdma_rxe")
# 6.12's rxe has the kernel look for this one; later kernels have it built in.
OPTIONAL_MODULES = ("crc32_generic",)

# Of the caller's environment, what the command sees.
ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TERM", "TZ",
               "IBV_DRIVERS", "RDMAV_DRIVERS", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")

# The guest has file systems of its own there.
COVERED = ("/tmp", "/var/tmp", "/run", "/dev")


class Kernel:
    """A kernel of build/kernels, or of any directory that looks like one of those."""

    def __init__(self, name):
        directory = name if "/" in name else os.path.join(TOP, "build/kernels", name)
        self.directory = os.path.realpath(directory)
        self.image = os.path.join(self.directory, "vmlinuz")
        self.modules = os.path.join(self.directory, "lib/modules")
        with open(os.path.join(self.directory, "release"), encoding="ascii") as file:
            self.release = file.read().strip()

    def module_tree(self):
        return initramfs.ModuleTree(os.path.join(self.modules, self.release))


def _modules_directory(root):
    """Where the guest looks for modules: a mount point that a host without a kernel may lack."""
    path = os.path.join(os.path.realpath(os.path.join(root, "lib")), "modules")
    os.makedirs(path, exist_ok=True)
    return os.path.join("/", os.path.relpath(path, root))


def _kept(root):
    """The directories that the guest has to mount, as its root lacks or covers them."""
    paths = (TOP, os.getcwd())
    if root == "/":
        return [path for path in paths if any(path.startswith(top + "/") for top in COVERED)]
    return paths


def _make_mount_points(root, paths):
    """The guest cannot, as it sees the root read-only."""
    for path in paths:
        os.makedirs(root + path, exist_ok=True)


def _command_script(command, settings, terminal):
    """The command, in the caller's directory and with part of the caller's environment."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    environment.update(settings)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    if terminal:
        size = shutil.get_terminal_size()
        lines.append(f"stty rows {size.lines} cols {size.columns}")
    lines.append(f"cd {shlex.quote(os.getcwd())} || exit 125")
    lines.append("exec " + shlex.join(command))
    return "\n".join(lines) + "\n"


def _configuration(kernel, root, log, node, nodes, switches):
    def address(number):
        return f"10.77.0.{number % nodes + 1}"

    settings = {
        "VM_NODE": str(node),
        "VM_NODES": str(nodes),
        "VM_IP": address(node),
        "VM_PEER_IP": address(node + 1),
        "VM_RESULTS": log,
        "VM_ROOT": root,
        "VM_KEEP": "\n".join(_kept(root)),
        "VM_MODULES": kernel.modules,
        "VM_MODULES_AT": _modules_directory(root),
    }
    for name, value in switches.items():
        settings[name] = "1" if value else ""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())


def write_initramfs(path, *, kernel, command, settings, root, log, node, nodes, rdma, kmemleak,
                    terminal):
    """Write the initramfs of one of the guests to path."""
    root = os.path.realpath(root)
    if root != "/":
        _make_mount_points(root, (*_kept(root), log))
    switches = {"VM_RDMA": rdma, "VM_KMEMLEAK": kmemleak, "VM_TERMINAL": terminal}
    files = {
        "vm/config": _configuration(kernel, root, log, node, nodes, switches).encode(),
        "vm/command": _command_script(command, settings, terminal).encode(),
    }
    for name, guest_name in (("guest-init", "init"), ("guest-main", "vm/guest-main")):
        with open(os.path.join(HERE, name), "rb") as file:
            files[guest_name] = file.read()
    modules = ROOT_MODULES + (("dummy",) if nodes == 1 else ("virtio_net",))
    tree = kernel.module_tree()
    if rdma:
        modules += tuple(filter(tree.has, OPTIONAL_MODULES)) + RDMA_MODULES
    with open(path, "wb") as file:
        file.write(initramfs.build(tree.closure(modules), shutil.which("busybox"), files))
