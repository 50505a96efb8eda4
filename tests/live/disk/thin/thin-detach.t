#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The disk of a clone becomes a file of its own while the clone writes to it: stopped, killed at each stage and at
# random, resumed; never while it is saved.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

percent() { info "$1" .detached_percent; }
# The path from which libxl will start it again, and our record.
libxls_disk() { xl list -l "$(domid_of "$1")" | json '.[0].config.disks[0] | .pdev_path'; }
record() { cat "/var/lib/xenfork/clones/$(xl list -v "$1" | awk 'NR == 2 { print $7 }')/record"; }
is_noted() { record "$1" | grep -q "^left.by .* $2 "; }
refuses() { ! timeout 60 xl fork-detach --wait "$1" >/run/said 2>&1 && grep -q "$2" /run/said; }

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
XENFORK_TEST_KILL=detach xl fork-detach --wait src-1
is 'killed between memory and disk' $? 137
check 'the clone ticks on' ticks_on src-1
check 'its record is as it was' eval '[[ "$(disk src-1)" == *.thin ]]'

# A file of xl save has the path that the disk has then.
check 'a checkpoint' timeout 120 xl save -c src-1 /data/saved
xl save -c src-1 /data/saved >/dev/null 2>&1 &
saver=$!
check 'another one begins, to the same file' wait_until 20 is_noted src-1 "$saver"
check 'it is not detached meanwhile' refuses src-1 'src-1 was saved in /data/saved'
wait "$saver"
check 'the clone ticks on' ticks_on src-1
check 'saved' timeout 120 xl save src-1 /data/saved
check 'it is not detached' refuses src-1 'src-1 was saved in /data/saved'
check 'restored' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on src-1
ask src-1 'pace 0' >/dev/null

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
# At random, seven times as far as it has been seen to take.
for tenth in 3 8 13 18 23 28 33; do
    timeout -s KILL "$((tenth / 10)).$((tenth % 10))" xl fork-detach --wait src-1 >/dev/null 2>&1
    xl fork-recover || fail "killed after $tenth tenths of a second: recovered"
    is "killed after $tenth tenths of a second: both records agree" "$(libxls_disk src-1)" "$(disk src-1)"
done
check 'to its end, while the clone writes' timeout 120 xl fork-detach --wait src-1
is 'a raw file' "$(disk src-1 | grep -c '/mnt/e/.xenfork/.*-xvda.raw$')" 1
is 'nothing is mirrored' "$(dmsetup table | grep -c ' mirror ')" 0
is 'both records agree' "$(libxls_disk src-1)" "$(disk src-1)"
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
