# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of several vCPUs, with a process bound to each that counts.

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

# fork_smp SOURCE VCPUS CLONE: forks it while all count; with four vCPUs one is offline, and stays so
fork_smp() {
    local before cpus
    count_on "$1" "$2"
    check "$1: all count" wait_until 180 all_count "$1" "$(yes 1 | head -n "$2" | paste -sd' ')"
    before=$(counts "$1") cpus=$(online "$1")
    if [ "$2" = 4 ]; then
        ask "$1" 'sh echo 0 >/sys/devices/system/cpu/cpu3/online' >/dev/null
        cpus=$(online "$1") before=$(counts "$1")
        isnt "$1: one is offline" "$cpus" 0-3
    fi
    check "$1: xl fork" timeout 300 xl fork "$1" "$3"
    check "$1: every process of the clone goes on" wait_until 180 all_count "$3" "$before"
    check "$1: every process of the source, too" wait_until 180 all_count "$1" "$before"
    is "$1: the same are online" "$(online "$3") $(online "$1")" "$cpus $cpus"
    diag "before $before; source $(counts "$1"); clone $(counts "$3")"
    check "$1: the clone is destroyed" timeout 60 xl fork-destroy "$3"
}
