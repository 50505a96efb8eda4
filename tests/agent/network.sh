# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2034,SC2154 # variables of those scripts
# For clients.t and managers.t: real programs that set addresses, each in a network
# of its own with a DHCP server.  A "clone" has another MAC address all at once,
# while what the source has started goes on.  Needs root, and programs that few
# hosts have: what is not there is skipped, by name.

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

# in_networks NAME:CHECKS…: this script with each, all at once, alone with the
# network and with files in memory: this machine's stay as they are.
in_networks() {
    total=0
    for one; do total=$((total + ${one#*:})); done
    plan "$total"
    for one; do
        unshare --net --mount --pid --ipc --uts --fork --kill-child \
            --propagation private --mount-proc sh "$0" --inside "${one%:*}" \
            "$count" "${one#*:}" >"$dir/${one%:*}" 2>"$dir/${one%:*}.err" &
        count=$((count + ${one#*:}))
    done
    wait
    count=0
    for one; do
        if [ "$(grep -c '^\(not \)\?ok ' "$dir/${one%:*}")" = "${one#*:}" ]; then
            cat "$dir/${one%:*}"
            count=$((count + ${one#*:}))
        elif ! has unshare || ! has ip || ! unshare --net true 2>/dev/null; then
            skip "${one#*:}" "${one%:*}: no root, or no unshare or ip (iproute2)"
        else
            sed 's/^/# /' "$dir/${one%:*}" "$dir/${one%:*}.err"
            exit 1
        fi
    done
    exit 0
}

cleanup() {
    ip netns del server 2>/dev/null
    umount /etc
    rm -rf "$dir"
}

# A card, eth0, with a server at its other end, far0.
make_network() {
    mount -t sysfs sysfs /sys
    mkdir "$dir/etc" && cp -a /etc/. "$dir/etc" 2>/dev/null
    mount --bind "$dir/etc" /etc
    for folder in /run /var/lib; do
        mount -t tmpfs tmpfs "$folder"
    done
    mkdir -p /run/netns /var/lib/dhcp /var/lib/dhcpcd /var/lib/misc
    # Scripts of the clients must not touch more than addresses.
    rm -rf /etc/dhcp/dhclient-*-hooks.d
    trap cleanup EXIT
    ip netns add server
    ip link set lo up
    ip link add eth0 type veth peer name far0
    ip link set eth0 address "$old_mac"
    ip link set far0 netns server
    ip netns exec server ip link set far0 up
    ip netns exec server ip addr add "$range.1/24" dev far0
    ip link set eth0 up
}

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

# The clone, all at once: another fork, and another MAC address.
generation=0
become_another() {
    generation=$((generation + 1))
    ip link set eth0 address "$new_mac"
}

# adapt [VARIABLE=VALUE…]
adapt() {
    see_card
    : >"$dir/reason"
    run env NET="$dir/net" XENFORK_ROLE=clone XENFORK_GENERATION=$generation \
        XENFORK_STATE="$dir/state" XENFORK_REASON="$dir/reason" \
        XENFORK_SOURCE_MACS="0=$old_mac" "$@" ${hook_path:+PATH="$hook_path"} sh "$hook"
}

address() {
    ip -4 -o addr show dev "$1" | awk '{ sub("/.*", "", $4); print $4; exit }'
}

# Hooks run by busybox from here on, as in a small system.
use_busybox() {
    mkdir "$dir/busybox"
    for applet in sh ip awk sed grep tr head tail cut od readlink cat rm mv mkdir cmp mktemp \
        sleep env uname hostname; do
        ln -s "$(command -v busybox)" "$dir/busybox/$applet"
    done
    hook_path=$dir/busybox:$PATH
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

# A lease is renewed after 4 seconds.  serve [SECONDS]
serve() {
    t1=${1:-4}
    : >"$dir/leases"
    ip netns exec server dnsmasq --conf-file=/dev/null --port=0 --no-daemon \
        --interface=far0 --bind-interfaces --dhcp-range="$range.50,$range.99,2m" \
        --dhcp-option=option:T1,"$t1" --dhcp-option=option:T2,$((t1 + 3)) --dhcp-sequential-ip \
        --dhcp-leasefile="$dir/leases" --log-dhcp \
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

# Did anybody ask for the address of before, or give it back?
is_asked_for() {
    grep -q -e "DHCPREQUEST.* $old " -e "DHCPRELEASE.* $old " \
        -e "requested address: $old\$" "$dir/server.log"
}

lose_carrier() {
    ip netns exec server ip link set far0 down
    sleep 1
    ip netns exec server ip link set far0 up
}
