#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Held and connected NICs keep what their script has made of them: a port of a bridge with VLANs, an interface on no
# bridge, a route; and none is heard with what its guest said before. And NICs that a clone is given later.
# live: --source --timeout 300
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"

vif_of() { printf 'vif%d.%d\n' "$(domid_of "$1")" "$2"; }
scripts=/etc/xen/scripts

# A bridge with VLANs, somebody who listens in VLAN 20, and scripts of an administrator's.
ip link add vlans type bridge vlan_filtering 1
ip link add listener type veth peer name port20
ip link set port20 master vlans
bridge vlan del dev port20 vid 1
bridge vlan add dev port20 vid 20 pvid untagged
for dev in vlans port20 listener; do ip link set "$dev" up; done
script() {
    cat - >"$scripts/$1"
    chmod +x "$scripts/$1"
}
script vif-vlan20 <<'END'
#!/bin/bash
. "$(dirname "$0")/vif-common.sh"
[ "$command" = online ] || exit 0
ip link set "$dev" mtu 1400 master vlans
bridge vlan del dev "$dev" vid 1
bridge vlan add dev "$dev" vid 20 pvid untagged
bridge link set dev "$dev" isolated on guard on hairpin on priority 9 cost 77
tc qdisc add dev "$dev" root tbf rate 8mbit burst 32kb latency 400ms
tc qdisc add dev "$dev" clsact
tc filter add dev "$dev" ingress prio 7 protocol ip matchall action pass
ip link set "$dev" up
success
END
script vif-alone <<'END'
#!/bin/bash
. "$(dirname "$0")/vif-common.sh"
[ "$command" = online ] || exit 0
ip link set "$dev" up
success
END
script vif-routed <<'END'
#!/bin/bash
. "$(dirname "$0")/vif-common.sh"
[ "$command" = online ] || exit 0
ip addr add 10.8.0.1/32 dev "$dev"
ip link set "$dev" up
echo 1 >"/proc/sys/net/ipv4/conf/$dev/proxy_arp"
do_or_die ip route add "$ip" dev "$dev" metric 2
success
END

# The source has all of them.
attach() { xl network-attach source "$@"; }
check 'a port of a VLAN' attach script=vif-vlan20
check 'on no bridge' attach script=vif-alone rate=1MB/s
check 'a route' attach script=vif-routed ip=10.8.0.2
# shellcheck disable=SC2016  # expanded in the guest
is 'they are up in the guest' "$(ask source 'sh for n in 1 2 3; do ip addr add 10.7.$n.2/24 dev eth$n && ip link set eth$n up || exit 1; done' |
    json .status)" 0

# Its agent's part, and talkers that say in what time they live: whose address they ask for.
phase() { ask "$1" "sh echo $2 >/tmp/phase.new; mv /tmp/phase.new /tmp/phase" >/dev/null; }
phase source 1
for n in 1 2 3; do
    ask source "sh (while :; do arping -q -c 1 -w 1 -I eth$n 10.7.$n.\$(cat /tmp/phase); usleep 300000; done) \
        >/dev/null 2>&1 &" >/dev/null
done

# What is of a NIC, without its name and numbers, its carrier, the multicast groups just heard of, and our own filter.
made() {
    local dev
    dev=$(vif_of "$1" "$2")
    {
        bridge -d link show dev "$dev" | sed 's/^[0-9]*: [^:]*: //; s/ hwmode.*//; s/ mcast_n_groups [0-9]*//'
        bridge vlan show dev "$dev" | sed "s/$dev//"
        tc qdisc show dev "$dev" | grep -o 'rate.*'
        tc filter show dev "$dev" ingress | grep -o 'pref [2-9].*'
        ip link show dev "$dev" | grep -o ' mtu [0-9]*\|master [^ ]*\|,UP'
        ip route show dev "$dev" | sed 's/10.8.0.[0-9]*//g'
        ip -o addr show dev "$dev" | grep -o 'inet [^ ]*'
        cat "/proc/sys/net/ipv4/conf/$dev/proxy_arp"
    } 2>&1 | sed 's/<.*>//; s/ state [^ ]*//; s/ linkdown//' | grep -v '^ *$'
}

tc qdisc add dev "$(vif_of source 2)" ingress
refusal=$(xl fork-check source 2>&1)
check 'a second route to one address is found by the check' grep -q 'NIC 3.*routes ip=10.8.0.2' <<<"$refusal"
check 'with the way out' grep -q -- '--nic 3,ip=' <<<"$refusal"
check 'and what cannot be held' grep -q "$(vif_of source 2) has an ingress qdisc" <<<"$refusal"
tc qdisc del dev "$(vif_of source 2)" ingress
wanted=''
for n in 0 1 2 3; do wanted+="NIC $n: $(made source "$n")"$'\n'; done
check 'the yardstick has them all' grep -q 'isolated on.*' <<<"$wanted"
check 'and its VLAN' grep -q '20 PVID Egress Untagged' <<<"$wanted"

tcpdump -nn -U -i listener -w /tmp/listener 2>/dev/null &
listening=$!
check 'fork, held' xl fork --nic 3,ip=10.8.0.4 source held
check 'it runs' wait_until 60 ticks_on held
for n in 0 1 2 3; do check "NIC $n is held" held "$(vif_of held "$n")"; done
received() { cat "/sys/class/net/$(vif_of held "$1")/statistics/rx_packets"; }
talks() { [ "$(received 1)" -gt 8 ] && [ "$(received 2)" -gt 8 ] && [ "$(received 3)" -gt 2 ]; }
check 'it talks' wait_until 60 talks
mac=$(info held '.nics[1].mac')
heard() { tcpdump -nn -r "$1" "${@:2}" 2>/dev/null | wc -l; }
at_least 'who listens hears the source' "$(heard /tmp/listener arp)" 1
is 'and never the clone' "$(heard /tmp/listener "ether src $mac")" 0
got=''
for n in 0 1 2 3; do got+="NIC $n: $(made held "$n")"$'\n'; done
is 'held, they are what their scripts have made of them' "$got" "$wanted"

# Connected: from the first frame on, what is said now.
phase held 3
sleep 1
tcpdump -nn -U -i "$(vif_of held 2)" -w /tmp/alone 2>/dev/null &
alone=$!
tcpdump -nn -U -i "$(vif_of held 3)" -w /tmp/routed 2>/dev/null &
routed=$!
wait_until 10 test -s /tmp/alone
check 'connected' eval 'xl fork-net -v -v held connect 2>/tmp/connect'
connected=$(date +%s.%N)
is 'what was on its way has been waited for' "$(grep -c 'all that was given to NIC' /tmp/connect)" 4
got=''
for n in 0 1 2 3; do got+="NIC $n: $(made held "$n")"$'\n'; done
is 'connected, they are the same' "$got" "$wanted"
clsacts() { for n in 0 1 2 3; do tc qdisc show dev "$(vif_of held "$n")" | grep -c clsact; done | paste -sd' '; }
is 'nothing of ours is left' "$(clsacts)" '0 1 0 0'
heard_clone() { [ "$(heard /tmp/listener "ether src $mac")" -ge 2 ]; }
check 'the clone is heard in its VLAN' wait_until 30 heard_clone
# An old request is for 10.7.n.1.
is 'nothing of before, in the VLAN' "$(heard /tmp/listener "ether src $mac and arp[24:4] = 0x0a070101")" 0
after() {
    tcpdump -tt -nn -r "$1" "${@:2}" 2>/dev/null | awk -v from="$connected" '$1 > from' | wc -l
}
heard_all() { [ "$(after /tmp/alone arp)" -ge 1 ] && [ "$(after /tmp/routed arp)" -ge 1 ]; }
wait_until 30 heard_all
kill "$alone" "$routed" "$listening"
wait "$alone" "$routed" "$listening" 2>/dev/null
at_least 'it is heard on no bridge' "$(after /tmp/alone 'arp[24:4] = 0x0a070203')" 1
is 'nothing of before there' "$(after /tmp/alone 'arp[24:4] = 0x0a070201')" 0
at_least 'and on the route' "$(after /tmp/routed 'arp[24:4] = 0x0a070303')" 1
is 'nothing of before' "$(after /tmp/routed 'arp[24:4] = 0x0a070301')" 0

# All or nothing; and those that it is given later, by whatever name.
check 'it is given another' xl network-attach held script=vif-alone vifname=hot0
is 'xl fork-info shows it' "$(info held '.nics | length')" 5
check 'hold' xl fork-net held hold
for dev in "$(vif_of held 0)" "$(vif_of held 1)" hot0; do check "$dev is held" held "$dev"; done
is 'and says so' "$(info held '.nics[4].link')" hold
tc filter add dev hot0 ingress prio 9 protocol ip matchall action pass
check 'connect' xl fork-net held connect
check 'a filter of somebody else is left' eval 'tc filter show dev hot0 ingress | grep -q "pref 9"'
ip link set hot0 down
ip link set hot0 name gone0
check 'one has gone: refused' says_no hot0 xl fork-net held hold
for n in 0 1 2 3; do check "NIC $n is connected as before" eval "! held $(vif_of held "$n")"; done
ip link set gone0 name hot0
check 'it is taken away' xl network-detach held 4
is 'xl fork-info does not show it' "$(info held '.nics | length')" 4

check 'it goes' xl fork-destroy held
done_testing
