#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One source is forked ten times in a row: nothing stays but what is documented.
# live: --source --timeout 580
# full: 4.20 4.17
# asan: yes
. "$(dirname "$0")/../lib/lib.sh"

ROUNDS=${ROUNDS:-10}

host() {
    snapshot_of_host /data /var/lib/xenfork | grep -v '^file /data/\.xenfork$\|^file /var/lib/xenfork\(/[a-z]*\)\?$'
    xl info | grep outstanding_claims
}

calm() { ! pgrep -x xenfork-keeper >/dev/null; }

check 'once, so that the documented directories are there' xl fork source warm
xl fork-destroy warm
wait_until 30 calm
before=$(host)
free=$(xl info | awk '/^free_memory/ { print $3 }')

for n in $(seq "$ROUNDS"); do
    if [ "$n" -lt "$ROUNDS" ]; then paused=--paused; else paused=; fi # so that dom0 is not kept busy
    xl fork $paused source "round-$n" || fail "fork $n"
done
is 'all forks are there' "$(xl fork-list --json | json '[.[] | select(.kind == "clone")] | length')" "$ROUNDS"
check 'the last one ticks' wait_until 60 ticks_on "round-$ROUNDS"
check 'the source ticks' ticks_on source

# Half of them by our verb, half by a plain xl destroy.
for n in $(seq "$ROUNDS"); do
    if [ $((n % 2)) -eq 0 ]; then xl destroy "round-$n"; else xl fork-destroy "round-$n"; fi
done
half_the_disks() { [ "$(find /data/.xenfork -type f | wc -l)" -eq $((ROUNDS / 2)) ]; }
check 'of those destroyed by xl the disks stay, as documented; images go with theirs' wait_until 30 half_the_disks
check 'and xl fork-destroy removes them' eval 'for n in $(seq 2 2 "$ROUNDS"); do xl fork-destroy "round-$n" || exit 1; done'
check 'the keepers end by themselves' wait_until 60 calm
same_host 'the host is as before' "$before" "$(host)"
at_least 'free memory is as before (3 MiB for what the source wrote)' \
    "$(xl info | awk '/^free_memory/ { print $3 }')" $((free - 3))
check 'the source ticks on' ticks_on source
is 'its disk is whole' "$(ask source verify | json .errors)" 0
done_testing
