#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Interfaces over a network card, of the kernel's own: the agent's hook renews a bond, a VLAN, a bridge and a macvlan over
# it. In a network of dom0's, whose kernel has them all: no guest runs.
# live: --timeout 200
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"

hook=/etc/xenfork/post-fork.d/40-network
for module in bonding 8021q macvlan bridge veth; do modprobe $module || bail_out "no $module"; done
[ -x $hook ] || bail_out 'no agent'

cat >/tmp/inside <<'INSIDE'
mount -t sysfs sysfs /sys
ip link set lo up
for n in 0 1; do
    ip link add eth$n type veth peer name far$n
    ip link set eth$n address 00:16:3e:00:00:0$((n + 2))
    ip link set far$n up
done
ip link add bond0 type bond mode active-backup miimon 100
for n in 0 1; do ip link set eth$n master bond0; ip link set eth$n up; done
ip link set bond0 up
ip link add link bond0 name bond0.5 type vlan id 5
ip link add br0 type bridge
ip link set bond0.5 master br0
ip link add link bond0 name mv0 type macvlan mode bridge
for d in bond0.5 br0 mv0; do ip link set $d up; done
ip addr add 10.0.0.2/24 dev br0; ip -6 addr add 2001:db8::2/64 dev br0; ip route add default via 10.0.0.1
ip addr add 10.9.0.2/24 dev bond0; ip addr add 10.8.0.2/24 dev mv0
sleep 3
ip -o link >/tmp/before; ip -o addr >>/tmp/before
# The clone's cards have other MAC addresses all at once.
for n in 0 1; do ip link set eth$n address 00:16:3e:77:00:0$n; done
mkdir -p /tmp/net/far
for d in /sys/class/net/*; do
    case ${d##*/} in
        far*) ;;
        eth*) mkdir -p "/tmp/net/${d##*/}/device"; ln -s "$d"/* "/tmp/net/${d##*/}/" ;;
        *) ln -s "$d" "/tmp/net/${d##*/}" ;;
    esac
done
rmdir /tmp/net/far
mkdir -p /tmp/root/etc /tmp/root/run
: >/tmp/reason
env ROOT=/tmp/root PROC=/proc NET=/tmp/net XENFORK_ROLE=clone XENFORK_REASON=/tmp/reason XENFORK_PARAM_IP=10.0.0.41/16 \
    XENFORK_SOURCE_MACS='0=00:16:3e:00:00:02 1=00:16:3e:00:00:03' sh /etc/xenfork/post-fork.d/40-network 2>/tmp/said
echo $? >/tmp/status
for d in eth0 eth1 bond0 bond0.5 br0 mv0; do echo "$d $(cat /sys/class/net/$d/address)"; done >/tmp/macs
ip -o addr >/tmp/addresses
ip route >/tmp/routes
cat /proc/net/bonding/bond0 >/tmp/bond
cat /sys/class/net/bond0/operstate >/tmp/operstate
INSIDE
unshare --net --mount sh -e /tmp/inside || bail_out 'no network'
diag "$(cat /tmp/before)" "$(cat /tmp/macs /tmp/addresses /tmp/routes)"
is 'the hook succeeds' "$(cat /tmp/status) $(cat /tmp/reason)" '0 '
is 'what lies over the bond has one new MAC' "$(awk '$1 ~ /^(bond0|bond0.5|br0)$/ { print $2 }' /tmp/macs | sort -u)" 00:16:3e:77:00:00
isnt 'the macvlan has none of its source' "$(awk '$1 == "mv0" { print $2 }' /tmp/macs)" \
    "$(sed -n 's/.*mv0@.*ether \([^ ]*\) .*/\1/p' /tmp/before)"
check 'nothing has a MAC of the source' eval '! grep -q 00:16:3e:00:00:0 /tmp/macs'
is "its address, where the source's was" "$(awk '$3 == "inet" && $4 !~ /^127/ { print $2, $4 }' /tmp/addresses)" 'br0 10.0.0.41/16'
check "no IPv6 address of the source's" eval '! grep -q -e 2001:db8::2 -e "fe80::216:3eff:fe00:" /tmp/addresses'
check 'a link-local address of the new MAC' grep -q 'br0 .*fe80::216:3eff:fe77:0/64' /tmp/addresses
is 'the bond is up' "$(cat /tmp/operstate) $(grep -c '^MII Status: up' /tmp/bond)" 'up 3'
check 'the route is there still' grep -q '^default via 10.0.0.1 dev br0' /tmp/routes
done_testing
