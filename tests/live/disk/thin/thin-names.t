#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One disk by several names, behind block-fork's device: links, a mount, the names of a volume; and a disk that could be written
# below its clones is refused.
# live: --source --timeout 600
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/lvm.sh"

marks() { seen "$1" '.marks | sort'; }

xl destroy source
ext4_at /mnt/e 700
mkdir /mnt/e/a /mnt/e/b /mnt/m
disk_at /mnt/e/a/other.img
disk_at /mnt/e/b/real.img
ln -s ../b/real.img /mnt/e/a/link.img
ln /mnt/e/b/real.img /mnt/e/a/hard.img
remember
mount --bind /mnt/e/b /mnt/m

# A volume has three names at least.
no_udev
truncate -s 200M /data/pv.img
loop=$(losetup -f --show /data/pv.img)
{ vgcreate vg0 "$loop" && lvcreate -y -Wn -L 96M -n p vg0; } >/tmp/lvm.log 2>&1 || bail_out "no volume: $(cat /tmp/lvm.log)"
dd if=/usr/share/xenfork-guest/disk.img of=/dev/vg0/p bs=1M conv=fsync 2>/dev/null
start_behind web /dev/vg0/p
ask web 'mark before' >/dev/null
check 'a source on a volume is forked' timeout 120 xl fork --paused web c1
ask web 'mark after' >/dev/null
xl destroy web
start_behind web /dev/mapper/vg0-p
ask web 'mark third' >/dev/null
xl destroy web && xl destroy c1
is 'its clone has what was there then' "$(marks "$(disk c1)")" '["before"]'
minor=$(dmsetup info -c --noheadings -o minor vg0-p)
[ -b "/dev/dm-$minor" ] || mknod "/dev/dm-$minor" b "$(dmsetup info -c --noheadings -o major vg0-p)" "$minor"
check 'the source is brought up by a third name' "$BLOCK" attach "/dev/dm-$minor" r
is 'it has all' "$("$LIVE/check-disk" "$(raw "/dev/dm-$minor")" | jq -c '.marks | sort')" '["after","before","third"]'
check 'and taken down' "$BLOCK" detach /dev/vg0/p
check 'the clone is destroyed' timeout 120 xl fork-destroy c1
taken_down 'the volume is plain again'
is 'with what was written' "$("$LIVE/check-disk" /dev/vg0/p | jq -c '.marks | sort')" '["after","before","third"]'

# By Xen's own script nothing would keep it from writing to the volume, once started again.
start_source plain 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/p" ]'
xl fork-freeze plain >/dev/null 2>&1
text=$(xl fork plain k 2>&1)
is 'a volume by Xen'\''s own script is not forked' "$?" 1
check 'and told why' grep -q 'could be written while clones\|script=block-fork' <<<"$text"
check 'no clone' test -z "$(domid_of k)"
xl destroy plain
vgchange -an vg0 >/dev/null 2>&1
losetup -d "$loop"
rm /data/pv.img

# A pool of another source's lies beside the link.
start_behind other /mnt/e/a/other.img
check 'another source is forked' timeout 120 xl fork --paused other o
ask other 'mark others' >/dev/null
watcher() { pgrep -n -x xenfork-block; }
old=$(watcher)
kill -9 "$old"
check 'the pool is watched again when its watcher is killed' wait_until 20 eval '[ -n "$(watcher)" ] && [ "$(watcher)" != "$old" ]'
start_behind web /mnt/e/a/link.img
ask web 'mark first' >/dev/null
check 'a source by a link is forked' timeout 120 xl fork --paused web a
ask web 'mark second' >/dev/null
check 'and again' timeout 120 xl fork --paused web b
ask web 'mark third' >/dev/null
is 'its clones lie beside the file' "$(info a '.disks[0].path' | sed 's|/[^/]*$||')" /mnt/e/b/.xenfork
xl destroy web && xl destroy other && xl destroy a && xl destroy b && xl destroy o
is 'the first has what was there then' "$(marks "$(disk a)")" '["first"]'
is 'so has the second' "$(marks "$(disk b)")" '["first","second"]'
is 'and the clone of the other' "$(marks "$(disk o)")" '[]'
taken_down 'nothing is in use'

# Started again by a name in a folder that is mounted twice.
start_behind web /mnt/m/real.img
ask web 'mark mounted' >/dev/null
check 'a second domain by another name is refused' eval '! timeout 60 "$BLOCK" attach /mnt/e/b/real.img w 2>/dev/null'
xl destroy web
text=$("$BLOCK" attach /mnt/e/a/hard.img r 2>&1)
is 'by a hard link in another folder: refused' "$?" 1
check 'and told why' grep -q 'no record in /mnt/e/a/.xenfork says why' <<<"$text"
is 'the clone has what it had' "$(marks "$(disk a)")" '["first"]'
check 'clones are destroyed' timeout 120 xl fork-destroy a b o
taken_down 'the files are plain again'
is 'with what was written by any name' "$("$LIVE/check-disk" /mnt/e/b/real.img | jq -c '[(.marks | sort), (.errors | length)]')" \
    '[["first","mounted","second","third"],0]'
check 'no folder is left' eval '! ls -d /mnt/e/*/.xenfork 2>/dev/null'

# A clone's record that was brought elsewhere.
start_behind web /mnt/e/b/real.img
check 'forked' timeout 120 xl fork --paused web a
xl destroy web && xl destroy a
mkdir -m 700 /mnt/e/a/.xenfork
cp "$(disk a)" /mnt/e/a/.xenfork/
text=$("$BLOCK" attach "/mnt/e/a/.xenfork/$(basename "$(disk a)")" w 2>&1)
is 'a record in another folder is refused' "$?" 1
rm -r /mnt/e/a/.xenfork
check 'destroyed' timeout 120 xl fork-destroy a
umount /mnt/m
rmdir /mnt/m
start_behind web /mnt/e/b/real.img
mkdir -m 777 /mnt/e/b/.xenfork
chmod 777 /mnt/e/b/.xenfork
check 'a folder that others can write to is named by the check' eval 'xl fork-check web 2>&1 | grep -q "/mnt/e/b/.xenfork is not root.s alone"'
check 'nothing is attached beside it' eval '! "$BLOCK" attach /mnt/e/b/real.img r 2>/dev/null'
rmdir /mnt/e/b/.xenfork
xl destroy web
all_as_before 'all is as before'
done_testing
