#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A qcow2 file over a golden image, behind a symbolic link: frozen, forked, started anew, forked again.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"

# The backing file is named as libvirt's and other tools do: without a folder.
xl destroy source
rm -f /data/source.img
mkdir /data/vms
qemu-img convert -O qcow2 /usr/share/xenfork-guest/disk.img /data/vms/golden.qcow2
(cd /data/vms && qemu-img create -q -f qcow2 -F qcow2 -b golden.qcow2 web.qcow2 && ln -s web.qcow2 disk.qcow2)
image=/data/vms/disk.qcow2
golden=$(sha256sum </data/vms/golden.qcow2)
qcow2_source q $image
is_back() { [ -L $image ] && [ "$(backing /data/vms/web.qcow2)" = golden.qcow2 ] && [ "$(files /data/vms)" = 0 ]; }
check 'before' is_back
ask q mark first >/dev/null

check 'frozen' xl fork-freeze q
tick=$(tick q)
check 'forked' timeout 120 xl fork q f1
check 'and again' timeout 120 xl fork q f2
for clone in f1 f2; do
    check "$clone goes on from there" wait_tick "$clone" "$((tick + 1))" 60
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
is 'one snapshot for both' "$(chain $image)" 3
check 'thawed' xl fork-thaw q
check 'the source ticks on' ticks_on q

# Started anew while clones need what it wrote before.
ask q mark late >/dev/null
xl pause f1
xl pause f2
xl destroy q
is 'its file has all' "$(census $image '.marks | sort')" '["first","late"]'
qcow2_source q $image
check 'the source is started anew' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
ask q mark anew >/dev/null
check 'forked' timeout 120 xl fork --paused q g1
is 'its clone has all' "$(census "$(overlay g1)" .marks)" '["anew"]'
is 'one file more' "$(chain $image)" 4
xl unpause f2
check 'a clone of before ticks on' ticks_on f2
is 'its disk is whole' "$(ask f2 verify | json .errors)" 0

# A fork of the source started anew that fails.
killed_fork 'a fork' create q k
as_deep() { [ "$(chain $image)" = 4 ]; }
check 'a killed fork leaves no more' wait_until 60 as_deep
check 'and the source ticks on' ticks_on q

check 'the clones are destroyed' timeout 120 xl fork-destroy f1 f2 g1
check 'all is as it was' wait_until 90 is_back
is 'the golden image, too' "$(sha256sum </data/vms/golden.qcow2)" "$golden"
check 'the source ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
is 'it has all' "$(census $image .marks)" '["anew"]'

# A failure in the background is reported in syslog, and harms nobody.
socat -u UNIX-RECV:/dev/log OPEN:/tmp/syslog,creat,append &
check 'forked' timeout 120 xl fork --paused q h
base=$(xl fork-disk-list --json | json '.[] | select(.kind == "base").path')
check 'somebody moves its backing file' mv "$base" /data/vms/kept
check 'the clone is destroyed' timeout 120 xl fork-destroy h
check 'what is wrong is said' wait_until 60 grep -q "xenfork-keeper.*$base, the backing file of $image, is gone" /tmp/syslog
check 'the source ticks on' ticks_on q
mv /data/vms/kept "$base"
check 'forked once more' timeout 120 xl fork --paused q h
check 'its clone is destroyed' timeout 120 xl fork-destroy h
check 'all is as it was' wait_until 90 is_back

# Refused, with what to do.
xl destroy q
check 'a VHD file' qemu-img convert -O vpc $image /data/vms/disk.vhd
sed -e 's/^name = .*/name = "v"/' /etc/xen/source.cfg >/tmp/v.cfg
echo 'disk = [ "format=vhd,vdev=xvda,access=rw,backendtype=qdisk,target=/data/vms/disk.vhd" ]' >>/tmp/v.cfg
check 'is a disk of a domain' xl create -q -p /tmp/v.cfg
says=$(xl fork-check v 2>&1)
check 'is refused, for the right reason' grep -q 'wrong data' <<<"$says"
diag "$says"
done_testing
