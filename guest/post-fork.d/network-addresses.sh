# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: addresses and routes of a device, by ip(8), busybox's too: it has
# no -4, -6 and -o.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

addresses() {
    ip -f inet addr show dev "$1" |
        awk '$1 == "inet" && !/scope host/ { print $2 }'
}

# $2: "link", "global", or "static": that nobody has announced
addresses6() {
    ip -f inet6 addr show dev "$1" 2>/dev/null | awk -v want="$2" '
        $1 != "inet6" || /scope host/ { next }
        want == "link" && /scope link/ { print $2 }
        want != "link" && !/scope link/ &&
            (want == "global" || !/dynamic|temporary|mngtmpaddr/) { print $2 }'
}

# default_gateway DEVICE [inet6]
default_gateway() {
    ip -f "${2:-inet}" route show default dev "$1" 2>/dev/null |
        awk '$1 == "default" && $2 == "via" { print $3; exit }'
}

# routes FAMILY DEVICE: those that somebody has set, and neither the kernel, nor a
# router, nor a DHCP server.  busybox does not say who: the kernel's have the
# address as their source, or a metric of 256.
routes() {
    ip -f "$1" route show dev "$2" 2>/dev/null | awk '
        / proto (kernel|ra|dhcp|redirect)/ || / expires / { next }
        / nexthop / || $1 == "nexthop" || $1 ~ /^(fe80|ff00|multicast)/ { next }
        !/ via / && / (src|metric 256)/ { next }
        { gsub(/ (linkdown|dead|src [^ ]+)/, ""); print }'
}

# Print "route DEVICE FAMILY ROUTE", before anything is changed.  IPv4's default
# route is apart: it goes through the parameter's gateway, or that of before.
note_routes() {
    routes inet "$interface" | grep -v '^default' |
        sed "s/^/route $interface inet /"
    routes inet6 "$interface" | sed "s/^/route $interface inet6 /"
}

# put_routes FAMILY [keep]: put back those that are noted, and can be reached; or
# all, even if the network that they go through is not announced while the card
# is held.
put_routes() {
    while read -r route; do
        case $1:$route in
        *:) continue ;;
        inet6:default*) [ -z "$(of_family 6 "$gateways")" ] || continue ;;
        esac
        # shellcheck disable=SC2086 # words
        if ip -f "$1" route replace $route dev "$interface" 2>/dev/null; then
            continue
        elif [ -z "${2:-}" ]; then
            say "without the route $route: it cannot be reached"
        elif ! ip -f "$1" route replace $route dev "$interface" onlink; then
            fail "cannot put back the route $route"
        fi
    done <<ROUTES
$(printf '%s\n' "$noted" | sed -n "s/^route $interface $1 //p")
ROUTES
}

# Those of one family, of a list with commas.
# In a subshell: IFS is its own.
of_family() {
    IFS=,
    for one in $2; do
        case $1/$one in
        */ | 4/*:*) ;;
        4/* | 6/*:*) printf '%s\n' "$one" ;;
        esac
    done
}

# Remove the addresses, IPv6's too; those that the router announces come back.
drop_addresses() {
    ip addr flush dev "$interface" scope global 2>/dev/null ||
        ip addr flush dev "$interface" || fail 'cannot remove the addresses'
    ip -f inet addr flush dev "$interface" scope link 2>/dev/null
}

# Where the default route may go through a machine outside of the network.
set_gateway() {
    ip route replace default via "$1" dev "$interface" 2>/dev/null ||
        ip route add default via "$1" dev "$interface" 2>/dev/null ||
        { ip route replace "$1" dev "$interface" &&
            ip route replace default via "$1" dev "$interface"; } ||
        fail "cannot set the gateway $1"
}

set_address() {
    case $1 in
    *[!0-9A-Fa-f.:/]* | */*/*) fail "not an address: $1" ;;
    */*)
        ip addr add "$1" dev "$interface" || fail "cannot set the address $1"
        ;;
    *) fail "an address needs its prefix, as in $1/24" ;;
    esac
}

# $1 a list of ADDRESS/PREFIX.  The gateway of before may lie outside of the new
# network: then there is none.
set_addresses() {
    before=$(gateway_before)
    drop_addresses
    ip link set "$interface" up || fail 'cannot be brought up'
    for address in $(printf '%s\n' "$1" | tr ',' ' '); do
        set_address "$address"
    done
    gateways=
    if [ "$card" = "$first" ]; then
        gateways=${XENFORK_PARAM_GATEWAY:-} gateway_is_set=yes
    fi
    for gateway in $(of_family 4 "$gateways"); do
        set_gateway "$gateway"
    done
    for gateway in $(of_family 6 "$gateways"); do
        ip -f inet6 route replace default via "$gateway" dev "$interface" ||
            fail "cannot set the gateway $gateway"
    done
    if [ -z "$(of_family 4 "$gateways")" ] && [ -n "$before" ]; then
        ip route add default via "$before" dev "$interface" 2>/dev/null ||
            say "$before is no gateway of $1"
    fi
    put_routes inet
    put_routes inet6
}
