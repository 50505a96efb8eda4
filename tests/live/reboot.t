#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host loses power with clones, and in the middle of a fork: afterwards disks have all that was acknowledged, what
# was begun is swept, and clones start again on their disks.
# live: --source --timeout 900
# full: 4.20 4.17
. "$(dirname "$0")/lib.sh"
. "$LIVE/lvm.sh"

thin_disk='disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'

# Until the power is cut.

# What is sealed, the delta, and what the fork that is begun has sealed.
three_files() { [ "$(find /data/.xenfork -type f | wc -l)" -ge 3 ]; }

before() {
    local source dom acked=()
    thin_volumes src=64
    start_source thin 128 "$thin_disk"
    for source in source thin; do
        check "$source is forked" timeout 120 xl fork --no-hydrate "$source" "$source-1"
        check 'its clone ticks on' wait_until 60 ticks_on "$source-1"
        ask "$source" 'pace 20' >/dev/null
        ask "$source-1" 'pace 20' >/dev/null
    done
    for dom in source source-1 thin thin-1; do ask "$dom" "mark of-$dom" >/dev/null; done
    for dom in source source-1 thin thin-1; do acked+=("$(field "$dom" acked)"); done
    # Stopped when it has sealed the disk, so that it is in the middle when all ends.
    timeout 120 xl fork source late >/dev/null 2>&1 &
    wait_until 60 three_files
    check 'a fork is in the middle' pkill -STOP -x xl-fork
    is 'it is journaled' "$(find /var/lib/xenfork/txn -type f | wc -l)" 1
    power_cut "${acked[@]}"
}

# After it.

# starts_again CLONE: from a configuration with what xl fork-info says of it
starts_again() {
    local name=$1 config=/tmp/$1.cfg
    sed -e "s/^name = .*/name = \"$name\"/" -e '/^disk = /d' -e '/^vif = /d' /etc/xen/source.cfg >"$config"
    xl fork-info --json "$name" | jq -r '.[0] | "uuid = \"\(.uuid)\"",
        "disk = [ \(.disks | map("\"format=raw,access=rw,vdev=\(.vdev),target=\(.path)\"") | join(",")) ]",
        "vif = [ \(.nics | map("\"bridge=xenbr0,mac=\(.mac)\"") | join(",")) ]"' >>"$config"
    timeout 120 xl create -q "$config" && wait_tick "$name" 4 120
}

# has_all TEXT PATH ACKED MARK
has_all() {
    local seen
    seen=$("$LIVE/check-disk" "$2")
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: every write that was acknowledged" "$(json .highest <<<"$seen")" "$3"
    isnt "$1: its own mark" "$(json ".marks | index(\"$4\")" <<<"$seen")" ''
}

# Images; journals; files and volumes of ours: the clones'.
swept() {
    xl fork-destroy nothing 2>/dev/null
    printf '%s %s %s %s\n' "$(xl fork-list --json | jq -c '[.[] | select(.kind != "clone")]')" \
        "$(find /var/lib/xenfork/txn -type f | wc -l)" "$(find /data/.xenfork -type f | wc -l)" \
        "$(lvs --noheadings -o lv_name vg0 | grep -c xenfork)"
}

after() {
    local source acked
    read -ra acked <<<"$notes"
    thin_volumes_again
    check 'xl fork-list' xl fork-list
    is 'clones are known, and gone' "$(xl fork-list --json | jq -c '[.[] | select(.kind == "clone") | [.name, .state]] | sort')" \
        '[["source-1","gone"],["thin-1","gone"]]'
    has_all source /data/source.img "${acked[0]}" of-source
    has_all source-1 "$(info source-1 '.disks[0].path')" "${acked[1]}" of-source-1
    has_all thin /dev/vg0/src "${acked[2]}" of-thin
    has_all thin-1 "$(info thin-1 '.disks[0].path')" "${acked[3]}" of-thin-1
    is 'xenforkd, or the next command, sweeps what is left' "$(swept)" '[] 0 1 1'
    start_source
    start_source thin 128 "$thin_disk"
    for source in source thin; do
        is "$source: its disk is whole" "$(ask "$source" verify | json .errors)" 0
        check "$source-1 starts again" starts_again "$source-1"
        is "$source-1: its disk is whole" "$(ask "$source-1" verify | json .errors)" 0
        is "$source-1: it is known" "$(info "$source-1" .state)" running
        check "$source is forked again" timeout 120 xl fork "$source" "$source-2"
        check 'its clone ticks on' wait_until 60 ticks_on "$source-2"
    done
    check 'the clone is forked, too' timeout 120 xl fork --paused source-1 source-1-1
    check 'all clones are destroyed' timeout 120 xl fork-destroy source-1 source-2 source-1-1 thin-1 thin-2
    is 'with their disks, and images' "$(swept) $(volumes)" '[] 0 0 0 poolsrc'
    is 'and records' "$(xl fork-list --json | jq -c .)" '[]'
}

if [ -z "$notes" ]; then before; else after; fi
done_testing
