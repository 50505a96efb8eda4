#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# network-files.awk: files that would bring the source's addresses back.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

awk_file="$srcdir/guest/post-fork.d/network-files.awk"

# rewritten TEXT KIND PLAN BEFORE AFTER [STATUS]
rewritten() {
    printf '%s\n' "$3" >"$dir/plan"
    printf '%s\n' "$4" >"$dir/file"
    run awk -v kind="$2" -f "$awk_file" "$dir/plan" "$dir/file"
    check "$1" is "$status:$(cat "$dir/out")" "${6:-0}:$5"
}

plan 29

new='address 10.0.0.2/24 10.0.0.7/16'
none='address 10.0.0.2/24 -'
dhcp='address 10.0.0.2/24 dhcp'
mac='mac 00:16:3e:00:00:02 00:16:3e:aa:bb:cc'

rewritten 'other addresses stay' other "$new" \
    '10.0.0.20 110.0.0.2 10.0.0.2.example 10.0.0.2:80 # 10.0.0.2' \
    '10.0.0.20 110.0.0.2 10.0.0.2.example 10.0.0.2:80 # 10.0.0.7'
rewritten 'comments stay' interfaces "$none" '# address 10.0.0.2' '# address 10.0.0.2'
rewritten 'interfaces: an address' interfaces "$new" 'auto eth0
iface eth0 inet static
    address 10.0.0.2
    netmask 255.255.255.0
    broadcast 10.0.0.255
iface eth1 inet static
    address 10.1.0.2
    netmask 255.255.255.0' 'auto eth0
iface eth0 inet static
    address 10.0.0.7
    netmask 255.255.0.0
iface eth1 inet static
    address 10.1.0.2
    netmask 255.255.255.0'
stanza='iface eth0 inet static
    address 10.0.0.2/24
    gateway 10.0.0.1
    hwaddress ether 00:16:3E:00:00:02
iface eth0 inet6 static
    address 2001:DB8::2/64'
rewritten 'interfaces: none' interfaces "$none
$mac" "$stanza" 'iface eth0 inet manual
    hwaddress ether 00:16:3e:aa:bb:cc
iface eth0 inet6 static
    address 2001:DB8::2/64'
rewritten 'interfaces: DHCP, IPv6 in upper case' interfaces "$dhcp
address 2001:db8::2/64 2001:db8::7/48
gateway 10.0.0.1 10.0.0.9" "$stanza" 'iface eth0 inet dhcp
    hwaddress ether 00:16:3E:00:00:02
iface eth0 inet6 static
    address 2001:db8::7/48'
rewritten 'interfaces: a command' interfaces "$none" \
    '    up ip addr add 10.0.0.2/24 dev eth0' \
    '    up ip addr add 10.0.0.2/24 dev eth0' 3
rewritten 'interfaces: a command with another address' interfaces "$new" \
    '    up ip addr add 10.0.0.2/24 dev eth0' \
    '    up ip addr add 10.0.0.7/16 dev eth0'
rewritten 'gateway: only there' interfaces 'gateway 10.0.0.1 10.0.0.9' \
    '    gateway 10.0.0.1
    dns-nameservers 10.0.0.1' '    gateway 10.0.0.9
    dns-nameservers 10.0.0.1'

network='[Match]
MACAddress=00-16-3e-00-00-02
[Network]
Address=10.0.0.2/24
Address=10.9.0.2/24
Gateway=10.0.0.1
Gateway=fe80::1'
rewritten 'networkd' networkd "$new
$mac" "$network" '[Match]
MACAddress=00-16-3e-aa-bb-cc
[Network]
Address=10.0.0.7/16
Address=10.9.0.2/24
Gateway=10.0.0.1
Gateway=fe80::1'
rewritten 'networkd: none' networkd "$none" "$network" '[Match]
MACAddress=00-16-3e-00-00-02
[Network]
Address=10.9.0.2/24
Gateway=fe80::1'
rewritten 'networkd: DHCP' networkd "$dhcp" '[Network]
Address=10.0.0.2/24' '[Network]
DHCP=yes'

ifcfg='HWADDR="00:16:3E:00:00:02"
BOOTPROTO=static
IPADDR=10.0.0.2
PREFIX=24
IPADDR1=10.9.0.2
PREFIX1=24'
rewritten 'ifcfg' ifcfg "$new
$mac" "$ifcfg" 'HWADDR="00:16:3e:aa:bb:cc"
BOOTPROTO=static
IPADDR=10.0.0.7
PREFIX=16
IPADDR1=10.9.0.2
PREFIX1=24'
rewritten 'ifcfg: netmask' ifcfg 'address 10.0.0.2/24 10.0.0.7/20' \
    'IPADDR="10.0.0.2"
NETMASK=255.255.255.0' 'IPADDR="10.0.0.7"
NETMASK=255.255.240.0'
rewritten 'ifcfg: with its prefix' ifcfg "$new" "IPADDR='10.0.0.2/24'" \
    "IPADDR='10.0.0.7/16'"
rewritten 'ifcfg: none' ifcfg "$none" 'BOOTPROTO=static
IPADDR=10.0.0.2
NETMASK=255.255.255.0
GATEWAY=10.0.0.1
ONBOOT=yes' 'BOOTPROTO=none
ONBOOT=yes'
rewritten 'ifcfg: DHCP' ifcfg "$dhcp" 'BOOTPROTO=static
IPADDR=10.0.0.2' 'BOOTPROTO=dhcp'

keyfile='[ethernet]
cloned-mac-address=00:16:3E:00:00:02
[ipv4]
address1=10.0.0.2/24,10.0.0.1
method=manual
[ipv6]
method=manual
address1=2001:db8::2/64'
rewritten 'NetworkManager' keyfile "$new
$mac
gateway 10.0.0.1 10.0.0.9" "$keyfile" '[ethernet]
cloned-mac-address=00:16:3e:aa:bb:cc
[ipv4]
address1=10.0.0.7/16,10.0.0.9
method=manual
[ipv6]
method=manual
address1=2001:db8::2/64'
rewritten 'NetworkManager: none, DHCP' keyfile "$dhcp
address 2001:db8::2/64 -" "$keyfile" '[ethernet]
cloned-mac-address=00:16:3E:00:00:02
[ipv4]
method=auto
[ipv6]
method=disabled'

netplan='network:
  ethernets:
    eth0:
      match: {macaddress: "00:16:3e:00:00:02"}
      addresses:
        - 10.0.0.2/24
      gateway4: 10.0.0.1'
rewritten 'netplan' netplan "$new
$mac" "$netplan" 'network:
  ethernets:
    eth0:
      match: {macaddress: "00:16:3e:aa:bb:cc"}
      addresses:
        - 10.0.0.7/16
      gateway4: 10.0.0.1'
rewritten 'netplan: the only one goes' netplan "$dhcp" "$netplan" 'network:
  ethernets:
    eth0:
      match: {macaddress: "00:16:3e:00:00:02"}
      addresses: []
      dhcp4: true
      gateway4: 10.0.0.1'
rewritten 'netplan: one of two goes' netplan "$none" '      dhcp4: no
      addresses: [10.9.0.2/24, "10.0.0.2/24"]' '      dhcp4: no
      addresses: [10.9.0.2/24]'

rewritten 'dhcpcd' dhcpcd "$none" 'interface eth0
static ip_address=10.0.0.2/24
static routers=10.0.0.1
interface eth1
static ip_address=10.1.0.2/24' 'interface eth0
interface eth1
static ip_address=10.1.0.2/24'
rewritten 'udev, and a client id' other "$mac" \
    'ATTR{address}=="00:16:3e:00:00:02", NAME="eth0"
send dhcp-client-identifier 01:00:16:3e:00:00:02; a00:16:3e:00:00:02f' \
    'ATTR{address}=="00:16:3e:aa:bb:cc", NAME="eth0"
send dhcp-client-identifier 01:00:16:3e:aa:bb:cc; a00:16:3e:00:00:02f'
rewritten 'the same address again' other 'address 10.0.0.2/24 10.0.0.2/16' \
    'IP=10.0.0.2/24' 'IP=10.0.0.2/16'

# The permanent address of a card stays its source's until the clone boots.
card="$mac eth0"
rewritten 'networkd: the permanent address, before a boot and after it' networkd "$card" '[Match]
PermanentMACAddress=00:16:3E:00:00:02
MACAddress=00:16:3e:00:00:02' '[Match]
PermanentMACAddress=00:16:3e:aa:bb:cc 00:16:3e:00:00:02
MACAddress=00:16:3e:aa:bb:cc'
rewritten 'networkd: not of what lies over a card' networkd "$mac" \
    'PermanentMACAddress=00:16:3e:00:00:02' 'PermanentMACAddress=00:16:3e:aa:bb:cc'
rewritten 'keyfile: by the name of the card' keyfile "$card" '[connection]
id=card
[ethernet]
mac-address=00:16:3E:00:00:02
cloned-mac-address=00:16:3E:00:00:02' '[connection]
interface-name=eth0
id=card
[ethernet]
cloned-mac-address=00:16:3e:aa:bb:cc'
rewritten 'keyfile: the name that it has' keyfile "$card" '[connection]
interface-name=eth7
[ethernet]
mac-address=00:16:3e:00:00:02' '[connection]
interface-name=eth7
[ethernet]'
rewritten 'ifcfg: by the name of the card' ifcfg "$card" 'HWADDR="00:16:3E:00:00:02"
ONBOOT=yes' 'DEVICE=eth0
ONBOOT=yes'
