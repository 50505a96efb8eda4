#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source on a VHD, killed at every stage and beside blktap's programs: its files, what serves them and what
# it has written are as before.
# live: --source --timeout 500
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
files() { (cd /data/v && find . -mindepth 1 | sort); }
start_source web 128 "$(disk_line /data/v/web.vhd)"
host_before=$(host)

# Killed at each stage: source, files and what serves them are as before.
undone() { [ "$(files)" = "$1" ] && [ "$(host)" = "$host_before" ]; }
# was_undone TEXT FILES
was_undone() {
    wait_until 60 undone "$2"
    same_host "$1: undone" "$2
$host_before" "$(files)
$(host)"
}
for stage in prepare suspend capture disks share resume seal create fork; do
    before=$(files) depth=$(depth_of /data/v/web.vhd)
    killed_fork "$stage: the fork" "$stage" web k
    was_undone "killed at $stage" "$before"
    is "killed at $stage: the same chain" "$(depth_of /data/v/web.vhd)" "$depth"
    check "killed at $stage: the source ticks on" ticks_on web
done
is 'the disk of the source is whole' "$(ask web verify | json .errors)" 0

# Killed beside each of blktap's programs.
kill_at_programs -x xl-fork
for n in $(seq 1 40); do
    killed_at "$n" timeout 120 xl fork --paused web k || break
    was_undone "killed at program $n" "$before"
    check "killed at program $n: the source ticks on" wait_until 60 ticks_on web
done
kill_no_more
at_least 'every program of a fork' "$((n - 1))" 8
check 'that which is not killed is destroyed' timeout 120 xl fork-destroy k
is 'the disk of the source is whole' "$(ask web verify | json .errors)" 0
done_testing
