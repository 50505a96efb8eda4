# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that writes numbered, checksummed blocks all the time, and is forked meanwhile: for the
# scripts on each disk driver. After lib.sh. A driver whose disks are not raw defines raw() afterwards.

# raw PATH: a raw file or device with what that disk holds
raw() { printf '%s\n' "$1"; }

# census PATH: what check-disk finds there
census() { "$LIVE/check-disk" "$(raw "$1")"; }
# sum PATH: of every byte
sum() { /usr/libexec/xenfork/test-disk "$(raw "$1")" | json .sum; }
# disk DOM: of a clone or an image: its path
disk() { info "$1" '.disks[0].path'; }
# disks_of CLONE: the path of what its disk was made from, and its own
disks_of() {
    xl fork-disk-list --json | jq -r --arg name "$1" 'map(select(.name == $name))[0] as $overlay |
        (map(select(.name == $overlay.of))[0].path, $overlay.path)' | paste -sd' '
}

# marks_of_clones CENSUS: those that clones, not their source, have written
marks_of_clones() { jq -c '[.marks[] | select(startswith("own-"))] | sort' <<<"$1"; }

# clone_writes CLONE: it runs, says something of its own, and stands still; then the disk has that, and is whole
clone_writes() {
    local mark="own-$1" seen
    xl unpause "$1"
    ask "$1" "mark $mark" >/dev/null || return
    xl pause "$1"
    seen=$(census "$(disk "$1")") && [ "$(marks_of_clones "$seen")" = "[\"$mark\"]" ]
}

# holds CENSUS BEFORE AFTER SUM: it is whole, has all up to BEFORE, nothing from AFTER on, and is the same as the base
holds() {
    jq -e --argjson before "$2" --argjson after "$3" --arg sum "$4" '.errors == [] and .highest >= $before and
        .highest < $after and .sum == $sum' <<<"$1" >/dev/null
}

# fork_running SOURCE CLONE: the clone has all that was acknowledged before the fork, and nothing of after; leaves
# $result of the fork, $base and $base_sum
fork_running() {
    local before after seen path
    before=$(field "$1" acked)
    result=$(timeout 120 xl fork --paused --json "$1" "$2" 2>/tmp/fork.log) || { diag "$(</tmp/fork.log)"; return 1; }
    after=$(ask "$1" "mark after-$2" | json .acked)
    read -r base path <<<"$(disks_of "$2")"
    base_sum=$(sum "$base") seen=$(census "$path")
    holds "$seen" "$before" "$after" "$base_sum" && writes=$((writes + after - before)) && return
    diag "$2: $before acknowledged before, $after after, base $base_sum: $(jq -c 'del(.tokens, .domids)' <<<"$seen")"
    return 1
}

# forks_running SOURCE ROUNDS. Every fifth clone runs, and writes to its own disk alone.
forks_running() {
    local source=$1 n clone bad=0 astray=0 result='' costs=() writes=0 base='' base_sum=''
    for n in $(seq "$2"); do
        clone=$source-r$n
        fork_running "$source" "$clone" || bad=$((bad + 1))
        costs+=("$(cost "$result")")
        if [ $((n % 5)) -eq 0 ]; then
            clone_writes "$clone" && [ "$(sum "$base")" = "$base_sum" ] || astray=$((astray + 1))
        fi
        xl fork-destroy "$clone"
    done
    diag "$writes writes meanwhile" "first fork: ${costs[0]}" "last fork:  ${costs[-1]}"
    is "$2 forks of $source while it writes: every write acknowledged before, none of after, no damage" "$bad" 0
    is "$(($2 / 5)) of the clones write to their own disks, and the base stays as it is" "$astray" 0
}

# forks_frozen SOURCE ROUNDS: all from one instant, whatever two of them write
forks_frozen() {
    local source=$1 n path first base base_sum bad=0 before
    before=$(field "$source" acked)
    check "$source is frozen while it writes" xl fork-freeze "$source"
    for n in $(seq "$2"); do
        timeout 120 xl fork --paused "$source" "$source-f$n" >/dev/null 2>&1 || { fail "fork $n of the frozen $source"; return; }
    done
    read -r base path <<<"$(disks_of "$source-f1")"
    base_sum=$(sum "$base") first=$(census "$path")
    is "every write acknowledged before the freeze, no damage" \
        "$(jq -c --argjson before "$before" '[.errors, .highest >= $before]' <<<"$first")" '[[],true]'
    diag "KiB of a fresh overlay, allocated and its own: $(xl fork-disk-list --json |
        jq -c 'map(select(.kind == "overlay"))[-1] | [.allocated_kib, .own_kib]')"
    for n in 1 2; do
        check "clone $n writes to its own disk alone" clone_writes "$source-f$n"
    done
    n=0
    for path in $(xl fork-disk-list --json | json '.[] | select(.kind == "overlay" and (.name | test("-f[12]$") | not)).path'); do
        n=$((n + 1))
        [ "$(sum "$path")" = "$base_sum" ] || bad=$((bad + 1))
    done
    is "$2 forks of $source frozen: all have the same, and what two wrote nobody else has" "$n $bad" "$(($2 - 2)) 0"
    is 'the base is as it was' "$(sum "$base")" "$base_sum"
    # shellcheck disable=SC2046
    check 'they are destroyed' timeout 300 xl fork-destroy $(seq -f "$source-f%g" "$2")
    check 'thawed' xl fork-thaw "$source"
    check 'it ticks on' ticks_on "$source"
}

# loaded SOURCE DISK ROUNDS: DISK is the source's path
loaded() {
    local seen
    # Without any pause dom0's only CPU would be busy with little else.
    ask "$1" 'pace 20' >/dev/null
    forks_running "$1" "$3"
    forks_frozen "$1" "$3"
    ask "$1" 'pace 500' >/dev/null
    is "the source's disk is whole" "$(ask "$1" verify | json .errors)" 0
    xl pause "$1"
    seen=$(census "$2")
    is "so it is from outside, and what clones wrote is not there" \
        "$(json '.errors | length' <<<"$seen") $(marks_of_clones "$seen")" '0 []'
    xl unpause "$1"
}
