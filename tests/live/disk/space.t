#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system, the pool, and the folder of our records full, in the middle of writes and of forks: a fork fails
# and leaves nothing, or is right; guests have errors or wait; when there is space again all goes on, and nothing is
# lost that was acknowledged.
# live: --timeout 1200
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/lvm.sh"
. "$LIVE/space.sh"

# An image goes a moment after its last clone.
no_volumes() { [[ $(volumes) != *xenfork* ]]; }

full_reflink() {
    head -c 16M /dev/zero >/data/raw.img
    full_file_system /data/raw.img 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/space.img",
        "format=raw,vdev=xvdb,access=rw,target=/data/raw.img" ]'
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
    start_writer thin 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src",
        "format=raw,vdev=xvdb,access=rw,target=/dev/vg0/data" ]'
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
