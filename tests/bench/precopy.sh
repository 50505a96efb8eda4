#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The price of a fork for a running source: rounds and writes before each, pauses, stun, at three loads; the stun of
# an idle one beside xl save of it: tests/testbed/run --memory 5120 --timeout 1800 tests/bench/precopy.sh [MIB…]
# RUNS: of each, 3.  Emulated times: ratios count.
. "$(dirname "$0")/../live/lib/lib.sh"
. "$LIVE/load.sh"

# measure NAME LOAD
measure() {
    local result
    result=$(timeout 300 xl -vvv fork --paused --json "$1" clone 2>/run/log) || { diag "$1, $2: failed"; return; }
    echo "$1, $2"
    sed -n 's/.*domain [0-9]*: \([0-9]* pages due.*\)/  round: \1/p' /run/log
    jq -r '(.counters | "  last round: \(.pages_last) pages; shared again \(.pages_again), copied \(.pages_copied)"),
        (.timings_ns | "  " + ([to_entries[] | select(.key | IN("prepare", "pauses", "stun", "suspend", "capture", "disks", "share"))
        | "\(.key) \(.value / 1e6 | round)"] | join(", ")) + " ms")' <<<"$result"
    timeout 100 xl fork-destroy --yes clone
}

for memory in "${@:-128}"; do
    name="m$memory"
    start_source "$name" "$memory"
    for _ in $(seq "${RUNS:-3}"); do measure "$name" idle; done
    start=$(date +%s%N)
    xl save "$name" /data/save && printf '%s: xl save %s ms\n' "$name" "$((($(date +%s%N) - start) / 1000000))"
    xl restore /data/save && wait_until 60 ticks_on "$name"
    busy_memory "$name" 8
    sleep 5
    for _ in $(seq "${RUNS:-3}"); do measure "$name" '8 MiB rewritten'; done
    if [ "$memory" -ge 256 ]; then
        busy_memory "$name" 64
        sleep 20
        for _ in $(seq "${RUNS:-3}"); do measure "$name" '64 MiB rewritten'; done
    fi
    xl destroy "$name"
    rm -f /data/save
done
