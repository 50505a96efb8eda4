#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pool and its file system are full: writers wait, a fork is refused, and with room all goes on as if nothing was.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

# mode: of the pool: rw, out_of_data_space
mode() { dmsetup status | grep -o 'out_of_data_space\|ro\|rw'; }
is_mode() { [ "$(mode)" = "$1" ]; }
# used: KiB of its data
used() { dmsetup status | sed -n 's|.* thin-pool [0-9]* [^ ]* \([0-9]*\)/.*|\1|p'; }
fill() { dd if=/dev/zero of=/mnt/e/filler bs=64k 2>/dev/null; sync -f /mnt/e; }

xl destroy source
ext4_at /mnt/e 150
disk_at /mnt/e/src.img
remember
start_behind src /mnt/e/src.img
# Small steps: the pool is soon full.
check 'forked' env XENFORK_TEST_POOL_STEP=$((2 << 20)) timeout 120 xl fork --paused src c
ask src 'pace 0' >/dev/null
is_larger() { [ "$(used)" -gt 48 ]; }
check 'the pool is made larger as the source writes' wait_until 60 is_larger
fill
check 'its file system is full, and so is the pool' wait_until 120 is_mode out_of_data_space
text=$(timeout 120 xl fork src k 2>&1)
is 'a fork is refused' "$?" 1
check 'and says why' grep -q 'file system of the thin pool is full' <<<"$text"
full=$(used)
sleep 5
is 'writers wait' "$(mode) $(used)" "out_of_data_space $full"
is 'for as long as it takes' "$(cat /sys/module/dm_thin_pool/parameters/no_space_timeout)" 0
rm /mnt/e/filler
check 'there is room, and the pool takes it' wait_until 30 is_mode rw
check 'the source ticks on' ticks_on src 60
ask src 'pace 500' >/dev/null
is 'no write is lost' "$(ask src verify | json .errors)" 0
check 'it can be forked' timeout 120 xl fork src d
check 'the clone ticks on' wait_until 60 ticks_on d
is 'its disk is whole' "$(ask d verify | json .errors)" 0
xl unpause c
check 'so does that of before' wait_until 60 ticks_on c
check 'the clones are destroyed' timeout 120 xl fork-destroy c d
xl destroy src
all_as_before 'all is as before'
is 'its file has no damage' "$("$LIVE/check-disk" /mnt/e/src.img | jq '.errors | length')" 0
done_testing
