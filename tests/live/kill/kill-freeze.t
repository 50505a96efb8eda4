#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a freeze, and of forks of a frozen source: it runs on, or waits on, and nothing is left.
# live: --source --timeout 260
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

# dies STAGE COMMAND [ARG…]
dies() {
    local status=0
    { XENFORK_TEST_KILL=$1 timeout 120 "${@:2}" >/dev/null 2>&1 || status=$?; } 2>/dev/null
    is "$1: ${*:2} dies by signal 9" "$status" 137
}

is_frozen() { [ "$(xl fork-list --json | jq -r '.[0].state')" = frozen ]; }

remember
dies suspend xl fork-freeze source
check 'the source ticks on' ticks_on source 20
undone 'a freeze'
same_source 'a freeze'

# In the middle of the stun, by time.
for delay in 0.3 0.5 0.7; do
    xl fork-freeze source &
    pid=$!
    sleep "$delay"
    kill -9 "$pid" 2>/dev/null
    { wait "$pid" || true; } 2>/dev/null
    # It may have come to its end before.
    ! is_frozen || xl fork-thaw source
    check "killed after $delay s: the source ticks on" ticks_on source 30
done
undone 'killed by time'
same_source 'killed by time'

# The locks of working keepers are there before and after.
has_lock() { [ -n "$(find /var/lib/xenfork/locks -name "$1-*")" ]; }
has_no_lock() { ! has_lock "$1"; }

check 'xl fork-freeze' xl fork-freeze source
check 'its keeper answers for it' wait_until 20 has_lock attend
frozen_before=$(host)
as_frozen() { [ "$(host)" = "$frozen_before" ]; }
for stage in reserve prepare capture disks share resume seal create fork attach; do
    dies "$stage" xl fork source k
    wait_until "$UNDO_SECONDS" as_frozen
    same_host "$stage: the host is as before" "$frozen_before" "$(host)"
    check "$stage: the source is frozen" is_frozen
done
check 'a fork that is not killed' xl fork source kept
check 'it is hydrated' wait_until 60 has_no_lock hydrate
later_before=$(host)
as_later() { [ "$(host)" = "$later_before" ]; }
for stage in check create attach; do
    dies "$stage" xl fork source k
    wait_until "$UNDO_SECONDS" as_later
    same_host "$stage, later fork: the host is as before" "$later_before" "$(host)"
done
check 'its clone goes on' wait_until 60 ticks_on kept
dies resume xl fork-thaw source
check 'a thaw that was killed is repeated' xl fork-thaw source
check 'the source ticks on' ticks_on source 30
check 'the clone is destroyed' xl fork-destroy kept
undone 'after all'
same_source 'after all'
done_testing
