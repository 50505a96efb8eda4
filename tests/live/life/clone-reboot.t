#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone that has adapted reboots, and comes up as itself: with its address, MAC, name and ids, by what is on its disk.
# From its start on nobody hears its source's address or MAC from it.
# live: --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

hears() { ping -q -c 1 -W 2 "$1"; }
guest() { ask "$1" "sh $2" | json .status; }
file_of() { ask "$1" "sh cat $2 >/run/observe/freeze.out" >/dev/null && ask "$1" identity | json .freeze_output; }
# machine NAME: who it takes itself for
machine() { ask "$1" identity | jq -c '[.hostname, .machine_id, .ssh_key, .address]'; }
uptime_of() { field "$1" uptime | cut -d . -f 1; }
vif_of() { printf 'vif%d.0\n' "$(domid_of "$1")"; }

starts 'the daemon starts'
start_source source 128 'extra = "console=hvc0 quiet panic=1 mitigations=off xf.system=disk"'
source_mac=$(field source mac)
was=$(machine source)
is 'the source has the address of its file' "$(json '.[3]' <<<"$was")" 10.0.0.2/24
check 'fork' timeout 300 xl fork --wait=250 --param ip=10.0.0.40/24 --param hostname=web source clone
before=$(machine clone)
mac=$(info clone '.nics[0].mac')
diag "$was" "$before"
is 'it has adapted' "$(json '.[0] + " " + .[3]' <<<"$before")" 'web 10.0.0.40/24'
for i in 1 2; do isnt "id $i is its own" "$(json ".[$i]" <<<"$before")" "$(json ".[$i]" <<<"$was")"; done
check 'it answers' wait_until 30 hears 10.0.0.40

# All that is said while it is away and comes back.
tcpdump -nn -U -i xenbr0 -w /data/frames 'arp or icmp or icmp6' 2>/dev/null &
tcpdump=$!
domid=$(domid_of clone)
ask clone 'sh (sleep 1; sync; reboot -f) &' >/dev/null
is_back() { local now; now=$(domid_of clone) && [ -n "$now" ] && [ "$now" != "$domid" ] && ticks_on clone 5; }
check 'it reboots' wait_until 150 is_back
check 'it has just started' test "$(uptime_of clone)" -lt 120
settled() { ask clone identity | json .agent_log | grep -q . || [ "$(machine clone)" = "$before" ]; }
wait_until 60 settled
is 'it is the same machine' "$(machine clone)" "$before"
is 'with the same MAC' "$(field clone mac)" "$mac"
is 'which its NIC has' "$(info clone '.nics[0].mac') $(info clone '.nics[0].link')" "$mac connect"
ready() { [ "$(info clone .ready)" = true ]; }
check 'it is ready again' wait_until 60 ready
is 'without an error' "$(info clone .error)" ''
check 'it answers' wait_until 60 hears 10.0.0.40
check 'so does its source' wait_until 30 hears 10.0.0.2
check 'by its own MAC' eval "ip neigh show 10.0.0.2 | grep -q $source_mac"
sleep 2
kill "$tcpdump"
wait "$tcpdump" 2>/dev/null
frames() { tcpdump -nn -e -r /data/frames "$1" 2>/dev/null; }
check 'the clone was heard' test "$(frames "ether src $mac" | wc -l)" -gt 0
is "nobody but the source has spoken by its address" \
    "$(frames "not ether src $source_mac and (src host 10.0.0.2 or arp[14:4] == 0x0a000002)" | head -n 3)" ''
is "its MAC is on its own port" "$(bridge fdb show br xenbr0 | awk -v mac="$source_mac" '$1 == mac { print $3 }' | sort -u)" \
    "$(vif_of source)"

# A start from its record is one, too.
check 'it is destroyed' xl destroy clone
check 'and started' timeout 120 xl fork-start clone
check 'it ticks' wait_until 120 ticks_on clone
wait_until 60 settled
is 'it is the same machine still' "$(machine clone)" "$before"
check 'it goes' timeout 60 xl fork-destroy clone
stops 'the daemon ends'
done_testing
