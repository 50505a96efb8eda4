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
    done
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
hook() {
    name=$1
    shift
    run env -i PATH="$dir/bin:$dir/base" ROOT="$root" NET="$dir/net" \
        XENFORK_ROLE=clone XENFORK_SOURCE=db XENFORK_INDEX=3 "$@" \
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
for command in sh cat head tr sed cut awk od rm mv chmod uname grep sleep kill; do
    ln -s "$(command -v "$command")" "$dir/base/$command" 2>/dev/null
done

plan 30

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

# machine-id.
reset
old=0123456789abcdef0123456789abcdef
hook 20-machine-id
check 'machine-id: none is made' not test -e "$root/etc/machine-id"
echo $old >"$root/etc/machine-id"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"
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

# Network.
ip_stub() {
    # shellcheck disable=SC2016 # of the stub
    stub ip 'case "$*" in
"-f inet addr show dev eth0") echo "    inet 10.0.0.2/24 scope global eth0" ;;
"route show default dev eth0") echo "default via 10.0.0.1" ;;
esac'
}
reset
hook 40-network
check 'network: no ip command' is "$status" 1
ip_stub
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24
check 'network: the address of before goes' \
    called 'ip addr flush dev eth0 scope global'
check 'network: the new one comes' called 'ip addr add 10.0.0.7/24 dev eth0'
check 'network: the gateway of before' \
    called 'ip route add default via 10.0.0.1 dev eth0'
check 'network: status' is "$status" 0
check 'network: no bridge is touched' not grep -q br0 "$dir/calls"
reset
ip_stub
hook 40-network XENFORK_PARAM_IP=10.0.0.7/24 XENFORK_PARAM_GATEWAY=10.0.0.9 \
    XENFORK_PARAM_IP_ETH1=10.1.0.7/16 XENFORK_PARAM_NAMESERVER=10.0.0.53
check 'network: a gateway' \
    called 'ip route replace default via 10.0.0.9 dev eth0'
check 'network: the other interface' called 'ip addr add 10.1.0.7/16 dev eth1'
check 'network: name server' is "$(cat "$root/etc/resolv.conf")" \
    'nameserver 10.0.0.53'
reset
ip_stub
hook 40-network
check 'network: without parameter, not the address of the source' \
    called 'ip addr flush dev eth0 scope global'
reset
ip_stub
hook 40-network XENFORK_PARAM_IP=keep
check 'network: keep' not grep -q 'dev eth0' "$dir/calls"
reset
ip_stub
hook 40-network XENFORK_PARAM_IP=10.0.0.7
check 'network: no prefix, nothing done' is "$status:$(cat "$dir/calls")" \
    "1:$(grep -v 'eth0' "$dir/calls")"

# ARP.
reset
ip_stub
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
