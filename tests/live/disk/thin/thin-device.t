#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a block device, behind block-fork's: what is kept of it lies in the state directory.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

xl destroy source
disk_at /data/device.img
device=$(losetup -f --show /data/device.img)
host_before=$(snapshot_of_host)
ln -s "$device" /data/device.link
start_behind dev /data/device.link
ask dev 'mark before' >/dev/null
# The domain goes on with what it has open, whatever the link leads to.
ln -sfn /data/device.img /data/device.link
text=$(xl fork-check dev 2>&1)
check 'a link that leads elsewhere is refused by the check' grep -q 'another disk than the domain has open' <<<"$text"
check 'and by the fork' eval '! timeout 120 xl fork --paused dev no 2>/dev/null'
ln -sfn "$device" /data/device.link
check 'forked while it writes' timeout 120 xl fork --paused dev
is 'by its driver' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .driver]]')" '[["base","thin"],["overlay","thin"]]'
ask dev 'mark after' >/dev/null
check 'forked again' timeout 120 xl fork dev second
check 'a clone ticks on' wait_until 60 ticks_on second
is 'its disk is whole' "$(ask second verify | json .errors)" 0
is 'the first has what was written before' "$(seen "$(disk dev@fork-1)" .marks)" '["before"]'
check 'they are destroyed' timeout 120 xl fork-destroy dev-1 second
# What was attached is detached, whatever the link leads to by now.
ln -sfn /data/device.img /data/device.link
xl destroy dev
taken_down 'nothing is in use'
is 'the device has what was written' "$("$LIVE/check-disk" "$device" | jq -c '[(.marks | sort), (.errors | length)]')" '[["after","before"],0]'
rm /data/device.link

# By the name that Xen's own script takes for one below /dev.
start_behind dev "${device#/dev/}"
check 'by a relative name: forked' timeout 120 xl fork --paused dev
is 'by its driver' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .driver]]')" '[["base","thin"],["overlay","thin"]]'
check 'destroyed' timeout 60 xl fork-destroy dev-1
xl destroy dev
taken_down 'nothing is in use'
check 'no folder is left' test ! -e /var/lib/xenfork/.xenfork
same_host 'all is as before' "$host_before" "$(snapshot_of_host)"
done_testing
