#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The hooks that come with the agent, below a root of their own and on stubs.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

hooks="$srcdir/guest/post-fork.d"
root="$dir/root"

# A root as a system has it, and no parameters.
reset() {
    rm -rf "$root" "${dir:?}/bin" "$dir/net" "$dir/calls"
    mkdir -p "$root/etc/ssh" "$root/var/lib/dbus" "$root/run" "$dir/bin" \
        "$dir/net/eth0/device" "$dir/net/eth1/device" "$dir/net/br0"
    for interface in eth0 eth1 br0; do
        echo 1 >"$dir/net/$interface/type"
        echo "00:16:3e:aa:00:0${interface#???}" >"$dir/net/$interface/address"
    done
    echo DEVTYPE=bridge >"$dir/net/br0/uevent"
    rm -rf "$dir/addresses" "$root/proc"
    : >"$dir/calls"
}

# stub NAME SHELL-TEXT: a command that notes how it was called
stub() {
    {
        echo '#!/bin/sh'
        printf 'echo "%s $*" >>"%s/calls"\n' "$1" "$dir"
        printf '%s\n' "$2"
    } >"$dir/bin/$1"
    chmod +x "$dir/bin/$1"
}

# hook NAME [VARIABLE=VALUE...], with no commands but stubs and the common ones
macs='0=00:16:3e:00:00:02 1=00:16:3e:00:00:03'
hook() {
    name=$1
    shift
    : >"$dir/reason"
    run env -i PATH="$dir/bin:$dir/base" ROOT="$root" NET="$dir/net" \
        XENFORK_ROLE=clone XENFORK_SOURCE=db XENFORK_INDEX=3 \
        XENFORK_REASON="$dir/reason" XENFORK_SOURCE_MACS="$macs" "$@" \
        sh "$hooks/$name"
}

called() {
    grep -qxF -e "$1" "$dir/calls"
}

not() {
    ! "$@"
}

is_like() {
    expr "$1" : "$2\$" >/dev/null
}

# No DHCP client of this machine may be found.
mkdir "$dir/base"
for command in sh cat ls mkdir head tail tr sed cut awk od rm mv chmod uname grep sleep \
    kill env wc readlink mktemp cmp; do
    ln -s "$(command -v "$command")" "$dir/base/$command" 2>/dev/null
done

plan 114

# Host name.
reset
echo db >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 db.lan db # of db\n# db\n' \
    >"$root/etc/hosts"
hook 10-hostname XENFORK_PARAM_HOSTNAME=alpha
check 'hostname: by parameter' is "$status:$(cat "$root/etc/hostname")" 0:alpha
check 'hostname: hosts' is "$(cat "$root/etc/hosts")" '127.0.0.1 localhost
127.0.1.1 alpha.lan alpha # of db
# db'
hook 10-hostname XENFORK_NAME=web_1.
check 'hostname: by the domain' is "$(cat "$root/etc/hostname")" web-1
hook 10-hostname
check 'hostname: source and index' is "$(cat "$root/etc/hostname")" db-3
hook 10-hostname XENFORK_PARAM_HOSTNAME=keep
check 'hostname: keep' is "$status:$(cat "$root/etc/hostname")" 0:db-3
hook 10-hostname "XENFORK_PARAM_HOSTNAME=a b"
check 'hostname: bad' is "$status:$(cat "$root/etc/hostname")" 1:db-3

# A clone that starts again: its own name, unless it is its source's.
state=$dir/state
hook 10-hostname XENFORK_PARAM_HOSTNAME=alpha XENFORK_GENERATION=one XENFORK_STATE="$state"
echo mine >"$root/etc/hostname"
hook 10-hostname XENFORK_PARAM_HOSTNAME=alpha XENFORK_GENERATION=one \
    XENFORK_STATE="$state" XENFORK_AGAIN=yes
check 'hostname: that of the user stays' is "$status:$(cat "$root/etc/hostname")" 0:mine
echo db-3 >"$root/etc/hostname"
hook 10-hostname XENFORK_PARAM_HOSTNAME=alpha XENFORK_GENERATION=one \
    XENFORK_STATE="$state" XENFORK_AGAIN=yes
check "hostname: the source's does not" is "$status:$(cat "$root/etc/hostname")" 0:alpha
echo mine >"$root/etc/hostname"
hook 10-hostname XENFORK_PARAM_HOSTNAME=beta XENFORK_GENERATION=two XENFORK_STATE="$state"
hook 10-hostname XENFORK_PARAM_HOSTNAME=gamma XENFORK_GENERATION=two XENFORK_STATE="$state"
check 'hostname: of two attempts the first has seen the source' is \
    "$(cat "$state/source-hostname")" 'two mine'

# machine-id.
reset
old=0123456789abcdef0123456789abcdef
hook 20-machine-id
check 'machine-id: none is made' not test -e "$root/etc/machine-id"
echo $old >"$root/etc/machine-id"
ln -s "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
hook 20-machine-id
new=$(cat "$root/etc/machine-id")
check 'machine-id: 32 digits, version 4' is_like "$status:$new" \
    '0:[0-9a-f]\{12\}4[0-9a-f]\{3\}[89ab][0-9a-f]\{15\}'
check 'machine-id: a new one' not test "$new" = $old
check 'machine-id: D-Bus has a link still' test -L "$root/var/lib/dbus/machine-id"
rm "$root/var/lib/dbus/machine-id"
echo $old >"$root/var/lib/dbus/machine-id"
hook 20-machine-id
check 'machine-id: D-Bus has the same' is \
    "$(cat "$root/var/lib/dbus/machine-id")" "$(cat "$root/etc/machine-id")"

# Both are links, to a file or through the other.
mkdir "$root/persist"
echo $old >"$root/persist/id"
ln -sf ../persist/id "$root/etc/machine-id"
ln -sf "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
hook 20-machine-id
check 'machine-id: behind a link' is_like "$status:$(cat "$root/persist/id")" '0:[0-9a-f]\{32\}'
check 'machine-id: behind a link a new one' not test "$(cat "$root/persist/id")" = $old
check 'machine-id: the links stay' test -L "$root/etc/machine-id"
mv "$root/persist/id" "$root/persist/dbus"
ln -sf "$root/persist/dbus" "$root/var/lib/dbus/machine-id"
echo $old >"$root/persist/id"
hook 20-machine-id
check 'machine-id: behind two links the same' is "$(cat "$root/persist/id")" \
    "$(cat "$root/persist/dbus")"
rm "$root/etc/machine-id"

echo $old >"$root/etc/machine-id"
hook 20-machine-id XENFORK_AGAIN=yes
check 'machine-id: it stays at later starts' is "$status $(cat "$root/etc/machine-id")" "0 $old"

# SSH.
reset
hook 30-ssh-host-keys
check 'ssh: no server' is "$status" 0
echo old >"$root/etc/ssh/ssh_host_ed25519_key"
echo old >"$root/etc/ssh/ssh_host_ed25519_key.pub"
hook 30-ssh-host-keys
check 'ssh: no tool: says so' is \
    "$status:$(cat "$root/etc/ssh/ssh_host_ed25519_key")" 1:old
# shellcheck disable=SC2016 # of the stub
stub ssh-keygen 'for file; do :; done; echo "new $3" >"$file"
echo public >"$file.pub"'
hook 30-ssh-host-keys
check 'ssh: a new key of the same kind' is \
    "$status:$(cat "$root/etc/ssh/ssh_host_ed25519_key")" '0:new ed25519'
check 'ssh: its public half' is \
    "$(cat "$root/etc/ssh/ssh_host_ed25519_key.pub")" public
check 'ssh: nothing is left' is "$(find "$root/etc/ssh" | wc -l)" 3
# Kinds that are not known any more; a name is not always a kind.
echo old >"$root/etc/ssh/ssh_host_dsa_key"
echo 'ssh-dss old' >"$root/etc/ssh/ssh_host_dsa_key.pub"
echo old >"$root/etc/ssh/ssh_host_mine_key"
echo 'ssh-rsa old' >"$root/etc/ssh/ssh_host_mine_key.pub"
mkdir "$root/etc/dropbear"
echo old >"$root/etc/dropbear/dropbear_dss_host_key"
# shellcheck disable=SC2016 # of the stubs
stub ssh-keygen '[ "$3" != dsa ] || { echo unknown key type dsa >&2; exit 255; }
for file; do :; done; echo "new $3" >"$file"; echo public >"$file.pub"'
stub dropbearkey "echo \"Unknown key type 'dss'\" >&2; exit 1"
hook 30-ssh-host-keys
check 'ssh: kinds that are not known are moved aside' is "$status:$(cat "$dir/reason" \
    "$root/etc/ssh/ssh_host_dsa_key.source" "$root/etc/dropbear/dropbear_dss_host_key.source")" '0:old
old'
check 'ssh: with nothing left' is "$(find "$root/etc" -name '*ds*' | wc -l)" 2
check 'ssh: a key by another name' is "$(cat "$root/etc/ssh/ssh_host_mine_key")" 'new rsa'
stub ssh-keygen 'echo no space >&2; exit 1'
hook 30-ssh-host-keys
check 'ssh: a key that cannot be made is kept, and held' is \
    "$status:$(cat "$root/etc/ssh/ssh_host_mine_key")" '1:new rsa'
echo mine >"$root/etc/ssh/ssh_host_ed25519_key"
hook 30-ssh-host-keys XENFORK_AGAIN=yes
check 'ssh: the key stays at later starts' is \
    "$status:$(cat "$root/etc/ssh/ssh_host_ed25519_key")" '0:mine'

# Keys elsewhere: where the configuration says, behind links, with an agent.
reset
mkdir -p "$root/keys" "$root/etc/ssh/sshd_config.d" "$root/persist"
printf 'Port 22\n hostkey=/keys/one # first\n#HostKey /keys/none\nHostKeyAgent none\nHostKey /keys/gone' \
    >"$root/etc/ssh/sshd_config"
printf 'HOSTKEY\t"/keys/two"\n' >"$root/etc/ssh/sshd_config.d/a.conf"
for key in one two three none; do echo old >"$root/keys/$key"; done
echo 'ssh-ed25519 old' >"$root/keys/one.pub"
echo old >"$root/persist/key"
ln -s ../../persist/key "$root/etc/ssh/ssh_host_rsa_key"
echo 'ssh-rsa old' >"$root/etc/ssh/ssh_host_rsa_key.pub"
stub sshd 'echo port 22; echo hostkey /keys/three; echo hostkey /keys/two'
# shellcheck disable=SC2016 # of the stub
stub ssh-keygen '[ "$1" != -y ] || { echo ecdsa-sha2-nistp256 AAAA; exit; }
for file; do :; done; echo "new $3" >"$file"; echo public >"$file.pub"'
hook 30-ssh-host-keys
check 'ssh: keys of HostKey' is "$status:$(cat "$dir/reason" "$root/keys/one" "$root/keys/two" \
    "$root/keys/three")" '0:new ed25519
new ecdsa
new ecdsa'
check 'ssh: each once' is "$(grep -c '^ssh-keygen -q' "$dir/calls")" 4
check 'ssh: no other file' is "$(cat "$root/keys/none")" old
check 'ssh: a key behind a link' is "$(cat "$root/persist/key" \
    "$root/etc/ssh/ssh_host_rsa_key.pub")" 'new rsa
public'
echo 'ssh-ed25519 AAAA' >"$root/keys/one"
hook 30-ssh-host-keys
check 'ssh: a key that an agent has: the reason' is "$status:$(cat "$root/keys/one")" \
    '1:ssh-ed25519 AAAA'
check 'ssh: which key' grep -q '/keys/one is a public key' "$dir/reason"

stub ssh-keygen 'echo unknown key type >&2; exit 1'
hook 30-ssh-host-keys
check 'ssh: of one by another name nobody says that it is not known' is \
    "$status:$(cat "$root/keys/three")" '1:new ecdsa'
mkdir -p "$root/proc/55" "$root/etc/dropbear"
echo dropbear >"$root/proc/55/comm"
printf 'dropbear\0-F\0-r\0/keys/bear\0-r/keys/cub\0' >"$root/proc/55/cmdline"
for key in keys/bear keys/cub etc/dropbear/dropbear_rsa_host_key; do echo old >"$root/$key"; done
# shellcheck disable=SC2016 # of the stub
stub dropbearkey '[ "$1" != -y ] || { echo "Public key portion is:"; echo ssh-ed25519 AAAA; exit; }
echo "new $2" >"$4"'
hook 30-ssh-host-keys
check "dropbear: keys of one that runs" is "$(cat "$root/keys/bear" "$root/keys/cub" \
    "$root/etc/dropbear/dropbear_rsa_host_key")" 'new ed25519
new ed25519
new rsa'

# A kernel, more or less: addresses are in $dir/addresses, a line each: device,
# family, address, scope and flags.
ip_stub() {
    echo 'eth0 inet 10.0.0.2/24 scope global' >"$dir/addresses"
    sed "s|DIR|$dir|g" >"$dir/kernel" <<'KERNEL'
list=DIR/addresses
change() { awk "$@" "$list" >"$list.new" && cat "$list.new" >"$list"; }
case $* in
"-f inet addr show dev"* | "-f inet6 addr show dev"*)
    awk -v d="$6" -v f="$2" '$1 == d && $2 == f { $1 = "   "; print }' "$list" ;;
"-f inet route show default dev eth0") cat DIR/default 2>/dev/null ;;
"addr flush dev"*) change -v d="$4" -v s="$6" '$1 != d || $5 != s' ;;
"-f inet addr flush dev"*)
    change -v d="$6" -v s="$8" '$1 != d || $2 != "inet" || $5 != s' ;;
"addr add"*)
    case $3 in *:*) family=inet6 ;; *) family=inet ;; esac
    echo "$5 $family $3 scope global" >>"$list" ;;
"link set dev "*" address "*) echo "$6" >"DIR/net/$4/address" ;;
esac
KERNEL
    echo 'default via 10.0.0.1' >"$dir/default"
    stub ip ". $dir/kernel"
}

# Print the addresses that a device has.
has_addresses() {
    awk -v d="$1" '$1 == d { printf "%s%s", n++ ? " " : "", $3 }' "$dir/addresses"
}

mac() {
    cat "$dir/net/$1/address"
}

# over LOWER UPPER KIND [MAC]: a device over another
over() {
    rm -f "$dir/default"
    mkdir -p "$dir/net/$2"
    echo 1 >"$dir/net/$2/type"
    echo "${4:-00:16:3e:00:00:02}" >"$dir/net/$2/address"
    echo "DEVTYPE=$3" >"$dir/net/$2/uevent"
    ln -s "../$2" "$dir/net/$1/upper_$2"
    ln -s "../$1" "$dir/net/$2/lower_$1"
    case $3 in bridge | bond) ln -s "../$2" "$dir/net/$1/master" ;; esac
}

reset
hook 40-network
check 'network: no ip command' is "$status:$(cat "$dir/reason")" \
    '1:network: no ip command'
ip_stub
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'network: the address of before goes' \
    called 'ip addr flush dev eth0 scope global'
check 'network: the new one comes' is "$(has_addresses eth0)" 10.0.0.7/24
check 'network: the gateway of before' \
    called 'ip route add default via 10.0.0.1 dev eth0'
check 'network: status' is "$status:$(cat "$dir/reason")" 0:
check 'network: no bridge of its own is touched' not grep -q br0 "$dir/calls"
reset
ip_stub
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24,2001:db8::7/64 \
    XENFORK_PARAM_GATEWAY=10.0.0.9,2001:db8::1 \
    XENFORK_PARAM_IP_ETH1=10.1.0.7/16 XENFORK_PARAM_NAMESERVER=10.0.0.53,::1
check 'network: a gateway' \
    called 'ip route replace default via 10.0.0.9 dev eth0'
check 'network: one of IPv6' \
    called 'ip -f inet6 route replace default via 2001:db8::1 dev eth0'
check 'network: both families' is "$(has_addresses eth0)" \
    '10.0.0.7/24 2001:db8::7/64'
check 'network: the other interface' is "$(has_addresses eth1)" 10.1.0.7/16
check 'network: name servers' is "$(cat "$root/etc/resolv.conf")" \
    'nameserver 10.0.0.53
nameserver ::1'
rm "$root/etc/resolv.conf"
ln -s nowhere "$root/etc/resolv.conf"
hook 40-network XENFORK_PARAM_NAMESERVER=10.0.0.53
check 'network: name servers are elsewhere' is "$status" 1
reset
ip_stub
hook 40-network
check 'network: without parameter, not the address of the source' \
    is "$status:$(has_addresses eth0)" 0:
reset
ip_stub
hook 40-network XENFORK_PARAM_IP=keep
check 'network: keep' is "$status:$(has_addresses eth0)" 0:10.0.0.2/24
for bad in 10.0.0.7 web/24 10.0.0.7/24/24 '10.0.0.7/24;reboot'; do
    reset
    ip_stub
    hook 40-network XENFORK_PARAM_IP="$bad"
    check "network: not $bad, and no address of the source's" \
        is "$status:$(has_addresses eth0)" 1:
done
check 'network: the reason' grep -q '^eth0: not an address' "$dir/reason"

# Interfaces over the card: the address is there, the MAC everywhere.
reset
ip_stub
over eth0 br0 bridge
echo 'br0 inet 10.0.0.2/24 scope global' >"$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'bridge: its address' is "$status:$(has_addresses br0)" 0:10.0.0.7/24
check 'bridge: none on the card' is "$(has_addresses eth0)" ''
check 'bridge: its MAC' is "$(mac br0)" 00:16:3e:aa:00:00
check 'bridge: told of its port' \
    called 'ip link set dev eth0 address 00:16:3e:aa:00:00'
reset
ip_stub
over eth0 bond0 bond
over eth1 bond0 bond
over bond0 br1 bridge 02:00:00:00:00:09
over br1 br1.5 vlan
over eth1 mv0 macvlan 02:00:00:00:00:08
printf '%s\n' 'br1 inet 10.0.0.2/24 scope global' \
    'br1.5 inet 10.5.0.2/24 scope global' \
    'br1.5 inet6 2001:db8::2/64 scope global' \
    'mv0 inet 10.8.0.2/24 scope global' >"$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24 XENFORK_PARAM_IP_BR1_5=10.5.0.7/24
check 'stack: addresses' is "$status:$(has_addresses br1):$(has_addresses \
    br1.5):$(has_addresses mv0)" '0:10.0.0.7/24:10.5.0.7/24:'
check 'stack: MACs of all' is "$(mac bond0) $(mac br1) $(mac br1.5)" \
    '00:16:3e:aa:00:00 00:16:3e:aa:00:00 00:16:3e:aa:00:00'
check 'stack: of a macvlan a random one' is_like "$(mac mv0)" '02:\(..:\)\{4\}..'
check 'stack: and not that of before' not test "$(mac mv0)" = 02:00:00:00:00:08
check 'stack: a bond of two cards is done once' is \
    "$(grep -c 'link set dev bond0' "$dir/calls")" 1
reset
ip_stub
over eth0 br0 bridge
sed -i 's/^"link set dev ".*/"link set dev "*) exit 2 ;;/' "$dir/kernel"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'a MAC that cannot be changed: the reason' is "$status:$(grep br0 "$dir/reason" |
    tail -n 1)" "1:br0: has the source's MAC address 00:16:3e:00:00:02 still"
reset
ip_stub
# shellcheck disable=SC2016 # of the stub
sed -i 's/^"addr flush.*/"addr flush dev"*) ;;/' "$dir/kernel"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'an address that comes back: the reason' is \
    "$status:$(cat "$dir/reason")" \
    "1:eth0: has the source's address 10.0.0.2 still"

# Devices beside the cards: the kernel answers for their addresses, too.
# beside NAME TYPE FLAGS [DEVTYPE]
beside() {
    mkdir -p "$dir/net/$1"
    echo "$2" >"$dir/net/$1/type"
    echo "$3" >"$dir/net/$1/flags"
    [ -z "${4:-}" ] || echo "DEVTYPE=$4" >"$dir/net/$1/uevent"
}
reset
ip_stub
beside lo 772 0x9
beside dummy0 1 0xc3
beside wg1 65534 0x90
printf '%s\n' 'lo inet 127.0.0.1/8 scope host lo' 'lo inet 10.0.0.100/32 scope global lo' \
    'dummy0 inet 10.0.0.101/32 scope global' 'br0 inet 172.17.0.1/16 scope global' >>"$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'lo: not the address of the source' is "$status:$(cat "$dir/reason"):$(has_addresses lo)" \
    0::127.0.0.1/8
check 'dummy: neither' is "$(has_addresses dummy0)" ''
check 'bridge without a card: it stays' is "$(has_addresses br0)" 172.17.0.1/16
echo 'lo inet 10.0.0.100/32 scope global lo' >>"$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24 XENFORK_PARAM_IP_LO=10.0.0.102/32
check 'lo: an address of its own' is "$status:$(has_addresses lo)" '0:127.0.0.1/8 10.0.0.102/32'
hook 40-network XENFORK_PARAM_IP=keep
check 'lo: keep' is "$status:$(has_addresses lo)" '0:127.0.0.1/8 10.0.0.102/32'
echo 0x91 >"$dir/net/wg1/flags"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'a tunnel: the reason' is "$status:$(cat "$dir/reason")" \
    "1:wg1: is a tunnel of the source's; the parameter ip.wg1=keep leaves it"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24 XENFORK_PARAM_IP_WG1=keep
check 'a tunnel: keep' is "$status:$(cat "$dir/reason")" 0:
rm -r "$dir/net/wg1"
mkdir -p "$dir/net/bus/xen/devices/vif-0/net/eth0" "$dir/net/bus/xen/devices/vif-1/driver" \
    "$root/proc/1/ns" "$root/proc/8/ns" "$root/proc/self/ns"
for of in 1:1 8:2 self:1; do ln -s "net:[${of#*:}]" "$root/proc/${of%:*}/ns/net"; done
hook 40-network XENFORK_PARAM_IP=keep
check 'a card of a container: the reason' is "$status:$(cat "$dir/reason")" \
    '1:network: another network namespace has vif-1, with its addresses of before'
rm -r "$dir/net/bus"
stub nsenter 'cat <<LINKS
1: lo: <LOOPBACK> mtu 65536 qdisc noop state DOWN\    link/loopback 00:00:00:00:00:00 promiscuity 0
2: eth0@if9: <UP> mtu 1500\    link/ether 02:42:ac:11:00:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0 \    veth
3: mv0@mv1: <UP> mtu 1500\    link/ether 02:42:ac:11:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 0 \    macvlan mode bridge
LINKS'
hook 40-network XENFORK_PARAM_IP=keep
check 'an ordinary container' is "$status:$(cat "$dir/reason")" 0:
check 'looked at by its process' called 'nsenter -t 8 -n ip -d -o link show'
stub nsenter 'echo "5: mv0@if2: <UP> mtu 1500\    link/ether 52:7c:9c:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0 \    macvlan mode bridge bcqueuelen 1000"'
hook 40-network XENFORK_PARAM_IP=keep
check 'a macvlan of a container: the reason' is "$status:$(cat "$dir/reason")" \
    '1:network: another network namespace has the macvlan or ipvlan mv0, with its addresses of before'

# Systems behind a bridge of the source are not the clone's to change.
reset
ip_stub
over eth0 br0 bridge
mkdir -p "$dir/net/br0/brif/tap0" "$dir/net/br0/brif/eth0" "$dir/net/tap0"
for file in tun_flags ifindex iflink; do echo 9 >"$dir/net/tap0/$file"; done
echo 0 >"$dir/net/tap0/carrier"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'an idle tap is nobody' is "$status" 0
echo 1 >"$dir/net/tap0/carrier"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'a system behind a tap' is "$status:$(head -n 1 "$dir/reason")" \
    '1:br0: another system is behind tap0, with its addresses of before'

# IPv6: off and on, with a new secret; what the kernel would do is done here.
reset
ip_stub
conf="$root/proc/sys/net/ipv6/conf/eth0"
mkdir -p "$conf"
echo 0 >"$conf/disable_ipv6"
echo old >"$conf/stable_secret"
printf '%s\n' 'eth0 inet 10.0.0.2/24 scope global' \
    'eth0 inet6 2001:db8::2/64 scope global' \
    'eth0 inet6 fe80::216:3eff:fe00:2/64 scope link' >"$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'link-local: that of the source, still' is \
    "$status:$(cat "$dir/reason")" \
    "1:eth0: has the source's address fe80::216:3eff:fe00:2 still"
check 'a secret of its own' is_like "$(cat "$conf/stable_secret")" \
    '\([0-9a-f]\{4\}:\)\{7\}[0-9a-f]\{4\}'
sed -i '/fe80/s/.*/eth0 inet6 fe80::216:3eff:feaa:0\/64 scope link/' \
    "$dir/addresses"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'link-local: of its own MAC' is "$status:$(cat "$dir/reason")" 0:

# Parameters that nothing can be done with.
reset
ip_stub
mkdir -p "$root/proc/77"
echo connmand >"$root/proc/77/comm"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'network: a manager that it does not know' is "$status:$(cat "$dir/reason")" \
    "1:network: connmand runs, and may bring the source's address back"
hook 40-network XENFORK_PARAM_IP=keep
check 'network: which may keep the addresses' is "$status" 0
echo keepalived >"$root/proc/77/comm"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'network: who shares an address with others' is "$status:$(cat "$dir/reason")" \
    "1:network: keepalived runs, and may bring the source's address back"
rm -r "$root/proc/77"
for bad in IP_ETH9=10.0.0.7/24 IP_BR9=10.0.0.7/24 GATEWAY=10.0.0.9; do
    hook 40-network "XENFORK_PARAM_$bad"
    check "network: $bad is of nothing here" is "$status:$(grep -c \
        'of no network card here\|was given no address' "$dir/reason")" 1:1
done
hook 40-network XENFORK_PARAM_IP_ETH9=
check 'network: an empty one is none' is "$status:$(cat "$dir/reason")" 0:
rm -r "$dir/net/eth0" "$dir/net/eth1"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'network: no card for an address' is "$status:$(cat "$dir/reason")" \
    '1:network: the parameter ip: there is no network card'
hook 40-network
check 'network: no card, nothing asked' is "$status" 0

# Files that would bring it back: see files.t too.
reset
ip_stub
mkdir -p "$root/etc/network/interfaces.d" "$root/etc/netplan"
printf 'iface eth0 inet static\n\taddress 10.0.0.2/24\n' \
    >"$root/etc/network/interfaces"
printf 'network: {ethernets: {eth0: {addresses: [10.0.0.2/24, 10.9.0.2/24]}}}\n' \
    >"$root/etc/netplan/a.yaml"
hook 40-network XENFORK_PARAM_IP=10.0.0.7/16
check 'interfaces: rewritten' is "$(sed -n 2p "$root/etc/network/interfaces")" \
    '	address 10.0.0.7/16'
check 'netplan: rewritten' grep -q 'addresses: \[10.0.0.7/16, 10.9.0.2/24\]' \
    "$root/etc/netplan/a.yaml"
echo 'up ip addr add 10.0.0.2/24 dev eth0' >>"$root/etc/network/interfaces"
cp "$root/etc/network/interfaces" "$dir/interfaces"
echo 'eth0 inet 10.0.0.2/24 scope global' >"$dir/addresses"
hook 40-network
check 'a file that cannot be put right: the reason' is \
    "$status:$(cat "$dir/reason")" \
    "1:network: /etc/network/interfaces has an address of the source's still"

# A DHCP client that runs: its client id is the source's, so it starts again, by
# its own command line, and goes on asking.
reset
ip_stub
for client in udhcpc udhcpc6 dhclient; do
    # By its own command line it would be called sh.
    stub $client "printf $client >/proc/\$\$/comm; echo \$\$ >$dir/$client.pid
while :; do sleep 1; done"
done
# client NAME WORDS…: start it, as "before"
client() {
    rm -f "$dir/$1.pid"
    PATH="$dir/bin:$PATH" "$@" &
    until [ -s "$dir/$1.pid" ]; do sleep 0.1; done
    before=$(cat "$dir/$1.pid")
    : >"$dir/calls"
}
# Tell whether the client NAME is another process now; end it.
is_another() {
    after=$(cat "$dir/$1.pid")
    kill -KILL "$after"
    ! kill -0 "$before" 2>/dev/null && [ "$before" != "$after" ]
}
sleep 60 &
stranger=$!
mkdir -p "$root/run"
echo $stranger >"$root/run/udhcpc.eth0.pid"
client udhcpc -i eth0 -R -n -x hostname:db
hook 40-network PROC=/proc
check 'udhcpc: another process' is "$status:$(is_another udhcpc || echo the same)" 0:
check 'udhcpc: the lease of the source is not used on' is "$(has_addresses eth0)" ''
check 'udhcpc: it does not give up, and names no source' called \
    "udhcpc -i eth0 -R -b -x hostname:$(uname -n)"
hook 40-network PROC=/proc XENFORK_PARAM_IP=10.0.0.7/24
check 'udhcpc: one that has its number now is not ended' is \
    "$status:$(kill -0 $stranger && echo runs)" 0:runs
kill $stranger
mkdir -p "$root/var/lib/dhcp"
echo lease >"$root/var/lib/dhcp/eth0"
client dhclient -1 -pf "$dir/any.pid" -lf /var/lib/dhcp/eth0 eth0
hook 40-network PROC=/proc
check 'dhclient: another process' is "$status:$(is_another dhclient || echo the same)" 0:
check 'dhclient: with its own pid file' called \
    "dhclient -pf $dir/any.pid -lf /var/lib/dhcp/eth0 eth0"
check 'dhclient: without its lease' not test -e "$root/var/lib/dhcp/eth0"
client dhclient -v
hook 40-network PROC=/proc XENFORK_PARAM_IP=10.0.0.7/24
check 'dhclient of all cards: it goes on for others' is \
    "$status:$(is_another dhclient || echo the same)" 0:
check 'dhclient of all cards: for those alone' called 'dhclient -v eth1'
client dhclient eth0
hook 40-network PROC=/proc XENFORK_PARAM_IP=10.0.0.7/24
check 'dhclient: it ends where an address is given' is \
    "$status:$(kill -0 "$before" 2>/dev/null && echo runs)$(grep '^dhclient' "$dir/calls")" 0:
# udhcpc6 runs beside the client of IPv4.
for given in '' IP=10.0.0.7/24; do
    client udhcpc6 -n -i eth0
    echo 'eth0 inet6 fe80::216:3eff:feaa:0/64 scope link' >"$dir/addresses"
    hook 40-network PROC=/proc "XENFORK_PARAM_${given:-NONE=}"
    check "udhcpc6: another process${given:+, beside an address of IPv4}" is \
        "$status:$(is_another udhcpc6 || echo the same)" 0:
    check 'udhcpc6: it does not give up' called 'udhcpc6 -b -i eth0'
done
client udhcpc6 -i eth0
hook 40-network PROC=/proc XENFORK_PARAM_IP=2001:db8::7/64
check 'udhcpc6: it ends where an address is given' is \
    "$status:$(kill -0 "$before" 2>/dev/null && echo runs)$(grep '^udhcpc6' "$dir/calls")" 0:
# One that cannot start again: the clone would have no address.
client dhclient eth0
printf '#!/bin/sh\nexit 1\n' >"$dir/bin/dhclient"
hook 40-network PROC=/proc
check 'dhclient: it does not start again' is "$status:$(cat "$dir/reason")" \
    '1:eth0: dhclient does not start again'
# ARP.
reset
ip_stub
over eth0 br0 bridge
echo 'br0 inet 10.0.0.5/24 scope global' >>"$dir/addresses"
hook 50-announce
check 'announce: no tool is no failure' is "$status" 0
stub arping ''
hook 50-announce
tries=0
until called 'arping -q -U -c 1 -I eth0 10.0.0.2' || [ "$tries" -gt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
check 'announce: to the neighbours' \
    called 'arping -q -U -c 1 -I eth0 10.0.0.2'
tries=0
until called 'arping -q -U -c 1 -I br0 10.0.0.5' || [ "$tries" -gt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
check 'announce: from a bridge over a card' \
    called 'arping -q -U -c 1 -I br0 10.0.0.5'
