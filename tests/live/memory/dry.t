#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Eight clones write more than the host has, each to its end: as some are destroyed the rest goes on. Meanwhile xenforkd
# is killed, one clone is ballooned, one is never hydrated. At no time is there a wrong byte, a crash, an error of a
# disk, or a source that stands still. Without xenforkd, and with --reserve full, nobody ever waits.
# live: --source --timeout 900
# full: 4.17 4.20
# alone: yes
# shellcheck disable=SC2154  # daemon_log: of xenforkd.sh
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

# What is free in the end, and what each writes: in the emulator a page that is unshared takes a millisecond or more.
free_at_last=110 mib=16
MAX_SECONDS=600
crashed() { xl list | awk 'NR > 1 && $5 ~ /c/' | grep -q .; }
states() { xl fork-list --json | json '.[] | select(.kind == "clone") | "\(.name) \(.state)"'; }
# begin CLONE: it is asked while it is paused, and writes as soon as it runs
begin() {
    xenstore-write "/local/domain/$(domid_of "$1")/data/ask" "$1 fill $mib"
    xl unpause "$1"
}
forget() { for i in "${!left[@]}"; do [ "${left[i]}" != "$1" ] || unset "left[$i]"; done; }
check 'seven clones' timeout 300 xl fork --paused --reserve 0 -n 7 source
left=(lazy)
for n in 1 2 3 4 5 6 7; do left+=("source-$n"); done
for clone in "${left[@]:1}"; do check "$clone is hydrated" wait_until 120 hydrated "$clone"; done
check 'one that is not to be hydrated' timeout 100 xl fork --no-hydrate --paused --reserve 0 source@fork-1 lazy
check 'another of these would not fit' eval '! timeout 100 xl fork --no-hydrate --paused --reserve 0 -n 16 source@fork-1 more'
starts 'xenforkd'
check 'somebody has the rest of the memory' leave $free_at_last
free=$(free_mib)
diag "$free MiB free; $(xl fork-memory)"
at_least 'the sum does not fit' $((7 * mib)) $((free + 1))
check 'one is ballooned down' xl mem-set source-7 116
begun=$SECONDS
for clone in "${left[@]}"; do begin "$clone"; done
some_paused() { grep -q 'paused: memory' <<<"$(states)"; }
check 'some are paused' wait_until 300 some_paused
diag "after $((SECONDS - begun)) s: $(states | paste -sd, )"
kill_daemon KILL
wait_until 10 daemon_is_gone
sleep 3
check 'without xenforkd none crashes' eval '! crashed'
check 'and the source goes on' ticks_on source
starts 'xenforkd again'
check 'the other is ballooned up' xl mem-set source-7 128

finished=0 gave_way=0 longest_gap=0 stuck=0 disks=0
while [ ${#left[@]} -gt 0 ]; do
    [ $((SECONDS - begun)) -lt $MAX_SECONDS ] || { fail 'it goes on' "$(xl fork-memory)"; break; }
    ! crashed || { fail 'none crashes' "$(xl list)"; break; }
    now=$(states) done_one=''
    for clone in "${left[@]}"; do
        if filled "$clone" >/dev/null; then
            done_one=$clone finished=$((finished + 1))
            filled_right "$clone" $mib
            # It may be paused meanwhile.
            errors=''
            ! grep -q "^$clone running" <<<"$now" || errors=$(ask "$clone" verify | json .errors)
            if [ -n "$errors" ]; then is "$clone: its disk" "$errors" 0 && disks=$((disks + 1)); fi
            check "$clone is destroyed" xl fork-destroy "$clone"
            forget "$clone"
            break
        fi
    done
    if [ -n "$done_one" ] || grep -q ' running' <<<"$now"; then stuck=0; else stuck=$((stuck + 1)); fi
    if [ $stuck -ge 5 ]; then
        clone=$(tail -n 1 <<<"$now" | cut -d' ' -f1)
        check "all are paused, and $clone gives way" xl fork-destroy "$clone"
        forget "$clone"
        gave_way=$((gave_way + 1)) stuck=0
    fi
    sleep 0.5
done
diag "$((SECONDS - begun)) s; $finished finished, $gave_way gave way; longest gap $longest_gap ms"
at_least 'most have written all' $finished 6
at_least 'their disks were looked at' $disks 3
at_least 'some have waited' "$(daemon_lines 'event=memory .*result=\(paused\|waits\)')" 1
check 'the source goes on still' ticks_on source
is 'its disk' "$(ask source verify | json .errors)" 0
diag "$(grep 'event=memory' "$daemon_log" | sed 's/.*event=memory //' | awk '{ print $2 }' | sort | uniq -c)"
stops 'xenforkd ends'

# Without xenforkd, and with all that they may write reserved, as many as fit never wait.
xl destroy hog
check 'less memory again' leave 430
refused='' full=()
for n in 1 2 3 4 5; do
    refused=$(timeout 200 xl fork --paused --reserve full source "full-$n" 2>&1 >/dev/null) || break
    full+=("full-$n")
done
diag "${#full[@]} clones; then: $refused"
at_least 'some fit' ${#full[@]} 2
check 'the last is refused' grep -q 'not enough free memory' <<<"$refused"
for clone in "${full[@]}"; do
    check "$clone is hydrated" wait_until 120 hydrated "$clone"
    begin "$clone"
done
for clone in "${full[@]}"; do
    check "$clone has written all" wait_filled 120 "$clone"
    filled_right "$clone" $mib
done
is 'nothing is paused' "$(states | grep -c ' running')" ${#full[@]}
check 'the source goes on to the end' ticks_on source
done_testing
