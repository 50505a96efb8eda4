#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each page of the image is as it was in the source at the instant of the fork, fork after fork, while the source writes to
# its memory, its disk and the network: of 128 and 1024 MiB, with one vCPU and two.
#     tests/testbed/run --xen 4.17 --memory 6144 --timeout 14400 tests/live/fork/precopy-load.t 20
# alone: yes
# live: --memory 6144 --timeout 1800
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/load.sh"

FORKS=${1:-2}
[ $# -le 1 ] || SIZES=${*:2}

# What the guest says to its console, for when it is gone before its last fork.
console() {
    # shellcheck disable=SC2024  # the file is ours
    script -qfc "xl console $1" "/run/console.$1" >/dev/null 2>&1 </dev/null &
}

for size in ${SIZES:-128 1024}; do
    for vcpus in 1 2; do
        name=m$size-$vcpus
        start_source "$name" "$size" "vcpus = $vcpus" "extra = \"console=hvc0 panic=1 mitigations=off\"" \
            "vif = [ \"bridge=xenbr0,mac=00:16:3e:00:01:0$vcpus\" ]"
        console "$name"
        busy_memory "$name" 4 100000
        busy_disk "$name"
        busy_net "$(ask "$name" 'sh ip -4 -o addr show eth0' | json .output | sed -n 's|.*inet \([0-9.]*\)/.*|\1|p')"
        pinger=$!
        for n in $(seq "$FORKS"); do
            compared "$name" "c$n" --paused
            timeout 120 xl fork-destroy --yes "c$n" || diag "c$n stays"
            [ -n "$(domid_of "$name")" ] || { diag "$name is gone after fork $n" "$(tail -n 40 "/run/console.$name")" "$(xl dmesg | tail -n 20)"; break; }
        done
        check "$name ticks on" ticks_on "$name"
        kill "$pinger"
        xl destroy "$name"
    done
done
done_testing
