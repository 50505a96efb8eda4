#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a clone of a frozen source costs, beside xl restore and xl create of the same domain in the same boot; a reset; and
# what a running source gives: tests/testbed/run --memory 5120 --timeout 1800 tests/bench/instant.sh [RUNS [IDLE SMALL LARGE]]
# Emulated times: ratios count.
# live: --memory 5120 --timeout 1800
. "$(dirname "$0")/../live/lib/lib.sh"
. "$LIVE/load.sh"

runs=${1:-5} idle_mib=${2:-512} small=${3:-128} large=${4:-1024}

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# ms COMMAND…: how long it takes
ms() {
    local start
    start=$(now_ms)
    "$@" >/run/out 2>/run/err || diag "failed: $*" "$(cat /run/err)" >&2
    echo $(($(now_ms) - start))
}
median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
# many COMMAND…: the median of all runs, with {} for the run
many() {
    local n
    for n in $(seq "$runs"); do ms "${@//\{\}/$n}"; done | median
}
# figure NAME PART WHOLE AIM
figure() { awk -v n="$1" -v a="$2" -v b="$3" -v aim="$4" 'BEGIN { printf "%-44s %6d / %6d ms = %.2f (aim %s)\n", n, a, b, a / b, aim }'; }
clones() { xl fork-list --json | jq -r '.[] | select(.kind == "clone") | .name'; }
sweep() { clones | xargs -r xl fork-destroy --yes >/dev/null 2>&1; }
processes() { awk '/^processes/ { print $2 }' /proc/stat; }
# first_tick DOM TICK START: ms from START until it has ticked so often
first_tick() { "$STORE" at-least "$1" data/tick "$2" 60 && echo $(($(now_ms) - $3)); }

start_source bench 128
restores=$(for n in $(seq "$runs"); do
    xl save bench /data/bench.save >/dev/null 2>&1
    ms xl restore /data/bench.save
    wait_until 60 ticks_on bench
done | median)
creates=$(for n in $(seq "$runs"); do
    sed -e "s/^name = .*/name = \"new\"/" -e 's|/data/source.img|/data/new.img|' /etc/xen/source.cfg >/run/new.cfg
    cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/new.img
    start=$(now_ms)
    xl create -q /run/new.cfg && first_tick new 1 "$start"
    xl destroy new
done | median)

xl fork-freeze bench
xl fork --paused --hydrate=auto bench first
one=$(many xl fork --paused --hydrate=auto bench one{})
figure 'xl fork, frozen / xl restore' "$one" "$restores" 0.12
five=$(for n in $(seq "$runs"); do
    ms xl fork --paused --hydrate=auto -n 5 bench five
    xl fork-destroy five-1 five-2 five-3 five-4 five-5
done | median)
figure 'each further clone / xl restore' "$(((five - one) / 4))" "$restores" 0.03
before=$(processes)
xl fork --paused --hydrate=auto --json bench one >/run/one
between=$(processes)
xl fork --paused --hydrate=auto --json -n 5 bench five >/run/five
after=$(processes)
echo "processes in dom0: $((between - before)) with one clone, $(((after - between - (between - before)) / 4)) for each further one (aim 0)"
jq -rs '"each further clone: " + ([.[0].counters, .[1].counters] | . as [$a, $b] | $a | keys | map("\(.) \(($b[.] - $a[.]) / 4)") | join(", "))' /run/one /run/five
strace -e trace=fsync,fdatasync,execve -o /run/one xl fork --paused --hydrate=auto bench traced >/dev/null
strace -e trace=fsync,fdatasync,execve -o /run/five xl fork --paused --hydrate=auto -n 5 bench traced5 >/dev/null
echo "syncs: $(grep -c sync /run/one) with one clone, $((($(grep -c sync /run/five) - $(grep -c sync /run/one)) / 4)) for each further one"
resets=$(many xl fork-reset --paused one{})
figure 'xl fork-reset / xl fork of the frozen source' "$resets" "$one" 0.5
starts=$(for n in $(seq "$runs"); do
    tick=$(tick "one$n") start=$(now_ms)
    xl unpause "one$n"
    first_tick "one$n" $((tick + 1)) "$start"
    xl pause "one$n"
done | median)
figure "clone's start / xl create, to the first tick" "$starts" "$creates" 0.15
sweep
xl fork-thaw bench
wait_until 60 ticks_on bench
running=$(for n in $(seq "$runs"); do
    ms xl fork --paused --hydrate=auto bench run
    sweep
done | median)
figure 'xl fork, running / xl restore' "$running" "$restores" -
figure 'xl fork-reset / xl fork of the running source' "$resets" "$running" 0.5
xl destroy bench

# stun NAME: ms, median
stun() {
    local n
    for n in $(seq "$runs"); do
        timeout 300 xl fork --paused --hydrate=auto --json "$1" run | jq '.timings_ns.stun / 1e6 | floor'
        sweep
    done | median
}
start_source idle "$idle_mib"
idle=$(stun idle)
figure "stop of an idle source of $idle_mib MiB / xl save" "$idle" "$(ms xl save idle /data/idle.save)" 0.03
stuns=()
for memory in "$small" "$large"; do
    start_source "m$memory" "$memory"
    busy_memory "m$memory" 8
    sleep 5
    stuns+=("$(stun "m$memory")")
    xl destroy "m$memory"
done
figure "stop at $large MiB / at $small MiB, 8 MiB rewritten" "${stuns[1]}" "${stuns[0]}" 1.3
