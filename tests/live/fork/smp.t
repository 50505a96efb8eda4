#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of several vCPUs, with a process bound to each that counts: all go on in source and clone, from the
# same instant.
# live: --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/smp.sh"

# start NAME VCPUS; four take their time to boot on one processor
start() {
    local config=/data/$1.cfg
    cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/$1.img"
    sed -e "s/^name = .*/name = \"$1\"/" -e "s|/data/source.img|/data/$1.img|" -e "s/^vcpus = .*/vcpus = $2/" \
        -e 's/^vif = .*//' /etc/xen/source.cfg >"$config"
    timeout 120 xl create -q "$config" || bail_out "cannot create $1"
    wait_tick "$1" 4 240 || bail_out "$1 does not tick"
}

for vcpus in 2 4; do
    start "smp$vcpus" "$vcpus"
    fork_smp "smp$vcpus" "$vcpus" "clone$vcpus"
    xl destroy "smp$vcpus"
done
done_testing
