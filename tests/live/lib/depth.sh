# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compare the time of a source's reads and writes after many forks with that before: for the scripts on each disk driver.
# After lib.sh.

LATENCY_ROUNDS=7

# latency_of DOM: "READ WRITE", in us: of some rounds' medians, the median
latency_of() {
    for _ in $(seq "$LATENCY_ROUNDS"); do
        ASK_SECONDS=120 ask "$1" 'latency 60' || return
    done | jq -rs 'def median: sort | .[length / 2 | floor];
        [map(.read_ns.median), map(.write_ns.median) | median / 1000 | floor] | join(" ")'
}

# more_forks SOURCE N: the source writes before each; clones go eight at a time
more_forks() {
    local n clones=() result
    for n in $(seq "$2"); do
        ASK_SECONDS=120 ask "$1" 'latency 4' >/dev/null
        result=$(timeout 120 xl fork --json --paused --no-hydrate "$1" "$1-d$n" 2>/tmp/fork.log) ||
            { fail "fork $n of $1" "$(</tmp/fork.log)"; return 1; }
        [ "$n" -ne 1 ] && [ "$n" -ne "$2" ] || diag "fork $n: $(cost "$result")"
        clones+=("$1-d$n")
        [ $((n % 8)) -ne 0 ] && [ "$n" -ne "$2" ] || { timeout 120 xl fork-destroy "${clones[@]}"; clones=(); }
    done
}

# lower A B: of two such pairs, the lower of each
lower() { awk '{ print ($1 < $3 ? $1 : $3), ($2 < $4 ? $2 : $4) }' <<<"$1 $2"; }

# costs_after_forks SOURCE FORKS PER-CENT [COMMAND…]: afterwards, and after COMMAND, reads and writes take at most so much
# of what they took before. The lowest of three counts, so that a machine that is busy for a while changes nothing.
costs_after_forks() {
    local before after read_percent write_percent
    ask "$1" 'pace 2000' >/dev/null
    before=$(latency_of "$1")
    for _ in 2 3; do before=$(lower "$before" "$(latency_of "$1")"); done
    more_forks "$1" "$2" || return
    "${@:4}"
    after=$(latency_of "$1")
    for _ in 2 3; do after=$(lower "$after" "$(latency_of "$1")"); done
    [[ "$before $after" =~ ^[1-9][0-9]*\ [1-9][0-9]*\ [0-9]+\ [0-9]+$ ]] || { fail "$1: its latencies" "\"$before\", \"$after\""; return; }
    read_percent=$((100 * ${after% *} / ${before% *})) write_percent=$((100 * ${after#* } / ${before#* }))
    diag "$1, us a read and a write: before $before, after $2 forks $after: $read_percent% and $write_percent%"
    at_least "after $2 forks a read takes at most $3% ($read_percent%)" "$3" "$read_percent"
    at_least "after $2 forks a write takes at most $3% ($write_percent%)" "$3" "$write_percent"
    ask "$1" 'pace 500' >/dev/null
}
