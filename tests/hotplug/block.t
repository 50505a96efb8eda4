#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk: xenfork-hotplug does what Xen's block does, or runs it.

# shellcheck source=tests/hotplug/lib.sh
. "${srcdir:?}/tests/hotplug/lib.sh"

plan 46
backend=backend/vbd/7/51712
file="$dir/disk file.img"
other="$dir/other.img"
: >"$file"
: >"$other"

names='write /libxl/7/device/vbd/51712/script HOST/scripts/block
write backend/vbd/7/51712/script HOST/scripts/block'
keys='write backend/vbd/7/51712/node /dev/loop26
write backend/vbd/7/51712/physical-device 7:1a
write backend/vbd/7/51712/physical-device-path /dev/loop26
write backend/vbd/7/51712/hotplug-status connected'

disk w "$file"
run_disk add
check 'a file: succeeds' is "$status" 0
check 'a file: names, lock, loop device, keys, in this order' is "$(log)" \
    "$names
lock block
list loops
bind rw DIR/disk file.img
$keys
unlock block"
check 'the backend names the script' \
    is "$(value $backend/script)" "$FAKE_HOST/scripts/block"
check 'so does libxl' \
    is "$(value libxl/7/device/vbd/51712/script)" "$FAKE_HOST/scripts/block"

disk r "$file"
run_disk add
check 'read-only' is "$(log | grep '^bind')" 'bind ro DIR/disk file.img'

ln -s "$file" "$dir/link"
disk w "$dir/link"
run_disk add
check 'a link: what it points to' \
    is "$(log | grep '^bind')" 'bind rw DIR/disk file.img'

disk w "$file"
node $backend/physical-device 7:1
run_disk add
check 'called twice: nothing' is "$status $(log)" "0 $names"

disk r "$file"
ln -s "$file" "$dir/same"
echo "ro $dir/same" >"$FAKE_HOST/loops"
run_disk add
check 'all that have it read only' \
    is "$(log | grep '^bind')" 'bind ro DIR/disk file.img'

disk w "$file"
echo "rw $other" >"$FAKE_HOST/loops"
run_disk add
check 'another file is bound' is "$(log | grep -c '^bind rw')" 1

disk w "$file"
echo "ro $dir/same" >"$FAKE_HOST/loops"
run_disk add
check 'we write, another reads: the script decides' done_by_stock block add

disk r "$file"
printf 'ro %s\nrw %s\n' "$dir/same" "$dir/same" >"$FAKE_HOST/loops"
run_disk add
check 'we read, another writes: the script decides' done_by_stock block add
check 'it comes after the lock' \
    is "$(log | tail -n 2 | head -n 1)" 'unlock block'

disk w "$file"
run_disk remove
check 'remove: the script' done_by_stock block remove
check 'remove: nothing else' is "$(log | grep -vc '^write .*/script ')" 1

disk w "$dir"
run_disk add
check 'a folder: the script' done_by_stock block add

disk w "$dir/none"
run_disk add
check 'no such file: the script' done_by_stock block add

disk w /dev/null
run_disk add
check 'no block device: the script' done_by_stock block add

# A block device that nobody else has.
node_of=/dev/mapper/vg-web
disk w $node_of
run_disk add
check 'a device: succeeds' is "$status" 0
check 'names, lock, claim, keys, in this order' is "$(log)" "$names
examine $node_of
follow $node_of
lock block
claim /dev/dm-7
write backend/vbd/7/51712/physical-device fd:7
write backend/vbd/7/51712/physical-device-path /dev/dm-7
write backend/vbd/7/51712/hotplug-status connected
unlock block"

disk r $node_of
run_disk add
check 'a device to read: the script decides' done_by_stock block add

for fail in 'follow' 'lock block' claim "write $backend/physical-device fd"; do
    disk w $node_of
    FAKE_FAIL=$fail
    export FAKE_FAIL
    run_disk add
    check "a device, $fail fails: the script" done_by_stock block add
done

disk w $node_of
mkdir -p "$FAKE_HOST/store/backend/vbd/8/51728"
node backend/vbd/8/51728/physical-device fd:7
run_disk add
check 'another guest has it: the script decides' done_by_stock block add
node backend/vbd/8/51728/physical-device fd:71
run_disk add
check 'another device: not' is "$(value $backend/hotplug-status)" connected

disk w $node_of
run_disk remove
check 'remove: nothing' is "$status $(log)" "0 $names
examine $node_of"

disk 'w!' "$file"
run_disk add
check 'no check asked for: the script' done_by_stock block add

disk w "$file"
chmod a-w "$file"
run_disk add
chmod u+w "$file"
check 'a file that may not be written: the script' done_by_stock block add

for state in 1 5 6 ''; do
    disk w "$file"
    node $backend/state "$state"
    run_disk add
    check "a backend in state '$state': the script" done_by_stock block add
done

disk w "$file"
rm "$FAKE_HOST/store/$backend/params"
run_disk add
check 'no params: the script' done_by_stock block add

for fail in 'lock block' 'list loops' 'bind rw'; do
    disk w "$file"
    FAKE_FAIL=$fail
    export FAKE_FAIL
    run_disk add
    check "$fail fails: the script" done_by_stock block add
done

disk w "$file"
FAKE_FAIL="write $backend/node" run_disk add
check 'node cannot be written: unbound, the script' is \
    "$(log | tail -n 3)" 'unbind /dev/loop26
unlock block
stock block add script=block'

for key in physical-device physical-device-path hotplug-status; do
    disk w "$file"
    FAKE_FAIL="write $backend/$key " run_disk add
    check "$key cannot be written: an error, and node for remove" is \
        "$status $(value $backend/node) $(value $backend/hotplug-status)" \
        "1 /dev/loop26 $([ $key = hotplug-status ] && echo none || echo error)"
done

disk w "$file"
rm "$FAKE_HOST/store/$backend/script" \
    "$FAKE_HOST/store/libxl/7/device/vbd/51712/script"
rm "$FAKE_HOST/store/$backend/state"
run_disk add
check 'a device that is gone: its names are not made anew' is \
    "$(value $backend/script) $(value libxl/7/device/vbd/51712/script)" \
    'none none'

disk w "$file"
FAKE_FAIL="write $backend/script" run_disk add
check 'the name cannot be written: an error, nothing done' \
    is "$status $(log | grep -c '^bind')" '1 0'

disk w "$file"
STOCK_STATUS=3 run_disk remove
check 'remove, without a loop device: the script, and its status' is "$status" 3

disk w "$file"
node $backend/node /dev/loop26
run_disk remove
check 'remove: unbound, under the lock' is "$status $(log)" "0 $names
lock block
unbind /dev/loop26
unlock block"

disk w /dev/null
node $backend/node /dev/loop26
run_disk remove
check 'remove, no file: the script' done_by_stock block remove
