#!/usr/bin/python3
"""Runs one program in dom0 of an emulated machine, and ends as it does. Called by ../run.

Statuses of our own: 124 timeout, 75 a known fault of the emulator, 125 the test bed itself failed.
"""

import argparse
import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import signal
import sys
import termios
import time
import tty

from cuts import Cuts
from faults import console_fault, cpu0_guests
from machine import DATA_BYTES, PAYLOAD_BYTES, HarnessError, Machine, Qemu, Timeout, hardware

BOOT_SECONDS = 240
TIMEOUT, EMULATOR_FAULT, HARNESS_FAILURE = 124, 75, 125
START_SOURCE = ["/bin/bash", "-c", """
    xl create -q /etc/xen/source.cfg || exit
    domid=$(xl domid source)
    for ((i = 0; i < 600; i++)); do
        tick=$(xenstore-read "/local/domain/$domid/data/tick" 2>/dev/null)
        [ "${tick:-0}" -ge 10 ] && exit
        sleep 0.1
    done
    exit 1"""]


def note(text):
    print(f"testbed: {text}", file=sys.stderr, flush=True)


def parse():
    parser = argparse.ArgumentParser()
    for name in ("qemu", "xen", "image", "cache", "payload"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--memory", type=int, default=3072)
    parser.add_argument("--timeout", type=float, default=300)
    for name in ("cold", "source", "tty"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("argv", nargs="+")
    return parser.parse_args()


class Bed:
    def __init__(self, options):
        self.options = options
        self.qemu = Qemu(options.qemu)
        self.arguments = hardware(options.xen, options.image, options.memory)
        self.directory = f"{options.cache}/run/{os.getpid()}"
        self.machine = None
        self.boots = 0
        self.data = ["data.qcow2"]  # the last is written to, the others were kept at a cut

    # The directory of a run holds its disks, sockets and logs, and goes with it.

    def prepare_directory(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.sweep_leftovers()

    def sweep_leftovers(self):
        """Directories of runs that were killed."""
        base = os.path.dirname(self.directory)
        for name in os.listdir(base):
            if name.isdigit() and not os.path.exists(f"/proc/{name}"):
                shutil.rmtree(f"{base}/{name}", ignore_errors=True)

    def place_payload(self, path):
        file = f"{self.directory}/payload"
        if path:
            shutil.copyfile(path, file)
        with open(file, "ab") as payload:
            if payload.tell() > PAYLOAD_BYTES:
                raise HarnessError(f"more than {PAYLOAD_BYTES >> 20} MiB to deliver")
            payload.truncate(PAYLOAD_BYTES)

    # Starting: from power-on, or from a snapshot.

    def boot(self):
        self.qemu.create_disk(f"{self.directory}/dom0.qcow2", backing=f"{self.options.image}/dom0.qcow2")
        self.qemu.create_disk(f"{self.directory}/data.qcow2", DATA_BYTES)
        self.power_on()

    def power_on(self, disks=()):
        deadline = time.monotonic() + BOOT_SECONDS
        self.machine = Machine(self.qemu, self.directory, self.arguments, self.data[-1], disks=disks)
        self.machine.attach(deadline)
        self.ask_dom0(["/bin/true"], "dom0 does not come up", deadline)

    def load(self, snapshot):
        for name in ("dom0", "data"):
            self.qemu.create_disk(f"{self.directory}/{name}.qcow2", backing=f"{snapshot}/{name}.qcow2")
        deadline = time.monotonic() + BOOT_SECONDS
        self.machine = Machine(self.qemu, self.directory, self.arguments, self.data[-1], incoming=f"{snapshot}/state")
        self.machine.attach(deadline)
        self.machine.resume(deadline)

    def ask_dom0(self, argv, complaint, deadline):
        output = []
        try:
            answer = self.machine.run({"argv": argv}, output.append, deadline)
        except Timeout:
            raise HarnessError(complaint) from None
        if answer["status"] != 0:
            raise HarnessError(f"{complaint}: {b''.join(output).decode(errors='replace')}")

    def start_source(self):
        self.ask_dom0(START_SOURCE, "the source guest does not come up", time.monotonic() + BOOT_SECONDS)

    # Snapshots.

    def snapshot_path(self, kind):
        key = hashlib.sha256(repr((self.qemu.root, self.arguments)).encode()).hexdigest()[:16]
        return f"{self.options.cache}/snapshot-{kind}-{key}"

    def snapshot(self, kind):
        """The directory of a snapshot, made unless it is there."""
        path = self.snapshot_path(kind)
        if os.path.isdir(path):
            return path
        os.makedirs(f"{self.options.cache}/lock", exist_ok=True)
        with open(f"{self.options.cache}/lock/{os.path.basename(path)}", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(path):
                self.make_snapshot(kind, path)
        return path

    def make_snapshot(self, kind, path):
        base = self.snapshot("dom0") if kind == "source" else None
        start = time.monotonic()
        note(f"snapshot {kind}: making")
        self.prepare_directory()
        self.place_payload(None)
        if base:
            self.load(base)
            self.start_source()
        else:
            self.boot()
        shutil.rmtree(f"{path}.new", ignore_errors=True)
        os.makedirs(f"{path}.new")
        self.machine.save(f"{path}.new/state", time.monotonic() + BOOT_SECONDS)
        self.machine.end()
        self.machine = None
        for name in ("dom0.qcow2", "data.qcow2", "console.log"):
            shutil.move(f"{self.directory}/{name}", f"{path}.new/{name}")
        os.rename(f"{path}.new", path)
        note(f"snapshot {kind}: done in {time.monotonic() - start:.0f} s")

    # One run.

    def start(self):
        snapshot = None
        if not self.options.cold:
            snapshot = self.snapshot("source" if self.options.source else "dom0")
        self.prepare_directory()
        self.place_payload(self.options.payload)
        if snapshot:
            self.load(snapshot)
        else:
            self.boot()
            if self.options.source:
                self.start_source()

    def run(self):
        self.start()
        request = {"argv": self.options.argv, "cwd": "/run/test", "payload": "/dev/vdc"}
        keys = None
        if self.options.tty:
            keys = sys.stdin
            size = os.get_terminal_size() if sys.stdin.isatty() else (80, 24)
            request.update(tty=True, cwd="/root", environment={
                "TERM": os.environ.get("TERM", "dumb"), "COLUMNS": str(size[0]), "LINES": str(size[1])})
        deadline = time.monotonic() + self.options.timeout
        with raw_terminal(keys):
            while True:
                cuts = Cuts(self.keep_disk)
                answer = self.run_once(request, deadline, keys, cuts)
                if answer["power_cut"] is None:
                    return answer["status"]
                self.machine.cut_power(deadline)
                self.power_on(self.kept_disks())
                request["environment"] = {"POWER_CUT": answer["power_cut"],
                                          "POWER_CUTS": " ".join(cuts.seen)}

    def keep_disk(self, number):
        self.data.append(f"data-{self.boots}-{number}.qcow2")
        self.machine.keep_disk(f"{self.directory}/{self.data[-1]}")

    def kept_disks(self):
        """Disks as they were at each cut but the last; that is the data disk from now on, in a file of its own."""
        if len(self.data) == 1:
            return []
        old = set(glob.glob(f"{self.directory}/data*")) - {f"{self.directory}/{name}" for name in self.data}
        for path in old:
            os.unlink(path)
        self.boots += 1
        disks = [f"data-kept-{n}.qcow2" for n in range(len(self.data) - 1)]
        for name, disk in zip(self.data, disks):
            self.qemu.create_disk(f"{self.directory}/{disk}", backing=f"{self.directory}/{name}")
        self.qemu.copy_disk(f"{self.directory}/{self.data[-1]}", f"{self.directory}/data-{self.boots}.qcow2")
        self.data = [f"data-{self.boots}.qcow2"]
        return disks

    def run_once(self, request, deadline, keys, cuts):
        answer = self.machine.run(request, write_out, deadline, keys, cuts)
        bad = cpu0_guests(answer["vcpus"])
        if bad:
            raise HarnessError("a guest ran or may run on physical CPU 0:\n" + "\n".join(bad))
        return answer

    def log(self, name):
        with contextlib.suppress(OSError):
            with open(f"{self.directory}/{name}", encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    def keep_logs(self):
        logs = f"{self.options.cache}/log/{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        os.makedirs(logs)
        for name in ("console.log", "qemu.log"):
            with contextlib.suppress(OSError):
                shutil.copy(f"{self.directory}/{name}", logs)
        return logs

    def end(self):
        if self.machine:
            self.machine.end()
        shutil.rmtree(self.directory, ignore_errors=True)


def write_out(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def raw_terminal(keys):
    if not keys or not keys.isatty():
        yield
        return
    before = termios.tcgetattr(keys)
    tty.setraw(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def interrupted(number, _frame):
    # Once only: the clean-up is not to be interrupted.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise SystemExit(128 + number)


def report(bed, status):
    """What a failure leaves for a person to look at; the status may become that of a known fault."""
    console = bed.log("console.log")
    fault = console_fault(console)
    if fault:
        status = EMULATOR_FAULT
        note(f"emulator fault: {fault}")
    if status in (TIMEOUT, EMULATOR_FAULT, HARNESS_FAILURE):
        tail = (console + bed.log("qemu.log")).replace("\r", "").splitlines()
        note("end of the console:\n" + "\n".join([line for line in tail if line][-25:]))
    if status != 0 and not bed.options.tty:
        note(f"status {status}; logs kept in {bed.keep_logs()}")
    return status


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    options = parse()
    bed = Bed(options)
    try:
        try:
            status = bed.run()
        except Timeout:
            note(f"timeout: not done after {options.timeout:g} s")
            status = TIMEOUT
        except (HarnessError, OSError) as error:
            note(str(error))
            status = HARNESS_FAILURE
        return report(bed, status)
    finally:
        bed.end()


if __name__ == "__main__":
    sys.exit(main())
