#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source behind block-fork's device is as fast after many forks as before.
# live: --source --timeout 1800
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/depth.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
start_behind src /mnt/e/src.img
costs_after_forks src "${1:-64}" 120
done_testing
