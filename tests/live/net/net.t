#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone is not heard on its source's bridge until its agent has acknowledged, and then never with its source's
# addresses. The test stands in for the agent. And the host side of NICs: connected, held, moved.
# alone: yes
# live: --source --timeout 360
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

SOURCE_IP=10.0.0.2
source_mac=$(field source mac)
capture=$(mktemp)

vif_of() { printf 'vif%d.%d\n' "$(domid_of "$1")" "${2:-0}"; }
bridge_of() { basename "$(readlink "/sys/class/net/$(vif_of "$1")/master")"; }
on_bridge() { [ "$(bridge_of "$1")" = "$2" ]; }
is_held() { held "$(vif_of "$1")"; }
connected() { on_bridge "$1" "$2" && ! is_held "$1"; }
hears() { ping -q -c 1 -W 1 "$1"; }
mac_of() { info "$1" '.nics[0].mac'; }
# acknowledge DOM: as an agent does it
acknowledge() {
    ask "$1" "write data/fork/reseeded $(info "$1" .generation)"
    ask "$1" "write data/fork/ack $(info "$1" .generation)"
}
# frames [EXPRESSION…]: how many of those captured match
frames() { tcpdump -nn -r "$capture" "$@" 2>/dev/null | wc -l; }

# Two talkers in the source, that go on in each clone: with the source's addresses.
ask source "sh (until [ -e /tmp/quiet ]; do ping -q -c 1 -W 1 10.0.0.1; arping -q -c 1 -I eth0 10.0.0.1
    usleep 200000; done) >/dev/null 2>&1 &" >/dev/null
ask source "sh (until [ -e /tmp/quiet ]; do echo x | nc -u -w 1 10.0.0.9 9; done) >/dev/null 2>&1 &" >/dev/null

tcpdump -nn -U -i xenbr0 -w "$capture" 2>/dev/null &
tcpdump=$!
wait_until 10 test -s "$capture"
heard() { [ "$(frames "ether src $source_mac")" -ge 3 ]; }
check 'the capture hears the source' wait_until 20 heard

check 'fork' eval 'xl fork -n 2 --json source n >/data/result.json'
is 'held' "$(jq -r '[.clones[].nics[0].net] | unique | join(" ")' /data/result.json)" held
check 'they run' eval 'wait_until 60 ticks_on n-1 && wait_until 60 ticks_on n-2'
mac=$(mac_of n-1) other=$(mac_of n-2)
is 'the guest has its new MAC' "$(field n-1 mac)" "$mac"
check 'held' is_held n-1
check 'a port of the bridge all the same' on_bridge n-1 xenbr0
# It talks, and that is lost rather than kept.
received() { cat "/sys/class/net/$(vif_of n-1)/statistics/rx_packets"; }
talks() { [ "$(received)" -gt "$1" ]; }
check 'it does talk' wait_until 30 talks "$(($(received) + 10))"
is 'nobody hears it' "$(frames "ether src $mac or ether src $other")" 0
is 'nor it anybody' "$(ask n-1 'sh ping -q -c 2 -W 1 10.0.0.1' | json .status)" 1

# Not acknowledged: wrong, another's, of the source.
ask n-1 "write data/fork/ack yes" >/dev/null
ask n-2 "write data/fork/ack $(info n-1 .generation)" >/dev/null
ask source "write data/fork/ack $(info n-1 .generation)" >/dev/null
sleep 2
check 'a wrong answer connects nothing' is_held n-1
check "nor does another's" is_held n-2

# The agent: another address, then the acknowledgement. Frames of before must not come now.
readdress() {
    ask "$1" "sh ip addr flush dev eth0; ip addr add $2/24 dev eth0" | json .status
}
is 'another address' "$(readdress n-1 10.0.0.31)" 0
sleep 3 # for programs that have begun with the old one
acknowledge n-1 >/dev/null
check 'the keeper connects it' wait_until 10 connected n-1 xenbr0
check 'its entropy has gone' wait_until 10 eval \
    '! xenstore-read "/local/domain/$(domid_of n-1)/fork/entropy"'
is 'ready' "$(info n-1 .ready)" true
check 'it answers' wait_until 20 hears 10.0.0.31
check 'the other is held still' is_held n-2

# By hand.
is 'another address' "$(readdress n-2 10.0.0.32)" 0
check 'fork-net connect' xl fork-net n-2 connect
check 'it answers' wait_until 20 hears 10.0.0.32
check 'fork-net hold, by domid' xl fork-net "$(domid_of n-2)" hold
check 'it does not answer' eval '! hears 10.0.0.32'
acknowledge n-2 >/dev/null
ready() { [ "$(info "$1" .ready)" = true ]; }
check 'an acknowledgement' wait_until 10 ready n-2
check 'does not undo what the user has said' is_held n-2
check 'the source goes on' hears $SOURCE_IP

for guest in source n-1 n-2; do ask "$guest" 'sh touch /tmp/quiet' >/dev/null; done
kill "$tcpdump"
wait "$tcpdump" 2>/dev/null
at_least 'clones were heard' "$(frames "ether src $mac or ether src $other")" 2
is "never with the source's IP address" \
    "$(frames "not ether src $source_mac and (ip src $SOURCE_IP or arp[14:4] = 0x0a000002)")" 0
# Frames of the source come in on its own port only: it has the address to itself in the bridge's table.
is "nor with its MAC, through another port" \
    "$(bridge fdb show br xenbr0 | awk -v mac="$source_mac" '$1 == mac { print $3 }' | sort -u)" "$(vif_of source)"

# Another bridge, and back.
ip link add xenbr1 type bridge
ip link set xenbr1 up
moved() {
    backend=$(xenstore-read "/libxl/$(domid_of "$1")/device/vif/0/backend")
    printf '%s %s %s\n' "$(xenstore-read "$backend/bridge")" "$(bridge_of "$1")" \
        "$(xl list -l "$1" | jq -r '.[0].config.nics[0].bridge')"
}
check 'fork-net bridge=, held' xl fork-net n-2 bridge=xenbr1
is 'there it is' "$(moved n-2)" 'xenbr1 xenbr1 xenbr1'
check 'held still' is_held n-2
check 'fork-net connect' xl fork-net n-2 connect
check 'connected there' connected n-2 xenbr1
check 'fork-net bridge=, connected' xl fork-net n-2 bridge=xenbr0 --nic 0
is 'there it is' "$(moved n-2)" 'xenbr0 xenbr0 xenbr0'
check 'it answers' wait_until 20 hears 10.0.0.32
check 'and to the other' xl fork-net n-2 bridge=xenbr1
check 'xl save' xl save n-2 /data/saved
check 'xl restore' xl restore /data/saved
wait_until 60 ticks_on n-2
is 'it is where it was' "$(moved n-2)" 'xenbr1 xenbr1 xenbr1'
check 'a restored clone is found by its UUID' xl fork-net "$(info n-2 .uuid)" hold
check 'and held' is_held n-2

# says TEXT STATUS PATTERN COMMAND…
says() {
    local output status=0
    output=$("${@:4}" 2>&1) || status=$?
    if [ "$status" = "$2" ] && [[ $output =~ $3 ]]; then ok "$1"; else fail "$1" "status $status" "$output"; fi
}
says 'no such bridge' 1 'no bridge nowhere' xl fork-net n-1 bridge=nowhere
says 'no such NIC' 2 'n-1 has no NIC 5: it has 1' xl fork-net n-1 hold --nic 5
says 'no clone' 1 'source is not a clone' xl fork-net source hold
says 'nobody' 1 'there is no clone named nobody' xl fork-net nobody hold

# The fork waits itself.
acknowledge_soon() { wait_until 60 ticks_on "$1" && acknowledge "$1"; }
acknowledge_soon w-1 >/dev/null &
status=0
xl fork -n 4 --nic 0,link=connect,clone=3 --nic 0,link=hold,clone=4 --wait=60 --json source w >/data/wait.json 2>/data/wait.err ||
    status=$?
wait $!
is '--wait: not all are ready' "$status" 1
is 'which' "$(jq -c '[.clones[] | [.name, .ready, .rng, .nics[0].net]]' /data/wait.json)" \
    '[["w-1",true,"reseeded","connected"],["w-2",false,"not reseeded","held"],["w-3",false,"not reseeded","connected"],["w-4",false,"not reseeded","held"]]'
at_least 'the time of the other' "$(json '.clones[0].timings_ns.ready / 1e6 | floor' </data/wait.json)" 1
check 'said by name' grep -q 'w-2' /data/wait.err
check 'the clones stay' ticks_on w-2
check 'link=connect: connected at once' connected w-3 xenbr0
acknowledge w-4 >/dev/null
check 'link=hold: it acknowledges' wait_until 10 ready w-4
check 'and is held' is_held w-4

check 'all go' xl fork-destroy --yes n-1 n-2 w-1 w-2 w-3 w-4
is 'no interface is left' "$(find /sys/class/net -maxdepth 1 -name 'vif*' | wc -l)" 1
done_testing
