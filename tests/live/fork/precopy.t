#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source that writes to its memory, its disk and the network while it is forked: each page of the image is as it was in
# the source at the instant of the fork; nothing of the fork stays with the source; --max-stun is kept.
# live: --source --timeout 400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/load.sh"

busy_memory source 4 100000
busy_disk source
busy_net 10.0.0.2
for i in 1 2; do
    compared source "a$i"
    timeout 60 xl fork-destroy --yes "a$i"
done
# shellcheck disable=SC2154  # result: of compared
at_least 'memory is shared again while the source runs' "$(json .counters.rounds <<<"$result")" 2
at_least 'the pauses are told' "$(json .timings_ns.pauses <<<"$result")" 1000000

said=$(timeout 120 xl fork --max-stun=1 source b 2>&1) && status=0 || status=$?
diag "$said"
is 'a stun of 1 ms: refused' "$status" 1
check 'with the reason' grep -q 'would stand still for' <<<"$said"
check 'and the way out' grep -q -e '--max-stun' <<<"$said"
check 'the source ticks on' ticks_on source
check 'anyway: it is forked' timeout 120 xl fork --max-stun=1,anyway source b
check 'the clone ticks' wait_until 60 ticks_on b
check 'it goes' timeout 60 xl fork-destroy --yes b
vif="vif$(domid_of source).0"
is 'no filter stays at its NIC' "$(tc qdisc show dev "$vif" | grep -c clsact)" 0
done_testing
