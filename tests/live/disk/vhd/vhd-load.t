#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a VHD that writes without a pause, forked again and again: nothing acknowledged is lost, nothing written
# later gets into a clone; frozen, all its clones have the same.
# live: --source --timeout 1800
# needs: blktap
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/disk-load.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/load.vhd
start_source load 128 "$(disk_line /data/v/load.vhd)"
loaded load vhd:/data/v/load.vhd "${1:-20}"
check 'the source ticks on' ticks_on load
done_testing
