#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As reboot.t, with a clone on a VHD.
# live: --source --timeout 700
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/reboot.sh"
. "$LIVE/vhd.sh"

ours() { find /data/v -type f ! -name web.vhd; }
# shellcheck disable=SC2034  # for reboot.sh
of_a_clone=2 left_seconds=120

start() { start_source web 128 "$(disk_line /data/v/web.vhd)"; }
if [ -z "$notes" ]; then
    xl destroy source
    mkdir /data/v
    vhd_disk /data/v/web.vhd
    start
    cut_power_of web
fi
after_power_cut web vhd:/data/v/web.vhd start
is 'nothing serves any disk but the source'"'"'s' "$(pgrep -cx tapdisk)" 1
done_testing
