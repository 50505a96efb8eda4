#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones on VHDs served by tapdisk get disks of their own: in place while they run, killed at each step, stopped and
# resumed; in place and elsewhere when they do not run.
# live: --source --timeout 900
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

percent() { info "$1" .detached_percent; }
disk() { info "$1" '.disks[0].path'; }
parent() { vhd-util query -p -n "$(file_of "$1")"; }
files() { (cd /data/v && find . -mindepth 1 | sort); }
is_alone() { [[ "$(parent "$1")" == *'has no parent'* ]]; }
is_running() { pgrep -f 'fork-detach --rate' >/dev/null; }
# memory_of CLONE: done while it stands still: emulated, each page that is taken from it costs 2 ms
memory_of() {
    xl pause "$1"
    timeout 150 xl fork-detach --rate=8 "$1"
    wait_until 120 eval "[ \$(percent $1) -ge 33 ]"
    wait_until 60 eval "[ -e $(file_of "$(disk "$1")").own ] || ! is_running"
    pkill -9 -f 'fork-detach --rate'
    xl unpause "$1"
}

xl destroy source
mkdir /data/v
vhd_disk /data/v/web.vhd
start_source web 128 "$(disk_line /data/v/web.vhd)"
ask web mark before >/dev/null
check 'forked' timeout 120 xl fork -n 3 web
for n in 1 2 3; do
    check "clone $n ticks on" wait_until 60 ticks_on "web-$n"
    ask "web-$n" mark "own-$n" >/dev/null
done
ask web-1 'pace 20' >/dev/null
leaf=$(disk web-1)

memory_of web-1
check 'killed: what served the copy goes' wait_until 60 eval '! ls /run/xenfork/tap | grep -E "own|below"'
check 'the clone ticks on' ticks_on web-1
check 'begun again' xl fork-detach --rate=2 web-1
check 'its disk is under way' wait_until 60 eval 'ls /run/xenfork/tap | grep -q own'
pkill -STOP -f 'fork-detach --rate'
check 'it cannot be forked meanwhile' eval '! xl fork web-1 not 2>/tmp/refused'
check 'it says so' grep -q 'another xenfork operation is on it' /tmp/refused
pkill -CONT -f 'fork-detach --rate'
check 'stopped' xl fork-detach --stop web-1
check 'it stops' wait_until 60 eval '! is_running'
check 'the clone ticks on' ticks_on web-1

# Killed beside each of blktap's programs.
kill_at_programs -f 'fork-detach --wait'
for n in $(seq 1 40); do
    killed_at "$n" timeout 120 xl fork-detach --wait web-1 || break
    check "killed at program $n: the clone ticks on" wait_until 60 ticks_on web-1
done
kill_no_more
at_least 'every program' "$((n - 1))" 10
start=$(date +%s%N)
check 'to its end' timeout 120 xl fork-detach --wait web-1
diag "the rest: $((($(date +%s%N) - start) / 1000000)) ms, $(du -k "$(file_of "$leaf")" | cut -f 1) KiB"
check 'it has no backing file' is_alone "$leaf"
is 'at its path' "$(disk web-1)" "$leaf"
is 'depth' "$(depth_of "$leaf")" 1
check 'nothing is beside it' eval '! files | grep -E "own|below|new"'
check 'the clone ticks on' ticks_on web-1
is 'its disk is whole' "$(ask web-1 verify | json .errors)" 0
# By now it has written over its first records.
is 'from outside, too' "$(seen "$leaf" '[(.errors | length), (.marks | index("own-1") != null)]')" '[0,true]'

# In one go, while it writes; the sparse base stays sparse.
xl pause web-2
check 'another one, in one go' timeout 300 xl fork-detach --wait web-2
xl unpause web-2
check 'it ticks on' ticks_on web-2
check 'it has no backing file' is_alone "$(disk web-2)"
is 'its disk is whole' "$(ask web-2 verify | json .errors)" 0
diag "KiB: $(du -k "$(file_of "$(disk web-2)")" | cut -f 1), of the source's chain: $(du -ck /data/v/web.vhd "$(vhd-util query -p -n /data/v/web.vhd)" | tail -n 1 | cut -f 1)"
check 'elsewhere is refused while it runs' eval '! xl fork-detach --wait --to=/data web-2 2>/tmp/refused'
check 'with the way out' grep -q 'leave out --to' /tmp/refused

# Not running.
xl destroy web-3
leaf3=$(disk web-3)
check 'in place, without a domain' timeout 120 xl fork-detach --wait web-3
check 'it has no backing file' is_alone "$leaf3"
is 'with all that it had' "$(seen "$leaf3" '[(.errors | length), (.marks | sort)]')" '[0,["before","own-3"]]'
mkdir /data/there
sum=$(sha256sum <"$(raw "$leaf3")")
check 'elsewhere' timeout 120 xl fork-detach --wait --to=/data/there --format=qcow2 web-3
is 'it is there' "$(disk web-3)" /data/there/web-3-xvda.qcow2
is 'with all that it had' "$(qemu-img convert -O raw /data/there/web-3-xvda.qcow2 /data/raw && sha256sum </data/raw)" "$sum"
check 'and only there' test ! -e "$(file_of "$leaf3")"

# Their source and its images go.
xl destroy web
find /data/v -type f ! -samefile "$(file_of "$leaf")" ! -samefile "$(file_of "$(disk web-2)")" -delete
for n in 1 2; do
    check "clone $n ticks on" ticks_on "web-$n"
    is "the disk of clone $n is whole" "$(ask "web-$n" verify | json .errors)" 0
done
# To another host: its state and one file.
check 'saved' timeout 120 xl save web-1 /data/saved
cp "$(file_of "$leaf")" /data/copy && mv /data/copy "$(file_of "$leaf")"
check 'restored beside a copy of its file' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on web-1
is 'its disk is whole' "$(ask web-1 verify | json .errors)" 0
check 'all are destroyed' timeout 120 xl fork-destroy --yes web-1 web-2 web-3
check 'their files, too' eval 'is_empty /data/there && is_empty /data/v'
is 'nothing serves any disk' "$(serving)" ''
done_testing
