#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones of eight forks stay: the source gets copies of its own of what is between, and its chain is short again. The
# bases that clones need stay as they are.
# live: --source --timeout 700
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"

xl destroy source
rm -f /data/source.img
image=/data/q.qcow2
qcow2_source q $image
ask q 'pace 100' >/dev/null
forked=0
for n in 1 2 3 4 5 6 7 8; do
    ask q "mark m$n" >/dev/null
    timeout 120 xl fork --paused q "c$n" >/dev/null && forked=$((forked + 1))
    # The base for the earlier ones must not change any more.
    sums[n]=$(content "$(overlay "c$n")")
done
is 'eight forks, whose clones stay' "$forked" 8
is_short() { [ "$(chain $image)" -lt 8 ]; }
check 'the chain is short again' wait_until 120 is_short
diag "files in it: $(chain $image); in the last clone's: $(chain "$(overlay c8)")"
check 'the source ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
is 'it has all marks' "$(ask q verify | jq -c '.marks | sort')" '["m1","m2","m3","m4","m5","m6","m7","m8"]'
same=0
for n in 1 2 3 4 5 6 7 8; do
    [ "$(content "$(overlay "c$n")")" = "${sums[n]}" ] && same=$((same + 1))
done
is 'clones have what they had' "$same" 8
ask q 'mark late' >/dev/null
check 'forked once more' timeout 120 xl fork --paused q c9
is 'its clone has all' "$(census "$(overlay c9)" '[(.errors | length), (.marks | length)]')" '[0,9]'
xl unpause c8
check 'an earlier clone ticks on' wait_until 60 ticks_on c8
is 'its disk is whole' "$(ask c8 verify | json .errors)" 0
check 'all are destroyed' timeout 300 xl fork-destroy c1 c2 c3 c4 c5 c6 c7 c8 c9
check 'the source has one file again' wait_until 180 is_whole $image
check 'it ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
xl destroy q
is 'from outside, too' "$(census $image '[(.errors | length), (.marks | length)]')" '[0,9]'
done_testing
