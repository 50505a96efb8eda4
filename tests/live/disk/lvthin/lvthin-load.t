#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source that writes to a thin volume of LVM all the time.
# live: --source --timeout 1800
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/lvm.sh"
. "$LIVE/disk-load.sh"

xl destroy source
thin_volumes src=64
start_source thin 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'
loaded thin /dev/vg0/src "${1:-20}"
is 'nothing is left' "$(volumes)" poolsrc
done_testing
