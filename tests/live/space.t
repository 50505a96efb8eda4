#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system, the pool, and the folder of our records full, in the middle of writes and of forks: a fork fails
# and leaves nothing, or is right; guests have errors or wait; when there is space again all goes on, and nothing is
# lost that was acknowledged.
# live: --timeout 1200
# full: 4.20 4.17
. "$(dirname "$0")/lib.sh"
. "$LIVE/lvm.sh"

# How guests write: records on a disk without file system, so that they can go on after errors.
extra='extra = "console=hvc0 quiet panic=1 mitigations=off xf.data=/dev/xvdb"'

acked() { field "$1" acked; }
# writes DOM [SECONDS]: more becomes acknowledged
writes() {
    local now
    now=$(acked "$1")
    wait_until "${2:-30}" eval '[ "$(acked '"$1"')" -gt '"$now"' ]'
}
# stuck DOM: soon nothing does: what has been set aside for it before is used up
is_stuck() {
    local now
    now=$(acked "$1")
    sleep 5
    [ "$(acked "$1")" = "$now" ]
}
stuck() { wait_until 90 is_stuck "$1"; }
# whole TEXT PATH ACKED
whole() {
    local seen
    seen=$("$LIVE/check-disk" "$2")
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: every write that was acknowledged" "$(json .highest <<<"$seen")" "$3"
}
# fails TEXT COMMAND…: with a message, which is in $output
fails() {
    local text=$1 status=0
    output=$(timeout 200 "${@:2}" 2>&1) || status=$?
    is "$text: exit status" "$status" 1
    diag "$output"
    check "$text: says what" grep -q '^xl: ' <<<"$output"
}

# A file system without space. The source's writes go to blocks that it shares with what is sealed: those take space.
fill() {
    local free
    free=$(df --output=avail -B1K "$1" | tail -n 1)
    until fallocate -l "${free}K" "$1/filler" 2>/dev/null; do free=$((free - 64)); [ "$free" -gt 0 ] || break; done
    dd if=/dev/zero of="$1/filler2" bs=4k status=none 2>/dev/null
    sync -f "$1"
}
empty() { rm -f "$1"/filler*; }
# An image goes a moment after its last clone.
no_files() { [ -z "$(find /data/.xenfork -type f)" ]; }
no_volumes() { [[ $(volumes) != *xenfork* ]]; }

full_reflink() {
    local sealed sum path before
    head -c 16M /dev/zero >/data/raw.img
    start_source space 128 "$extra" 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/space.img",
        "format=raw,vdev=xvdb,access=rw,target=/data/raw.img" ]'
    ask space 'pace 20' >/dev/null
    check 'forked' timeout 120 xl fork space s
    check 'the clone writes' writes s
    sealed=$(xl fork-disk-list --json | json '.[] | select(.kind == "sealed" and .vdev == "xvdb").path')
    path=$(info s '.disks[] | select(.vdev == "xvdb").path')
    sum=$(/usr/libexec/xenfork/test-disk "$sealed" | json .sum)
    fill /data
    check 'file system full: the source has to stop' stuck space
    check 'so has the clone' stuck s
    diag "errno in the source $(field space disk_errno), in the clone $(field s disk_errno)"
    is 'the guest sees an I/O error' "$(field space disk_errno)" 5
    before=$(find /data/.xenfork -type f | sort)
    fails 'a fork without space' xl fork --paused space s2
    check 'it says why' grep -q 'its file system is full' <<<"$output"
    is 'and leaves nothing' "$(find /data/.xenfork -type f | sort)" "$before"
    empty /data
    check 'space again: the source writes on' writes space
    check 'so does the clone' writes s
    acked_space=$(acked space) acked_s=$(acked s)
    whole source /data/raw.img "$acked_space"
    whole clone "$path" "$acked_s"
    is 'what is sealed is as it was' "$(/usr/libexec/xenfork/test-disk "$sealed" | json .sum)" "$sum"
    check 'destroyed' timeout 60 xl fork-destroy s
    check 'nothing is left' wait_until 30 no_files
}

# The folder of our records: with so many pages of 4 KiB left.
full_state() {
    local pages before
    mount -t tmpfs -o size=1m tmpfs /var/lib/xenfork
    before=$(find /data -type f | sort)
    for pages in 0 1 3 6; do
        dd if=/dev/zero of=/var/lib/xenfork/filler bs=4k status=none 2>/dev/null
        truncate -s "-$((pages * 4096))" /var/lib/xenfork/filler
        fails "records full but for $pages pages" xl fork space k
        check 'the source writes on' writes space
        rm -f /var/lib/xenfork/filler
        # An interrupted one ends with the next command.
        xl fork-destroy nothing 2>/dev/null
        is 'nothing is left' "$(find /data -type f | sort) $(xl fork-list --json | jq -c .) $(xl list | grep -c '^k ')" "$before [] 0"
    done
    check 'space again: forked' timeout 120 xl fork space k
    check 'the clone writes' writes k
    check 'destroyed' timeout 60 xl fork-destroy k
    wait_until 30 umount /var/lib/xenfork
    xl destroy space
    rm -f /data/raw.img /data/space.img
}

# A pool without space: LVM lets writes wait, and fails them after 60 s.
full_pool() {
    POOL_MIB=112 thin_volumes src=64 data=16
    dd if=/dev/zero of=/dev/vg0/data bs=1M count=16 oflag=direct status=none
    start_source thin 128 "$extra" 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src",
        "format=raw,vdev=xvdb,access=rw,target=/dev/vg0/data" ]'
    ask thin 'pace 20' >/dev/null
    check 'forked' timeout 120 xl fork --paused thin t
    is_full() { [ "$(lvs --noheadings -o data_percent vg0/pool | tr -d ' ' | cut -d. -f1)" -ge 100 ]; }
    lvcreate -y -V 64M --thin -n filler vg0/pool >/dev/null 2>&1
    timeout 20 dd if=/dev/zero of=/dev/vg0/filler bs=64k oflag=direct status=none 2>/dev/null &
    check 'the pool becomes full' wait_until 60 is_full
    lvs vg0 | sed 's/^/# /'
    check 'the source waits' stuck thin
    is 'it sees no error' "$(field thin disk_errno)" 0
    check 'extended in time' lvextend -L +200M vg0/pool
    check 'it writes on' writes thin 60
    is 'and has seen no error' "$(field thin disk_errno)" 0
    wait
    whole source /dev/vg0/data "$(acked thin)"
    check 'destroyed' timeout 120 xl fork-destroy t
    # Errors at once.
    lvchange --errorwhenfull y vg0/pool >/dev/null 2>&1
    check 'forked again' timeout 120 xl fork --paused thin t
    lvcreate -y -V 400M --thin -n filler2 vg0/pool >/dev/null 2>&1
    dd if=/dev/zero of=/dev/vg0/filler2 bs=64k oflag=direct status=none 2>/dev/null
    check 'full: the source has to stop' stuck thin
    is 'it sees an I/O error' "$(field thin disk_errno)" 5
    fails 'a fork while the pool is full' xl fork thin t2
    is 'leaves nothing' "$(lvs --noheadings -o lv_name vg0 | grep -c xenfork)" 4
    lvremove -y vg0/filler vg0/filler2 >/dev/null 2>&1
    check 'space again: it writes on' writes thin 60
    whole source /dev/vg0/data "$(acked thin)"
    check 'forked' timeout 120 xl fork --paused thin t2
    check 'destroyed' timeout 120 xl fork-destroy t t2
    check 'nothing is left' wait_until 30 no_volumes
}

[ $# -gt 0 ] || set -- reflink state pool
for part; do "full_$part"; done
done_testing
