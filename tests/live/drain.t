#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A cut waits until the backends have answered all that is in flight. A source whose disk takes 100 ms for a write, and
# whose kernel writes all the time, has requests in flight at a cut when we do not wait, and never when we do.
# live: --timeout 600
# full: 4.20 4.17
. "$(dirname "$0")/lib.sh"
. "$LIVE/lvm.sh"

SLOW=slow thin_volumes src=64
start_source slow 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'

# Written back by the guest's kernel, behind its programs: those stop for a suspension only when the disk has answered.
ask slow 'sh cd /proc/sys/vm; echo 1 >dirty_writeback_centisecs; echo 1 >dirty_expire_centisecs
    echo 90 >dirty_ratio; echo 1 >dirty_background_ratio
    while :; do dd if=/dev/zero of=/mnt/much bs=64k count=320 conv=notrunc 2>/dev/null; done >/dev/null 2>&1 &' >/dev/null
slow_down slow 100 || bail_out 'cannot slow the disk down'

# in_flight NAME: at the cut of a fork that succeeds
in_flight() {
    timeout 120 xl fork -v -v --paused slow "$1" >/tmp/fork.log 2>&1 || { cat /tmp/fork.log >&2; return 1; }
    timeout 120 xl fork-destroy "$1"
    sed -n 's/.* \([0-9]*\) requests in flight on .*/\1/p' /tmp/fork.log
}

without=0 with=0
for n in 1 2; do
    found=$(XENFORK_TEST_NO_DRAIN=1 in_flight "without-$n")
    [ "${found:-0}" -eq 0 ] || without=$((without + 1))
    diag "not waited for: ${found:-no answer}"
    found=$(in_flight "with-$n")
    [ "${found:-1}" -eq 0 ] || with=$((with + 1))
    diag "waited for: ${found:-no answer}"
done
at_least 'without waiting, forks have requests in flight at the cut' "$without" 1
is 'waiting, none has' "$with" 0
slow_down slow 0
check 'the source ticks on' ticks_on slow
is 'its disk is whole' "$(ask slow verify | json .errors)" 0
done_testing
