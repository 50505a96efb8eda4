#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone whose disk we have put behind block-fork's device, or which has a volume of LVM, is the same as one whose disk the
# script has set up, field by field: by xenfork-hotplug, and without libxl's restore. Xen's own commands then take it apart.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/lvm.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
remember
start_behind src /mnt/e/src.img 'vif = []'

# fork_by stock|helper|fast SOURCE: a paused clone of that name; and how many processes it took
fork_by() {
    local before way=libxl
    [ "$1" != fast ] || way=''
    before=$(awk '/^processes/ { print $2 }' /proc/stat)
    XENFORK_TEST_CLONES=$way XENFORK_TEST_HOTPLUG=$1 timeout 200 xl fork --paused "$2" "$1" >/dev/null || return 1
    took=$(($(awk '/^processes/ { print $2 }' /proc/stat) - before))
    diag "$2, $1: $took processes"
}

# nodes DOM: of its disk, in xenstore, without what no two clones share
nodes() {
    local id node
    id=$(domid_of "$1")
    node=$(xenstore-read "/local/domain/0/backend/vbd/$id/51712/physical-device-path")
    for path in local/domain/0/backend/vbd libxl local/domain; do
        xenstore-ls -fp "/$path/$id/$([ $path = local/domain/0/backend/vbd ] || echo device)" 2>/dev/null
    done | sed -E -e "s,/$id/,/DOMID/,g; s/([nrwb])$id\b/\1DOMID/g; s/(-id = )\"$id\"/\1\"DOMID\"/" \
        -e "s,\"$node\",\"NODE\",; s,\"[^\"]*/(\.xenfork/|xenfork-)[^\"]*\",\"DELTA\"," \
        -e 's/(physical-device = ").*"/\1NUMBER"/'
    [ "$(stat -Lc %t:%T "$node")" = "$(xenstore-read "/local/domain/0/backend/vbd/$id/51712/physical-device")" ] &&
        echo 'its number'
}
record() { xl list -l "$1" | jq -S '.[0].config | del(.c_info.name, .c_info.uuid, .c_info.domid, .disks[].pdev_path)'; }

# same_all_ways SOURCE SCRIPT
same_all_ways() {
    local what way one other=''
    took=99
    check "$1: by $2" fork_by stock "$1"
    if fork_by helper "$1"; then ok 'by xenfork-hotplug'; else fail 'by xenfork-hotplug'; fi
    check 'it takes few processes' test "$took" -le 25
    if fork_by fast "$1"; then ok "without libxl's restore"; else fail "without libxl's restore"; fi
    for way in fast helper; do
        for what in record nodes; do
            one=$($what stock) other=$($what $way)
            if [ -n "$one" ] && [ "$one" = "$other" ]; then
                ok "the same $what, $way"
            else
                fail "the same $what, $way" "$(diff <(echo "$one") <(echo "$other"))"
            fi
        done
    done
    check 'the backend names the script' grep -q "/script = \"/etc/xen/scripts/$2\"" <<<"$other"
    is 'no trace of xenfork-hotplug' "$(xenstore-ls -f | grep -a xenfork-hotplug)" ''
}

same_all_ways src block-fork
xl unpause fast
check 'the clone ticks on' wait_until 60 ticks_on fast
is 'its disk is whole' "$(ask fast verify | json .errors)" 0
check 'xl save' timeout 200 xl save fast /data/saved
check 'xl restore' timeout 200 xl restore /data/saved
rm -f /data/saved
check 'it goes on' wait_until 60 ticks_on fast
check 'all are destroyed' timeout 120 xl fork-destroy --yes stock helper fast
xl destroy src
taken_down 'no device is left'
all_as_before 'all is as before'

# A script that somebody has changed is run.
echo '# changed' >>/etc/xen/scripts/block-fork
start_behind src /mnt/e/src.img 'vif = []'
took=0
if fork_by changed src; then ok 'with a changed script'; else fail 'with a changed script'; fi
check 'that is run' test "$took" -gt 25
check 'destroyed' timeout 120 xl fork-destroy --yes changed
xl destroy src

thin_volumes web=64
start_source web 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/web" ]' 'vif = []'
same_all_ways web block
xl unpause fast
check 'the clone ticks on' wait_until 60 ticks_on fast
is 'its disk is whole' "$(ask fast verify | json .errors)" 0
check 'all are destroyed' timeout 120 xl fork-destroy --yes stock helper fast
done_testing
