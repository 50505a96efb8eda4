#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Killed forks of a source on ext4: its disk goes on, and nothing else of them is left.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
remember

# Killed at every stage: at the first fork, when a source may go back to its file, and at later ones.
start_behind src /mnt/e/src.img
is_undone() { [ "$(records)" -le 1 ] && [ "$(xl fork-list --json | jq length)" = 0 ]; }
for stage in prepare suspend share create; do
    killed_fork "$stage: the fork" "$stage" src k
    check "killed at $stage: there is no base, no overlay is left" wait_until 60 is_undone
    check "killed at $stage: the source ticks on" ticks_on src
done
check 'forked' timeout 120 xl fork --paused src keeps
check 'it has a disk' wait_until 10 is_left 3
for stage in share fork; do
    killed_fork "$stage: the fork" "$stage" src k
    check "killed at $stage: only the other clone's disk is left" wait_until 60 is_left 3
    check "killed at $stage: the source ticks on" ticks_on src
done
is 'its disk is whole' "$(ask src verify | json .errors)" 0
check 'the clone is destroyed' timeout 120 xl fork-destroy keeps
xl destroy src
all_as_before 'all is as before'
done_testing
