"""Power cuts while a script runs on: at each, the data disk is kept as it was at that instant.

The script prints what is wanted, as a line of its own:
    # testbed: cut MS…   cut at these instants, in milliseconds from now
    # testbed: mark      it has been reported as done: cuts that are still due come at once
After its own power cut the disks are /dev/vdd and on, and $POWER_CUTS has "MARKS:MS" for each: how many marks had been
printed since its "cut", and how long ago that was.
"""

import time

CUT, MARK = b"# testbed: cut", b"# testbed: mark"
LONGEST_LINE = 4096
AFTER_MARK_S = 0.2  # between cuts that come after it


class Cuts:
    def __init__(self, capture):
        self.capture = capture  # keeps the disk as it is now
        self.due = []
        self.start = 0
        self.marks = 0
        self.seen = []
        self.rest = b""

    def read(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.rest = self.rest[-LONGEST_LINE:]
        for line in lines:
            if line.startswith(CUT):
                self.start = time.monotonic()
                self.due = sorted(self.start + int(word) / 1000 for word in line[len(CUT):].split())
                self.marks = 0
            elif line.startswith(MARK):
                self.marks += 1
                now = time.monotonic()
                self.due = [min(due, now + n * AFTER_MARK_S) for n, due in enumerate(self.due)]

    def wait(self, seconds):
        """How long to wait for output, at most."""
        return min(seconds, max(0, self.due[0] - time.monotonic())) if self.due else seconds

    def act(self):
        """To be called when all output there is has been read."""
        while self.due and time.monotonic() >= self.due[0]:
            del self.due[0]
            self.seen.append(f"{self.marks}:{(time.monotonic() - self.start) * 1000:.0f}")
            self.capture(len(self.seen))
