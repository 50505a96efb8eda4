#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk that two domains write to is refused; a domain without disks is forked.
# live: --source --timeout 200
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

truncate -s 16M /data/shared.img
start_source none 128 'disk = [ "format=raw,vdev=xvdb,access=rw,backendtype=qdisk,target=/data/shared.img" ]'
xl block-attach source 'format=raw,vdev=xvdg,access=rw,target=/data/shared.img' || bail_out 'cannot attach a disk'
remember source
refused 'a disk that two domains write to' DISK 'xvdg .* shared with domain [0-9]+' '--disk xvdg=none' source k
check 'without it, it can' xl -N fork --disk xvdg=none source
xl block-detach none xvdb
check 'alone, it can' wait_until 30 xl fork-check source
backend=$(xenstore-read "/libxl/$(domid_of source)/device/vbd/51808/backend")
xenstore-write "$backend/mode" 'w!'
refused 'the mode w!' DISK 'xvdg .* mode is w!' '--disk xvdg=none' source k
xl block-detach source xvdg

check 'a domain without disks' timeout 120 xl fork none nothing
check 'its clone ticks on' wait_until 60 ticks_on nothing
is 'it has none' "$(xl list -l nothing | jq -c '[.[0].config.disks // [] | .[].vdev]')" '[]'
check 'destroyed' timeout 60 xl fork-destroy nothing
done_testing
