#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As reboot.t with thin devices on ext4: nothing has to be done after a power cut but to mount the file system.
# live: --source --timeout 700
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/reboot.sh"

ours() { find /mnt/e/.xenfork -name '*.thin'; }
raw() { "$BLOCK" attach "$1" r; }
released() { "$BLOCK" detach "$1"; }
# shellcheck disable=SC2034  # for reboot.sh

if [ -z "$notes" ]; then
    xl destroy source
    ext4_at /mnt/e 500
    disk_at /mnt/e/src.img
    start_behind src /mnt/e/src.img
    cut_power_of src
fi
mkdir -p /mnt/e
mount -o loop /data/e.ext4 /mnt/e || bail_out 'cannot mount'
after_power_cut src /mnt/e/src.img start_behind src /mnt/e/src.img
xl destroy src
taken_down 'no device is left'
is 'the file is plain again, and whole' "$("$LIVE/check-disk" /mnt/e/src.img | jq -c .errors)" '[]'
done_testing
