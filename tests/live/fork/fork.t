#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running source with a NIC and a disk is forked while it serves: what the clone has, what it has not, and
# what the source notices.
# live: --source --timeout 150
# alone: yes
# full: 4.17
# asan: yes
. "$(dirname "$0")/../lib/lib.sh"

SOURCE_IP=10.0.0.2
result=$(mktemp) load=$(mktemp) pings=$(mktemp)
token=$(field source token)
source_view=$(ask source view)

before=$(ask source mark before | json .acked)
# 200 requests a second; the generator must leave dom0's only processor to the fork.
LC_ALL=C ping -D -i 0.005 -c 4000 -W 2 $SOURCE_IP >"$pings" &
ping_pid=$!
"$LIVE/echo-load" $SOURCE_IP --rate 5 --seconds 20 >"$load" &
load_pid=$!
sleep 1

begin=$(date +%s.%N)
check 'xl fork' eval 'xl fork --paused --json source clone >'"$result"
end=$(date +%s.%N)
clone=$(domid_of clone)
stun_ms=$(json '.timings_ns.stun / 1e6 | floor' <"$result")
diag "stun $stun_ms ms; $(jq -c .counters "$result"); $(jq -c .timings_ns "$result")"

ask source mark after >/dev/null
after=$(field source acked)
wait "$ping_pid" "$load_pid" # what follows keeps dom0's only CPU busy

# The clone's disk at the instant of the fork: it has not run yet.
disk=$(info clone '.disks[0].path')
base=$(find /data/.xenfork -name '*.raw' ! -path "$disk")
seen=$("$LIVE/check-disk" "$disk")
is 'clone disk: no damage' "$(json '.errors | length' <<<"$seen")" 0
at_least 'clone disk: every write acknowledged before the fork' "$(json .highest <<<"$seen")" "$before"
check 'clone disk: no write of after the fork' test "$(json .highest <<<"$seen")" -lt "$after"
is 'clone disk: the mark of before, not that of after' "$(jq -c .marks <<<"$seen")" '["before"]'
base_sum=$(sha256sum <"$base")
is 'the overlay of a clone that never ran equals the base' "$(sha256sum <"$disk")" "$base_sum"

# Held NICs.
vif=$(json '.clones[0].nics[0].vif' <"$result")
check 'NIC: held' held "$vif"

# It runs.
xl unpause clone
check 'the clone ticks on' wait_until 60 ticks_on clone
check 'the source ticks on' ticks_on source
clone_view=$(ask clone view)
diag "source: $source_view"
diag "clone:  $clone_view"
is 'same token in memory' "$(json .token <<<"$clone_view")" "$token"
at_least 'memory of the instant: the tick of before' "$(json .tick <<<"$clone_view")" "$before"
isnt 'another MAC, without a driver reload' "$(json .mac <<<"$clone_view")" "$(json .mac <<<"$source_view")"
is 'the MAC that was reported' "$(json .mac <<<"$clone_view")" "$(json '.clones[0].nics[0].mac' <"$result")"
is 'its own domid' "$(json .domid <<<"$clone_view")" "$clone"
is 'it noticed that it is a copy' "$(json .resumed <<<"$clone_view")" 1
is 'the source did not' "$(field source resumed)" 0
isnt 'its own UUID' "$(xl list -v clone | awk 'NR == 2 { print $7 }')" \
    "$(xl list -v source | awk 'NR == 2 { print $7 }')"
# The guest's clock stood still in the snapshot; source and clone must agree.
check 'the clocks of both agree' same_clock clone source

# Neither sees the other's writes.
ask clone mark clone-only >/dev/null
verify=$(ask clone verify)
is 'clone: no damage to its own disk' "$(json '.errors' <<<"$verify")" 0
source_disk=$("$LIVE/check-disk" /data/source.img)
clone_disk=$("$LIVE/check-disk" "$disk")
is 'source disk: no mark of the clone' "$(json '.marks | index("clone-only")' <<<"$source_disk")" ''
is 'clone disk: no mark of the source after the fork' "$(json '.marks | index("after")' <<<"$clone_disk")" ''
isnt 'clone disk: its own mark' "$(json '.marks | index("clone-only")' <<<"$clone_disk")" ''
is 'source disk: no damage' "$(json '.errors | length' <<<"$source_disk")" 0
is 'clone disk: no damage after it ran' "$(json '.errors | length' <<<"$clone_disk")" 0
is 'the base is as it was' "$(sha256sum <"$base")" "$base_sum"

# The source as the world saw it.
is 'its TCP connection survived' "$(json .tcp.ok <"$load")" true
# spread FILE: all that is lost was sent within one span of the stun's length, while the fork ran
spread() {
    jq -r --argjson begin "$begin" --argjson finish "$end" --argjson stun "${stun_ms:-0}" '
        if .lost == 0 then "ok"
        elif (.lost_at | min) < $begin or (.lost_at | max) > $finish then "outside of the fork"
        elif ((.lost_at | max) - (.lost_at | min)) * 1000 > $stun + 50 then "longer than the stun"
        else "ok" end' "$1"
}
"$LIVE/lost-pings" "$pings" >"$pings.json"
for seen in "$pings.json" "$load"; do
    diag "echo: sent $(json .sent <"$seen"), lost $(json .lost <"$seen"), longest gap $(json .longest_gap_ms <"$seen") ms"
done
at_least 'enough echo requests' "$(json .sent <"$pings.json")" 4000
is 'none was lost but within the stun' "$(spread "$pings.json")" ok
is 'nor of those that a program answers' "$(spread "$load")" ok

check 'xl fork-destroy' xl fork-destroy clone
check 'its disk is gone, and the base' wait_until 30 is_empty /data/.xenfork
check 'the source ticks on' ticks_on source
done_testing
