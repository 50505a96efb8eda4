#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone is ready only when every step of its adaptation succeeded; else it stays held, and says why. It has nothing of
# its source's: neither on its card, nor on what lies over that, nor in files that would bring it back.
# live: --source --timeout 320
# full: 4.17
. "$(dirname "$0")/../lib/lib.sh"

# guest DOM COMMANDS: their status in the guest
guest() { ask "$1" "sh $2" | json .status; }
has() { is "$1: $3" "$(guest "$1" "$2")" 0; }
hasnt() { is "$1: not $3" "$(guest "$1" "$2")" 1; }
hears() { ping -q -c 1 -W 2 "$1"; }
bridge_of() { basename "$(readlink "/sys/class/net/vif$(domid_of "$1").0/master")"; }
ready() { [ "$(info "$1" .ready)" = true ]; }

start_agent source
source_mac=$(field source mac)

# Refused before anything is done.
status=0 said=$(xl fork --wait --param ip=10.0.0.40 source refused 2>&1) || status=$?
is 'an address without prefix' "$status" 2
check 'is named' grep -q 'ip=10.0.0.40: an address needs its prefix' <<<"$said"
is 'and nobody was forked' "$(xl fork-list --json | jq length)" 0

# A step fails: at once, by name, and held.
is 'a hook that fails' "$(guest source 'cd /etc/xenfork/post-fork.d; (echo "#!/bin/sh"
    echo "echo no site >\$XENFORK_REASON"; echo exit 1) >15-site; chmod +x 15-site')" 0
status=0 begin=$SECONDS
xl fork --wait=300 --json --param ip=10.0.0.40/24 source failing >/data/failing.json 2>/data/failing.err || status=$?
is '--wait fails' "$status" 1
check 'as soon as the clone has said so' test $((SECONDS - begin)) -lt 280
is 'JSON' "$(jq -c '.clones[0] | [.ready, .rng, .error, .nics[0].net]' /data/failing.json)" \
    '[false,"reseeded","15-site: no site","held"]'
check 'the error' grep -q '^xl: failing could not adapt: 15-site: no site$' /data/failing.err
is 'fork-info' "$(info failing '| [.ready, .error] | tojson')" '[false,"15-site: no site"]'
check 'fork-info, for people' grep -q '^  error  *15-site: no site$' <(xl fork-info failing)
check 'held' held "vif$(domid_of failing).0"
check 'fork-net connect overrides' xl fork-net failing connect
check 'it answers' wait_until 30 hears 10.0.0.40
is 'mended in the guest' "$(guest failing 'rm /etc/xenfork/post-fork.d/15-site; xenfork-agent adapt 2>/tmp/err')" 0
check 'it is ready' wait_until 30 ready failing
is 'and has no error' "$(info failing .error)" ''
check 'it goes' xl fork-destroy failing
is 'no such hook' "$(guest source 'rm /etc/xenfork/post-fork.d/15-site')" 0

# docs/examples/fork-and-wait.c: a clone that is ready, looked at, and destroyed.
status=0 said=$("${STORE%/*}/fork-and-wait" source 300 2>&1) || status=$?
diag "$said"
is 'the example program' "$status" 0
check 'it says how much memory its clone has' grep -Eq '^source-1: [0-9]+ KiB in all, [0-9]+ shared, [1-9][0-9]* its own$' <<<"$said"
is 'and has destroyed it' "$(xl fork-list --json | jq '[.[] | select(.kind == "clone")] | length')" 0

# The address is on a bridge, with a VLAN and a macvlan over it.
is 'a bridge in the source' "$(guest source "for m in bridge 8021q macvlan; do modprobe \$m; done
    ip link add br0 type bridge && ip link set br0 address $source_mac && ip addr flush dev eth0 &&
    ip link set eth0 master br0 && ip link set br0 up && ip addr add 10.0.0.2/24 dev br0 &&
    ip addr add 2001:db8::2/64 dev br0 && ip addr add 10.0.0.100/32 dev lo")" 0
is 'a VLAN and a macvlan' "$(guest source "ip link add link br0 name br0.5 type vlan id 5 && ip link set br0.5 up &&
    ip addr add 10.5.0.2/24 dev br0.5 && ip link add link br0 name mv0 type macvlan && ip link set mv0 up &&
    cat /sys/class/net/mv0/address >/etc/old-mac")" 0
is 'a file' "$(guest source "mkdir -p /etc/network; (echo 'iface br0 inet static'; echo ' address 10.0.0.2'
    echo ' netmask 255.255.255.0'; echo ' hwaddress $source_mac') >/etc/network/interfaces")" 0
check 'the source answers' wait_until 60 hears 10.0.0.2
check 'fork' xl fork --wait=300 --param ip=10.0.0.41/16 source web
mac=$(info web '.nics[0].mac')
diag "$(ask web 'sh ip addr show >/tmp/ip' && ask web identity | json .agent_log)"
theirs=$(ask source identity) own=$(ask web identity)
for field in hostname machine_id ssh_key random; do
    isnt "$field: not its source's" "$(json ".$field" <<<"$own")" "$(json ".$field" <<<"$theirs")"
done
has web 'ip addr show dev br0 | grep -q "inet 10.0.0.41/16 "' 'its address on the bridge'
hasnt web 'ip addr show dev eth0 | grep -q "inet "' 'one on the card'
hasnt web 'ip addr show | grep -q -e "10[.]0[.]0[.]2/" -e "10[.]5[.]0[.]2/" -e "10[.]0[.]0[.]100/" -e "2001:db8::2/"' "an address of the source's"
hasnt web "ip addr show | grep -i -q $source_mac" "the source's MAC"
for device in eth0 br0 br0.5; do
    has web "[ \$(cat /sys/class/net/$device/address) = $mac ]" "its own MAC on $device"
done
hasnt web 'cmp -s /etc/old-mac /sys/class/net/mv0/address' "the source's macvlan"
has web "ip addr show dev br0 | grep 'scope link' | grep -q ff:fe${mac:9:2}:" 'a link-local address'
hasnt web "ip addr show | grep -q ff:fe00:2/" "the source's link-local address"
is 'the file' "$(guest web "printf '%s\n' 'iface br0 inet static' ' address 10.0.0.41' ' netmask 255.255.0.0' \
    ' hwaddress $mac' | cmp -s - /etc/network/interfaces")" 0
check 'it answers' wait_until 60 hears 10.0.0.41
check 'so does the source' wait_until 60 hears 10.0.0.2
has web 'ping -q -c 1 -W 5 10.0.0.2' 'it reaches its source'
is "the source's MAC is on its own port" \
    "$(bridge fdb show br xenbr0 | awk -v mac="$source_mac" '$1 == mac { print $3 }' | sort -u)" \
    "vif$(domid_of source).0"
check 'it goes' xl fork-destroy web
done_testing
