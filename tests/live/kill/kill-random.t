#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill-random.t [SEED]: kill -9 of a fork at random times: the source runs on, and nothing is left.
# live: --source
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

seed=${1:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
RANDOM=$seed
diag "seed $seed"

now_ms() { echo $(($(date +%s%N) / 1000000)); }

remember
start=$(now_ms)
check "a fork that nobody kills" timeout 120 xl fork source k
whole=$(($(now_ms) - start))
diag "it takes $whole ms"
check "its clone is destroyed" timeout 60 xl fork-destroy k
undone "not killed"

for number in 1 2 3; do
    delay=$((RANDOM * whole / 32768))
    xl fork source k >/dev/null 2>&1 &
    pid=$!
    sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    status=$?
    diag "kill $number after $delay ms: status $status"
    check "kill $number, after $delay ms: the source ticks on" ticks_on source 20
    if [ "$status" -ne 137 ]; then
        # It had ended before.
        is "kill $number: the fork had succeeded" "$status" 0
        check "kill $number: its clone is destroyed" timeout 60 xl fork-destroy k
    fi
    undone "kill $number"
    same_source "kill $number"
done
is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing
