#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system full in the middle of writes and of forks, with VHDs served by tapdisk.
# live: --timeout 900
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/space.sh"
. "$LIVE/vhd.sh"

ours() { find /data/v -type f ! -name root.vhd ! -name data.vhd | sort; }
# The source has one file again.
# shellcheck disable=SC2034  # for space.sh
left_seconds=120

mkdir /data/v
vhd_disk /data/v/root.vhd
vhd-util create -n /data/v/data.vhd -s 16 || bail_out 'no data.vhd'
full_file_system vhd:/data/v/data.vhd 'disk = [ "script=block-fork,vdev=xvda,access=rw,target=vhd:/data/v/root.vhd",
    "script=block-fork,vdev=xvdb,access=rw,target=vhd:/data/v/data.vhd" ]'
done_testing
