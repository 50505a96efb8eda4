#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source that writes to a qcow2 file all the time.
# live: --source --timeout 1800
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/disk-load.sh"

raw() { qemu-img convert -U -f qcow2 -O raw "$1" /data/raw.img && printf '%s\n' /data/raw.img; }

xl destroy source
rm -f /data/source.img
image=/data/q.qcow2
qemu-img convert -O qcow2 /usr/share/xenfork-guest/disk.img $image
start_source q 128 "disk = [ \"format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=$image\" ]"
loaded q $image "${1:-20}"
rm -f /data/raw.img
is_whole() { [ -z "$(find /data -name '.xenfork-*')" ]; }
check 'the source has one file again' wait_until 240 is_whole
is 'its disk is whole' "$(ask q verify | json .errors)" 0
done_testing
