#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork and of its keeper as well, from suspend to resume: the next call cleans up.
# live: --source --timeout 180
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

# Once it is ready, its standard output is /dev/null: killed earlier, it fails the fork.
kill_keeper() {
    local pid
    for pid in $(pgrep -x xenfork-keeper); do
        [ "$(readlink "/proc/$pid/fd/1")" = /dev/null ] && kill -9 "$pid" && return
    done
    return 1
}

# killed_with_keeper STAGE
killed_with_keeper() {
    wait_until 60 kill_keeper &
    local killer=$!
    killed_at "$1"
    if wait "$killer"; then ok "$1: its keeper was killed before"; else fail "$1: its keeper was killed before"; fi
    if pgrep -x xenfork-keeper >/dev/null; then fail "$1: no keeper is left"; else ok "$1: no keeper is left"; fi
    sleep 1
    if as_before; then fail "$1: something is left"; else ok "$1: something is left"; fi
}

# An unknown clone is refused, but not before what was killed is undone.
next_is_destroy() {
    local status=0 text
    text=$(timeout 60 xl fork-destroy nothing 2>&1) || status=$?
    is "$1: the next call says what it is asked to" "$status $(grep -c '^xl: there is no clone named nothing$' <<<"$text")" "1 1"
    # Not by waiting: it was this call.
    all_as_before "$1"
    check "$1: the source ticks on" ticks_on source
    same_source "$1"
}

remember
for stage in suspend capture disks resume; do
    killed_with_keeper "$stage"
    next_is_destroy "$stage"
done
killed_with_keeper share
fork_works k2
is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing
