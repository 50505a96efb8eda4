#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# VHDs that are backed by one another: a warning when they are many, an end when they are too many, and none of it lost.
# live: --source --timeout 500
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
cd /data/v || bail_out 'no folder'
vhd_disk /data/v/0.vhd
for n in $(seq 15); do vhd-util snapshot -e -n "$n.vhd" -p "$((n - 1)).vhd" || bail_out "no VHD $n"; done
start_source deep 128 "$(disk_line /data/v/15.vhd)"
is 'sixteen of them' "$(depth_of /data/v/15.vhd)" 16

check 'forked' timeout 120 xl fork --paused deep d1 2>/tmp/first
check 'without a word of it' eval '! grep "the chain of" /tmp/first'
check 'past sixteen: forked' eval 'timeout 120 xl fork --paused deep d2 2>/tmp/second'
check 'with a warning' grep -q 'the chain of .* has 17 VHDs' /tmp/second
check 'past a limit: refused' eval '! timeout 120 xl fork --paused --disk xvda=vhd:max-depth=18 deep d3 2>/tmp/third'
check 'with the depth' grep -q 'its chain has 18 VHDs, and the limit is 18' /tmp/third
check 'and the way out' grep -q 'destroy clones' /tmp/third
check 'the source ticks on' ticks_on deep
is 'its disk is whole' "$(ask deep verify | json .errors)" 0
xl unpause d2
check 'a clone ticks on' wait_until 60 ticks_on d2
is 'its disk is whole' "$(ask d2 verify | json .errors)" 0

check 'frozen' xl fork-freeze deep
for n in 1 2; do check "forked frozen, $n" timeout 120 xl fork --paused deep "f$n" 2>/dev/null; done
is 'frozen: siblings' "$(depth_of "$(info f1 '.disks[0].path')")" "$(depth_of "$(info f2 '.disks[0].path')")"
check 'all are destroyed' timeout 200 xl fork-destroy d1 d2 f1 f2
check 'thawed' xl fork-thaw deep
check 'the source ticks on' ticks_on deep
is 'its disk is whole' "$(ask deep verify | json .errors)" 0
done_testing
