#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on ext4, which has no reflinks, by Xen's own script: it is forked when it is frozen, and its file protected.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/plain.img
remember

# A source that Xen's own script has attached.
start_source plain 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/mnt/e/plain.img" ]'
text=$(xl fork plain k 2>&1)
is 'running: refused' "$?" 1
for way in script=block-fork 'XFS, btrfs or a thin volume of LVM' 'xl fork-freeze'; do
    check "and told: $way" grep -q "$way" <<<"$text"
done
check 'frozen' xl fork-freeze plain
check 'forked' timeout 120 xl fork -n 2 plain
is 'by its driver' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .driver, .depth, .users]]')" \
    '[["base","thin",1,2],["overlay","thin",1,0],["overlay","thin",1,0]]'
for clone in plain-1 plain-2; do
    check "$clone ticks on" wait_until 60 ticks_on "$clone"
    ask "$clone" "mark $clone" >/dev/null
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
sum=$(sha256sum </mnt/e/plain.img)
text=$(xl fork-thaw plain 2>&1)
is 'it is not thawed' "$?" 1
check 'because of the clones' grep -q 'disks of 2 clones are backed by /mnt/e/plain.img' <<<"$text"
check 'nor can anybody write to its file' eval '! echo x 2>/dev/null >>/mnt/e/plain.img'
check 'a clone is destroyed' timeout 120 xl fork-destroy plain-1
is 'the file is as it was' "$(sha256sum </mnt/e/plain.img)" "$sum"
xl destroy plain
check 'destroyed, it cannot be started on the file' eval '! timeout 60 xl create -q /etc/xen/source.cfg '\''name="plain"'\'' '\''disk=["vdev=xvda,target=/mnt/e/plain.img"]'\'
[ -z "$(domid_of plain)" ] || xl destroy plain
start_behind plain /mnt/e/plain.img
check 'with block-fork it can: it has what it had' test "$(field plain acked)" -gt 0
ask plain 'mark own' >/dev/null
is 'the file is as it was' "$(sha256sum </mnt/e/plain.img)" "$sum"
check 'the last clone is destroyed' timeout 120 xl fork-destroy plain-2
xl destroy plain
taken_down 'the file is plain again'
is 'with what was written meanwhile' "$("$LIVE/check-disk" /mnt/e/plain.img | jq -c '[.marks, (.errors | length)]')" '[["own"],0]'
all_as_before 'all is as before'

# On XFS, in so many pieces that a reflink would take long: every other block is written, over what it shares.
in_pieces() {
    cp /usr/share/xenfork-guest/disk.img /data/whole.img
    cp --reflink=always /data/whole.img "$1"
    python3 - "$1" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for block in range(0, 8192, 2):
    os.pwrite(fd, os.pread(fd, 4096, block * 4096), block * 4096)
os.fsync(fd)
END
    rm /data/whole.img
}
in_pieces /data/pieces.img
start_source pieces 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/pieces.img" ]'
is 'running, it is forked by reflink' "$(xl fork-check pieces | tail -n 1 | sed 's/,.*//')" '  xvda: reflink'
text=$(timeout 120 xl fork pieces k 2>&1)
check 'with a warning that says why, and the way out' \
    grep -Eq '/data/pieces.img has [0-9]+ extents.*script=block-fork' <<<"$text"
check 'destroyed' timeout 60 xl fork-destroy k
check 'frozen' xl fork-freeze pieces
is 'frozen, by thin devices' "$(xl fork-check pieces | tail -n 1 | sed 's/,.*//')" '  xvda: thin'
check 'forked' timeout 120 xl fork pieces k
check 'its clone ticks on' wait_until 60 ticks_on k
is 'its disk is whole' "$(ask k verify | json .errors)" 0
check 'destroyed' timeout 60 xl fork-destroy k
check 'thawed' xl fork-thaw pieces
check 'the source ticks on' ticks_on pieces
is 'its disk is whole' "$(ask pieces verify | json .errors)" 0
done_testing
