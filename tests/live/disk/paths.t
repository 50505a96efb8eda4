#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Paths of disks: what is forked is what the domain has open, or nothing; and it is found before the guest stands still.
# live: --timeout 1000
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/refuse.sh"
. "$LIVE/qcow2.sh"

host() { snapshot_of_host /data /mnt/e | grep -vE '^[0-9]+ process xl$'; }
# elsewhere TEXT DOM: the check says so
elsewhere() { code "$1" DISK xl -N fork --json "$2"; }
is_alone() { [ "$(files /data)" = 0 ]; }

# A raw file, by a link on another file system.
ext4_at /mnt/e 100
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/v1.img
cp --reflink=auto /data/v1.img /data/v2.img
ln -s /data/v1.img /mnt/e/current.img
start_source raw 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/mnt/e/current.img" ]'
rm -f /data/raw.img
ask raw mark mine >/dev/null
ln -sfn /data/v2.img /mnt/e/current.img
remember raw
refused 'a link that leads elsewhere' DISK 'xvda .*path leads to another disk' 'let the path lead' raw k
ln -sfn /data/v1.img /mnt/e/current.img
check 'put back, it is forked' timeout 120 xl fork --paused raw r
is 'beside the file itself' "$(disk r | cut -d / -f 1-3)" /data/.xenfork
is 'with its marks' "$("$LIVE/check-disk" "$(disk r)" | jq -c .marks)" '["mine"]'
check 'destroyed' timeout 60 xl fork-destroy r
gone() { [ ! -e /data/.xenfork ]; }
check 'no empty folder stays' wait_until 30 gone
# Another domain has it open, too, by a path that leads elsewhere by now.
ln -s v1.img /data/second.img
start_source two 128 'disk = [ "format=raw,vdev=xvda,access=rw,backendtype=qdisk,target=/data/second.img" ]'
ln -sfn v2.img /data/second.img
remember raw
refused 'a disk that another domain has open' DISK "xvda .*shared with domain $(domid_of two)" 'detach it' raw k
xl destroy two
rm /data/second.img /data/two.img
# It has some of its blocks: a partition, a volume. /data/v1.img has no boot sector: one MiB from the first is given away.
other_has() { xl create -pq /tmp/other.cfg "disk = [ \"format=raw,vdev=xvda,access=rw,target=$1\" ]"; }
sed 's/^name = .*/name = "other"/; s/^memory = .*/memory = 128/; s/^maxmem = .*/maxmem = 128/' /etc/xen/source.cfg >/tmp/other.cfg
{ head -c 446 /dev/zero; printf '\0\0\0\0\203\0\0\0\0\10\0\0\0\10\0\0'; head -c 48 /dev/zero; printf '\125\252'; } >/tmp/mbr
loop=$(losetup -f) && losetup "$loop" /data/v1.img && dd if=/tmp/mbr of="$loop" conv=fsync status=none
losetup -d "$loop" && losetup -P "$loop" /data/v1.img
mdev -s 2>/dev/null
check 'a domain has a partition of it' other_has "${loop}p1"
code 'a partition of its disk that another domain has' DISK xl -N fork --json raw
xl destroy other
dmsetup create part --table "0 2048 linear $loop 4096" && dmsetup mknodes
check 'a domain has a volume on it' other_has /dev/mapper/part
remember raw
refused 'a volume on its disk that another domain has' DISK "xvda .*shared with domain $(domid_of other)" 'detach it' raw k
xl destroy other
dmsetup remove part && losetup -d "$loop"
check 'nobody has any of it' xl -N fork raw
mv /data/v2.img /data/v1.img
elsewhere 'a file that was moved over it' raw
xl destroy raw

# A file by a relative name, which Xen's block script has looked up where xl was called.
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/relative.img
cd /data || exit
start_source rel 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=relative.img" ]'
cd / || exit
ask rel mark mine >/dev/null
cp --reflink=auto /usr/share/xenfork-guest/disk.img /relative.img
check 'a relative name, called elsewhere, where another file has it' timeout 120 xl fork --paused rel f
is 'the clone lies beside the file that is in use' "$(disk f | cut -d / -f 1-3)" /data/.xenfork
is 'with its marks' "$("$LIVE/check-disk" "$(disk f)" | jq -c .marks)" '["mine"]'
timeout 60 xl fork-destroy f
mv /relative.img /data/relative.img
elsewhere 'a file that was moved over it' rel
xl destroy rel

# A qcow2 file that is replaced: before a fork, and before its chain becomes shorter.
qcow2_source q
ask q mark mine >/dev/null
cp /data/q.qcow2 /data/other.qcow2
ln /data/q.qcow2 /data/keep.qcow2
mv /data/other.qcow2 /data/q.qcow2
sum=$(sha256sum </data/q.qcow2)
elsewhere 'a qcow2 file that was moved over it' q
is 'which is as it was' "$(sha256sum </data/q.qcow2)" "$sum"
mv /data/keep.qcow2 /data/q.qcow2
check 'put back, it is forked' timeout 120 xl fork --paused q c
ask q mark later >/dev/null
cp /data/q.qcow2 /data/other.qcow2
ln /data/q.qcow2 /data/keep.qcow2
mv /data/other.qcow2 /data/q.qcow2
sum=$(sha256sum </data/q.qcow2) base=$(sha256sum <"$(info q@fork-1 '.disks[0].path')")
base_path=$(info q@fork-1 '.disks[0].path')
timeout 60 xl fork-destroy c
sleep 5
is 'what was put there is not written to' "$(sha256sum </data/q.qcow2)" "$sum"
is 'nor the backing file that it names' "$(sha256sum <"$base_path")" "$base"
mv /data/keep.qcow2 /data/q.qcow2
# Whatever comes next makes the chain shorter.
timeout 120 xl fork --paused q d && timeout 60 xl fork-destroy d
check 'put back, its chain becomes shorter' wait_until 60 is_alone
is 'the source ticks on, and its disk is whole' "$(ask q verify | json .errors)" 0
is 'and has all' "$(census /data/q.qcow2 '.marks | sort')" '["later","mine"]'

# By a second name of its file a base could be written while clones are backed by it; by what a link leads to it cannot.
ln /data/q.qcow2 /data/second.qcow2
remember q
refused 'a file with two names' DISK 'xvda .*has 2 names' 'find -samefile /data/q.qcow2' q k
rm /data/second.qcow2
xl destroy q
(cd /data && mv q.qcow2 real.qcow2 && ln -s real.qcow2 q.qcow2)
qcow2_source q
check 'forked by a link' timeout 120 xl fork --paused q l
base=$(info q@fork-1 '.disks[0].path') sum=$(content "$base")
xl destroy q
qcow2_source q /data/real.qcow2
ask q mark anew >/dev/null
is 'started by what it leads to, it does not write the base' "$(content "$base")" "$sum"
is 'but its own' "$(census /data/real.qcow2 '.marks | index("anew") != null')" true
timeout 60 xl fork-destroy l
check 'the link is as it was' [ -L /data/q.qcow2 ]
xl destroy q

# Two files that one QEMU has open are exchanged.
qemu-img convert -O qcow2 /usr/share/xenfork-guest/disk.img /data/a.qcow2
qemu-img create -q -f qcow2 /data/b.qcow2 64M
ln -s a.qcow2 /data/one.qcow2
ln -s b.qcow2 /data/two.qcow2
by_qemu() { printf '"format=qcow2,vdev=%s,access=rw,backendtype=qdisk,target=%s"' "$1" "$2"; }
start_source pair 128 "disk = [ $(by_qemu xvda /data/one.qcow2), $(by_qemu xvdb /data/two.qcow2) ]"
check 'a domain with two files can be forked' xl -N fork pair
ln -sfn b.qcow2 /data/one.qcow2
ln -sfn a.qcow2 /data/two.qcow2
remember pair
refused 'two files that were exchanged' DISK 'xvda .*path leads to another disk' 'let the path lead' pair k
ln -sfn a.qcow2 /data/one.qcow2
ln -sfn b.qcow2 /data/two.qcow2
check 'put back, they are forked' timeout 120 xl fork --paused pair p
is 'both disks' "$(info p '.disks | length')" 2
timeout 60 xl fork-destroy p
xl destroy pair
done_testing
