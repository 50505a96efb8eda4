#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cost of freezing, and of the forks of a frozen source, the first and later ones, in one boot:
# tests/testbed/run --timeout 580 tests/bench/bench-frozen.sh [MIB [RUNS [CLONES]]]. Emulated times: ratios count.
. "$(dirname "$0")/../live/lib/lib.sh"

memory=${1:-128} runs=${2:-3}
out=$(mktemp)

milliseconds() { echo $((($(date +%s%N) - $1) / 1000000)); }

stages() {
    jq -r "\"  $1: fork \" + (.timings_ns | to_entries | map(\"\\(.key) \\(.value / 1e6 * 10 | round / 10)\") | join(\", \"))
        + \" ms; clone \" + (.clones[0].timings_ns | to_entries | map(\"\\(.key) \\(.value / 1e6 * 10 | round / 10)\") | join(\", \"))
        + \" ms; \" + (.counters | tojson)" "$out"
}

start_source bench "$memory"
for n in $(seq "$runs"); do
    start=$(date +%s%N)
    xl fork-freeze bench
    printf 'freeze %s: xl fork-freeze %s ms\n' "$n" "$(milliseconds "$start")"
    for fork in first second third; do
        start=$(date +%s%N)
        xl fork --paused --json bench "clone-$fork" >"$out"
        printf 'freeze %s, %s fork: %s ms\n' "$n" "$fork" "$(milliseconds "$start")"
        stages "$fork"
    done
    xl fork-destroy clone-first clone-second clone-third
    start=$(date +%s%N)
    xl fork-thaw bench
    printf 'freeze %s: xl fork-thaw %s ms\n' "$n" "$(milliseconds "$start")"
    wait_until 60 ticks_on bench
done

# Clones with an agent: from their start until they have acknowledged.
start_agent bench
xl fork-freeze bench
for count in 1 "${3:-8}"; do
    xl fork -n "$count" --wait=300 --json bench "ready$count" >"$out"
    printf 'ready, of %s: %s ms\n' "$count" "$(jq -c '[.clones[].timings_ns.ready / 1e6 | floor]' "$out")"
    xl fork-list --json | jq -r '.[] | select(.kind == "clone") | .name' | xargs xl fork-destroy
done

# Counts that no load changes: our own, without libxl's.
operations() { xl fork --paused -n "$1" --json bench "counted$1" | jq .counters.xenstore_ops; }
one=$(operations 1) three=$(operations 3)
printf 'xenstore operations of a fork: %s with one clone, %s for each more\n' "$one" "$(((three - one) / 2))"
