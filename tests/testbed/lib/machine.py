"""One emulated machine: QEMU's command line, its monitor, its two channels into dom0."""

import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

PAYLOAD_BYTES = 256 << 20
DATA_BYTES = 1 << 30
FIRST_SLOT = 0x10  # of the PCI bus, for disks that are found last
XEN_OPTIONS = ("console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=1 dom0_vcpus_pin "
               "loglvl=info guest_loglvl=all spec-ctrl=no")
DOM0_OPTIONS = "console=hvc0 root=/dev/vda quiet panic=5 mitigations=off"


class HarnessError(Exception):
    """The test bed itself failed, not what it runs."""


class Timeout(Exception):
    """What runs in dom0 took longer than it may."""


def left(deadline):
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise Timeout
    return seconds


class Qemu:
    """Programs of the qemu part, run with their own dynamic loader and libraries."""

    def __init__(self, root):
        self.root = root
        self.libraries = f"{root}/usr/lib/x86_64-linux-gnu"
        # Until Debian 12 some packages still bring files in /lib.
        places = [self.libraries, f"{root}/lib/x86_64-linux-gnu"]
        loader = next(f for f in (f"{place}/ld-linux-x86-64.so.2" for place in places) if os.path.exists(f))
        self.loader = [loader, "--library-path", ":".join(places)]

    def argv(self, program, *arguments):
        return [*self.loader, f"{self.root}/usr/bin/{program}", *arguments]

    def create_disk(self, path, size=None, backing=None):
        """An empty disk, or one that holds only its differences to another."""
        what = ["-b", backing, "-F", "qcow2", path] if backing else [path, str(size)]
        subprocess.run(self.argv("qemu-img", "create", "-q", "-f", "qcow2", *what), check=True)

    def copy_disk(self, path, copy):
        """With all that it rests on."""
        subprocess.run(self.argv("qemu-img", "convert", "-O", "qcow2", path, copy), check=True)


def hardware(xen, image, memory_mib):
    """The part of the command line that a snapshot depends on.

    Two CPUs: on a machine of two cores a third would have each wait for the others when Xen interrupts them.
    """
    return ["-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64,+svm,+npt",
            "-smp", "2", "-m", str(memory_mib), "-display", "none", "-no-reboot", "-nodefaults",
            "-audiodev", "none,id=silent",
            "-kernel", f"{xen}/xen", "-append", XEN_OPTIONS,
            "-initrd", f"{image}/vmlinuz {DOM0_OPTIONS},{image}/initrd",
            "-device", "virtio-blk-pci,drive=dom0", "-device", "virtio-blk-pci,drive=data",
            "-device", "virtio-blk-pci,drive=payload", "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=command,name=command",
            "-device", "virtserialport,chardev=output,name=output"]


def backends(directory, qemu_root, data):
    """The part that differs from run to run: files and sockets."""
    def drive(name, file, more):
        return ["-drive", f"file={directory}/{file},if=none,id={name},{more}"]

    def channel(name):
        return ["-chardev", f"socket,id={name},path={directory}/{name},server=on,wait=off"]

    share = f"{qemu_root}/usr/share"
    return [*drive("dom0", "dom0.qcow2", "format=qcow2,cache=unsafe"),
            *drive("data", data, "format=qcow2,cache=unsafe"),
            *drive("payload", "payload", "format=raw,readonly=on"),
            *channel("command"), *channel("output"),
            "-chardev", f"file,id=console,path={directory}/console.log,append=on", "-serial", "chardev:console",
            "-qmp", f"unix:{directory}/monitor,server=on,wait=off",
            "-L", f"{share}/qemu", "-L", f"{share}/seabios"]


def more_disks(directory, files):
    """Disks /dev/vdd and on. Eight to a slot: they have more than there are slots."""
    argv = []
    for n, file in enumerate(files):
        argv += ["-drive", f"file={directory}/{file},if=none,id=more{n},format=qcow2,cache=unsafe",
                 "-device", f"virtio-blk-pci,drive=more{n},num-queues=1,multifunction=on,"
                 f"addr={FIRST_SLOT + n // 8:#x}.{n % 8}"]
    return argv


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def connect(path, deadline):
    while True:
        try:
            channel = socket.socket(socket.AF_UNIX)
            channel.connect(path)
            return channel
        except OSError:
            channel.close()
            if left(deadline):
                time.sleep(0.02)


class Machine:
    def __init__(self, qemu, directory, arguments, data, incoming=None, disks=()):
        self.directory = directory
        more = ["-incoming", f"exec:cat '{incoming}'"] if incoming else more_disks(directory, disks)
        self.log = open(f"{directory}/qemu.log", "a", encoding="utf-8")
        self.process = subprocess.Popen(
            qemu.argv("qemu-system-x86_64", *arguments, *backends(directory, qemu.root, data), *more),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent,
            env=dict(os.environ, QEMU_MODULE_DIR=f"{qemu.libraries}/qemu"))
        self.buffer = b""
        self.channels = []

    def attach(self, deadline):
        self.command = self.channel("command", deadline)
        self.output = self.channel("output", deadline)
        self.monitor = self.channel("monitor", deadline).makefile("rw", encoding="utf-8")
        json.loads(self.monitor.readline())
        self.ask("qmp_capabilities")

    def channel(self, name, deadline):
        if self.process.poll() is not None:
            raise HarnessError("the emulator does not start; see qemu.log")
        channel = connect(f"{self.directory}/{name}", deadline)
        self.channels.append(channel)
        return channel

    def ask(self, command, **arguments):
        json.dump({"execute": command, "arguments": arguments}, self.monitor)
        self.monitor.flush()
        while True:
            answer = json.loads(self.monitor.readline() or '{"error": "the emulator has ended"}')
            if "error" in answer:
                raise HarnessError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def wait_for(self, command, wanted, deadline):
        while True:
            state = self.ask(command).get("status")
            if state == wanted:
                return
            if state == "failed":
                raise HarnessError(f"{command}: failed; see qemu.log")
            if left(deadline):
                time.sleep(0.02)

    def resume(self, deadline):
        """After the load of a snapshot."""
        self.wait_for("query-status", "paused", deadline)
        self.ask("cont")

    def stop_outside_guests(self, deadline):
        """Stops when no CPU runs a guest: QEMU refuses to load an SVM guest in mid-run.

        Guests have CPUs 1 and up, where all else is Xen, which lives at ffff82d0….
        """
        while True:
            self.ask("stop")
            registers = self.ask("human-monitor-command", **{"command-line": "info registers -a"})
            addresses = re.findall(r"RIP=([0-9a-f]+)", registers)
            if len(addresses) > 1 and all(rip.startswith("ffff82d") for rip in addresses[1:]):
                return
            self.ask("cont")
            if left(deadline):
                time.sleep(0.05)

    def save(self, path, deadline):
        self.stop_outside_guests(deadline)
        self.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.ask("migrate", uri=f"exec:cat >'{path}'")
        self.wait_for("query-migrate", "completed", deadline)

    def run(self, request, write, deadline, keys=None, cuts=None):
        """Has dom0's agent run something; passes its output to write; returns the agent's answer."""
        end = f"\0end-{os.urandom(8).hex()} "
        request = dict(request, op="run", end=end, time=time.time())
        self.command.sendall(json.dumps(request).encode() + b"\n")
        mark, held = end.encode(), b""
        while True:
            seconds = cuts.wait(left(deadline)) if cuts else left(deadline)
            ready, _, _ = select.select([self.output] + ([keys] if keys else []), [], [], seconds)
            if keys in ready:
                self.command.sendall(os.read(keys.fileno(), 4096))
            if self.output not in ready:
                if cuts:
                    cuts.act()
                continue
            data = self.output.recv(65536)
            if not data:
                raise HarnessError("the emulated machine has ended")
            if cuts:
                cuts.read(data)
            held += data
            at = held.find(mark)
            if at >= 0:
                write(held[:at])
                held = held[at:]
                if held.endswith(b"\n"):
                    return json.loads(held[len(mark):])
                mark = held[:len(mark)]
            else:
                # All but what may be the beginning of the mark.
                keep = next((n for n in range(min(len(mark), len(held)), 0, -1)
                             if mark.startswith(held[-n:])), 0)
                write(held[:len(held) - keep])
                held = held[len(held) - keep:]

    def keep_disk(self, path):
        """Leaves the data disk's file as it is now; what is written from now on goes to another."""
        self.ask("blockdev-snapshot-sync", device="data", **{"snapshot-file": path, "format": "qcow2"})

    def cut_power(self, deadline):
        """Ends with all on the disks that was written to them, and nothing of what was only about to be."""
        self.ask("quit")
        self.process.wait(left(deadline))
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for channel in self.channels:
            channel.close()
        self.log.close()
