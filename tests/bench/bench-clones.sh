#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A fork of a frozen source, and each more clone of one call, against xl restore of the same domain, made by libxl's restore
# and without it, in one boot: tests/testbed/run --timeout 900 tests/bench/bench-clones.sh [MIB [RUNS]]. Emulated times:
# ratios count.
. "$(dirname "$0")/../live/lib/lib.sh"

memory=${1:-128} runs=${2:-5}
MORE=4

median() { sort -n | sed -n "$(((runs + 1) / 2))p"; }
milliseconds() { echo $((($(date +%s%N) - $1) / 1000000)); }

# timed COMMAND…: how many ms it took
timed() {
    local start
    start=$(date +%s%N)
    "$@" >/dev/null || bail_out "$*"
    milliseconds "$start"
}
processes() { awk '/^processes/ { print $2 }' /proc/stat; }
fork_by() { XENFORK_TEST_CLONES=$1 xl fork --paused --no-hydrate "${@:2}" bench; }
restore_one() {
    xl save bench /data/saved >/dev/null
    timed xl restore /data/saved
}

start_source bench "$memory"
restore=$(for ((i = 0; i < runs; i++)); do restore_one; done | median)
rm -f /data/saved
echo "xl restore: $restore ms"
xl fork-freeze bench >/dev/null
fork_by '' first >/dev/null # makes the image
for way in libxl ''; do
    one=$(for ((i = 0; i < runs; i++)); do
        timed fork_by "$way" one
        xl fork-destroy --yes one >/dev/null
    done | median)
    before=$(processes)
    fork_by "$way" --json one >/tmp/one
    between=$(processes)
    fork_by "$way" --json -n $((MORE + 1)) >/tmp/many
    after=$(processes)
    each=$(jq '.clones[1:][].timings_ns.total / 1e6 | floor' /tmp/many | sort -n | sed -n "$(((MORE + 1) / 2))p")
    jq -r --arg way "${way:-us}" --argjson one "$one" --argjson each "$each" --argjson restore "$restore" \
        --argjson executed $((((after - between) - (between - before)) / MORE)) --slurpfile first /tmp/one --argjson more $MORE '
        "by \($way): \(.clones[0].made_by), \(.clones[0].because)",
        "  a fork of the frozen source: \($one) ms, \($one / $restore * 1000 | round / 1000) of xl restore",
        "  each more clone: \($each) ms, \($each / $restore * 1000 | round / 1000) of xl restore; processes \($executed)",
        "  xenstore requests \((.counters.xenstore_ops - $first[0].counters.xenstore_ops) / $more), waited for \((.counters.xenstore_waits - $first[0].counters.xenstore_waits) / $more), memory operations \((.counters.hypercalls - $first[0].counters.hypercalls) / $more)",
        (.clones[] | "  \(.name): \(.timings_ns | map_values(. / 1e5 | round / 10) | tojson)"),
        "  the fork itself: \(.timings_ns | map_values(. / 1e5 | round / 10) | tojson)"' /tmp/many
    xl fork-list --json | jq -r '.[] | select(.kind == "clone" and .name != "first") | .name' | xargs xl fork-destroy --yes >/dev/null
done
