#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# 40-network with real DHCP clients: see network.sh.

# shellcheck source=tests/agent/network.sh
. "${srcdir:?}/tests/agent/network.sh"

programs='dhclient dhcpcd udhcpc'

if [ "${1:-}" != --inside ]; then
    if ! has dnsmasq || ! { has dhclient || has dhcpcd || has udhcpc; }; then
        echo '1..0 # SKIP dnsmasq, or each of dhclient, dhcpcd, udhcpc, is not installed'
        exit 0
    fi
    in_networks dhclient:11 dhcpcd:11 dhcpcd-4:11 udhcpc:11 busybox:1
fi
program=${2%-4} count=$3
if ! has dnsmasq || ! has "$program" || ! has pgrep; then
    skip "$4" "$program, dnsmasq or pgrep is not installed"
    exit 0
fi
make_network

# client COMMAND…: as the source has it, then as the clone goes on
client() {
    # The source's client must not renew its lease before the hook has come to it.
    serve 20
    "$@" >/dev/null 2>&1 &
    check "$program: the source has a lease" wait_for got
    old=$(address eth0) old_lease=$(lease "$old_mac")
    become_another
    : >"$dir/server.log"
    adapt XENFORK_PARAM_IP=dhcp
    check "$program: the hook succeeds" is "$status:$(cat "$dir/reason")" 0:
    check "$program: the clone gets another address" wait_for is_new
    check "$program: as another client" is_its_own
    check "$program: the source's lease is the source's still" is \
        "$(lease "$old_mac")" "$old_lease"
    now=$(address eth0)
    lose_carrier
    check "$program: the same after the carrier was gone" wait_for is_again
    end_clients
    ip addr flush dev eth0
    "$@" >/dev/null 2>&1 &
    wait_for got
    check "$program: and after a boot" is "$(address eth0)" "$now"
    check "$program: nobody asked for the source's, or gave it back" not is_asked_for
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
    become_another
    adapt XENFORK_PARAM_IP=$range.200/24
    check "$program: an address of the clone's own" is "$status:$(address eth0)" \
        "0:$range.200"
    : >"$dir/server.log"
    lose_carrier
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

# Nothing but the kernel's name can be changed.
read_only() {
    use_busybox
    mkdir -p "$dir/etc"
    echo db >"$dir/etc/hostname"
    echo 127.0.0.1 db >"$dir/etc/hosts"
    mount -o remount,bind,ro /etc
    run env PATH="$hook_path" XENFORK_REASON="$dir/reason" XENFORK_PARAM_HOSTNAME=alpha \
        sh "${hook%/*}/10-hostname"
    check 'busybox: a read-only system has its host name' is \
        "$status:$(cat "$dir/reason" 2>/dev/null):$(hostname)" 0::alpha
}

case $2 in
busybox)
    read_only
    exit
    ;;
dhclient) set -- dhclient -nw eth0 ;;
dhcpcd) set -- dhcpcd -b eth0 ;;
dhcpcd-4) set -- dhcpcd -b -4 eth0 ;;
udhcpc)
    use_busybox
    set -- udhcpc -b -i eth0 -p /run/udhcpc.eth0.pid ;;
esac
client "$@"
fixed "$@"
