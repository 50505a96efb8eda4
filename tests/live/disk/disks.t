#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks of all kinds in one domain.
# live: --timeout 260
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/lvm.sh"

# Volumes have sectors of 4096 bytes.
SECTOR_BYTES=4096 thin_volumes vol=64
cp --reflink=never /usr/share/xenfork-guest/disk.img /data/mixed.img
truncate -s 16M /data/more.img /data/ro.img
echo 'for everybody' | dd status=none of=/data/ro.img conv=notrunc

start_source mixed 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/mixed.img",
    "format=raw,vdev=xvdb,access=rw,target=/dev/vg0/vol",
    "format=raw,vdev=xvdc,access=ro,target=/data/ro.img",
    "format=raw,vdev=xvdd,access=rw,no-discard,target=/data/more.img",
    "format=raw,vdev=xvde,access=ro,devtype=cdrom,target=/data/ro.img",
    "format=empty,vdev=xvdf,access=ro,devtype=cdrom" ]'

# in_guest DOM COMMAND: what it prints, in one line
in_guest() { ask "$1" "sh $2" | json .output | tr -d '\n'; }
# queue DOM: what the guest's kernel knows of its disks
queue() { in_guest "$1" 'cd /sys/block; for i in xvd?; do echo $i $(cat $i/ro $i/size $i/queue/logical_block_size $i/queue/discard_max_bytes); done'; }
# put DOM DISK TEXT
put() { in_guest "$1" "echo $3 | dd of=/dev/$2 bs=4096 conv=sync,fsync 2>/dev/null" >/dev/null; }
# get DOM DISK
get() { in_guest "$1" "dd if=/dev/$2 bs=4096 count=1 iflag=direct 2>/dev/null | head -n 1"; }

host_before=$(snapshot_of_host /data)
is 'fork-check names the drivers' "$(xl fork-check mixed | tail -n 6 | sed 's/,.*//' | paste -sd' ')" \
    '  xvda: reflink   xvdb: lvthin   xvdc: share   xvdd: reflink   xvde: share   xvdf: share'
put mixed xvdb volume
put mixed xvdd file
queue=$(queue mixed)
diag "ro, size, sector, discard: $queue"
check 'sectors of 4096 bytes' grep -q 'xvdb [0-9]* [0-9]* 4096 ' <<<"$queue"
check 'no discard where it is off' grep -Eq 'xvdd 0 [0-9]+ 512 0$' <<<"$queue"

check 'forked' timeout 120 xl fork mixed m
put mixed xvdb later
put mixed xvdd later
check 'the clone ticks on' wait_until 60 ticks_on m
is 'its disks are of the same kinds' "$(queue m)" "$queue"
is 'it has the volume as it was' "$(get m xvdb)" volume
is 'and the file' "$(get m xvdd)" file
is 'and the read-only disk' "$(get m xvdc)" 'for everybody'
# Linux in a PVH guest takes no notice of a drive.
is 'and the drives' "$(xl list -l m | jq -c '[.[0].config.disks[] | select(.is_cdrom == 1) | .vdev, .pdev_path // ""]')" \
    '["xvde","/data/ro.img","xvdf",""]'
is 'which is the same file' "$(xl list -l m | jq -r '.[0].config.disks[] | select(.vdev == "xvdc").pdev_path')" /data/ro.img
is 'it cannot write there' "$(in_guest m '(echo no >/dev/xvdc) 2>/dev/null && echo written || echo refused')" refused
put m xvdb own
put m xvdd own
is 'what it writes the source does not see' "$(get mixed xvdb) $(get mixed xvdd)" 'later later'
is 'its file system is whole' "$(ask m verify | json .errors)" 0
check 'destroyed' timeout 60 xl fork-destroy m

check 'clones without three of them' timeout 120 xl fork --disk xvdb=none --disk xvdc=none --disk xvdd=none mixed few
check 'tick on' wait_until 60 ticks_on few
is 'and have the others' "$(xl list -l few | jq -c '[.[0].config.disks[].vdev]')" '["xvda","xvde","xvdf"]'
check 'destroyed' timeout 60 xl fork-destroy few
is_same() {
    rmdir /data/.xenfork 2>/dev/null
    [ "$(snapshot_of_host /data)" = "$host_before" ]
}
wait_until 30 is_same
same_host 'all is as before' "$host_before" "$(snapshot_of_host /data)"
done_testing
