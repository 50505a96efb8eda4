#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Eight clones of 256 MiB, on a host that has 1.5 GiB besides dom0's memory, write more than there is: as some are destroyed
# the rest goes on to its end. Meanwhile xenforkd is killed, one clone is ballooned, one is never hydrated. At no time is
# there a wrong byte, a crash, an error of a disk, or a source that stands still.
#     tests/testbed/run --xen 4.17 --memory 2560 --timeout 5400 tests/live/memory/dry-large.t [MIB|all]
# MIB is what each writes, by default 24; with `all` it is all that a guest has, some 300,000 pages together, which takes the
# emulator a quarter of an hour and more.
# live: --memory 2560 --timeout 1500
# full: 4.17 4.20
# alone: yes
# shellcheck disable=SC2154  # daemon_log: of xenforkd.sh
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

export ASK_SECONDS=90
MAX_SECONDS=1000 LOOK=1 # of the pages the emulator unshares some 200 a second
states() { xl fork-list --json | json '.[] | select(.kind == "clone") | "\(.name) \(.state)"'; }
says() { tail -n 12 "/tmp/console-$(xl list | awk '$5 ~ /c/ && NR > 1 { print $1; exit }')"; }
forget() { for i in "${!left[@]}"; do [ "${left[i]}" != "$1" ] || unset "left[$i]"; done; }

start_source big 256
# Nine guests that write to their disks twice a second are more than the emulator can do.
ask big 'pace 20000' >/dev/null
check 'guests are switched rarely' switch_rarely
mib=${1:-24}
# dom0's looks cost the emulator what the guests need.
[ "$mib" != all ] || mib=$(can_fill big) MAX_SECONDS=4800 LOOK=5
diag "$(free_mib) MiB free; each writes $mib MiB"
[ "${1-}" != all ] || at_least 'each writes most of its memory' "$mib" 140
check 'seven clones' timeout 500 xl fork --paused --reserve 0 -n 7 big
ask big 'pace 1000' >/dev/null
left=(lazy)
for n in 1 2 3 4 5 6 7; do left+=("big-$n"); done
for clone in "${left[@]:1}"; do check "$clone is hydrated" wait_until 240 hydrated "$clone"; done
check 'one that is not to be hydrated' timeout 100 xl fork --no-hydrate --paused --reserve 0 big@fork-1 lazy
check 'eight of these would not fit' eval '! timeout 100 xl fork --no-hydrate --paused --reserve 0 -n 8 big@fork-1 more'
check 'the source goes on' ticks_on big 90
watch_ticks big /tmp/stood $LOOK
starts 'xenforkd'
lowered() { [ "$(reserved_mib big)" -le 64 ]; }
check 'a quarter is reserved for the source' wait_until 60 lowered
# Where each is to write less, there is less.
[ "${1-}" = all ] || check 'somebody has the rest of the memory' leave $((7 * mib * 6 / 10 + 64))
free=$(free_mib) failed=$(failures)
diag "$SECONDS s; $free MiB free; $(xl fork-memory)"
at_least 'the sum does not fit' $((7 * mib)) $((free + 1))
check 'one is ballooned down' xl mem-set big-7 232
declare -A writes
begun=$SECONDS
for clone in "${left[@]}"; do
    sleep 5000 | xl console "$clone" >"/tmp/console-$clone" 2>&1 &
    writes[$clone]=$mib
    [ "$clone" != big-7 ] || [ "${1-}" != all ] || writes[$clone]=$((mib - 32))
    begin "$clone" "${writes[$clone]}"
done
some_paused() { grep -q 'paused: memory' <<<"$(states)"; }
until some_paused || crashed || [ $((SECONDS - begun)) -ge $((MAX_SECONDS / 2)) ]; do sleep $LOOK; done
check 'some are paused' some_paused
diag "after $((SECONDS - begun)) s: $(states | paste -sd, )"
kill_daemon KILL
wait_until 10 daemon_is_gone
sleep 5
check 'without xenforkd none crashes' eval '! crashed'
! crashed || diag "$(says)"
check 'and the source goes on' ticks_on big 60
starts 'xenforkd again'
check 'the other is ballooned up' xl mem-set big-7 256

finished=0 gave_way=0 longest_gap=0 stuck=0 disks=0
while [ ${#left[@]} -gt 0 ]; do
    [ $((SECONDS - begun)) -lt $MAX_SECONDS ] || { fail 'it goes on' "$(xl fork-memory)"; break; }
    ! crashed || { fail 'none crashes' "$(xl list)" "$(xl dmesg | tail -n 5)" "$(says)"; break; }
    now=$(states) done_one=''
    for clone in "${left[@]}"; do
        filled "$clone" >/dev/null || continue
        done_one=$clone finished=$((finished + 1))
        filled_right "$clone" "${writes[$clone]}"
        # It may be paused meanwhile.
        errors=''
        ! grep -q "^$clone running" <<<"$now" || errors=$(ask "$clone" verify | json .errors)
        if [ -n "$errors" ]; then is "$clone: its disk" "$errors" 0 && disks=$((disks + 1)); fi
        check "$clone is destroyed" xl fork-destroy "$clone"
        forget "$clone"
        diag "$((SECONDS - begun)) s, $(free_mib) MiB free"
        break
    done
    if [ -n "$done_one" ] || grep -q ' running' <<<"$now"; then stuck=0; else stuck=$((stuck + 1)); fi
    if [ $stuck -ge 5 ]; then
        clone=$(tail -n 1 <<<"$now" | cut -d' ' -f1)
        check "all are paused, and $clone gives way" xl fork-destroy "$clone"
        forget "$clone"
        gave_way=$((gave_way + 1)) stuck=0
    fi
    sleep $LOOK
done
diag "$((SECONDS - begun)) s; $finished finished, $gave_way gave way; longest gap $longest_gap ms"
at_least 'most have written all' $finished 6
at_least 'their disks were looked at' $disks 3
at_least 'some have waited' "$(daemon_lines 'event=memory .*result=\(paused\|waits\)')" 1
check 'the source goes on still' ticks_on big 60
is 'its disk' "$(ask big verify | json .errors)" 0
diag "the source's longest time without a tick: $(cat /tmp/stood) ms"
at_least 'it never stood still' 60000 "$(cat /tmp/stood)"
is 'no disk had an error' "$(failures)" "$failed"
diag "$(grep 'event=memory' "$daemon_log" | sed 's/.*event=memory //' | awk '{ print $2 }' | sort | uniq -c)"
stops 'xenforkd ends'
done_testing
