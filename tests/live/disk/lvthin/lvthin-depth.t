#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a thin volume of LVM is as fast after many forks as before.
# live: --source --timeout 1800
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/lvm.sh"
. "$LIVE/depth.sh"

xl destroy source
thin_volumes src=64
start_source thin 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'
costs_after_forks thin "${1:-64}" 120
done_testing
