#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The workflow for scale: the guest freezes itself by the key, 20 clones go on from that instant in two calls, each as
# a machine of its own, on the network with its own address; nobody hears one with its source's.
# live: --source --timeout 900
# full: 4.17 4.20
# alone: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

FIRST=12 SECOND=8
SOURCE_IP=10.0.0.2

# parameters NAME FROM TO: what the clones NAME-1… are given, as a file
parameters() {
    seq "$2" "$3" | jq -s --arg name "$1" --argjson from "$2" \
        'map({hostname: "\($name)\(. - $from + 1)", ip: "10.0.0.\(.)/24", number: "n\(.)"})'
}
# fork_all NAME FROM TO
fork_all() {
    parameters "$1" "$2" "$3" >"/data/$1.params"
    xl fork -n $(($3 - $2 + 1)) --params-file "/data/$1.params" --wait=400 --json source "$1" >"/data/$1.json" 2>"/data/$1.err" ||
        { cat "/data/$1.err"; return 1; }
}
clones() { jq -r '.clones[].name' /data/first.json /data/second.json; }
# column FILE FIELD: of all clones' identities
column() { jq -r ".$2" "$1"; }
# all_differ TEXT FILE FIELD [PATTERN]
all_differ() {
    local count
    count=$(column "$2" "$3" | grep -E "${4:-.}" | sort -u | wc -l)
    is "$1" "$count" $((FIRST + SECOND))
}
ready_times() { jq -c '[.clones[].timings_ns.ready / 1e6 | floor]' "$1"; }

starts 'the daemon starts'
rss=$(daemon_rss)
capture=$(mktemp)
tcpdump -nn -U -i xenbr0 -w "$capture" arp or ip 2>/dev/null &
tcpdump=$!
wait_until 10 test -s "$capture"

start_agent source
token=$(field source token)
source_identity=$(ask source identity)
# As any program in the guest may: the agent that waits for the answer plays no part in it.
check 'the guest asks by the key' ask source 'write data/fork/freeze 1'
check 'it is frozen' wait_until 20 is_frozen source
frozen_tick=$(tick source) cpu=$(cpu_time source)

check "$FIRST clones" fork_all first 101 $((100 + FIRST))
diag "ms to ready, of $FIRST: $(ready_times /data/first.json)"
# 20 guests at once are too many for the emulator.
for clone in $(jq -r '.clones[].name' /data/first.json); do xl pause "$clone"; done
# A host's other work in an hour.
start_source other 96 'vif = []'
xl destroy other
check "$SECOND more" fork_all second $((101 + FIRST)) $((100 + FIRST + SECOND))
diag "ms to ready, of $SECOND: $(ready_times /data/second.json)"
is 'one image serves both calls' "$(jq -r .image.name /data/first.json /data/second.json | sort -u)" source@fork-1
is 'all were reseeded' "$(jq -r '.clones[].rng' /data/first.json /data/second.json | sort | uniq -c | sed 's/^ *//')" \
    "$((FIRST + SECOND)) reseeded"
is 'all are connected' "$(jq -r '.clones[].nics[0].net' /data/first.json /data/second.json | sort -u)" connected
is 'the source has executed nothing' "$(cpu_time source)" "$cpu"
diag "memory of the daemon: $rss KiB without clones, $(daemon_rss) KiB with $((FIRST + SECOND))"

views=$(mktemp) identities=$(mktemp)
reached=0
for clone in $(jq -r '.clones[].name' /data/second.json); do xl pause "$clone"; done
for clone in $(clones); do
    xl unpause "$clone"
    ask "$clone" view >>"$views"
    identity=$(ask "$clone" identity)
    printf '%s\n' "$identity" >>"$identities"
    ping -q -c 1 -W 5 "$(json '.address | sub("/.*"; "")' <<<"$identity")" >/dev/null 2>&1 && reached=$((reached + 1))
    xl pause "$clone"
done
is "all have the token of the source's memory" "$(column "$views" token | sort | uniq -c | awk '{ print $1, $2 }')" \
    "$((FIRST + SECOND)) $token"
at_least "they went on from the tick of the freeze" "$(column "$views" tick | sort -n | head -n 1)" $((frozen_tick + 1))
for clone in $(clones | sed -n '1p;$p'); do
    xl unpause "$clone"
    check "$clone ticks on" ticks_on "$clone"
done
all_differ 'each has its own host name' "$identities" hostname '^(first|second)[0-9]+$'
all_differ 'machine-id' "$identities" machine_id '^[0-9a-f]{32}$'
all_differ 'SSH host key' "$identities" ssh_key
all_differ 'address' "$identities" address '^10\.0\.0\.[0-9]+/24$'
all_differ 'random numbers at once after the fork' "$identities" random '^[0-9a-f]{64}$'
all_differ 'MAC' "$views" mac '^00:16:3e:'
for field in machine_id ssh_key; do
    if column "$identities" "$field" | grep -qxF "$(json ".$field" <<<"$source_identity")"; then
        fail "$field: none has the source's"
    else
        ok "$field: none has the source's"
    fi
done
is 'each has its own parameters' \
    "$(jq -r '.environment[] | select(startswith("XENFORK_PARAM_NUMBER=")) | sub(".*="; "")' "$identities" | tr '\n' ' ')" \
    "$(seq -f 'n%g' -s ' ' 101 $((100 + FIRST + SECOND))) "
is 'all answer at their addresses' "$reached" $((FIRST + SECOND))

kill "$tcpdump"
wait "$tcpdump" 2>/dev/null
macs=$(column "$views" mac | sed 's/^/ether src /' | paste -sd'|' | sed 's/|/ or /g')
frames() { tcpdump -nn -r "$capture" "$@" 2>/dev/null | wc -l; }
at_least 'the clones were heard' "$(frames "$macs")" $((FIRST + SECOND))
is "never with the source's address" "$(frames "($macs) and (src host $SOURCE_IP or arp[14:4] = 0x0a000002)")" 0

check 'thawed' xl fork-thaw source
check 'the source goes on' ticks_on source
is 'as the same guest' "$(field source token)" "$token"
after=$(ask source identity)
is 'that has not adapted' "$(json '.hostname + " " + .machine_id + " " + .address' <<<"$after")" \
    "$(json '.hostname + " " + .machine_id + " " + .address' <<<"$source_identity")"
# shellcheck disable=SC2046
check 'all clones are destroyed' timeout 300 xl fork-destroy $(clones)
check 'the image goes with the last' wait_until 30 no_image
diag "memory of the daemon afterwards: $(daemon_rss) KiB"
stops 'the daemon ends'
done_testing
