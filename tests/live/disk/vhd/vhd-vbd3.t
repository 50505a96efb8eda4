#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Why libxl must know a VHD that tapback has: one whose nodes are written by hand works, in a domain that is restored
# as well, but xl save and restore leave it out, and xl destroy leaves it behind.
# live: --source --timeout 500
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
start_tapback

serve() {
    minor=$(tap-ctl allocate)
    minor=${minor##*-} pid=$(tap-ctl spawn)
    tap-ctl attach -p "$pid" -m "$minor" && tap-ctl open -p "$pid" -m "$minor" -a vhd:/data/v/web.vhd
}

# nodes DOMID: its disk, in place of libxl
nodes() {
    local front=/local/domain/$1/device/vbd/51712 back=/local/domain/0/backend/vbd3/$1/51712
    xenstore-write "$front/backend" "$back" "$front/backend-id" 0 "$front/virtual-device" 51712 \
        "$front/device-type" disk "$front/state" 1
    xenstore-chmod -r "$front" "n$1" r0
    xenstore-write "$back/frontend" "$front" "$back/frontend-id" "$1" "$back/online" 1 "$back/removable" 0 \
        "$back/mode" w "$back/dev" xvda "$back/device-type" disk "$back/state" 1
    xenstore-chmod -r "$back" n0 "r$1"
    wait_until 20 xenstore-exists "$back/max-ring-page-order" || return
    xenstore-write "$back/physical-device-path" "/run/blktap-control/nbd$pid.$minor"
    xenstore-write "$back/hotplug-status" connected
}

sed 's/^name = .*/name = "web"/' /etc/xen/source.cfg >/tmp/web.cfg
echo 'disk = [ ]' >>/tmp/web.cfg
timeout 120 xl create -q -p /tmp/web.cfg
serve
check 'tapback takes it' nodes "$(domid_of web)"
xl unpause web
check 'the guest runs' wait_tick web 4 120
ask web mark before >/dev/null
is 'its disk is whole' "$(ask web verify | jq -c '[.marks, .errors]')" '[["before"],0]'
is 'xl block-list does not know it' "$(xl block-list web | wc -l)" 1

check 'xl save says nothing' timeout 120 xl save web /data/web.save
check 'nor does xl restore' timeout 120 xl restore -p /data/web.save
check 'the disk is gone' eval '! xenstore-exists "/local/domain/$(domid_of web)/device/vbd"'
xl unpause web
check 'and the guest stands still' eval '! ASK_SECONDS=20 ask web mark lost'
xl destroy web

timeout 120 xl restore -p /data/web.save
check 'written again: tapback takes it' nodes "$(domid_of web)"
xl unpause web
ASK_SECONDS=60 ask web mark after >/dev/null
is 'the restored guest goes on' "$(ask web verify | jq -c '[.marks, .errors]')" '[["before","after"],0]'
domid=$(domid_of web)
check 'xl destroy says nothing' xl destroy web
check 'its tapdisk is left' pgrep -x tapdisk
check 'and so is its node' xenstore-exists "/local/domain/0/backend/vbd3/$domid"
done_testing
