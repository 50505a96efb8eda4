#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# 40-network with real DHCP clients, each in a network of its own with a server: a
# "clone" has another MAC address all at once, while the client that the source has
# started goes on.  Needs root, and programs that few hosts have: what is not there is
# skipped, by name.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

hook="$(cd "$srcdir" && pwd)/guest/post-fork.d/40-network"
old_mac=00:16:3e:00:00:02 new_mac=00:16:3e:77:00:09
range=10.77.0

has() { command -v "$1" >/dev/null 2>&1; }

# skip NUMBER WHY
skip() {
    left=$1
    while [ "$left" -gt 0 ]; do
        count=$((count + 1)) left=$((left - 1))
        echo "ok $count # skip $2"
    done
}

CHECKS=11
programs='dhclient dhcpcd udhcpc'

# Alone with the network, and with files in memory: this machine's stay as they are.
if [ "${1:-}" != --inside ]; then
    if ! has dnsmasq || ! { has dhclient || has dhcpcd || has udhcpc; }; then
        echo '1..0 # SKIP dnsmasq, or each of dhclient, dhcpcd, udhcpc, is not installed'
        exit 0
    fi
    plan $((3 * CHECKS))
    for program in $programs; do
        unshare --net --mount --pid --fork --kill-child --propagation private \
            --mount-proc sh "$0" --inside "$program" "$count" \
            >"$dir/$program" 2>"$dir/$program.err" &
        count=$((count + CHECKS))
    done
    wait
    count=0
    for program in $programs; do
        if [ "$(grep -c '^\(not \)\?ok ' "$dir/$program")" = $CHECKS ]; then
            cat "$dir/$program"
            count=$((count + CHECKS))
        elif ! has unshare || ! has ip || ! unshare --net true 2>/dev/null; then
            skip $CHECKS "$program: no root, or no unshare or ip (iproute2)"
        else
            sed 's/^/# /' "$dir/$program" "$dir/$program.err"
            exit 1
        fi
    done
    exit 0
fi
program=$2 count=$3
if ! has dnsmasq || ! has "$program" || ! has pgrep; then
    skip $CHECKS "$program, dnsmasq or pgrep is not installed"
    exit 0
fi
mount -t sysfs sysfs /sys
mkdir "$dir/etc" && cp -a /etc/. "$dir/etc" 2>/dev/null
mount --bind "$dir/etc" /etc
for folder in /run /var/lib; do
    mount -t tmpfs tmpfs "$folder"
done
mkdir -p /run/netns /var/lib/dhcp /var/lib/dhcpcd /var/lib/misc
# Scripts of the clients must not touch more than addresses.
rm -rf /etc/dhcp/dhclient-*-hooks.d

cleanup() {
    ip netns del server 2>/dev/null
    umount /etc
    rm -rf "$dir"
}
trap cleanup EXIT

# The card, as the hook finds it: veth has no device.
see_card() {
    rm -rf "$dir/net"
    mkdir -p "$dir/net"
    for path in /sys/class/net/*; do
        name=${path##*/}
        case $name in
        eth*)
            mkdir "$dir/net/$name" "$dir/net/$name/device"
            ln -s "$path"/* "$dir/net/$name/"
            ;;
        *) ln -s "$path" "$dir/net/$name" ;;
        esac
    done
}

ip netns add server
ip link set lo up
ip link add eth0 type veth peer name far0
ip link set eth0 address "$old_mac"
ip link set far0 netns server
ip netns exec server ip link set far0 up
ip netns exec server ip addr add "$range.1/24" dev far0
ip link set eth0 up

# adapt [VARIABLE=VALUE…]
adapt() {
    see_card
    : >"$dir/reason"
    run env NET="$dir/net" XENFORK_ROLE=clone XENFORK_REASON="$dir/reason" \
        XENFORK_SOURCE_MACS="0=$old_mac" "$@" sh "$hook"
}

address() {
    ip -4 -o addr show dev "$1" | awk '{ sub("/.*", "", $4); print $4; exit }'
}

# Up to 15 seconds: wait_for COMMAND…
wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 75 ] || return 1
        sleep 0.2
    done
}
got() { [ -n "$(address eth0)" ]; }
is_new() { got && [ "$(address eth0)" != "$old" ]; }
is_again() { [ "$(address eth0)" = "$now" ]; }
not() { ! "$@"; }

serve() {
    : >"$dir/leases"
    ip netns exec server dnsmasq --conf-file=/dev/null --port=0 --no-daemon \
        --interface=far0 --bind-interfaces --dhcp-range="$range.50,$range.99,2m" \
        --dhcp-option=option:T1,4 --dhcp-option=option:T2,7 --dhcp-sequential-ip --dhcp-leasefile="$dir/leases" --log-dhcp \
        --log-facility="$dir/server.log" --user=root >/dev/null 2>&1 &
    server=$!
    sleep 0.5
}

# lease MAC: the address and client id that the server has given it
lease() { awk -v mac="$1" '$2 == mac { print $3, $5 }' "$dir/leases"; }

# By another client id than the source's, or by none ("*"): by its MAC address
is_its_own() {
    id=$(lease "$new_mac")
    [ "${id%% *}" = "$(address eth0)" ] &&
        { [ "${id#* }" = '*' ] || [ "${id#* }" != "${old_lease#* }" ]; }
}

# client COMMAND…: as the source has it, then as the clone goes on
client() {
    serve
    "$@" >/dev/null 2>&1 &
    check "$program: the source has a lease" wait_for got
    old=$(address eth0) old_lease=$(lease "$old_mac")
    ip link set eth0 address "$new_mac"
    : >"$dir/server.log"
    adapt XENFORK_PARAM_IP=dhcp
    check "$program: the hook succeeds" is "$status:$(cat "$dir/reason")" 0:
    check "$program: the clone gets another address" wait_for is_new
    check "$program: as another client" is_its_own
    check "$program: the source's lease is the source's still" is \
        "$(lease "$old_mac")" "$old_lease"
    now=$(address eth0)
    ip netns exec server ip link set far0 down
    sleep 1
    ip netns exec server ip link set far0 up
    check "$program: the same after the carrier was gone" wait_for is_again
    end_clients
    ip addr flush dev eth0
    "$@" >/dev/null 2>&1 &
    wait_for got
    check "$program: and after a boot" is "$(address eth0)" "$now"
    check "$program: nobody asked for the source's, or gave it back" not grep -q \
        -e "DHCPREQUEST.* $old " -e "DHCPRELEASE.* $old " \
        -e "requested address: $old\$" "$dir/server.log"
    end_clients
}

# fixed COMMAND…: the clone has an address of its own, and no use for the client
fixed() {
    kill "$server"
    wait "$server" 2>/dev/null
    rm -rf /var/lib/dhcp/* /var/lib/dhcpcd/*
    ip addr flush dev eth0
    ip link set eth0 address "$old_mac"
    serve
    "$@" >/dev/null 2>&1 &
    wait_for got
    old=$(address eth0)
    ip link set eth0 address "$new_mac"
    adapt XENFORK_PARAM_IP=$range.200/24
    check "$program: an address of the clone's own" is "$status:$(address eth0)" \
        "0:$range.200"
    : >"$dir/server.log"
    # A lease is renewed after 4 seconds.
    ip netns exec server ip link set far0 down
    sleep 1
    ip netns exec server ip link set far0 up
    sleep 8
    check "$program: nothing brings the source's back" is \
        "$(ip -4 -o addr show dev eth0 | awk '{ print $4 }')" "$range.200/24"
    check "$program: the source's is not asked for" not grep -q \
        -e "DHCPREQUEST.* $old " "$dir/server.log"
    end_clients
}

end_clients() {
    for one in $programs; do
        pkill -KILL -x "$one"
    done
    sleep 0.2
}

case $program in
dhclient) set -- dhclient -nw eth0 ;;
dhcpcd) set -- dhcpcd -b eth0 ;;
udhcpc) set -- udhcpc -b -i eth0 -p /run/udhcpc.eth0.pid ;;
esac
client "$@"
fixed "$@"
