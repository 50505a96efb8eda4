#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The disk of a clone becomes a file of its own while the clone writes to it: stopped, killed, resumed.
# live: --source --timeout 300
# full: 4.20 4.17
. "$(dirname "$0")/lib.sh"
. "$LIVE/ext4.sh"

percent() { info "$1" .detached_percent; }

xl destroy source
ext4_at /mnt/e 700
disk_at /mnt/e/src.img
remember
start_behind src /mnt/e/src.img
check 'forked' timeout 120 xl fork -n 2 src
check 'a clone ticks on' wait_until 60 ticks_on src-1
ask src-1 mark before >/dev/null
ask src-1 'pace 0' >/dev/null
# Memory first, while it does not write: see detach.t
xl pause src-1
timeout 100 xl fork-detach --rate=4 src-1
check 'memory is done' wait_until 90 eval '[ "$(percent src-1)" -ge 50 ]'
xl fork-detach --stop src-1
check 'stopped after it' wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
xl unpause src-1
# A minute, so that it is killed before it ends.
check 'again, about the disk' xl fork-detach --rate=1 src-1
check 'its disk is under way' wait_until 60 eval '[ "$(percent src-1)" -gt 50 ]'
pkill -9 -f 'fork-detach --rate'
check 'killed: the clone ticks on' ticks_on src-1
check 'its record is as it was' eval '[[ "$(disk src-1)" == *.thin ]]'
# Its memory is done: it is about the disk at once.
check 'once more' xl fork-detach --rate=20 src-1
sleep 2
check 'stopped' xl fork-detach --stop src-1
check 'it stops' wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
check 'the clone ticks on' ticks_on src-1
is 'no copy is under way' "$(dmsetup table | grep -c ' mirror ')" 0
check 'to its end, while the clone writes' timeout 120 xl fork-detach --wait src-1
is 'a raw file' "$(disk src-1 | grep -c '/mnt/e/.xenfork/.*-xvda.raw$')" 1
is 'nothing is mirrored' "$(dmsetup table | grep -c ' mirror ')" 0
ask src-1 mark after >/dev/null
ask src-1 'pace 500' >/dev/null
check 'the clone ticks on' ticks_on src-1
is 'its disk is whole' "$(ask src-1 verify | json .errors)" 0

# Source, image, the other clone and the pool go.
check 'the other clone goes' timeout 60 xl fork-destroy --yes src-2
xl destroy src
check 'what it came from is gone' wait_until 60 eval '[ ! -e /mnt/e/.xenfork/pool ] && rm /mnt/e/src.img'
check 'the clone ticks on' ticks_on src-1
acked=$(field src-1 acked)
check 'saved' timeout 120 xl save src-1 /data/saved
found=$("$LIVE/check-disk" "$(disk src-1)")
at_least 'its file has every write' "$(json .highest <<<"$found")" "$acked"
is 'no damage' "$(json '.errors | length' <<<"$found")" 0
is 'its marks' "$(jq -c '.marks | sort' <<<"$found")" '["after","before"]'
check 'restored' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on src-1
is 'its disk is whole' "$(ask src-1 verify | json .errors)" 0
check 'destroyed' timeout 60 xl fork-destroy --yes src-1
rm -f /data/saved
disk_at /mnt/e/src.img
all_as_before 'all is as before'
done_testing
