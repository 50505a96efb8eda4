#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a VHD is hardly slower after many forks, and has one file again at the end.
# live: --source --timeout 1800
# needs: blktap
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"
. "$LIVE/depth.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
start_source web 128 "$(disk_line /data/v/web.vhd)"
is_whole() { [ "$(find /data/v -mindepth 1)" = /data/v/web.vhd ]; }
costs_after_forks web "${1:-64}" 150 check 'the source has one file again' wait_until 120 is_whole
check 'it ticks on' ticks_on web
is 'its disk is whole' "$(ask web verify | json .errors)" 0
done_testing
