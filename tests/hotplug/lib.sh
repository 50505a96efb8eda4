# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Sourced by tests/hotplug/*.t: xenfork-hotplug on the host of fake-host.c.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

helper="$builddir/tests/hotplug/xenfork-hotplug"

# host: an empty one, and what both kinds of devices have in xenstore
host() {
    FAKE_HOST="$dir/host"
    export FAKE_HOST
    unset FAKE_FAIL
    rm -rf "$FAKE_HOST"
    for folder in scripts bridges ports addresses store/backend/vbd/7/51712 \
        store/backend/vif/7/0 store/libxl/7/device/vbd/51712 \
        store/libxl/7/device/vif/0 store/local/domain/7/device/vif/0; do
        mkdir -p "$FAKE_HOST/$folder"
    done
    : >"$FAKE_HOST/loops"
    for script in block block-fork vif-bridge; do
        cat >"$FAKE_HOST/scripts/$script" <<'STUB'
#!/bin/sh
echo "stock ${0##*/} $* script=${script##*/}" >>"$FAKE_HOST/log"
exit "${STOCK_STATUS:-0}"
STUB
        chmod +x "$FAKE_HOST/scripts/$script"
    done
}

# node PATH VALUE
node() {
    printf '%s' "$2" >"$FAKE_HOST/store/$1"
}

value() {
    cat "$FAKE_HOST/store/$1" 2>/dev/null || echo none
}

# a disk that libxl has just made: disk MODE FILE
disk() {
    host
    node backend/vbd/7/51712/script "$helper"
    node libxl/7/device/vbd/51712/script "$helper"
    node backend/vbd/7/51712/state 2
    node backend/vbd/7/51712/params "$2"
    node backend/vbd/7/51712/mode "$1"
}

# a network interface likewise, on a bridge
nic() {
    host
    node backend/vif/7/0/script "$helper"
    node libxl/7/device/vif/0/script "$helper"
    node backend/vif/7/0/bridge xenbr0
    echo 1400 >"$FAKE_HOST/bridges/xenbr0"
}

# Called as libxl does (libxl_linux.c): run_disk ACTION, run_nic ACTION TYPE [PROGRAM]
run_disk() {
    run env script="$helper" XENBUS_TYPE=vbd XENBUS_PATH=backend/vbd/7/51712 \
        XENBUS_BASE_PATH=backend "$helper" "$1"
}

# Likewise by its name for block-fork
run_fork_disk() {
    run env script="$helper-fork" XENBUS_TYPE=vbd XENBUS_PATH=backend/vbd/7/51712 \
        XENBUS_BASE_PATH=backend "$dir/xenfork-hotplug-fork" "$1"
}

run_nic() {
    run env script="$helper" XENBUS_TYPE=vif XENBUS_PATH=backend/vif/7/0 \
        XENBUS_BASE_PATH=backend netdev= vif=vif7.0 "${3:-$helper}" "$1" \
        "type_if=$2"
}

# Print what was done, without the folder's name.
log() {
    sed "s,$FAKE_HOST,HOST,g; s,$dir,DIR,g" "$FAKE_HOST/log" 2>/dev/null
}

# The script did it all, beside the names: done_by_stock SCRIPT ACTION…
done_by_stock() {
    is "$status $(log | grep -v '^write .*/script ' | tail -n 1)" \
        "0 stock $* script=${1}"
}
