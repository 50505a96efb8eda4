# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that writes numbered, checksummed blocks as fast as its disk takes them, and is forked meanwhile: for the
# scripts on each disk driver. After lib.sh.

# disk DOM: its path
disk() { info "$1" '.disks[0].path'; }
# What blkback writes passes dom0's cache of a device by.
fresh() { [ ! -b "$1" ] || blockdev --flushbufs "$1"; }
# census PATH FILTER: of what check-disk finds there
census() { fresh "$1" && "$LIVE/check-disk" "$1" | jq -c "$2"; }
# sum PATH
sum() { fresh "$1" && sha256sum <"$1" | cut -d ' ' -f 1; }

# cost RESULT: of a fork, in ms
cost() {
    jq -r '(.timings_ns | "prepare \(.prepare / 1e5 | round / 10), disks \(.disks / 1e5 | round / 10), stun \(.stun / 1e5 | round / 10)"),
        "clone \(.clones[0].timings_ns.create / 1e5 | round / 10) ms; processes \(.counters.processes)"' <<<"$1" | paste -sd', '
}

# forks_running SOURCE ROUNDS: each clone has all that was acknowledged before the fork, and nothing of after
forks_running() {
    local source=$1 n before after seen sealed clone bad=0 writes=0 result costs=()
    for n in $(seq "$2"); do
        clone=$source-r$n
        before=$(field "$source" acked)
        result=$(timeout 120 xl fork --paused --json "$source" "$clone") || { fail "fork $n of the running $source"; return; }
        costs+=("$(cost "$result")")
        ask "$source" "mark after-$n" >/dev/null
        after=$(field "$source" acked)
        sealed=$(info "$(xl fork-info --json "$clone" | json '.[0].image')" '.disks[0].path')
        seen=$(census "$(disk "$clone")" .)
        if [ "$(json '.errors | length' <<<"$seen")" != 0 ] || [ "$(json .highest <<<"$seen")" -lt "$before" ] ||
            [ "$(json .highest <<<"$seen")" -ge "$after" ] || grep -q "after-$n\"" <<<"$seen" ||
            [ "$(sum "$sealed")" != "$(sum "$(disk "$clone")")" ]; then
            bad=$((bad + 1))
            diag "round $n: $before acknowledged before, $after after: $(jq -c 'del(.tokens, .domids)' <<<"$seen")"
        fi
        writes=$((writes + after - before))
        xl fork-destroy "$clone"
    done
    diag "$writes writes meanwhile" "first fork: ${costs[0]}" "last fork:  ${costs[-1]}"
    is "$2 forks of $source while it writes: every write acknowledged before, none of after, no damage" "$bad" 0
}

# forks_frozen SOURCE ROUNDS: all from one instant, whatever they write themselves
forks_frozen() {
    local source=$1 n first sealed sealed_sum bad=0 before
    before=$(field "$source" acked)
    check "$source is frozen while it writes" xl fork-freeze "$source"
    for n in $(seq "$2"); do
        timeout 120 xl fork --paused "$source" "$source-f$n" >/dev/null || { fail "fork $n of the frozen $source"; return; }
    done
    sealed=$(info "$source@fork-1" '.disks[0].path')
    sealed_sum=$(sum "$sealed")
    first=$(census "$(disk "$source-f1")" .)
    at_least 'every write acknowledged before the freeze' "$(json .highest <<<"$first")" "$before"
    diag "KiB of a fresh delta, allocated and its own: $(xl fork-disk-list --json |
        jq -c 'map(select(.kind == "delta"))[-1] | [.allocated_kib, .own_kib]')"
    # Two of them run, and write.
    for n in 1 2; do
        xl unpause "$source-f$n"
        ask "$source-f$n" "mark own-$n" >/dev/null || bad=$((bad + 1))
        xl pause "$source-f$n"
    done
    for n in $(seq 3 "$2"); do
        [ "$(sum "$(disk "$source-f$n")")" = "$sealed_sum" ] || bad=$((bad + 1))
    done
    is "$2 forks of $source frozen: all have the same, and what two wrote nobody else has" "$bad" 0
    for n in 1 2; do
        is "clone $n: no damage, and no other's writes" "$(census "$(disk "$source-f$n")" \
            "[(.errors | length), (.marks | map(select(startswith(\"own-\"))))]")" "[0,[\"own-$n\"]]"
    done
    is 'what is sealed is as it was' "$(sum "$sealed")" "$sealed_sum"
    # shellcheck disable=SC2046
    check 'they are destroyed' timeout 300 xl fork-destroy $(seq -f "$source-f%g" "$2")
    check 'thawed' xl fork-thaw "$source"
    check 'it ticks on' ticks_on "$source"
    is 'its disk is whole' "$(ask "$source" verify | json .errors)" 0
}

# loaded SOURCE ROUNDS
loaded() {
    ask "$1" 'pace 0' >/dev/null
    forks_running "$1" "$2"
    forks_frozen "$1" "$2"
    ask "$1" 'pace 500' >/dev/null
}
