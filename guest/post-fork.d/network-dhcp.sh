# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: programs that set addresses, and the files that they go by.
# A lease, client id or DUID of the source's would bring its address.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

# restart NAME…: a service that runs, by whatever has started it; it has several
# names
restart() {
    if [ -d "$ROOT/run/systemd/system" ]; then
        systemctl try-restart "$1.service"
        return
    fi
    for service; do
        [ -x "$ROOT/etc/init.d/$service" ] || continue
        if has rc-service; then
            rc-service "$service" restart >&2
        else
            "$ROOT/etc/init.d/$service" restart >&2
        fi
        return
    done
    say "nobody can start $1 anew"
    return 1
}

# await TRIES COMMAND…: with half a second between
await() {
    waited=0 tries=$1
    shift
    until "$@"; do
        waited=$((waited + 1))
        [ "$waited" -lt "$tries" ] || return 1
        sleep 0.5 2>/dev/null || sleep 1
    done
}

nm_state() {
    nmcli -g GENERAL.STATE device show "$interface" 2>/dev/null
}

nm_connection() {
    connection=$(nmcli -g GENERAL.CONNECTION device show "$interface" \
        2>/dev/null) && [ -n "$connection" ]
}

# Its files first, and a new start: it has the secret in its memory, and files of
# before.
forget_networkmanager() {
    [ "${nm_is_new:-no}" = no ] || return 0
    nm_is_new=yes was_told=yes
    rm -f "$ROOT"/var/lib/NetworkManager/*.lease \
        "$ROOT"/var/lib/NetworkManager/secret_key
    restart NetworkManager networkmanager network-manager || return 1
    await 20 nm_runs
}

nm_runs() {
    [ "$(nmcli -g RUNNING general 2>/dev/null)" = running ]
}

# A card that it has given up, for its new MAC address, is its own still.
is_networkmanagers() {
    has nmcli || return 1
    if [ "${nm_is_new:-no}" = no ]; then
        nm_runs || return 1
        nm_cards=' '
        for one in $(printf '%s\n' "$devices" | sed 's/.*://'); do
            case $(nmcli -g GENERAL.STATE device show "$one" 2>/dev/null) in
            '' | '10 '*) ;;
            *) nm_cards="$nm_cards$one " ;;
            esac
        done
    fi
    case $nm_cards in
    *" $interface "*) ;;
    *) return 1 ;;
    esac
    forget_networkmanager || return 1
    nm_connection || nmcli --wait 0 device connect "$interface" >/dev/null
    await 10 nm_connection
}

# A connection whose address is set by hand is not asked for.
renew_nmcli() {
    is_networkmanagers || return 1
    [ "$(nmcli -g ipv4.method connection show "$connection" 2>/dev/null)" = \
        auto ] || return 1
    nmcli device disconnect "$interface" >/dev/null
    drop_addresses
    nmcli --wait 0 device connect "$interface" >/dev/null
}

# Its DUID comes of the machine-id, which it has in its memory, as it has files of
# before.
forget_networkd() {
    [ "${networkd_is_new:-no}" = no ] || return 0
    networkd_is_new=yes was_told=yes
    rm -f "$ROOT"/run/systemd/netif/leases/*
    restart systemd-networkd || return 1
    await 20 networkctl list >/dev/null 2>&1
}

has_networkd_seen() {
    networkd_says=$(networkctl status "$interface" 2>/dev/null) || return 1
    case $networkd_says in
    *'(pending)'* | *'(initialized)'*) return 1 ;;
    esac
}

# A card that it has given up, for its new MAC address, is its own still.
is_networkds() {
    has networkctl && [ -e "$ROOT/run/systemd/netif/state" ] || return 1
    forget_networkd || return 1
    await 10 has_networkd_seen
    network_file=$(printf '%s\n' "$networkd_says" |
        sed -n 's/^ *Network File: *\(\/.*\)/\1/p')
    [ -n "$network_file" ]
}

# By its files: it may have no lease at present.  The last word counts.
networkd_asks() {
    case $(cat "$ROOT$network_file" \
        "$ROOT"/*/systemd/network/"${network_file##*/}".d/*.conf 2>/dev/null |
        sed -n 's/^[[:space:]]*DHCP[[:space:]]*=[[:space:]]*//p' | tail -n 1 |
        tr '[:upper:]' '[:lower:]') in
    yes* | true* | 1* | on* | both* | ipv4* | v4*) ;;
    *) return 1 ;;
    esac
}

renew_networkd() {
    is_networkds && networkd_asks || return 1
    drop_addresses
    networkctl reconfigure "$interface"
}

# In place of a lease, which would come as well, and go with the carrier.
write_networkd() {
    folder=$ROOT/etc/systemd/network/${network_file##*/}.d
    mkdir -p "$folder" && {
        echo '[Network]'
        echo 'DHCP=no'
        printf '%s\n' "$1" | tr ',' '\n' | sed 's/^/Address=/'
        [ -z "$2" ] || printf '%s\n' '[Route]' "Gateway=$2" 'GatewayOnLink=yes'
    } >"$folder/90-xenfork.conf" && networkctl reload
}

# give_networkd [ADDRESSES]: what the clone has been given, if anything
give_networkd() {
    if [ -n "$(of_family 4 "$1")" ] && networkd_asks; then
        write_networkd "$1" "$(gateway_of_clone)" || return 1
    fi
    networkctl reconfigure "$interface" && sleep 1
}

# Its profile has these, and no lease, which would come as well.
give_networkmanager() {
    addresses=$(of_family 4 "$1" | tr '\n' ',')
    if [ -n "$addresses" ]; then
        nmcli connection modify "$connection" ipv4.method manual \
            ipv4.addresses "${addresses%,}" \
            ipv4.gateway "$(gateway_of_clone)" || return 1
    fi
    addresses=$(of_family 6 "$1" | tr '\n' ',')
    if [ -n "$addresses" ]; then
        nmcli connection modify "$connection" ipv6.method manual \
            ipv6.addresses "${addresses%,}" || return 1
    fi
    nmcli --wait 15 device connect "$interface" >/dev/null
}

# IPv4's
gateway_of_clone() {
    gateway=
    [ "$card" != "$first" ] ||
        gateway=$(of_family 4 "${XENFORK_PARAM_GATEWAY:-}" | tail -n 1)
    [ -n "$gateway" ] || gateway=$(gateway_before)
    printf '%s\n' "$gateway"
}

# One process for all cards?
is_dhcpcd_for_all() {
    for file in "$ROOT/run/dhcpcd/pid" "$ROOT/run/dhcpcd.pid"; do
        if [ -s "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

# Tell whether one serves this device.  One that was started for one family is
# found by the same option.
find_dhcpcd() {
    has dhcpcd || return 1
    for option in '' -4 -6; do
        # shellcheck disable=SC2086 # none, or one
        ! dhcpcd $option -U "$interface" >/dev/null 2>&1 || return 0
    done
    return 1
}

# Its DUID, its secret and its leases go, and the process that knows them.  "whose"
# is their options; nothing, if it is one for all cards.
end_dhcpcd() {
    find_dhcpcd || return 1
    whose=
    if is_dhcpcd_for_all; then
        dhcpcd -x >/dev/null 2>&1
    else
        for option in '' -4 -6; do
            # shellcheck disable=SC2086 # none, or one
            dhcpcd $option -U "$interface" >/dev/null 2>&1 || continue
            dhcpcd $option -x "$interface" >/dev/null 2>&1
            whose="$whose ${option:---}"
        done
    fi
    await 20 dhcpcd_has_ended || fail 'dhcpcd does not end'
    rm -f "$ROOT"/var/lib/dhcpcd/*.lease* "$ROOT"/var/lib/dhcpcd/duid \
        "$ROOT"/var/lib/dhcpcd/secret "$ROOT"/etc/dhcpcd.duid \
        "$ROOT"/etc/dhcpcd.secret
}

dhcpcd_has_ended() {
    if [ -z "$whose" ]; then
        ! is_dhcpcd_for_all
    else
        ! find_dhcpcd
    fi
}

start_dhcpcd() {
    if [ -n "$whose" ]; then
        for option in $whose; do
            # shellcheck disable=SC2086 # none, or one
            dhcpcd -b ${option%--} "$interface" >/dev/null 2>&1 || return 1
        done
    elif [ -d "$ROOT/run/systemd/system" ] &&
        systemctl is-enabled -q dhcpcd.service 2>/dev/null; then
        systemctl restart dhcpcd.service
    else
        dhcpcd -b >/dev/null 2>&1
    fi
}

renew_dhcpcd() {
    end_dhcpcd || return 1
    drop_addresses
    was_told=yes
    start_dhcpcd
}

# Its address is of its files, which are rewritten by now, and not of a server.
is_in_dhcpcd_conf() {
    for address in $(of_family 4 "$1"); do
        ! grep -qsF "ip_address=$address" "$ROOT/etc/dhcpcd.conf" || return 0
    done
    return 1
}

# give_dhcpcd [ADDRESSES].  It makes a link-local address of the MAC that it has
# seen last: a new start.  Where it has a lease, which would come again, it ends
# on this card, or goes by a file.
give_dhcpcd() {
    end_dhcpcd
    is_in_dhcpcd_conf "$1" || [ -z "$whose" ] || return 0
    is_in_dhcpcd_conf "$1" || [ -z "$1" ] || {
        echo "interface $interface"
        of_family 4 "$1" | sed 's/^/static ip_address=/'
        of_family 6 "$1" | sed 's/^/static ip6_address=/'
        gateway_of_clone | sed 's/^./static routers=&/'
    } >>"$ROOT/etc/dhcpcd.conf" || return 1
    start_dhcpcd
}

# Tell whether a DHCP client took it on.
renew_dhcp() {
    renew_networkd || renew_nmcli || renew_dhcpcd || renew_client dhclient ||
        renew_client udhcpc
}

# tell_manager [ADDRESSES].  Have what manages this device read its files again: with those of before it
# would bring the source's address back, as soon as the card is plugged in.  A
# DHCP client that has nothing else to do ends: it would when it renews the lease.
tell_manager() {
    if is_networkds; then
        give_networkd "${1:-}" ||
            fail 'systemd-networkd does not read its files again'
    elif is_networkmanagers; then
        give_networkmanager "${1:-}" ||
            fail 'NetworkManager does not read its files again'
    elif find_dhcpcd; then
        was_told=yes
        give_dhcpcd "${1:-}" || fail 'dhcpcd does not read its files again'
    else
        change_client dhclient "$interface"
        change_client udhcpc "$interface"
    fi
}

# rewrite KIND FILE…
rewrite() {
    kind=$1
    shift
    for file; do
        [ -f "$file" ] || continue
        awk -v kind="$kind" -f "$HERE/network-files.awk" "$plan_file" "$file" \
            >"$plan_file.new"
        found=$?
        case $found in
        0 | 3)
            cmp -s "$plan_file.new" "$file" ||
                cat "$plan_file.new" 2>/dev/null >"$file" ||
                fail "cannot write ${file#"$ROOT"}"
            ;;
        *) fail "cannot read ${file#"$ROOT"}" ;;
        esac
        [ "$found" != 3 ] ||
            fail "${file#"$ROOT"} has an address of the source's still"
    done
    [ ! -e "$plan_file.new" ] || rm -f "$plan_file.new"
}

rewrite_files() {
    [ -s "$plan_file" ] || return 0
    interface=network
    etc=$ROOT/etc
    rewrite interfaces "$etc/network/interfaces" "$etc"/network/interfaces.d/*
    for folder in "$etc" "$ROOT/run" "$ROOT/usr/local/lib"; do
        rewrite networkd "$folder"/systemd/network/* \
            "$folder"/systemd/network/*.d/*
    done
    rewrite netplan "$etc"/netplan/*.yaml "$ROOT"/run/netplan/*.yaml \
        "$etc"/cloud/cloud.cfg.d/*.cfg
    rewrite ifcfg "$etc"/sysconfig/network-scripts/ifcfg-* \
        "$etc"/sysconfig/network/ifcfg-*
    rewrite keyfile "$etc"/NetworkManager/system-connections/* \
        "$ROOT"/run/NetworkManager/system-connections/*
    rewrite dhcpcd "$etc/dhcpcd.conf"
    rewrite other "$etc"/udev/rules.d/*net*.rules "$etc/dhcp/dhclient.conf" \
        "$etc/iftab" "$etc/mactab"
    for file in "$etc/sysctl.conf" "$etc"/sysctl.d/*.conf; do
        if [ "${XENFORK_AGAIN:-no}" = no ] &&
            grep -q '^[^#]*stable_secret' "$file" 2>/dev/null; then
            secrets=$(sed "s/^\\([^#]*stable_secret[ =]*\\).*/\\1$(random_address6)/" \
                "$file") && printf '%s\n' "$secrets" >"$file" ||
                fail "cannot write ${file#"$ROOT"}"
        fi
    done
}
