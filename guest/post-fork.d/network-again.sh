# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: what the source had, noted on disk before anything is changed.  A
# clone that adapts a second time, or starts again, has addresses of its own by
# then: only those of the note are its source's.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

note_file=${XENFORK_STATE:+$XENFORK_STATE/source-network}
again=${XENFORK_AGAIN:-no}

note_device() {
    for address in $(addresses "$interface") $(addresses6 "$interface" global) \
        $(addresses6 "$interface" link); do
        printf 'address %s\n' "${address%%/*}"
    done
    one=$(mac_of "$interface")
    [ -z "$one" ] || printf 'mac %s\n' "$one"
    one=$(default_gateway "$interface")
    [ -z "$one" ] || printf 'gateway %s %s\n' "$interface" "$one"
    note_routes
}

# Set "noted".  A fork copies the file, but has another generation.
read_note() {
    noted=
    if [ -n "$note_file" ] && read_line "$note_file" &&
        [ "$line" = "${XENFORK_GENERATION:-}" ]; then
        noted=$(cat "$note_file")
    elif [ "$again" = no ]; then
        noted=$(each note_device)
        # Without a disk to write on, it adapts anew at each start.
        [ -z "$note_file" ] || {
            mkdir -p "$XENFORK_STATE" &&
                printf '%s\n' "${XENFORK_GENERATION:-}" "$noted" \
                    >"$note_file.new" && mv -f "$note_file.new" "$note_file"
        } 2>/dev/null
    fi
}

# of_source WORD VALUE…: print those values that the source had
of_source() {
    word=$1
    shift
    for one; do
        case "
$noted
" in
        *"
$word ${one%%/*}
"*) printf '%s\n' "$one" ;;
        esac
    done
}

# The gateway that the device has had, before anything was changed: now, else in
# the source.
gateway_before() {
    printf '%s\n' "$gateways_before" "$noted" |
        awk -v device="$interface" '
            $1 == "gateway" && $2 == device { print $3; exit }'
}

note_gateway() {
    one=$(default_gateway "$interface")
    [ -z "$one" ] || printf 'gateway %s %s\n' "$interface" "$one"
}

# Tell whether a process asks for an address of this device; a dhcpcd may have it
# in its file.
is_asking() {
    has_client dhclient || has_client udhcpc || is_dhcpcd_asking
}

is_dhcpcd_asking() {
    find_dhcpcd && ! grep -qs '^[[:space:]]*static[[:space:]]*ip_address=' \
        "$ROOT/etc/dhcpcd.conf"
}

# source_addresses [4|6]: print those of this device that are the source's.  Later
# a DHCP server may have given one of them to the clone.
source_addresses() {
    if [ "$again" = yes ] && is_asking; then
        return
    fi
    # shellcheck disable=SC2046 # words
    case ${1:-} in
    4) of_source address $(static4) ;;
    6) of_source address $(addresses6 "$interface" static) ;;
    *) of_source address $(static4) $(addresses6 "$interface" static) ;;
    esac
}

static4() {
    if [ "$again" = no ]; then
        addresses "$interface"
    else
        ip -f inet addr show dev "$interface" |
            awk '$1 == "inet" && !/scope host|dynamic/ { print $2 }'
    fi
}

# Tell whether something sets addresses of this device.
is_managed() {
    is_asking || find_dhcpcd ||
        { has networkctl && networkctl status "$interface" 2>/dev/null |
            grep -q 'Network File: */'; } ||
        { has nmcli && case $(nm_state) in '' | '10 '*) false ;; esac; }
}

has_address() {
    [ -n "$(addresses "$interface")$(addresses6 "$interface" static)" ]
}

# A clone that starts again is who it was, by its files: what it still has of its
# source goes, and what no file has comes back.
configure_again() {
    if is_beside && [ "$(beside_kind "$interface")" = tunnel ]; then
        return
    fi
    value=$(value_of)
    # Of a secret that something has set again.
    # shellcheck disable=SC2046 # words
    [ -z "$(of_source address $(addresses6 "$interface" link))" ] ||
        renew6 "$interface" keep
    [ "$value" != keep ] || return 0
    all=$(addresses "$interface" && addresses6 "$interface" static)
    old=$(inventory)
    for address in $all; do
        case " $old " in
        *" ${address%%/*} "*) ip addr del "$address" dev "$interface" ||
            fail "cannot remove the address $address" ;;
        esac
    done
    # With the first address of a network its others have gone.
    for address in $all; do
        case " $old " in
        *" ${address%%/*} "*) ;;
        *) [ -z "$old" ] || ip addr add "$address" dev "$interface" 2>/dev/null ;;
        esac
    done
    case $value in
    '') ;;
    dhcp) has_address || is_managed || start_dhcp || fail 'no DHCP client' ;;
    *) set_again ;;
    esac
}

# Set an address that the clone was given, unless the user has given it another one
# by now.  A DHCP client of one card asks at each start, and ends again.
set_again() {
    if is_asking; then
        ! is_dhcpcd_asking || end_dhcpcd
        change_client dhclient "$interface"
        change_client udhcpc "$interface"
        set_addresses "$value"
        return
    fi
    # A manager may have just started.
    ! is_managed || await 10 has_address
    if ! has_address; then
        set_addresses "$value"
        return
    fi
    had=$(addresses "$interface" && addresses6 "$interface" static)
    is_given=no missing=
    for address in $(printf '%s\n' "$value" | tr ',' ' '); do
        case "
$had" in
        *"
${address%%/*}/"*) is_given=yes ;;
        *) missing="$missing $address" ;;
        esac
    done
    if [ "$is_given" = no ]; then
        say 'has an address of its own; the parameter ip is of before'
        return
    fi
    for address in $missing; do
        set_address "$address"
    done
}
