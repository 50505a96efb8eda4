#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A snapshot waits until the backends have answered all that is in flight. A source that writes all the time to a disk which
# takes seconds has requests in flight at a snapshot when we do not wait for them, and never when we do.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/lvm.sh"

truncate -s 32M /data/slow.img
slow_device "$(losetup -f --show /data/slow.img)" slow >/dev/null || bail_out 'no slow device'
xl block-attach source 'format=raw,vdev=xvdb,access=rw,target=/dev/mapper/slow' || bail_out 'cannot attach it'
check 'the guest has it' wait_until 30 eval "ask source 'sh ls /dev/xvdb' | grep '\"status\":0'"

# Written by the guest's kernel, behind its programs: those stop for a suspension only when the disk has answered.
ask source 'sh cd /proc/sys/vm; echo 1 >dirty_writeback_centisecs; echo 1 >dirty_expire_centisecs
    (exec 3<>/dev/xvdb; while :; do dd if=/dev/zero of=/dev/xvdb bs=64k count=100 conv=notrunc; sleep 1; done) \
    >/dev/null 2>&1 &' >/dev/null
slow_down slow 4000 || bail_out 'cannot slow it down'
sleep 5

# in_flight NAME: at the snapshot of a fork that succeeds
in_flight() {
    timeout 120 xl fork -v -v --paused --disk xvdb=none source "$1" >/tmp/fork.log 2>&1 || diag "$(cat /tmp/fork.log)"
    sed -n 's/.* \([0-9]*\) requests in flight on .*/\1/p' /tmp/fork.log
    xl fork-destroy "$1" >/dev/null 2>&1
}

without=$(XENFORK_TEST_NO_DRAIN=1 in_flight without)
with=$(in_flight with)
at_least 'without waiting there are requests in flight at the snapshot' "$without" 1
is 'waiting, there are none' "$with" 0
slow_down slow 0
check 'the source ticks on' ticks_on source
is 'its disk is whole' "$(ask source verify | json .errors)" 0
done_testing
