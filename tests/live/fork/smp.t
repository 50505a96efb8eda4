#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of several vCPUs, with a process bound to each that counts: all go on in source and clone, from the
# same instant.
# live: --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

# start NAME VCPUS; four take their time to boot on one processor
start() {
    local config=/data/$1.cfg
    cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/$1.img"
    sed -e "s/^name = .*/name = \"$1\"/" -e "s|/data/source.img|/data/$1.img|" -e "s/^vcpus = .*/vcpus = $2/" \
        -e 's/^vif = .*//' /etc/xen/source.cfg >"$config"
    timeout 120 xl create -q "$config" || bail_out "cannot create $1"
    wait_tick "$1" 4 240 || bail_out "$1 does not tick"
}

# count_on DOM VCPUS: a process bound to each vCPU counts in memory
count_on() {
    local cpu
    for cpu in $(seq 0 $(($2 - 1))); do
        ask "$1" "sh taskset $((1 << cpu)) sh -c 'i=0; while sleep 0.2; do i=\$((i+1)); echo \$i >/run/count.$cpu; done' >/dev/null 2>&1 &" >/dev/null
    done
}

# counts DOM: what they have counted to
counts() { ask "$1" 'sh cat /run/count.* | tr "\n" " "' | json .output; }

# all_count DOM COUNTS: whether each has gone on since
all_count() {
    local now n i=0
    read -ra now <<<"$(counts "$1")"
    for n in $2; do
        [ "${now[i]:-0}" -gt "$n" ] || return 1
        i=$((i + 1))
    done
    [ "$i" -gt 0 ] && [ "$i" = "${#now[@]}" ]
}

# online DOM: "0-1", the vCPUs that its kernel runs on
online() { ask "$1" 'sh cat /sys/devices/system/cpu/online' | json .output; }

for vcpus in 2 4; do
    source=smp$vcpus clone=clone$vcpus
    start "$source" "$vcpus"
    count_on "$source" "$vcpus"
    check "$vcpus vCPUs: all count" wait_until 30 all_count "$source" "$(yes 1 | head -n "$vcpus" | paste -sd' ')"
    before=$(counts "$source") cpus=$(online "$source")
    # One of them is unplugged, and stays so.
    if [ "$vcpus" = 4 ]; then
        ask "$source" 'sh echo 0 >/sys/devices/system/cpu/cpu3/online' >/dev/null
        cpus=$(online "$source") before=$(counts "$source")
        isnt "$vcpus vCPUs: one is offline" "$cpus" 0-3
    fi
    check "$vcpus vCPUs: xl fork" timeout 120 xl fork "$source" "$clone"
    check "$vcpus vCPUs: every process of the clone goes on" wait_until 60 all_count "$clone" "$before"
    check "$vcpus vCPUs: every process of the source, too" wait_until 60 all_count "$source" "$before"
    is "$vcpus vCPUs: the same are online" "$(online "$clone") $(online "$source")" "$cpus $cpus"
    diag "before $before; source $(counts "$source"); clone $(counts "$clone")"
    check "$vcpus vCPUs: the clone is destroyed" timeout 60 xl fork-destroy "$clone"
    xl destroy "$source"
done
done_testing
