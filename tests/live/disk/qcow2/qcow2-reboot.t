#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As reboot.t, with a clone on a qcow2 file.
# live: --source --timeout 700
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/reboot.sh"
. "$LIVE/qcow2.sh"

ours() { find /data -maxdepth 1 -name '.xenfork-*'; }
raw() { plain "$1" /data/raw && printf '/data/raw\n'; }
# shellcheck disable=SC2034  # for reboot.sh
of_a_clone=2 left_seconds=120

if [ -z "$notes" ]; then
    xl destroy source
    rm /data/source.img
    qcow2_source q
    cut_power_of q
fi
after_power_cut q /data/q.qcow2 qcow2_source q
check 'the source has one file again' is_whole /data/q.qcow2
done_testing
