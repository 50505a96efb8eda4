#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host loses power with a clone on XFS, and in the middle of a fork: afterwards disks have all that was
# acknowledged, what was begun is swept, and the clone starts again on its disk.
# live: --source --timeout 700
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/reboot.sh"

[ -n "$notes" ] || cut_power_of source
after_power_cut source /data/source.img start_source
done_testing
