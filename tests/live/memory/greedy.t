#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One clone allocates without end, one balloons up and down by itself, one touches all its memory at once: only these are
# paused, or wait when their user lets them run all the same. Others go on, and no byte is wrong.
# live: --source --timeout 1800
# full: 4.17 4.20
# alone: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

export ASK_SECONDS=90
greedy='endless ballooning toucher' calm='calm-1 calm-2'
note_of() { xenstore-read "/libxl/$(domid_of "$1")/xenfork-memory" 2>/dev/null; }
sum() { ask "$1" 'sh md5sum </tmp/big' | json .output; }
# any WORD CLONE…: whether one of them has it noted
any() {
    local clone
    for clone in "${@:2}"; do [ "$(note_of "$clone")" != "$1" ] || return 0; done
    return 1
}
# calm_ones WHEN: for 20 seconds they run, with what they have written
calm_ones() {
    local clone end=$((SECONDS + 20)) bad=''
    for clone in $calm; do fill "$clone" 8; done
    while [ $SECONDS -lt $end ]; do
        for clone in $calm; do [ -z "$(note_of "$clone")" ] || bad+=" $clone: $(note_of "$clone")"; done
        sleep 0.2
    done
    is "$1: those with a reservation run" "$bad" ''
    for clone in $calm; do
        check "$1: $clone has written" wait_filled 30 "$clone"
        filled_right "$clone" 8
    done
    check "$1: the source goes on" ticks_on source
}

ask source 'sh dd if=/dev/urandom of=/tmp/big bs=1024k count=8 2>/dev/null' >/dev/null
# More than two busy guests are too much for the emulator: they tick, and write to their disks, once a second.
ask source 'pace 1000' >/dev/null
check 'guests are switched rarely' switch_rarely
wanted=$(sum source)
isnt 'there is something to read' "$wanted" ''
mib=$(can_fill source)
for clone in $calm; do check "xl fork, $clone" xl fork source "$clone"; done
for clone in $greedy; do check "xl fork, $clone" xl fork --reserve 0 source "$clone"; done
for clone in $calm $greedy; do
    check "$clone is hydrated" wait_until 120 hydrated "$clone"
    check "$clone runs" ticks_on "$clone"
done
# So little that the emulator takes it in a minute.
printf '%s\n' 'memory_low = 24' 'memory_floor = 8' 'memory_ok = 36' >/tmp/little.conf
starts 'xenforkd' -c /tmp/little.conf
for clone in $calm $greedy; do
    wait_until 30 eval '[ "$(xenstore-read "/libxl/$(domid_of '"$clone"')/xenfork-ring")" = 1 ]'
done
lowered() { [ "$(reserved_mib source)" -le 32 ]; }
check 'a quarter is reserved for the source' wait_until 60 lowered
check 'memory is scarce' leave 34
for clone in source $calm; do watch_ticks "$clone" "/tmp/stood-$clone"; done
diag "$(free_mib) MiB free; $(xl fork-memory)"
ask endless 'sh while [ ! -e /tmp/enough ]; do dd if=/dev/zero of=/dev/null bs=24M count=1; done >/dev/null 2>&1 &' >/dev/null
target=/sys/devices/system/xen_memory/xen_memory0/target_kb
ask ballooning "sh while [ ! -e /tmp/enough ]; do echo 110000 >$target; sleep 1; echo 131072 >$target; sleep 1; done >/dev/null 2>&1 &" >/dev/null
fill toucher "$mib"
# shellcheck disable=SC2086  # names
check 'one is paused' wait_until 120 any paused $greedy
calm_ones 'greedy ones are paused'
for clone in $greedy; do diag "$clone: $(note_of "$clone") $(info "$clone" .private_kib) KiB"; done
diag "$(free_mib) MiB free"
for clone in $greedy; do xl unpause "$clone"; done
# In xenstore it stays noted as spared.
one_waits() { [ "$(daemon_lines 'result=waits')" -ge 1 ]; }
check 'let run all the same, one waits' wait_until 240 one_waits
calm_ones 'greedy ones wait'
for clone in $greedy; do diag "$clone: $(note_of "$clone") $(info "$clone" .private_kib) KiB"; done
diag "$(free_mib) MiB free"
check 'none has crashed' eval '! crashed'

xl destroy hog
for clone in $greedy; do check "$clone goes on" wait_until 60 runs "$clone"; done
check 'the toucher ends' wait_filled 120 toucher
filled_right toucher "$mib"
for clone in $greedy; do check "$clone ticks" ticks_on "$clone" 60; done
for clone in endless ballooning; do ask "$clone" 'sh touch /tmp/enough' >/dev/null; done
for clone in source $calm $greedy; do
    is "$clone: what it reads is right" "$(sum "$clone")" "$wanted"
    is "$clone: its disk" "$(ask "$clone" verify | json .errors)" 0
done
for clone in source $calm; do
    diag "$clone: longest time without a tick $(cat "/tmp/stood-$clone") ms"
    at_least "$clone never stood still" 20000 "$(cat "/tmp/stood-$clone")"
done
stops 'xenforkd ends'
done_testing
