#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As reboot.t, with a clone on a thin volume of LVM.
# live: --timeout 600
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/lvm.sh"
. "$LIVE/reboot.sh"

ours() { lvs --noheadings -o lv_name vg0 | grep xenfork; }

start() { start_source thin 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'; }
if [ -z "$notes" ]; then
    thin_volumes src=64
    start
    cut_power_of thin
fi
thin_volumes_again
after_power_cut thin /dev/vg0/src start
done_testing
