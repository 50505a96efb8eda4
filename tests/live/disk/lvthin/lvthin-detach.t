#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone on a thin volume of LVM is detached while it writes, killed twice; then the source's volume goes; and out of
# the pool, into a file, when it does not run.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/lvm.sh"

percent() { info "$1" .detached_percent; }
disk() { info "$1" '.disks[0].path'; }

xl destroy source
thin_volumes src=64
start_source thin 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src" ]'
ask thin mark before >/dev/null
check 'forked' timeout 120 xl fork thin
check 'the clone ticks on' wait_until 60 ticks_on thin-1
ask thin-1 mark own >/dev/null
ask thin-1 'pace 20' >/dev/null
for n in 1 2; do
    check "begun, $n" xl fork-detach --rate=4 thin-1
    was=$(percent thin-1)
    check 'some of it is done' wait_until 60 eval "[ \"\$(percent thin-1)\" -gt $was ]"
    pkill -9 -f 'fork-detach --rate'
    check "killed, $n: the clone ticks on" ticks_on thin-1
done
check 'not all yet' test "$(percent thin-1)" -lt 100
# Emulated, each page that is taken from a guest that runs costs 2 ms.
xl pause thin-1
check 'to its end' timeout 120 xl fork-detach --wait thin-1
xl unpause thin-1
is 'no page is shared' "$(info thin-1 .shared_kib)" 0
xl destroy thin
are_three() { [ "$(lvs --noheadings vg0 | wc -l)" = 3 ]; }
check 'the image goes, and the base' wait_until 60 are_three
check 'so does the source' lvremove -qy vg0/src
check 'the clone ticks on' ticks_on thin-1
is 'its disk is whole' "$(ask thin-1 verify | json .errors)" 0

# Out of the pool.
mkdir /data/there
check 'elsewhere is refused while it runs' eval '! xl fork-detach --wait --to=/data/there thin-1 2>/tmp/refused'
check 'with the way out' grep -q 'shut it down first' /tmp/refused
xl destroy thin-1
sum=$(sha256sum <"$(disk thin-1)")
timeout 60 xl fork-detach --wait --rate=8 --to=/data/there thin-1 &
was=$(disk thin-1)
check 'it is under way' wait_until 30 test -e /data/there/thin-1-xvda.raw
pkill -9 -f 'fork-detach --wait'
wait
is 'killed: it has what it had' "$(disk thin-1) $(sha256sum <"$(disk thin-1)")" "$was $sum"
check 'to its end' timeout 60 xl fork-detach --wait --to=/data/there thin-1
is 'it is there' "$(disk thin-1)" /data/there/thin-1-xvda.raw
is 'with all that it had' "$(sha256sum </data/there/thin-1-xvda.raw)" "$sum"
is 'from outside, too' "$("$LIVE/check-disk" /data/there/thin-1-xvda.raw | jq -c '[(.errors | length), (.marks | sort)]')" '[0,["before","own"]]'
is 'the pool is empty' "$(volumes)" pool
start_source again 128 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/there/thin-1-xvda.raw" ]'
is 'a guest has it' "$(ask again verify | json .errors)" 0
xl destroy again
check 'destroyed' timeout 60 xl fork-destroy thin-1
check 'and its file' is_empty /data/there
done_testing
