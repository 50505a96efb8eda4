#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source on ext4, behind block-fork's device, that writes all the time.
# live: --source --timeout 1800
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/disk-load.sh"
. "$LIVE/ext4.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
remember
start_behind src /mnt/e/src.img
loaded src /mnt/e/src.img "${1:-20}"
xl destroy src
all_as_before 'all is as before'
is 'its file has no damage' "$("$LIVE/check-disk" /mnt/e/src.img | jq '.errors | length')" 0
done_testing
