#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# VHDs by libxl's own backendtype=tap: a source is forked while it writes, and frozen, and its clones have the same kind
# of disk; tapdisk and tapback are killed.
# live: --source --timeout 700
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
start_tapback /data/v/web.vhd
nothing=$(serving)

no_node() { ! xenstore-exists "/local/domain/0/backend/vbd3/$1"; }
disk() { info "$1" '.disks[0].path'; }
start_source web 128 "$(tap_line /data/v/web.vhd)"
is 'fork-check says how, and why' "$(xl fork-check web | tail -n 1)" '  xvda: vhd, a VHD, served by tapdisk'
acked=$(ask web mark before | json .acked)
check 'forked while it writes' timeout 120 xl fork --paused -n 2 web
ask web mark after >/dev/null
after=$(field web acked)
found=$(seen "$(disk web-1)" .)
is 'no damage' "$(json '.errors | length' <<<"$found")" 0
at_least 'every write acknowledged before' "$(json .highest <<<"$found")" "$acked"
check 'none of after' test "$(json .highest <<<"$found")" -lt "$after"
is 'the mark of before' "$(jq -c .marks <<<"$found")" '["before"]'
config() { xl list -l "$1" | jq -c '.[0].config.disks[0] | [.backend, .format]'; }
is 'libxl serves a clone itself' "$(config web-1)" '["tap","vhd"]'
is 'its file is its own' "$(xl list -l web-1 | jq -r '.[0].config.disks[0].pdev_path')" "$(file_of "$(disk web-1)")"
is 'no device of nbd' "$(find /sys/block/nbd*/pid 2>/dev/null)" ''

xl unpause web-1
check 'a clone ticks on' wait_until 60 ticks_on web-1
ask web-1 mark own >/dev/null
is 'its disk is whole' "$(ask web-1 verify | json .errors)" 0
is 'its sibling does not see its writes' "$(seen "$(disk web-2)" .marks)" '["before"]'
is 'nor does the source' "$(ask web verify | jq '.marks | index("own")')" null
check 'a clone is forked' timeout 120 xl fork web-1 second
check 'its clone ticks on' wait_until 60 ticks_on second
is 'and has what it wrote' "$(ask second verify | jq -c '.marks | sort')" '["before","own"]'
left=$(without second)
xl destroy second
check 'xl destroy leaves nothing of what served it' wait_until 30 serving_is "$left"
check 'destroyed, with its disk' timeout 120 xl fork-destroy --yes second
check 'the clones are destroyed' timeout 120 xl fork-destroy --yes web-1 web-2
is 'one tapdisk is left' "$(serving | grep -c ^tapdisk)" 1

# Frozen.
check 'frozen' xl fork-freeze web
tick=$(tick web)
check 'forked' timeout 120 xl fork -n 2 web f
check 'thawed' xl fork-thaw web
for clone in f-1 f-2; do
    check "$clone goes on from there" wait_tick "$clone" "$((tick + 1))" 60
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
check 'a clone is saved' timeout 120 xl save f-2 /data/f-2.save
check 'and restored' timeout 120 xl restore /data/f-2.save
check 'it ticks on' wait_until 60 ticks_on f-2
is 'its disk is whole' "$(ask f-2 verify | json .errors)" 0
rm -f /data/f-2.save
xl pause f-2
check 'it is detached' timeout 300 xl fork-detach --wait f-2
xl unpause f-2
check 'it has no backing file' eval '[[ $(vhd-util query -p -n "$(file_of "$(disk f-2)")") == *"has no parent"* ]]'
check 'it ticks on' ticks_on f-2
is 'its disk is whole' "$(ask f-2 verify | json .errors)" 0

# tapdisk is killed: nobody but its clone notices.
kill -9 "$(tapdisk_of f-1)"
check 'tapdisk killed: its sibling ticks on' ticks_on f-2
is "its sibling's disk is whole" "$(ask f-2 verify | json .errors)" 0
check 'the source ticks on' ticks_on web
check 'its requests are not answered' eval '! ASK_SECONDS=10 ask f-1 mark lost'
check 'it cannot be forked' eval '! timeout 120 xl fork f-1 other 2>/tmp/refused'
check 'and the text says why' grep -q 'no tapdisk serves it any more' /tmp/refused
left=$(without f-1) domid=$(domid_of f-1)
timeout 60 xl destroy f-1
check 'xl destroy leaves nothing of what served it' wait_until 30 serving_is "$left"
check 'nor a node' no_node "$domid"
check 'destroyed, with its disk' timeout 120 xl fork-destroy --yes f-1

# tapback is killed, that of one domain: it goes on, and can be forked; then all of tapback is.
check 'a clone of the restored one' timeout 120 xl fork f-2 g
check 'ticks on' wait_until 60 ticks_on g
kill -9 "$(pgrep -f "^tapback -d -x $(domid_of g)")"
check 'tapback killed: the clone ticks on' ticks_on g
is 'its disk is whole' "$(ask g verify | json .errors)" 0
check 'its clone is made' timeout 120 xl fork --paused g h
check 'it ticks on' ticks_on g
left=$(without g) domid=$(domid_of g)
timeout 60 xl destroy g
check 'xl destroy leaves nothing of what served it' wait_until 30 serving_is "$left"
check 'nor a node' no_node "$domid"
check 'the source ticks on' ticks_on web
check 'destroyed, with their disks' timeout 120 xl fork-destroy --yes f-2 g h
pkill -9 -x tapback
before=$(serving)
check 'no tapback: no fork' eval '! timeout 120 xl fork web none 2>/tmp/refused'
diag "$(cat /tmp/refused)"
check 'nothing is left of it' wait_until 30 serving_is "$before"
check 'the source ticks on' ticks_on web
is 'its disk is whole' "$(ask web verify | json .errors)" 0
start_tapback
check 'tapback again: a fork' timeout 120 xl fork web late
check 'which ticks on' wait_until 60 ticks_on late
check 'destroyed' timeout 120 xl fork-destroy --yes late

# With our script the source's tapdisk leaves nothing behind either.
xl destroy web
check 'nothing serves any disk' wait_until 30 serving_is "$nothing"
start_source web 128 "$(tap_line /data/v/web.vhd script=block-fork)"
check 'by block-fork: forked' timeout 120 xl fork web own
check 'its clone ticks on' wait_until 60 ticks_on own
is 'and has all marks' "$(ask own verify | jq -c '.marks | sort')" '["after","before"]'
check 'destroyed' timeout 120 xl fork-destroy --yes own
xl destroy web
is 'nothing serves any disk' "$(serving)" "$nothing"

# A raw file.
cp /usr/share/xenfork-guest/disk.img /data/v/raw.img
start_source raw 128 'disk = [ "backendtype=tap,vdev=xvda,access=rw,format=raw,target=/data/v/raw.img" ]'
check 'a raw file is refused' eval '! timeout 120 xl fork raw none 2>/tmp/refused'
check 'with a way out' grep -q 'vhd-util snapshot -m' /tmp/refused
xl destroy raw
done_testing
