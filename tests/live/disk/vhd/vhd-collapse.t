#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Chains of VHDs become short again, from the end when nothing but the source needs a base, and in the
# middle while clones need both sides; nothing is lost with that.
# live: --source --timeout 500
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
start_source web 128 "$(disk_line /data/v/web.vhd)"
has_depth() { [ "$(depth_of /data/v/web.vhd)" = "$1" ]; }
# hydrated CLONE: it needs its image no more
hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }
for n in 1 2 3 4; do
    ask web "mark m$n" >/dev/null
    check "forked, $n" timeout 120 xl fork web "c$n"
    check "c$n needs its image no more" wait_until 120 hydrated "c$n"
done
is 'five of them' "$(depth_of /data/v/web.vhd)" 5

# Only c3's and the source's overlays need the bases of c1 and c2.
ask c3 'mark own' >/dev/null
check 'two in the middle go' timeout 120 xl fork-destroy c1 c2
check 'what they were made from is coalesced' wait_until 120 has_depth 4
is 'a clone is backed by fewer, too' "$(depth_of "$(info c3 '.disks[0].path')")" 3
check 'the image of a clone that needs it no more goes' xl fork-image-destroy web@fork-3
check 'what it had is coalesced, too' wait_until 120 has_depth 3
is 'its clone is backed by one' "$(depth_of "$(info c3 '.disks[0].path')")" 2
for clone in c3 c4; do
    check "$clone ticks on" ticks_on "$clone"
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
is 'and has all that it had' "$(ask c3 verify | jq -c '.marks | sort')" '["m1","m2","m3","own"]'
is 'the other likewise' "$(ask c4 verify | jq -c '.marks | sort')" '["m1","m2","m3","m4"]'
check 'a clone is forked after that' timeout 120 xl fork --paused c3 c3-1
is 'with what it has' "$(seen "$(info c3-1 '.disks[0].path')" '[.errors, (.marks | sort)]')" '[[],["m1","m2","m3","own"]]'
check 'destroyed' timeout 120 xl fork-destroy c3-1 c3 c4
check 'all is coalesced' wait_until 120 has_depth 1
is 'one file is left' "$(find /data/v -mindepth 1)" /data/v/web.vhd
check 'the source ticks on' ticks_on web
is 'its disk is whole' "$(ask web verify | json .errors)" 0
is 'all marks are there' "$(ask web verify | jq -c '.marks | sort')" '["m1","m2","m3","m4"]'
xl destroy web
is 'from outside, too' "$(seen /data/v/web.vhd '[.errors, (.marks | sort)]')" '[[],["m1","m2","m3","m4"]]'
done_testing
