"""The known faults of the emulator, and the rule that avoids them: no guest on physical CPU 0."""

import re

XEN_FRAME = re.compile(r"RIP:\s+e008:")
CPU0 = re.compile(r"CPU:\s+0\b")


def console_fault(text):
    """A short description when the console shows one of the emulator's faults, or None."""
    for match in re.finditer(r"Triple fault|Unexpected vmexit|Unhandled.*VMEXIT", text, re.I):
        around = text[max(0, match.start() - 4000):match.end() + 4000]
        if XEN_FRAME.search(around) or CPU0.search(around):
            return "triple fault of a guest with Xen's own state or on CPU 0"
    return None


def cpu0_guests(vcpu_list):
    """Lines of `xl vcpu-list` of guests that have run on CPU 0, or may.

    A domain that has never run (an image of xenfork's) has a CPU only on paper.
    """
    bad = []
    for line in vcpu_list.splitlines():
        match = re.match(r"(\S+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+([\d.]+)\s+(\S+)", line)
        if not match or int(match[2]) == 0 or float(match[6]) == 0.0:
            continue
        if match[4] == "0" or affinity_has_cpu0(match[7]):
            bad.append(line)
    return bad


def affinity_has_cpu0(affinity):
    return affinity == "all" or re.match(r"0(\D|$)", affinity) is not None
