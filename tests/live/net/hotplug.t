#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone whose devices xenfork-hotplug made is the same as one whose devices Xen's scripts made, field by field;
# Xen's own commands then take it apart and leave nothing.
# live: --source --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

SCRIPTS=/etc/xen/scripts
xl destroy source
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/read.img
start_source pair 128 \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/pair.img", "format=raw,vdev=xvdb,access=ro,target=/data/read.img" ]' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:02", "bridge=xenbr0,mac=00:16:3e:00:00:03,mtu=1400" ]'

processes() { awk '/^processes/ { print $2 }' /proc/stat; }

# fork_by stock|helper NAME: a paused clone, its first NIC held, the other connected; and how many processes it took
fork_by() {
    local before by=$1
    before=$(processes)
    XENFORK_TEST_HOTPLUG=$by timeout 200 xl fork --paused --nic 0,link=hold --nic 1,link=connect pair "$2" >/dev/null || return 1
    took=$(($(processes) - before))
    diag "$2: $took processes"
}

backends() { find_nodes "/local/domain/0/backend/$2/$(domid_of "$1")"; }
find_nodes() { xenstore-ls -fp "$1" 2>/dev/null; }

# nodes DOM: all of its devices in xenstore, and who may read them, without what no two clones share
nodes() {
    local id
    id=$(domid_of "$1")
    {
        backends "$1" vbd
        backends "$1" vif
        find_nodes "/local/domain/$id/device"
        find_nodes "/libxl/$id/device"
    } | sed -E -e "s,/$id/,/DOMID/,g; s/([nrwb])$id\b/\1DOMID/g; s/(-id = )\"$id\"/\1\"DOMID\"/" \
        -e 's/(mac = )".*"/\1MAC/; s,"/data/\.xenfork/[^"]*","DELTA",' \
        -e 's,"/dev/loop[0-9]+","LOOP",; s/(physical-device = )"7:[0-9a-f]+"/\1"7:LOOP"/'
}

# links DOM: the host's side of its interfaces
links() {
    local i vif
    for i in 0 1; do
        vif=vif$(domid_of "$1").$i
        # A link that has never been up has no queue yet; it comes with the link.
        ip -d -j link show dev "$vif" | jq -S 'map(del(.ifindex, .ifname, .parentdev) | .linkinfo.info_slave_data |=
            with_entries(select(.key | IN("id", "no", "designated_port") or test("timer") | not)) |
            if .flags | index("UP") then . else del(.qdisc) end)'
        ip -j addr show dev "$vif" | jq '.[0].addr_info | length'
        cat "/sys/class/net/$vif/brport/state"
    done
}

# loops DOM: its loop devices, and that the keys in xenstore agree with them
loops() {
    local id dev node path
    id=$(domid_of "$1")
    for dev in 51712 51728; do
        path=/local/domain/0/backend/vbd/$id/$dev
        node=$(xenstore-read "$path/node")
        losetup -J -O AUTOCLEAR,DIO,OFFSET,PARTSCAN,RO,SIZELIMIT,LOG-SEC "$node" | jq -S .
        [ "$(losetup -n -O BACK-FILE "$node")" = "$(xenstore-read "$path/params")" ] && echo "its file"
        [ "$(stat -c %t:%T "$node")" = "$(xenstore-read "$path/physical-device")" ] && echo "its number"
        [ "$(xenstore-read "$path/physical-device-path")" = "$node" ] && echo "its path"
        losetup -n -O BACK-INO,BACK-MAJ:MIN "$node" | wc -w
    done
}

# record DOM: what libxl keeps of it
record() {
    xl list -l "$1" | jq -S '.[0].config | del(.c_info.name, .c_info.uuid, .c_info.domid, .nics[].mac,
        .disks[0].pdev_path)'
}

# same WHAT: of the clones stock and helper
same() {
    local stock helper
    stock=$("$1" stock) helper=$("$1" helper)
    if [ -n "$stock" ] && [ "$stock" = "$helper" ]; then
        ok "the same $1"
    else
        fail "the same $1" "$(diff <(echo "$stock") <(echo "$helper"))"
    fi
}

# traces: of us, where Xen looks
traces() {
    xenstore-ls -f | grep -a xenfork-hotplug
    grep -al xenfork-hotplug /var/lib/xen/* 2>/dev/null
    xl list -l 2>/dev/null | grep xenfork-hotplug
    ls -A /var/run/xen-hotplug
}

# left DOMID: of a domain that is gone
left() {
    losetup -n -O BACK-FILE | grep -F .xenfork
    find /sys/class/net/ -name "vif$1.*"
    find_nodes "/local/domain/0/backend" | grep -E "/(vbd|vif)/$1(/| )"
    find_nodes "/libxl/$1"
    find_nodes "/local/domain/$1"
}

is_free() { [ -n "$1" ] && ! losetup "$1" >/dev/null 2>&1; }
locked() { [ -e /var/run/xen-hotplug/block ]; }

# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() { snapshot_of_host /data | grep -vE '^[0-9]+ process xl$'; }

before=$(host)
check "by Xen's scripts" fork_by stock stock
ip monitor link >/tmp/monitor &
monitor=$!
took=''
if fork_by helper helper; then ok 'by xenfork-hotplug'; else fail 'by xenfork-hotplug'; fi
check 'it takes few processes' test "${took:-99}" -le 25
kill "$monitor"
for what in nodes links loops record; do
    same $what
done
is 'no trace of it' "$(traces)" ''
# ups NIC BRIDGE: how often its link was seen up there
ups() { grep -E "vif$(domid_of helper)\.$1:? .*[<,]UP[,>]" /tmp/monitor | grep -c "master $2 "; }
isnt 'held: up on the bridge' "$(ups 0 xenbr0)" 0
check 'and silent' held "vif$(domid_of helper).0"
isnt 'connected: up on the bridge' "$(ups 1 xenbr0)" 0
check 'and not silent' eval '! held "vif$(domid_of helper).1"'

# It runs, and is taken apart by Xen's own means.
domid=$(domid_of helper)
xl fork-destroy --yes stock
xl unpause helper
check 'the clone ticks on' wait_until 60 ticks_on helper
is 'its disk is whole' "$(ask helper verify | json .errors)" 0
two=$(xenstore-read "/local/domain/0/backend/vbd/$domid/51728/node")
check 'xl block-detach' timeout 60 xl block-detach helper xvdb
check 'its loop device is free' is_free "$two"
is 'its nodes are gone' "$(find_nodes "/local/domain/0/backend/vbd/$domid/51728")" ''
check 'xl network-detach' timeout 60 xl network-detach helper 1
check 'its interface is gone' test ! -e "/sys/class/net/vif$domid.1"
check 'xl save' timeout 200 xl save helper /data/saved
check 'xl restore' timeout 200 xl restore /data/saved
rm -f /data/saved
check 'it goes on' wait_until 60 ticks_on helper
is 'no trace of xenfork-hotplug' "$(traces)" ''
domid=$(domid_of helper)
check 'xl destroy' xl destroy helper
is 'it leaves nothing' "$(left "$domid")" ''
xl fork-destroy --yes helper
as_before() {
    rmdir /data/.xenfork 2>/dev/null
    [ "$(host)" = "$before" ]
}
wait_until 30 as_before
same_host 'all is as before' "$before" "$(host)"

# Where the host is set up otherwise, Xen's scripts run.
mkdir -p $SCRIPTS/vif-post.d
echo 'echo "$command $dev" >>/tmp/hooked' >$SCRIPTS/vif-post.d/test.hook
chmod +x $SCRIPTS/vif-post.d/test.hook
cp -p $SCRIPTS/block /tmp/block
sed -i '2i echo "$1 $XENBUS_PATH" >>/tmp/blocked' $SCRIPTS/block
check 'with a hook and another block script' fork_by helper other
domid=$(domid_of other)
is 'the hook was run' "$(sort /tmp/hooked)" "online vif$domid.0
online vif$domid.1"
is 'the block script was run' "$(sort /tmp/blocked)" "add backend/vbd/$domid/51712
add backend/vbd/$domid/51728"
rm -r $SCRIPTS/vif-post.d
cp -p /tmp/block $SCRIPTS/block
xl fork-destroy --yes other

# The lock of Xen's scripts is ours, too.
mkdir -p /var/run/xen-hotplug
(
    exec 9<>/var/run/xen-hotplug/block
    flock 9
    sleep 8
    date +%s%N >/tmp/released
    rm /var/run/xen-hotplug/block
) &
wait_until 10 locked
check 'a fork while a script has the lock' fork_by helper waiter
date +%s%N >/tmp/done
check 'it waited' test "$(cat /tmp/done)" -gt "$(cat /tmp/released 2>/dev/null || echo 9999999999999999999)"
is 'the lock is gone' "$(ls -A /var/run/xen-hotplug)" ''
xl fork-destroy --yes waiter
done_testing
