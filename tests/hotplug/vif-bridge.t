#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A network interface: xenfork-hotplug does what Xen's vif-bridge does, or
# runs it.

# shellcheck source=tests/hotplug/lib.sh
. "${srcdir:?}/tests/hotplug/lib.sh"

plan 33
backend=backend/vif/7/0
frontend=/local/domain/7/device/vif/0

names='write /libxl/7/device/vif/0/script HOST/scripts/vif-bridge
write backend/vif/7/0/script HOST/scripts/vif-bridge'
ready="$names
down vif7.0
mac vif7.0 fe:ff:ff:ff:ff:ff
mtu vif7.0 1400
write $frontend/mtu 1400
join xenbr0 vif7.0"
connected='write backend/vif/7/0/hotplug-status connected'

nic
run_nic online vif
check 'online: succeeds' is "$status" 0
check 'online: every step, in this order' is "$(log)" "$ready
up vif7.0
$connected"
check 'the backend names the script' \
    is "$(value $backend/script)" "$FAKE_HOST/scripts/vif-bridge"

nic
ln -s "$helper" "$dir/xenfork-hotplug-hold"
run_nic online vif "$dir/xenfork-hotplug-hold"
check 'held: the same, and never up' is "$(log)" "$ready
$connected"

nic
node $backend/mtu 9000
run_nic online vif
check 'its own MTU' \
    is "$(log | grep mtu)" "mtu vif7.0 9000
write $frontend/mtu 9000"

nic
echo xenbr0 >"$FAKE_HOST/ports/vif7.0"
run_nic online vif
check 'on the bridge already' is "$(log | grep -c '^join')" 0

nic
echo elsewhere >"$FAKE_HOST/ports/vif7.0"
run_nic online vif
check 'on another bridge' is "$(log | grep '^join')" 'join xenbr0 vif7.0'

for fail in mac mtu; do
    nic
    FAKE_FAIL=$fail run_nic online vif
    check "$fail refused: goes on, as the script does" \
        is "$status $(log | tail -n 1)" "0 $connected"
done

for fail in down up join "write $frontend/mtu"; do
    nic
    FAKE_FAIL=$fail run_nic online vif
    check "$fail fails: the script" done_by_stock vif-bridge online type_if=vif
done

nic
FAKE_FAIL="write $backend/hotplug-status connected" run_nic online vif
check 'the status cannot be written: an error' \
    is "$status $(value $backend/hotplug-status)" '1 error'

for mtu in 0 abc 15x -1 99999999999999999999 ''; do
    nic
    node $backend/mtu "$mtu"
    run_nic online vif
    check "MTU '$mtu': the script" done_by_stock vif-bridge online type_if=vif
done

nic
: >"$FAKE_HOST/addresses/vif7.0"
run_nic online vif
check 'it has an address: the script' \
    done_by_stock vif-bridge online type_if=vif

nic
node $backend/vifname lan0
run_nic online vif
check 'to be renamed: the script' done_by_stock vif-bridge online type_if=vif

nic
node $backend/bridge xenbr1
run_nic online vif
check 'no such bridge: the script' done_by_stock vif-bridge online type_if=vif

nic
rm "$FAKE_HOST/store/$backend/bridge"
run_nic online vif
check 'no bridge named: the script' done_by_stock vif-bridge online type_if=vif

nic
echo xenbr0 >"$FAKE_HOST/ports/vif7.0"
run_nic offline vif
check 'offline: down, and off the bridge' \
    is "$status $(log | grep -v '/script ' | tr '\n' ' ')" \
    '0 down vif7.0 leave xenbr0 vif7.0 '
nic
echo xenbr1 >"$FAKE_HOST/ports/vif7.0"
FAKE_FAIL=down run_nic offline vif
check 'offline, elsewhere: that is left' \
    is "$status $(log | grep -c leave)" '0 0'
nic
node $backend/vifname lan0
run_nic offline vif
check 'offline, renamed: the script' done_by_stock vif-bridge offline type_if=vif
nic
rm "$FAKE_HOST/store/$backend/bridge"
run_nic offline vif
check 'offline, no bridge named: the script' \
    done_by_stock vif-bridge offline type_if=vif

nic
run_nic add tap
check 'an emulated interface: the script' \
    done_by_stock vif-bridge add type_if=tap
check 'it is left alone otherwise' \
    is "$(log | grep -vc '^write .*/script ')" 1

# Not called as libxl calls.
nic
bad=0
for path in backend/vif/7/1 backend/vif/7 backend/vif/07/0 backend/vif/7/0/x \
    backend/vbd/7/0 /local/domain/0/backend/vif/7/0 backend/vif/7/ \
    backend/vif/99999999999/0 ''; do
    run env XENBUS_TYPE=vif XENBUS_PATH="$path" vif=vif7.0 "$helper" online \
        type_if=vif
    [ "$status" = 2 ] || bad="$bad $path"
done
check 'another path than the interface' is "$bad" 0
run env -u XENBUS_TYPE -u XENBUS_PATH -u vif "$helper" online type_if=vif
check 'by hand' is "$status $(cat "$dir/err")" \
    '2 xenfork-hotplug: run by libxl only'
check 'nothing is done then' is "$(log)" ''
