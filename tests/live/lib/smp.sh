# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of several vCPUs, with a process bound to each that counts.

export ASK_SECONDS=90

# start_smp NAME VCPUS [CONFIG-LINE]: four take their time to boot on one processor
start_smp() {
    local config=/data/$1.cfg
    cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/$1.img"
    sed -e "s/^name = .*/name = \"$1\"/" -e "s|/data/source.img|/data/$1.img|" -e "s/^vcpus = .*/vcpus = $2/" \
        /etc/xen/source.cfg >"$config"
    [ $# -lt 3 ] || printf '%s\n' "$3" >>"$config"
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

# has_its_own SOURCE CLONE TOKEN TICK: a clone of the instant at which the source had the token, and had ticked so far
has_its_own() {
    local view
    view=$(ask "$2" view)
    is "$1: same token in memory" "$(json .token <<<"$view")" "$3"
    at_least "$1: memory of the instant" "$(json .tick <<<"$view")" "$4"
    is "$1: the clone noticed that it is a copy, the source not" "$(json .resumed <<<"$view") $(field "$1" resumed)" '1 0'
    isnt "$1: another MAC" "$(json .mac <<<"$view")" "$(field "$1" mac)"
    check "$1: its NIC is held" held "vif$(domid_of "$2").0"
    ask "$2" mark clone-only >/dev/null
    is "$1: both disks are whole" "$(ask "$2" verify | json .errors) $(ask "$1" verify | json .errors)" '0 0'
    check "$1: the clone ticks on" wait_until 60 ticks_on "$2"
    check "$1: the source ticks on" wait_until 60 ticks_on "$1"
}

# fork_smp SOURCE VCPUS CLONE: forks it while all count; with four vCPUs one is offline, and stays so
fork_smp() {
    local before cpus token tick
    count_on "$1" "$2"
    check "$1: all count" wait_until 180 all_count "$1" "$(yes 1 | head -n "$2" | paste -sd' ')"
    before=$(counts "$1") cpus=$(online "$1")
    if [ "$2" = 4 ]; then
        ask "$1" 'sh echo 0 >/sys/devices/system/cpu/cpu3/online' >/dev/null
        cpus=$(online "$1") before=$(counts "$1")
        isnt "$1: one is offline" "$cpus" 0-3
    fi
    token=$(field "$1" token) tick=$(ask "$1" mark before | json .acked)
    check "$1: xl fork" timeout 300 xl fork "$1" "$3"
    check "$1: every process of the clone goes on" wait_until 180 all_count "$3" "$before"
    check "$1: every process of the source, too" wait_until 180 all_count "$1" "$before"
    is "$1: the same are online" "$(online "$3") $(online "$1")" "$cpus $cpus"
    has_its_own "$1" "$3" "$token" "$tick"
    diag "before $before; source $(counts "$1"); clone $(counts "$3")"
    check "$1: the clone is destroyed" timeout 60 xl fork-destroy "$3"
}
