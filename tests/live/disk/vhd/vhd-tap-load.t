#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a VHD by backendtype=tap that writes without a pause, forked again and again, and by forks that are killed:
# nothing acknowledged is lost, nothing written later gets into a clone.
# live: --source --timeout 900
# needs: blktap
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/disk-load.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/load.vhd
start_tapback /data/v/load.vhd
start_source load 128 "$(tap_line /data/v/load.vhd)"
loaded load vhd:/data/v/load.vhd "${1:-5}"

files() { (cd /data/v && find . -mindepth 1 | sort); }
is_whole() { [ "$(files)" = ./load.vhd ]; }
check 'the source has one file again' wait_until 240 is_whole
before="$(files)
$(serving)"
undone() { [ "$(files; serving)" = "$before" ]; }
for stage in capture disks share seal create; do
    killed_fork "$stage: the fork" "$stage" load k
    check "killed at $stage: undone" wait_until 60 undone
    check "killed at $stage: the source ticks on" ticks_on load
done
is 'the disk of the source is whole' "$(ask load verify | json .errors)" 0
done_testing
