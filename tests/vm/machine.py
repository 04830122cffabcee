# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""One virtual machine: its QEMU process and the channels to the guest."""

import os
import socket
import subprocess

# Ports of the guest's virtio-serial device, beside the "terminal".
PORTS = ("control", "stdout", "stderr")

KERNEL_ARGUMENTS = (
    "console=ttyS0", "loglevel=5",
    # A crash or a stall ends the machine at once, see -no-reboot.
    "panic=-1", "oops=panic", "sysctl.kernel.panic_on_rcu_stall=1",
    # Messages that programs write to /dev/kmsg are not rationed.
    "printk.devkmsg=on",
    # The virtual CPUs may lose much time to other work on the machine.
    "watchdog_thresh=60", "workqueue.watchdog_thresh=120",
    "rcupdate.rcu_cpu_stall_timeout=120",
    # On a busy machine the TSC's frequency is sometimes measured wrong by a factor of ten, and
    # all times in the guest with it. The HPET's is known.
    "clocksource=hpet",
    # These only cost time here.
    "mitigations=off", "random.trust_cpu=on", "tsc=reliable", "no_timer_check",
    "net.ifnames=0",
)

# What a device gets are addresses of its own, even where the kernel could do without.
IOMMU_ARGUMENTS = ("intel_iommu=on", "iommu.passthrough=0")


class Machine:
    """A running virtual machine.

    links are the sockets of its network: none, one to each of the other machines for the first
    machine, one to the first machine for the others.
    """

    def __init__(self, number, *, kernel, initramfs, log, memory, device_memory, edu, iommu, cpu,
                 arguments, links, terminal):
        self.number = number
        self.console = os.path.join(log, f"node{number}.console")
        self.messages = os.path.join(log, f"node{number}.qemu")
        self.channels = {}
        self._qemu_ends = []

        command = [
            # Whatever becomes of this process, QEMU does not outlive it.
            "setpriv", "--pdeathsig", "KILL", "--",
            "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", cpu,
            "-smp", "2", "-m", str(memory), "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none",
        ]
        if iommu:
            # Before the devices that are behind it; virtio's are not.
            command += ["-device", "intel-iommu,caching-mode=on"]
            arguments = list(IOMMU_ARGUMENTS) + arguments
        command += [
            "-kernel", kernel, "-initrd", initramfs,
            "-append", " ".join(KERNEL_ARGUMENTS + tuple(arguments)),
            "-chardev", f"file,id=console,path={_escape(self.console)}",
            "-serial", "chardev:console",
            "-fsdev", "local,id=host,path=/,security_model=none,multidevs=remap,readonly=on",
            "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
            "-fsdev", f"local,id=results,path={_escape(log)},security_model=none",
            "-device", "virtio-9p-pci,fsdev=results,mount_tag=results",
            "-device", "virtio-serial-pci,max_ports=8",
        ]
        for name in PORTS:
            command += self._channel(name)
            command += ["-device", f"virtserialport,chardev={name},name={name}"]
        if terminal:
            command += self._channel("terminal")
            command += ["-device", "virtconsole,chardev=terminal"]
        command += self._network(links)
        # A device alone on its bus can be reset.
        if device_memory:
            command += ["-object", f"memory-backend-ram,id=devmem,size={device_memory}M,share=on",
                        "-device", "pcie-root-port,id=memory-port,chassis=2",
                        "-device", "ivshmem-plain,memdev=devmem,bus=memory-port"]
        if edu:
            # Its default mask would cut off addresses.
            command += ["-device", "pcie-root-port,id=edu-port,chassis=1",
                        "-device", "edu,bus=edu-port,dma_mask=0xffffffffffffffff"]

        # A run before may have left one, and QEMU may end before it opens its own.
        with open(self.console, "wb"):
            pass
        with open(self.messages, "wb") as messages:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                pass_fds=[end.fileno() for end in self._qemu_ends],
                # The terminal's SIGINT is for this program alone, which then ends QEMU.
                start_new_session=True)
        for end in self._qemu_ends:
            end.close()

    def _channel(self, name):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.channels[name] = ours
        self._qemu_ends.append(theirs)
        return ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]

    def _network(self, links):
        """A NIC and a hub with one port for it and one for each link."""
        if not links:
            return []
        mac = f"52:54:00:10:77:{self.number + 1:02x}"
        arguments = ["-netdev", "hubport,id=nic,hubid=0",
                     "-device", f"virtio-net-pci,netdev=nic,mac={mac}"]
        for number, link in enumerate(links):
            self._qemu_ends.append(link)
            arguments += [
                "-netdev", f"dgram,id=link{number},local.type=fd,local.str={link.fileno()}",
                "-netdev", f"hubport,id=port{number},hubid=0,netdev=link{number}"]
        return arguments

    def send(self, word):
        """Send the guest a line. It is short, and read at once, so it always fits."""
        try:
            self.channels["control"].send(word.encode() + b"\n")
        except OSError:
            pass  # It is gone, which reading from it tells.

    def kill(self):
        self.process.kill()
        self.process.wait()
        for channel in self.channels.values():
            channel.close()


def links(count):
    """Return the sockets for count machines: a list for each of them. All are joined to the
    first, so that nothing but these sockets is needed for any number of machines."""
    ends = [[] for _ in range(count)]
    for other in range(1, count):
        # Datagrams keep Ethernet frames apart.
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ends[0].append(near)
        ends[other].append(far)
    return ends


def _escape(path):
    """A comma separates the parts of QEMU's arguments, and stands for itself when doubled."""
    return path.replace(",", ",,")
