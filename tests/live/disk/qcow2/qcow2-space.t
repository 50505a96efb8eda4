#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system full in the middle of writes and of forks, with qcow2 files.
# live: --timeout 900
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"
. "$LIVE/space.sh"

raw() { plain "$1" /data/raw && printf '/data/raw\n'; }
ours() { find /data -maxdepth 1 -name '.xenfork-*' | sort; }
# The source has one file again.
# shellcheck disable=SC2034  # for space.sh
left_seconds=120

qemu-img convert -O qcow2 /usr/share/xenfork-guest/disk.img /data/root.qcow2 || bail_out 'no root.qcow2'
head -c 16M /dev/zero >/data/zero
qemu-img convert -S 0 -O qcow2 /data/zero /data/data.qcow2 || bail_out 'no data.qcow2'
rm /data/zero
full_file_system /data/data.qcow2 'disk = [ "format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=/data/root.qcow2",
    "format=qcow2,vdev=xvdb,access=rw,backendtype=qdisk,target=/data/data.qcow2" ]'
done_testing
