# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: what lies over a network card, and the MAC and link-local
# addresses of it.  The kernel of a clone gives the card its new MAC address, and
# tells nobody.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

DAD=20 # halves of a second for the kernel to find its addresses unique

# Ethernet, and of a device: no bridges, tunnels and their like.
find_cards() {
    for path in "$NET"/*; do
        [ -e "$path/device" ] && read_line "$path/type" &&
            [ "$line" = 1 ] && printf '%s\n' "${path##*/}"
    done
}

mac_of() {
    read_line "$NET/$1/address" && printf '%s\n' "$line"
}

# vlan, bond, bridge, macvlan, …
kind_of() {
    sed -n 's/^DEVTYPE=//p' "$NET/$1/uevent" 2>/dev/null
}

# The other end of a veth, if it is in this system: each names the other.
peer_of() {
    read_line "$NET/$1/ifindex"
    here=$line
    read_line "$NET/$1/iflink"
    there=$line
    [ -n "$here" ] && [ "$here" != "$there" ] || return 1
    for other in "$NET"/*; do
        if read_line "$other/ifindex" && [ "$line" = "$there" ] &&
            read_line "$other/iflink" && [ "$line" = "$here" ]; then
            printf '%s\n' "${other##*/}"
            return 0
        fi
    done
    return 1
}

# Other ports of a bridge that are neither cards nor made of one.
ports_of() {
    for port in "$NET/$1"/brif/*; do
        port=${port##*/}
        [ -e "$NET/$port" ] && [ ! -e "$NET/$port/device" ] || continue
        set -- "$1" "$NET/$port"/lower_*
        [ -e "$2" ] || [ -L "$2" ] || printf '%s\n' "$port"
    done
}

# The device itself, and all that lies over it, bottom first.
stack_of() {
    seen=" $1 " queue=$1
    while [ -n "$queue" ]; do
        next=
        for one in $queue; do
            printf '%s\n' "$one"
            uppers=$(for link in "$NET/$one"/upper_*; do
                [ ! -e "$link" ] && [ ! -L "$link" ] ||
                    printf '%s\n' "${link##*/upper_}"
            done
            for port in $(ports_of "$one"); do
                printf '%s\n' "$port"
                peer_of "$port" || :
            done)
            for upper in $uppers; do
                case $seen in *" $upper "*) continue ;; esac
                seen="$seen$upper " next="$next $upper"
            done
        done
        queue=$next
    done
}

# Print the one of these devices that has the source's addresses: whose is the
# default route, else the first with an address, else the topmost.
find_target() {
    holder=
    for device in $1; do
        if [ -n "$(default_gateway "$device")" ]; then
            printf '%s\n' "$device"
            return
        fi
        if [ -z "$holder" ] && [ -n "$(addresses "$device"
            addresses6 "$device" static)" ]; then
            holder=$device
        fi
    done
    if [ -z "$holder" ]; then
        holder=$card
        while [ -L "$NET/$holder/master" ]; do
            holder=$(readlink "$NET/$holder/master")
            holder=${holder##*/}
        done
    fi
    printf '%s\n' "$holder"
}

random_mac() {
    head -c 5 /dev/urandom | od -An -v -tx1 | sed 's/^/02/; s/ /:/g'
}

# fe80::… as the kernel makes it of a MAC address.
link_local() {
    printf '%s\n' "$1" | awk -F: '
        function value(text,    i, n) {
            for (i = 1; i <= length(text); i++)
                n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
            return n
        }
        NF == 6 {
            a = value($1)
            a = int(a / 2) % 2 ? a - 2 : a + 2
            head = a * 256 + value($2)
            printf head ? "fe80::%x" : "fe80:", head
            printf ":%x:%x:%x\n", value($3) * 256 + 255, 65024 + value($4),
                value($5) * 256 + value($6)
        }'
}

# The source's MAC address of this card: by the host's list, "DEVID=MAC …".
source_mac() {
    link=$(readlink "$NET/$1/device" 2>/dev/null)
    case $link in
    *vif-*) id=${link##*vif-} ;;
    *) id=$(printf '%s\n' "$cards" | awk -v card="$1" \
        '$0 == card { print NR - 1 }') ;;
    esac
    printf '%s\n' "${XENFORK_SOURCE_MACS:-}" | tr ' ' '\n' |
        sed -n "s/^$id=//p" | head -n 1
}

# "mac OLD NEW", of a card with its name.  All over a card gets the MAC address of the card, but what has
# one of its own beside it.
plan_macs() {
    new=$(mac_of "$card")
    old=$(mac_of "$interface")
    [ "$interface" != "$card" ] || old=$(source_mac "$card")
    [ -n "$old" ] && [ "$old" != "$new" ] || return 0
    # By now it may have another one of its own.
    [ "$interface" = "$card" ] || [ -n "$(of_source mac "$old")" ] || return 0
    case $(kind_of "$interface") in
    bridge | bond | vlan | team | ipvlan) ;;
    # Linux has no word for a macvlan, which has an address of its own.
    '') [ "$interface" = "$card" ] || [ "$old" = "$(source_mac "$card")" ] ||
        new=$(random_mac) ;;
    *) [ "$interface" = "$card" ] || new=$(random_mac) ;;
    esac
    if [ "$interface" != "$card" ]; then
        case $(ports_of_all) in
        *" $interface "*) new=$(random_mac) ;;
        esac
    fi
    named=
    [ "$interface" != "$card" ] || [ "$again" = yes ] || named=$card
    printf 'mac %s %s %s\n' "$old" "$new" "$named"
}

# Ends of veths and their like: they stand beside the card.
ports_of_all() {
    printf ' '
    for one in $(printf '%s\n' "$devices" | sed -n "s/^$card:.*://p"); do
        for port in $(ports_of "$one"); do
            printf '%s %s ' "$port" "$(peer_of "$port")"
        done
    done
}

# Devices that take it only while they are down lose their routes, and all of IPv6:
# put back.
change_down() {
    routes=$(ip route show dev "$1" 2>/dev/null | sed 's/ linkdown//')
    kept=$(addresses6 "$1" static)
    routes6=$(routes inet6 "$1")
    ip link set dev "$1" down && ip link set dev "$2" address "$3"
    changed=$?
    ip link set dev "$1" up || changed=1
    printf '%s\n' "$routes" | while read -r route; do
        # shellcheck disable=SC2086 # words
        [ -z "$route" ] || ip route replace $route dev "$1" 2>/dev/null
    done
    for address in $kept; do
        ip addr add "$address" dev "$1" 2>/dev/null
    done
    printf '%s\n' "$routes6" | while read -r route; do
        # shellcheck disable=SC2086 # words
        [ -z "$route" ] || ip -f inet6 route replace $route dev "$1" 2>/dev/null
    done
    return "$changed"
}

set_mac() {
    ip link set dev "$1" address "$2" 2>/dev/null ||
        change_down "$1" "$1" "$2" 2>/dev/null ||
        change_down "$card" "$1" "$2"
}

# Tell the interfaces over a card its new address: they have a copy of it.
renew_mac() {
    mac=$(mac_of "$interface")
    if [ "$interface" = "$card" ]; then
        # Alone, or as it has booted: nobody has to be told.
        [ "$again" = no ] && [ "$(printf '%s\n' "$devices" | grep -c "^$card:")" -gt 1 ] || return 0
        set_mac "$card" "$mac" || fail 'cannot tell what lies over it'
        return
    fi
    new=$(awk -v old="$mac" '$1 == "mac" && $2 == old { print $3; exit }' \
        "$plan_file")
    # A bridge that has followed its port is right already.
    [ -n "$new" ] && [ "$new" != "$mac" ] || return 0
    set_mac "$interface" "$new" || fail "cannot set the MAC address $new"
}

# Systems behind a bridge of the source are behind the clone's as well.
check_ports() {
    for port in $(ports_of "$interface"); do
        read_line "$NET/$port/carrier"
        [ "$line" = 1 ] || continue
        if [ -e "$NET/$port/tun_flags" ] ||
            { [ "$(cat "$NET/$port/ifindex")" != \
                "$(cat "$NET/$port/iflink")" ] && ! peer_of "$port" >/dev/null; }; then
            fail "another system is behind $port, with its addresses of before"
        fi
    done
}

random_address6() {
    head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n' |
        sed 's/..../&:/g; s/:$//'
}

# Interface identifiers that come of a secret.
renew_secret() {
    ! cat "$1/stable_secret" >/dev/null 2>&1 ||
        random_address6 >"$1/stable_secret" ||
        fail 'cannot renew the secret of its IPv6 addresses'
}

# Off and on again: all IPv6 addresses and routes go, and the kernel makes the
# link-local one anew.  "keep": those that were set by hand come back.
renew6() {
    conf=$PROC/sys/net/ipv6/conf/$1
    [ -e "$conf/disable_ipv6" ] || return 0
    renew_secret "$conf"
    read_line "$conf/disable_ipv6"
    [ "$line" = 0 ] || return 0
    kept=
    [ "$2" != keep ] || kept=$(addresses6 "$1" static)
    if ! { echo 1 >"$conf/disable_ipv6" && echo 0 >"$conf/disable_ipv6"; }; then
        fail 'cannot renew the IPv6 addresses'
    fi
    for address in $kept; do
        ip addr add "$address" dev "$1" || fail "cannot keep $address"
    done
    [ "$2" != keep ] || { gateways='' && put_routes inet6 keep; }
}

# "DEVICE ADDRESS", before anything was changed.
addresses6_link() {
    # shellcheck disable=SC2046 # words
    for address in $(of_source address $(addresses6 "$interface" link)); do
        printf '%s %s\n' "$interface" "${address%%/*}"
    done
}

# Print those that derive from no MAC address that the device has now.
filter_links() {
    printf '%s\n' "$links" | awk -v device="$interface" \
        -v right="$(link_local "$(mac_of "$interface")")" '
        $1 == device && $2 != right { printf "%s ", $2 }'
}

is_tentative() {
    read_line "$NET/$interface/carrier" && [ "$line" = 1 ] &&
        ip -f inet6 addr show dev "$interface" 2>/dev/null |
        grep -q tentative
}

await_dad() {
    waited=0
    while is_tentative && [ "$waited" -lt "$DAD" ]; do
        sleep 0.5 2>/dev/null || sleep 1
        waited=$((waited + 1))
    done
    ! is_tentative || fail 'an IPv6 address is in use elsewhere'
}
