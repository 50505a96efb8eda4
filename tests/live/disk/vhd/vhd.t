#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a VHD served by tapdisk, forked while it writes, and frozen: each clone has a VHD of its own over the
# base, and a tapdisk of its own.
# live: --source --timeout 500
# needs: blktap
# full: 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
nothing=$(serving)
vhd_disk /data/v/web.vhd
is 'a disk attached and detached by hand leaves nothing' "$(serving)" "$nothing"

disk() { info "$1" '.disks[0].path'; }
files() { (cd /data/v && find . -mindepth 1 | sort); }
start_source web 128 "$(disk_line /data/v/web.vhd)"
is 'fork-check says how, and why' "$(xl fork-check web | tail -n 1)" '  xvda: vhd, a VHD, served by tapdisk'
acked=$(ask web mark before | json .acked)
check 'forked while it writes' timeout 120 xl fork --paused -n 2 web
ask web mark after >/dev/null
after=$(field web acked)
base=$(info web@fork-1 '.disks[0].path')
sum=$(sha256sum <"$(file_of "$base")")
found=$(seen "$(disk web-1)" .)
is 'no damage' "$(json '.errors | length' <<<"$found")" 0
at_least 'every write acknowledged before' "$(json .highest <<<"$found")" "$acked"
check 'none of after' test "$(json .highest <<<"$found")" -lt "$after"
is 'the mark of before' "$(jq -c .marks <<<"$found")" '["before"]'
is 'xl fork-disk-list' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .driver, .users]]')" \
    '[["base","vhd",2],["overlay","vhd",0],["overlay","vhd",0]]'
check 'which knows what they take' jq -e 'all(.allocated_kib > 0)' <<<"$(xl fork-disk-list --json)"
diag "KiB of a fresh overlay: $(xl fork-disk-list --json | jq -c 'map(select(.kind == "overlay"))[-1].own_kib')"
is 'libxl knows the source by the same path' "$(xl list -l web | jq -r '.[0].config.disks[0].pdev_path')" vhd:/data/v/web.vhd

xl unpause web-1
check 'a clone ticks on' wait_until 60 ticks_on web-1
ask web-1 mark own >/dev/null
is 'its disk is whole' "$(ask web-1 verify | json .errors)" 0
is 'its sibling does not see its writes' "$(seen "$(disk web-2)" .marks)" '["before"]'
is 'nor does the source' "$(ask web verify | jq '.marks | index("own")')" null
is 'the base is as it was' "$(sha256sum <"$(file_of "$base")")" "$sum"

# A clone is a source like any other.
check 'a clone is forked' timeout 120 xl fork --paused web-1 second
is 'its clone has what it wrote' "$(seen "$(disk second)" '.marks | sort')" '["before","own"]'
check 'another driver is refused' says_no reflink xl fork --disk xvda=reflink web-1
check 'an unknown option is refused' says_no 'no option colour' xl fork --disk xvda=vhd:colour=red web-1
check 'the first clone goes, its clone stays' timeout 120 xl fork-destroy web-1
xl unpause second
check 'it ticks on' wait_until 60 ticks_on second
is 'and its disk is whole' "$(ask second verify | json .errors)" 0
check 'all of them are destroyed' timeout 120 xl fork-destroy second web-2
is "one file is left below the source's own" "$(files | wc -l)" 2
check 'the source ticks on' ticks_on web

# Frozen, forked twice.
check 'frozen' xl fork-freeze web
tick=$(tick web)
check 'forked' timeout 120 xl fork web f1
check 'and again' timeout 120 xl fork web f2
is 'siblings of one' "$(depth_of "$(disk f1)")" "$(depth_of "$(disk f2)")"
for clone in f1 f2; do
    check "$clone goes on from there" wait_tick "$clone" "$((tick + 1))" 60
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
check 'thawed' xl fork-thaw web
check 'the source ticks on' ticks_on web
is 'its disk is whole' "$(ask web verify | json .errors)" 0

check 'the clones are destroyed' timeout 120 xl fork-destroy f1 f2
xl destroy web

# By a second name of its file a base could be written while clones are backed by it; a link is followed, and stays.
start_source web 128 "$(disk_line /data/v/web.vhd)"
ln /data/v/web.vhd /data/v/second.vhd
remember web
refused 'a VHD with two names' DISK 'xvda .*has 2 names' 'find -samefile /data/v/web.vhd' web k
rm /data/v/second.vhd
xl destroy web
(cd /data/v && mv web.vhd real.vhd && ln -s real.vhd web.vhd)
start_source web 128 "$(disk_line /data/v/web.vhd)"
check 'forked by a link' timeout 120 xl fork --paused web l
base=$(info web@fork-1 '.disks[0].path') sum=$(sha256sum <"$(file_of "$(info web@fork-1 '.disks[0].path')")")
xl destroy web
start_source web 128 "$(disk_line /data/v/real.vhd)"
ask web mark anew >/dev/null
is 'started by what it leads to, it does not write the base' "$(sha256sum <"$(file_of "$base")")" "$sum"
check 'the clone is destroyed' timeout 120 xl fork-destroy l
is 'the link is as it was' "$(readlink /data/v/web.vhd)" real.vhd
xl destroy web
is 'nothing serves any disk' "$(serving)" "$nothing"
done_testing
