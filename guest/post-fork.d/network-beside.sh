# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: devices that are no network cards, and do not lie over one.  Linux
# answers ARP for each address that it has, by any card.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

# beside_kind DEVICE: "inner" for a bridge without a card and the end of a veth,
# which are networks inside of the clone; "tunnel" for what speaks to others with a
# key or an address of its own; else "local", as lo and dummies.
beside_kind() {
    read_line "$NET/$1/type"
    type=$line
    read_line "$NET/$1/iflink"
    lower=$line
    read_line "$NET/$1/ifindex"
    set -- "$1" "$(kind_of "$1")" "$NET/$1"/lower_*
    case $type:$2 in
    772:*) echo local ;;
    1:wireguard | 1:vxlan | 1:geneve | 1:bareudp | 1:ppp) echo tunnel ;;
    1:bridge) echo inner ;;
    1:*)
        if [ -e "$NET/$1/tun_flags" ] || [ "$lower" = 0 ]; then
            echo tunnel
        elif [ -e "$3" ] || [ -L "$3" ] || [ "$lower" = "$line" ]; then
            echo local
        else
            echo inner
        fi
        ;;
    *) echo tunnel ;;
    esac
}

# Tell whether it is up, or has addresses.  A tap that is the port of a bridge is a
# system inside of the clone.
is_tunnel_used() {
    read_line "$NET/$1/flags"
    [ -n "$(addresses "$1")$(addresses6 "$1" static)" ] ||
        { [ $((${line:-0} & 1)) = 1 ] &&
            ! { [ -e "$NET/$1/tun_flags" ] && [ -e "$NET/$1/master" ]; }; }
}

# As list_devices: those among them that are to be changed, or looked at.
list_beside() {
    for path in "$NET"/*; do
        one=${path##*/}
        case "
$devices
" in
        *":$one
"*) continue ;;
        esac
        if [ -z "$(param_of "$one")" ]; then
            case $(beside_kind "$one") in
            inner) continue ;;
            tunnel) is_tunnel_used "$one" || continue ;;
            local) [ -n "$(addresses "$one")$(addresses6 "$one" static)" ] ||
                continue ;;
            esac
        fi
        printf '%s:%s:%s\n' "$one" "$one" "$one"
    done
}

is_beside() {
    case "
$cards
" in
    *"
$card
"*) return 1 ;;
    esac
}

configure_beside() {
    value=$(value_of)
    case $value in
    keep) return ;;
    dhcp) fail 'no DHCP client is for this device' && return ;;
    '')
        if [ "$(beside_kind "$interface")" = tunnel ]; then
            fail "is a tunnel of the source's; the parameter ip.$interface=keep leaves it"
            return
        fi
        say "without its source's address now"
        drop_addresses
        ;;
    *) set_addresses "$value" ;;
    esac
    [ "$interface" = lo ] || tell_manager "$value"
}

# Print a process of each other network namespace.
namespaces() {
    # shellcheck disable=SC2012 # by one process, and busybox's
    ls -l "$PROC"/[0-9]*/ns/net 2>/dev/null |
        awk -v own="$(readlink "$PROC/self/ns/net")" '
            $NF ~ /^net:/ && $NF != own && !seen[$NF]++ {
                split($(NF - 2), part, "/")
                for (i in part)
                    if (part[i] == "ns")
                        print part[i - 1]
            }'
}

# Cards, and what was made of them, which containers have: nobody changes them
# there.  nsenter and iproute2 alone can tell the devices of a namespace.
check_elsewhere() {
    interface=network
    for path in "${NET%/class/net}"/bus/xen/devices/vif-*; do
        set -- "$path"/net/*
        [ ! -e "$path/driver" ] || [ -e "$1" ] ||
            fail "another network namespace has ${path##*/}, with its addresses of before"
    done
    has nsenter || return 0
    for where in $(namespaces) "$ROOT"/run/netns/* "$ROOT"/run/docker/netns/*; do
        case $where in
        */*) [ -e "$where" ] && set -- "--net=$where" || continue ;;
        *) set -- -t "$where" -n ;;
        esac
        found=$(nsenter "$@" ip -d -o link show 2>/dev/null | awk '
            / link-netnsid / && / (macvlan|macvtap|ipvlan|ipvtap) / {
                sub(/[@:].*/, "", $2)
                print $2
                exit
            }')
        [ -z "$found" ] ||
            fail "another network namespace has the macvlan or ipvlan $found, with its addresses of before"
    done
}
