#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each page of the image is as it was in the source at the instant of the fork, fork after fork, while the source writes to
# its memory, its disk and the network: of 128 and 1024 MiB, with one vCPU and two.
#     tests/testbed/run --xen 4.17 --memory 6144 --timeout 14400 tests/live/fork/precopy-load.t 20 128/2
# alone: yes
# live: --memory 6144 --timeout 3000
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/load.sh"

FORKS=${1:-2}
[ $# -le 1 ] || GUESTS=${*:2}

# What the guest says to its console, for when it is gone before its last fork.
console() {
    # shellcheck disable=SC2024  # the file is ours
    script -qfc "xl console $1" "/run/console.$1" >/dev/null 2>&1 </dev/null &
}

# alive DOM: its domain is there, is the one that was started, and is not shut down
alive() { [ "$(domid_of "$1")" = "$domid" ] && xl list "$1" | awk 'NR == 2 && $5 !~ /[scd]/ { found = 1 } END { exit !found }'; }

# autopsy DOM: all that tells what became of it
autopsy() {
    diag "$(xl list)" "$(xl vcpu-list)"
    diag "its console:" "$(tail -n 60 "/run/console.$1" | tr -d '\r')"
    diag "Xen:" "$(xl dmesg | tail -n 40)"
    diag "xl:" "$(tail -n 20 "/var/log/xen/xl-$1.log")"
    # shellcheck disable=SC2046  # paths
    diag "where its vCPUs are:" "$(for i in 0 1; do $(find /usr/lib/xen*/bin/xenctx | head -n 1) -a "$domid" "$i"; done 2>&1)"
}

for guest in ${GUESTS:-128/1 128/2 1024/1 1024/2}; do
    size=${guest%/*} vcpus=${guest#*/} name=m${guest/\//-}
    start_source "$name" "$size" "vcpus = $vcpus" "extra = \"console=hvc0 panic=1 mitigations=off\"" \
        "vif = [ \"bridge=xenbr0,mac=00:16:3e:00:01:0$vcpus\" ]" 'on_reboot = "preserve"' 'on_poweroff = "preserve"'
    console "$name"
    domid=$(domid_of "$name")
    busy_memory "$name" 4 100000
    busy_disk "$name"
    busy_net "$(ask "$name" 'sh ip -4 -o addr show eth0' | json .output | sed -n 's|.*inet \([0-9.]*\)/.*|\1|p')"
    pinger=$!
    for n in $(seq "$FORKS"); do
        compared "$name" "c$n" --paused
        timeout 120 xl fork-destroy --yes "c$n" || diag "c$n stays"
        alive "$name" || { fail "$guest: the source lives after fork $n"; autopsy "$name"; break; }
    done
    if ticks_on "$name" 60; then ok "$guest: the source ticks on"; else fail "$guest: the source ticks on"; autopsy "$name"; fi
    kill "$pinger"
    xl destroy "$domid"
done
done_testing
