#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones on Open vSwitch: held and connected they keep their VLAN, trunks, QoS and flows, are not heard while they are
# held, nor hear each other, and a port that cannot be held is refused by name.
# live: --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"

scripts=/etc/xen/scripts
vif_of() { printf 'vif%d.%d\n' "$(domid_of "$1")" "${2:-0}"; }
has_name() { [ -n "$(domid_of "$1")" ]; }
guest() { ask "$1" "sh $2" | json .status; }

modprobe -a openvswitch act_police || bail_out 'no openvswitch in this kernel'
mkdir -p /run/openvswitch /var/log/openvswitch
check 'Open vSwitch starts' /usr/share/openvswitch/scripts/ovs-ctl start --system-id=random --no-monitor
check 'a switch' ovs-vsctl --timeout=20 add-br ovs0
check 'a listener in VLAN 20' ovs-vsctl --timeout=20 add-port ovs0 listener tag=20 -- set interface listener type=internal
ip link set listener up
ip addr add 10.9.0.1/24 dev listener

# A port as an administrator sets it up.
cat >$scripts/vif-own <<'END'
#!/bin/bash
. "$(dirname "$0")/vif-common.sh"
if [ "$command" = offline ]; then
    ovs-vsctl --timeout=20 --if-exists del-port "$dev"
    exit 0
fi
[ "$command" = online ] || exit 0
do_or_die ovs-vsctl --timeout=20 -- --if-exists del-port $dev -- add-port ovs0 $dev tag=20 trunks=20,30 \
    vlan_mode=native-untagged -- set port $dev qos=@q -- --id=@q create qos type=linux-htb other-config:max-rate=8000000
do_or_die ovs-ofctl add-flow ovs0 "priority=7,in_port=$dev,udp,tp_dst=9999,actions=drop"
ip link set "$dev" up
success
END
chmod +x $scripts/vif-own

start_source web 128 'vif = [ "script=vif-openvswitch,bridge=ovs0.20,mac=00:16:3e:00:00:22", "script=vif-own,mac=00:16:3e:00:00:23" ]' \
    'extra = "console=hvc0 quiet panic=1 mitigations=off xf.ip=10.9.0.2/24"'
hears() { ping -q -c 1 -W 2 -I listener "$1"; }
check 'the source is heard in its VLAN' wait_until 30 hears 10.9.0.2

# port VIF: what the switch has of it, but for what names it
port() {
    ovs-vsctl --timeout=20 --columns=tag,trunks,vlan_mode --format=csv --no-headings list port "$1"
    ovs-ofctl dump-flows ovs0 "in_port=$1" | grep -o 'priority=7.*' | sed 's/in_port=[^,]*/in_port=PORT/'
    tc qdisc show dev "$1" root | sed -n 's/^qdisc \([^ ]*\) .*/\1/p'
}
check 'a fork is possible' xl fork-check web
check 'fork' timeout 120 xl fork -n 2 --no-hydrate web k
for clone in k-1 k-2; do
    check "$clone runs" wait_until 60 ticks_on "$clone"
    for n in 0 1; do
        is "$clone: port $n is as its source's" "$(port "$(vif_of $clone $n)")" "$(port "$(vif_of web $n)")"
        check "$clone: and held" held "$(vif_of $clone $n)"
    done
done
diag "$(ovs-vsctl show)" "$(port "$(vif_of k-1 1)")"

# Nobody hears them; they do not hear each other; whatever else happens to the switch.
tcpdump -nn -U -i listener -w /data/heard 2>/dev/null & dumps=($!)
for clone in k-1 k-2; do
    tcpdump -nn -U -Q out -i "$(vif_of $clone)" -w /data/$clone 2>/dev/null & dumps+=($!)
done
sleep 1
say() { for clone in k-1 k-2; do guest $clone 'arping -q -c 2 -w 3 -I eth0 10.9.0.1; arping -q -c 2 -w 3 -U -I eth0 10.9.0.2' >/dev/null; done; }
mac() { info "$1" '.nics[0].mac'; }
from() { tcpdump -nn -r "$1" "ether src $(mac k-1) or ether src $(mac k-2)" 2>/dev/null | wc -l; }
says() { tcpdump -nn -r "$1" "ether src $2" 2>/dev/null | wc -l; }
say
# Whoever listens hears the source.
check 'the source is heard' wait_until 30 hears 10.9.0.2
sleep 1
at_least 'and so captured' "$(says /data/heard 00:16:3e:00:00:22)" 1
is 'they are not heard' "$(from /data/heard)" 0
check 'another port comes' eval 'ip link add other type veth peer name far && ovs-vsctl --timeout=20 add-port ovs0 far tag=20'
check 'the switch starts again' /usr/share/openvswitch/scripts/ovs-ctl restart --system-id=random --no-monitor
for clone in k-1 k-2; do for n in 0 1; do check "$clone: port $n is held still" held "$(vif_of $clone $n)"; done; done
before=$(says /data/heard 00:16:3e:00:00:22)
say
check 'the source is heard still' wait_until 30 hears 10.9.0.2
sleep 1
at_least 'and so captured' "$(says /data/heard 00:16:3e:00:00:22)" $((before + 1))
is 'they are not' "$(from /data/heard)" 0
ping -q -c 2 -W 1 -b -I listener 10.9.0.255 >/dev/null 2>&1
for clone in k-1 k-2; do is "nothing came to $clone" "$(tcpdump -nn -r /data/$clone 2>/dev/null | wc -l)" 0; done

# Connected.
was=$(port "$(vif_of k-1 0)"; port "$(vif_of k-1 1)")
check 'connected' xl fork-net k-1 connect
check 'not held' eval '! held "$(vif_of k-1)"'
is 'the ports are as before' "$(port "$(vif_of k-1 0)"; port "$(vif_of k-1 1)")" "$was"
guest k-1 'ip addr flush dev eth0; ip addr add 10.9.0.40/24 dev eth0' >/dev/null
check 'heard, in its VLAN' wait_until 30 hears 10.9.0.40
sleep 1
at_least 'as its own capture has it' "$(tcpdump -nn -r /data/k-1 2>/dev/null | wc -l)" 1
is 'and not the other' "$(tcpdump -nn -r /data/heard "ether src $(mac k-2)" 2>/dev/null | wc -l)" 0
check 'held again' xl fork-net k-1 hold
check 'not heard' eval '! hears 10.9.0.40'
kill "${dumps[@]}"
check 'they go' timeout 60 xl fork-destroy k-1 k-2
is 'with their ports' "$(ovs-vsctl --timeout=20 list-ports ovs0 | grep -c '^vif')" 2

# Frames that a program passes on come before any filter.
check 'a switch of the userspace datapath' ovs-vsctl --timeout=20 add-br usr0 -- set bridge usr0 datapath_type=netdev
check 'a NIC on it' timeout 60 xl network-attach web script=vif-openvswitch bridge=usr0 mac=00:16:3e:00:00:24
said=$(xl fork-check web 2>&1) && status=0 || status=$?
diag "$said"
is 'refused' "$status" 1
check 'by name' grep -q "$(vif_of web 2) is a port of Open vSwitch's userspace datapath" <<<"$said"
check 'with the way out' grep -q 'datapath_type=system, or say --net connect' <<<"$said"
check 'connected, it is forked' timeout 120 xl fork --net connect web loud
check 'and goes' timeout 60 xl fork-destroy loud
done_testing
