#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# 40-network with what manages the network of a whole system: systemd-networkd,
# NetworkManager, ifupdown, dhcpcd, and files of netplan's.  See network.sh.

# shellcheck source=tests/agent/network.sh
. "${srcdir:?}/tests/agent/network.sh"

if [ "${1:-}" != --inside ]; then
    if ! has dnsmasq || ! { has NetworkManager || has networkctl; }; then
        echo '1..0 # SKIP dnsmasq, or both of NetworkManager and systemd-networkd, are not installed'
        exit 0
    fi
    in_networks networkd:26 nm:26 netplan:10 ifupdown:33 dhcpcd:34
fi
manager=$2 count=$3
networkd=/lib/systemd/systemd-networkd

# All that a manager needs, or skipped by name.
for program in dnsmasq pgrep dbus-daemon $(case $manager in
    networkd) echo networkctl ;;
    nm) echo NetworkManager nmcli ;;
    netplan) echo netplan networkctl ;;
    ifupdown) echo ifup ;;
    dhcpcd) echo dhcpcd ;;
    esac); do
    has "$program" || {
        skip "$4" "$manager: $program is not installed"
        exit 0
    }
done
make_network
# Nobody is there to tell of devices: then managers look for themselves.
mount -o remount,bind,ro /sys
mkdir -p /run/dbus /run/systemd/system /var/lib/NetworkManager "$dir/bin"
echo 11111111111141118111111111111111 >/etc/machine-id

# Stands for systemd, which has started the managers.
cat >"$dir/bin/systemctl" <<SYSTEMCTL
#!/bin/sh
[ "\$1" = try-restart ] || exit 1
echo "\$2" >>"$dir/restarts"
sh "$dir/stop"
sh "$dir/start"
SYSTEMCTL
chmod +x "$dir/bin/systemctl"
PATH=$dir/bin:$PATH
dbus-daemon --system --fork

# runs START STOP: how the manager is started and ended
runs() {
    echo "$1" >"$dir/start"
    echo "$2" >"$dir/stop"
}
start() { sh "$dir/start"; }
# As a crash would, so that nothing is taken back.
stop() { sh "$dir/stop"; }
ends_by_kill() { echo "pkill -KILL -x $1; while pgrep -x $1 >/dev/null; do sleep 0.1; done"; }

case $manager in
networkd | netplan)
    runs "$networkd </dev/null >>'$dir/manager.log' 2>&1 &
        n=0; until networkctl >/dev/null 2>&1 || [ \$n = 50 ]; do sleep 0.1; n=\$((n + 1)); done" \
        "$(ends_by_kill systemd-network)"
    ;;
nm)
    runs "NetworkManager -n </dev/null >>'$dir/manager.log' 2>&1 &
        n=0; until nmcli general >/dev/null 2>&1 || [ \$n = 50 ]; do sleep 0.1; n=\$((n + 1)); done" \
        "$(ends_by_kill NetworkManager)"
    ;;
ifupdown) runs 'ifup -a >/dev/null 2>&1' 'pkill -KILL -x dhclient; ip addr flush dev eth0' ;;
dhcpcd) runs 'dhcpcd -b eth0 >/dev/null 2>&1' "$(ends_by_kill dhcpcd)" ;;
esac

addresses() { ip -4 -o addr show dev eth0 | awk '{ print $4 }' | xargs; }
has_only() { [ "$(addresses)" = "$1" ]; }
# The part of a client id after its type and IAID.
duid_of() { printf '%s\n' "$1" | sed 's/^\(..:\)\{5\}//'; }
gateway6() { ip -6 route show default dev eth0 | awk '{ print $3; exit }'; }
gateway() { ip route show default dev eth0 | awk '{ print $3; exit }'; }
has6() { ip -6 -o addr show dev eth0 | grep -q " $1/"; }

# The clone; its hook 20-machine-id has been there before.
become_clone() {
    become_another
    echo 22222222222242228222222222222222 >/etc/machine-id
    [ ! -e "$dir/server.log" ] || : >"$dir/server.log"
}

# As the system was left on disk; what was in memory is gone.
boot() {
    stop
    rm -rf /run/systemd/netif /run/NetworkManager /run/network /run/dhcpcd
    mkdir -p /run/network
    ip addr flush dev eth0 scope global
    ip link set eth0 down
    ip link set eth0 address "${1:-$new_mac}"
    ip link set eth0 up
    start
}

# fixed HOW [FILE…]: the source has an address of its own by its files
fixed() {
    how="$manager: $1"
    shift
    boot "$old_mac"
    check "$how: the source has its address" wait_for has_only $range.2/24
    [ "$how" != 'nm: static' ] || wait_for has6 2001:db8::2
    become_clone
    adapt XENFORK_PARAM_IP=$range.200/24,2001:db8::200/64
    check "$how: the hook succeeds" is "$status:$(cat "$dir/reason")" 0:
    check "$how: the clone has its own" wait_for has_only $range.200/24
    lose_carrier
    sleep 3
    check "$how: and nothing else when the carrier was gone" has_only $range.200/24
    boot
    adapt XENFORK_AGAIN=yes XENFORK_PARAM_IP=$range.200/24,2001:db8::200/64
    check "$how: it adapts to the boot" is "$status:$(cat "$dir/reason")" 0:
    check "$how: with both addresses" wait_for has6 2001:db8::200
    check "$how: and after a boot" wait_for has_only $range.200/24
    sleep 2
    check "$how: with its MAC" is "$(addresses) $(cat /sys/class/net/eth0/address)" \
        "$range.200/24 $new_mac"
    check "$how: nothing of the source's IPv6" not has6 2001:db8::2
    check "$how: nothing of the source's in a file" not grep -rqi "$old_mac" "$@"
}

# leased HOW: it has one by DHCP, as a client that its files say
leased() {
    how="$manager: $1"
    : >"$dir/server.log"
    serve
    boot "$old_mac"
    check "$how: the source has a lease" wait_for got
    old=$(address eth0) old_lease=$(lease "$old_mac")
    become_clone
    adapt
    check "$how: the hook succeeds" is "$status:$(cat "$dir/reason")" 0:
    check "$how: the clone gets another address" wait_for is_new
    check "$how: as another client" is_its_own
    check "$how: the source's lease is the source's still" is "$(lease "$old_mac")" "$old_lease"
    now=$(address eth0)
    lose_carrier
    check "$how: the same after the carrier was gone" wait_for is_again
    # A client of the source's that goes on would ask by now.
    [ "$manager" != ifupdown ] || sleep 8
    boot
    adapt XENFORK_AGAIN=yes
    check "$how: and after a boot" wait_for is_again
    check "$how: nobody asked for the source's, or gave it back" not is_asked_for
}

# overridden HOW: the same, but the clone is given an address
overridden() {
    how="$manager: $1"
    kill "$server"
    wait "$server" 2>/dev/null
    serve
    boot "$old_mac"
    wait_for got
    old=$(address eth0)
    become_clone
    adapt XENFORK_PARAM_IP=$range.201/24 XENFORK_PARAM_GATEWAY=$range.1
    check "$how: the hook succeeds" is "$status:$(cat "$dir/reason")" 0:
    lose_carrier
    sleep 8
    check "$how: it has it, and no lease" is "$(addresses)" $range.201/24
    check "$how: its gateway" is "$(gateway)" $range.1
    boot
    adapt XENFORK_AGAIN=yes XENFORK_PARAM_IP=$range.201/24 XENFORK_PARAM_GATEWAY=$range.1
    check "$how: and after a boot" wait_for has_only $range.201/24
    check "$how: nobody asked for the source's, or gave it back" not is_asked_for
}

# changed HOW FILE [VARIABLE=VALUE…]: the user has given the clone an address of its own by
# that file, which has it as the source's, and it starts again
changed() {
    how="$manager: $1, changed by the user" file=$2
    shift 2
    cp "$file" "$dir/file"
    boot "$old_mac"
    wait_for has_only $range.2/24
    become_clone
    adapt "$@"
    sed "s/$range\.2\b/$range.150/; s/2001:db8::2\b/2001:db8::150/" "$dir/file" >"$file"
    cp "$file" "$dir/file"
    boot
    adapt XENFORK_AGAIN=yes "$@"
    check "$how: it is left" is "$status:$(cat "$dir/reason")" 0:
    check "$how: its address" wait_for has_only $range.150/24
    check "$how: its file" cmp "$file" "$dir/file"
}

# routed VARIABLE=VALUE: an IPv6 source with a gateway
routed() {
    cp /etc/network/interfaces "$dir/file"
    boot "$old_mac"
    wait_for has6 2001:db8::2
    become_clone
    adapt "$1"
    check "$manager: IPv6, $1: the gateway of before" is \
        "$status:$(cat "$dir/reason"):$(gateway6)" 0::2001:db8::1
    check "$manager: IPv6, $1: and the other route" is \
        "$(ip -6 route show 2001:db8:9::/48 dev eth0 | awk '{ print $3 }')" 2001:db8::9
    stop
    cp "$dir/file" /etc/network/interfaces
}

case $manager in
networkd)
    mkdir -p /etc/systemd/network/10-card.network.d
    printf '%s\n' '[Match]' "MACAddress=$old_mac" '[Network]' 'LinkLocalAddressing=ipv6' \
        'IPv6AcceptRA=no' >/etc/systemd/network/10-card.network
    printf '%s\n' '[Network]' "Address=$range.2/24" 'Address=2001:db8::2/64' "Gateway=$range.1" \
        '[Link]' "MACAddress=$old_mac" >/etc/systemd/network/10-card.network.d/address.conf
    cp /etc/systemd/network/10-card.network.d/address.conf "$dir/before"
    fixed static /etc/systemd
    sed '/Link/,$d' "$dir/before" >/etc/systemd/network/10-card.network.d/address.conf
    printf '%s\n' '[Match]' Name=eth0 >/etc/systemd/network/10-card.network
    changed static /etc/systemd/network/10-card.network.d/address.conf
    rm -r /etc/systemd/network/10-card.network.d
    printf '%s\n' '[Match]' "MACAddress=$old_mac" '[Network]' 'DHCP=ipv4' \
        'IPv6AcceptRA=no' >/etc/systemd/network/10-card.network
    leased DHCP
    overridden 'DHCP, and an address'
    ;;
nm)
    printf '%s\n' '[main]' 'plugins=keyfile' >/etc/NetworkManager/NetworkManager.conf
    profile=/etc/NetworkManager/system-connections/card.nmconnection
    printf '%s\n' '[connection]' 'id=card' 'uuid=5b0c7b1e-6d4c-4f0c-9d59-0c1a5ac5ac55' 'type=ethernet' \
        '[ethernet]' "mac-address=$old_mac" "cloned-mac-address=$old_mac" '[ipv4]' 'method=manual' \
        "address1=$range.2/24,$range.1" '[ipv6]' 'method=manual' 'address1=2001:db8::2/64' >$profile
    chmod 600 $profile
    sed '/mac-address/d' $profile >"$dir/before"
    fixed static /etc/NetworkManager
    stop
    cat "$dir/before" >$profile
    changed static $profile XENFORK_PARAM_IP=$range.200/24
    printf '%s\n' '[connection]' 'id=card' 'uuid=5b0c7b1e-6d4c-4f0c-9d59-0c1a5ac5ac55' 'type=ethernet' \
        '[ethernet]' "mac-address=$old_mac" '[ipv4]' 'method=auto' 'dhcp-client-id=stable' '[ipv6]' \
        'method=link-local' >$profile
    leased DHCP
    overridden 'DHCP, and an address'
    ;;
netplan)
    mkdir -p /etc/netplan
    cat >/etc/netplan/50-cloud-init.yaml <<YAML
network:
  version: 2
  renderer: networkd
  ethernets:
    eth0:
      macaddress: "$old_mac"
      addresses:
      - $range.2/24
      - "2001:db8::2/64"
      routes:
      - to: default
        via: $range.1
YAML
    chmod 600 /etc/netplan/50-cloud-init.yaml
    # At each boot systemd has it made anew.
    runs "rm -rf /run/systemd/network; /usr/libexec/netplan/generate || netplan generate
        $(cat "$dir/start")" "$(cat "$dir/stop")"
    fixed static /etc/netplan /run/systemd/network
    ;;
ifupdown)
    mkdir -p /etc/network/interfaces.d
    printf '%s\n' 'auto eth0' 'iface eth0 inet static' "    hwaddress ether $old_mac" \
        "    address $range.2" '    netmask 255.255.255.0' 'iface eth0 inet6 static' \
        '    address 2001:db8::2/64' >/etc/network/interfaces
    sed /hwaddress/d /etc/network/interfaces >"$dir/before"
    fixed static /etc/network
    stop
    cp "$dir/before" /etc/network/interfaces
    changed static /etc/network/interfaces
    stop
    # IPv6 alone, with a route beside the default one.
    printf '%s\n' 'auto eth0' 'iface eth0 inet6 static' '    address 2001:db8::2/64' \
        '    gateway 2001:db8::1' '    up ip route add 2001:db8:9::/48 via 2001:db8::9 dev eth0' \
        >/etc/network/interfaces
    routed XENFORK_PARAM_IP=2001:db8::40/64
    routed XENFORK_PARAM_IP=keep
    printf '%s\n' 'auto eth0' 'iface eth0 inet static' "    address $range.2/24" >/etc/network/interfaces
    changed 'static, ip=' /etc/network/interfaces XENFORK_PARAM_IP=$range.200/24
    stop
    printf '%s\n' 'auto eth0' 'iface eth0 inet dhcp' >/etc/network/interfaces
    leased DHCP
    overridden 'DHCP, and an address'
    ;;
dhcpcd)
    printf '%s\n' 'interface eth0' "static ip_address=$range.2/24" "static routers=$range.1" \
        >/etc/dhcpcd.conf
    fixed static /etc/dhcpcd.conf
    stop
    # One process for all cards, as a service of the system's has it.
    runs 'dhcpcd -b >/dev/null 2>&1' "$(ends_by_kill dhcpcd)"
    printf '%s\n' nodev 'interface eth0' "static ip_address=$range.2/24" "static routers=$range.1" \
        >/etc/dhcpcd.conf
    fixed 'all cards' /etc/dhcpcd.conf
    stop
    printf '%s\n' nodev duid >/etc/dhcpcd.conf
    leased 'all cards, DHCP'
    clone_lease=$(lease "$new_mac")
    overridden 'all cards, DHCP, and an address'
    check 'dhcpcd: all cards, DHCP: another DUID' test "$(duid_of "${old_lease#* }")" != \
        "$(duid_of "${clone_lease#* }")"
    ;;
esac
stop
