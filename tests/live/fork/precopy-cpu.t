#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A busy source while it is forked: it keeps at least half of its CPU time while the fork prepares. The stun that is reported
# begins when the guest is asked to suspend, and ends when Xen lets it run: it is no less than the longest time in which
# the domain got no CPU, and no more than the longest in which its programs did not go on. What lies between is its
# kernel's work at both ends, on pages that are shared by then: in the emulator each of its first writes takes a
# millisecond or more, on hardware microseconds.
# alone: yes
# live: --source --timeout 240
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/load.sh"

busy_cpu source
sleep 5
/usr/libexec/xenfork/test-cpu "$(domid_of source)" 50 >/run/before &
sleep 5
kill %%
read -r _ before _ < <(shares /run/before 500)
diag "alone: $before of a CPU"
for i in 1 2 3; do
    gap_anew source
    /usr/libexec/xenfork/test-cpu "$(domid_of source)" 20 >/run/cpu &
    sampler=$!
    sleep 1
    start=$(awk '{ printf "%.0f", $1 * 1000 }' /proc/uptime)
    result=$(timeout 300 xl fork --paused --json source "c$i")
    kill "$sampler"
    inside=$(gap_ms source)
    read -r from to stun pauses < <(jq -r --argjson start "$start" '.timings_ns | [$start + (.check + .reserve) / 1e6,
        $start + (.check + .reserve + .prepare) / 1e6, .stun / 1e6, .pauses / 1e6] | join(" ")' <<<"$result")
    awk -v from="$from" -v to="$to" '$1 > from && $1 < to' /run/cpu >/run/prepare
    read -r lowest average pause < <(shares /run/prepare 500)
    read -r _ _ outside < <(shares /run/cpu 500)
    diag "prepare $(awk "BEGIN { print $to - $from }") ms, paused $pauses ms: lowest share $lowest, average $average, longest pause $pause ms"
    diag "stun $stun ms; without CPU, from outside $outside ms, from inside $inside ms; $(jq -c .counters <<<"$result")"
    check "$i: half of its CPU in each half second" awk "BEGIN { exit !($lowest >= 0.5 * $before) }"
    # As exactly as it was looked at: every 20 ms from outside, by steps of 10 ms from inside.
    check "$i: the stun is no less than the time without CPU" awk "BEGIN { exit !($stun + 20 >= $outside) }"
    check "$i: and no more than what its programs saw" awk "BEGIN { exit !($stun <= $inside + 20) }"
    timeout 100 xl fork-destroy --yes "c$i"
done
done_testing
