#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone made without libxl's restore is the same as one that libxl has restored: xenstore with permissions, libxl's record, the
# hypervisor's view, loop device and interface; and Xen's own commands do with it what they do with any domain.
# live: --source --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

SEES=/usr/libexec/xenfork/test-domain

# clone WAY NAME [OPTION…]: a paused clone; what was said of it is in $said
clone() {
    local before
    before=$(awk '/^processes/ { print $2 }' /proc/stat)
    said=$(XENFORK_TEST_CLONES=$1 timeout 300 xl fork --json --paused "${@:3}" "${SOURCE:-source}" "$2" 2>/tmp/fork.log) || {
        diag "$(cat /tmp/fork.log)"
        return 1
    }
    diag "$2: $(($(awk '/^processes/ { print $2 }' /proc/stat) - before)) processes; $(jq -c '.clones[0] | del(.nics)' <<<"$said")"
}

uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }

# bare DOM: standard input without what no two clones share
bare() {
    local id uuid node
    id=$(domid_of "$1") uuid=$(uuid_of "$1")
    node=$(xenstore-read "/local/domain/0/backend/vbd/$id/51712/physical-device-path")
    sed -E -e "s,/$id(/|\"| |$),/DOMID\1,g; s,([nrwb(])$id\b,\1DOMID,g; s,(id = \")$id\",\1DOMID\"," \
        -e "s,$uuid,UUID,g; s,\b$1\b,NAME,g; s,\"$node\",\"NODE\",; s,(physical-device = ).*\",\1NUMBER\"," \
        -e 's,"/dev/loop[0-9]+","NODE",' -e 's,(mac = |"mac": )"[^"]*",\1MAC,; s,((start_time|generation|entropy|tty|index) = )".*",\1SOME,' \
        -e "s,vif$id\.,vifDOMID.,; s,\"domid\": $id\b,\"domid\": DOMID,"
}

nodes() {
    local id uuid path
    id=$(domid_of "$1") uuid=$(uuid_of "$1")
    for path in "local/domain/$id" "libxl/$id" "vm/$uuid" local/domain/0/backend/{vbd,vif,console}/"$id"; do
        xenstore-ls -fp "/$path" || echo "no $path"
    done | bare "$1"
}
record() { bare "$1" <"/var/lib/xen/userdata-d.$(domid_of "$1").$(uuid_of "$1").libxl-json" | tr -d '\0'; }
listing() { xl list -l "$1" | bare "$1"; }
seen() { "$SEES" "$(domid_of "$1")"; }
loops() {
    losetup -n -O AUTOCLEAR,RO,DIO,OFFSET,SIZELIMIT,LOG-SEC,BACK-FILE -l \
        "$(xenstore-read "/local/domain/0/backend/vbd/$(domid_of "$1")/51712/physical-device-path")" | bare "$1"
}
links() {
    ip -d -j link show dev "vif$(domid_of "$1").0" | jq -S '.[0] | {mtu, flags, master, address, operstate, promiscuity, allmulti, num_tx_queues}' |
        bare "$1"
}
grants() {
    xl debug-keys g
    sleep 0.5
    xl dmesg | sed -n "/grant-table for remote d$(domid_of "$1")/,/grant-table for\|done/p" | sed -n 2p
}
files() { find /var/lib/xen /run/xen -name "*.$(domid_of "$1").*" -printf '%m %u %f\n' | sed "s/-d\.$(domid_of "$1")\./-d.DOMID./" | bare "$1"; }

# same_in_all ONE OTHER
same_in_all() {
    local what one other
    for what in nodes record listing seen loops links grants files; do
        one=$($what "$1") other=$($what "$2")
        if [ -n "$one" ] && [ "$one" = "$other" ]; then
            ok "the same $what"
        else
            fail "the same $what" "$(diff <(echo "$one") <(echo "$other"))"
        fi
    done
}

# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() { snapshot_of_host /data /var/lib/xen /run/xen-hotplug | grep -vE '^[0-9]+ process xl$'; }
has_tty() { [ -n "$(xenstore-read "/local/domain/$(domid_of "$1")/console/tty" 2>/dev/null)" ]; }
before=$(host)
clone libxl slow || bail_out 'no clone by libxl'
is 'libxl has made it' "$(json '.clones[0].made_by' <<<"$said")" libxl
is 'because' "$(json '.clones[0].because' <<<"$said")" 'a test asks for it'
clone '' quick || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said")" xenfork
check 'it has a console' wait_until 10 has_tty quick
same_in_all slow quick
check 'held' held "$(json '.clones[0].nics[0].vif' <<<"$said")"

xl unpause quick
check 'it ticks on' wait_until 60 ticks_on quick
is 'the memory of the source' "$(field quick token)" "$(field source token)"
is 'its disk is whole' "$(ask quick verify | json .errors)" 0

# What libxl's later calls do with it; save, restore and migrate: independent.t; reboot: clone-reboot.t.
state() { [ "$(xenstore-read "/local/domain/0/backend/$1/$(domid_of quick)/$2/state")" = "$3" ]; }
none() { ! xenstore-read "/local/domain/0/backend/$1/$(domid_of quick)/$2/state"; }
truncate -s 16M /data/extra.img
check 'xl block-attach' xl block-attach quick format=raw,vdev=xvdb,access=rw,target=/data/extra.img
check 'the guest takes it' wait_until 30 state vbd 51728 4
check 'xl block-detach' xl block-detach quick xvdb
check 'it is gone' wait_until 30 none vbd 51728
check 'xl network-attach' xl network-attach quick bridge=xenbr0
check 'the guest takes it' wait_until 30 state vif 1 4
check 'xl network-detach' xl network-detach quick 1
rm -f /data/extra.img
check 'xl fork of it' timeout 300 xl fork quick third
check 'that ticks on' wait_until 60 ticks_on third
is 'with the same memory' "$(field third token)" "$(field source token)"
check 'xl destroy' xl destroy third
check 'all are removed' timeout 300 xl fork-destroy --yes slow quick third
as_before() { [ "$(host)" = "$before" ]; }
if wait_until 60 as_before; then ok 'the host is as before'; else fail 'the host is as before' "$before" now "$(host)"; fi

# Another one: two vCPUs, two disks, two NICs of which one is connected.
xl destroy source
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/second.img
start_source pair 128 'vcpus = 2' \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/pair.img", "format=raw,vdev=xvdb3,access=rw,no-discard,target=/data/second.img" ]' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:02,mtu=1400,rate=10Mb/s", "bridge=xenbr0,mac=00:16:3e:00:00:03" ]'
SOURCE=pair
clone libxl two --nic 0,link=connect || bail_out 'no clone by libxl'
clone '' three --nic 0,link=connect || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said")" xenfork
check 'it has a console' wait_until 10 has_tty three
same_in_all two three
xl unpause three
check 'it ticks on' wait_until 60 ticks_on three
check 'all of these are removed' timeout 300 xl fork-destroy --yes two three
done_testing
