#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source with a qcow2 file is hardly slower after many forks, and has one file again at the end.
# live: --source --timeout 1800
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/depth.sh"
. "$LIVE/qcow2.sh"

xl destroy source
rm -f /data/source.img
qcow2_source q
costs_after_forks q "${1:-64}" 150 check 'the source has one file again' wait_until 120 is_whole /data/q.qcow2
check 'it ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
done_testing
