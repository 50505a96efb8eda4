#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk behind block-fork's device: xenfork-hotplug does what block-fork does, or runs it.

# shellcheck source=tests/hotplug/lib.sh
. "${srcdir:?}/tests/hotplug/lib.sh"

plan 18
ln -s "$(cd "$(dirname "$helper")" && pwd)/${helper##*/}" "$dir/xenfork-hotplug-fork"
backend=backend/vbd/7/51712

names='write /libxl/7/device/vbd/51712/script HOST/scripts/block-fork
write backend/vbd/7/51712/script HOST/scripts/block-fork'

disk w '/srv/web 1.img'
run_fork_disk add
check 'succeeds' is "$status" 0
check 'names, device, keys, in this order' is "$(log)" "$names
follow /srv/web 1.img
attach /dev/dm-7 w
examine /dev/mapper/xenfork-1
write backend/vbd/7/51712/xenfork-target /dev/dm-7
write backend/vbd/7/51712/discard-enable 0
write backend/vbd/7/51712/physical-device fd:7
write backend/vbd/7/51712/physical-device-path /dev/mapper/xenfork-1
write backend/vbd/7/51712/hotplug-status connected"

disk r vhd:/srv/web1.vhd
run_fork_disk add
check 'read-only' is "$(log | grep '^attach')" 'attach vhd:/dev/dm-7 r'

disk 'w!' /srv/web1.img
run_fork_disk add
check 'w! is left to the script' done_by_stock block-fork add

disk w ''
run_fork_disk add
check 'no target: likewise' done_by_stock block-fork add

disk w /srv/web1.img
node $backend/physical-device fd:1
run_fork_disk add
check 'called twice: nothing' is "$status $(log)" "0 $names"

disk w /srv/web1.img
FAKE_FAIL=attach; export FAKE_FAIL
run_fork_disk add
check 'it cannot be attached: fails' is "$status" 1
check 'and says why' is "$(value $backend/hotplug-error)" 'xenfork-block: it is in use'

for key in xenfork-target discard-enable physical-device hotplug-status; do
    disk w /srv/web1.img
    FAKE_FAIL="write $backend/$key"; export FAKE_FAIL
    run_fork_disk add
    check "$key cannot be written: it is detached" is "$status $(log | grep '^detach')" '1 detach /dev/dm-7 /dev/mapper/xenfork-1'
done

disk w /srv/web1.img
FAKE_FAIL=examine; export FAKE_FAIL
run_fork_disk add
check 'no device is there: it is detached' is "$status $(log | grep '^detach')" '1 detach /dev/dm-7 /dev/mapper/xenfork-1'

disk w /srv/web1.img
node $backend/physical-device fd:1
run_fork_disk remove
check 'remove' is "$status $(log)" "0 $names
detach /srv/web1.img"

disk w /srv/web1.img
node $backend/physical-device fd:1
node $backend/physical-device-path /dev/mapper/xenfork-1
node $backend/xenfork-target /srv/web2.img
run_fork_disk remove
check 'what was attached is detached, whatever the target is by now' is "$status $(log | grep '^detach')" \
    '0 detach /srv/web2.img /dev/mapper/xenfork-1'

disk w /srv/web1.img
run_fork_disk remove
check 'remove after an add that has failed: nothing' is "$status $(log)" "0 $names"

disk w /srv/web1.img
node $backend/physical-device fd:1
FAKE_FAIL=detach; export FAKE_FAIL
run_fork_disk remove
check 'it cannot be detached: fails' is "$status" 1
check 'and says why' is "$(value $backend/hotplug-error)" 'xenfork-block: it is in use'
