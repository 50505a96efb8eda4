#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without xenforkd, and with --reserve full: as many clones as fit are made, the ninth is refused, and nobody ever waits. Two
# forks at once, and xl create meanwhile, are never promised the same memory.
#     full.t [MIB]: each writes so much, by default all that its guest has
# live: --source --timeout 1200
# full: 4.17 4.20
# alone: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/memory.sh"

export ASK_SECONDS=90
paused() { xl fork-list --json | json '.[] | select(.kind == "clone") | .state' | grep -v '^running$'; }
# The source's lock is waited for no longer than 20 s, which is little for the emulator.
fork_full() {
    local output status
    for _ in 1 2 3 4; do
        output=$(timeout 200 xl fork --paused --reserve full source "$1" --json 2>&1)
        status=$?
        grep -q 'operation is on' <<<"$output" || break
    done
    printf '%s\n' "$output"
    return $status
}
is_clone() { [ -n "$(domid_of "$1")" ]; }

mib=${1:-$(can_fill source)}
[ -n "${1-}" ] || at_least 'each writes what its guest has' "$mib" 20
# Nine guests that write to their disks twice a second are more than the emulator can do.
ask source 'pace 20000' >/dev/null
switch_rarely
for n in 1 2; do
    before=$(free_mib)
    check "clone $n" fork_full "full-$n"
    check "clone $n is hydrated" wait_until 120 hydrated "full-$n"
    each=$((before - $(free_mib)))
done
diag "each clone takes $each MiB of 128; $(free_mib) MiB free"
check 'somebody has what eight clones do not need' leave $((6 * each + each * 7 / 10))
diag "$(free_mib) MiB are left"
for n in 3 4 5 6 7 8; do
    check "clone $n" fork_full "full-$n"
    check "clone $n is hydrated" wait_until 120 hydrated "full-$n"
done
host=$(snapshot_of_host)
refused=$(fork_full full-9)
diag "$refused"
check 'the ninth is refused' grep -q 'not enough free memory' <<<"$refused"
same_host 'nothing is left of it' "$host" "$(snapshot_of_host)"
began=$SECONDS longest_gap=0
for n in 1 2 3 4 5 6 7 8; do begin "full-$n" "$mib"; done
for n in 1 2 3 4 5 6 7 8; do
    check "clone $n has written all" wait_filled 600 "full-$n"
    is 'nothing is paused' "$(paused)" ''
    filled_right "full-$n" "$mib"
    is "clone $n: its disk" "$(ask "full-$n" verify | json .errors)" 0
done
diag "8 times $mib MiB in $((SECONDS - began)) s; longest gap $longest_gap ms"
ask source "fill $mib" >/dev/null
check 'the source writes all of its own, too' wait_filled 120 source
filled_right source "$mib"

# Room for one: two forks at once, and a fork and xl create.
for n in 2 3 4 5 6 7 8; do xl fork-destroy "full-$n"; done
xl destroy hog
check 'there is room for one more clone' leave $((each * 17 / 10))
for round in 1 2; do
    fork_full one >/tmp/one &
    one=$!
    fork_full two >/tmp/two &
    two=$! made=0
    for pid in $one $two; do wait $pid && made=$((made + 1)); done
    is "round $round: one of two forks is made" $made 1
    check 'the other is refused' grep -q 'not enough free memory' /tmp/one /tmp/two
    for clone in one two; do
        is_clone $clone || continue
        check "$clone is hydrated" wait_until 120 hydrated $clone
        begin $clone "$mib"
        check "$clone writes all" wait_filled 60 $clone
        filled_right $clone "$mib"
        check "$clone is destroyed" xl fork-destroy $clone
    done
done
sed "s/\"hog\"/\"other\"/; s/^memory = .*/memory = $((each * 12 / 10))/" /tmp/hog.cfg >/tmp/other.cfg
forked=0 created=0
for delay in 0 0.5 1 3; do
    before=$(free_mib)
    fork_full one >/tmp/one &
    one=$!
    sleep $delay
    timeout 60 xl create -q -p /tmp/other.cfg 2>/tmp/other
    others=$?
    wait $one
    ones=$?
    diag "xl create after $delay s of $before MiB: status $others, xl fork $ones"
    [ $ones = 0 ] && forked=$((forked + 1))
    [ $others = 0 ] && created=$((created + 1))
    check "after $delay s: not both" [ $((ones == 0 && others == 0)) = 0 ]
    check 'one of them' [ $((ones == 0 || others == 0)) = 1 ]
    if [ $ones = 0 ]; then
        check 'the clone is hydrated' wait_until 120 hydrated one
        at_least 'what it was promised is its own' "$(reserved_mib one)" 100
        begin one "$mib"
        check 'it writes all' wait_filled 60 one
        filled_right one "$mib"
        xl fork-destroy one
    else
        check 'the fork is refused' grep -q 'not enough free memory' /tmp/one
        xl destroy other
    fi
done
at_least 'the fork had it sometimes' $forked 1
ask source 'pace 500' >/dev/null
check 'the source goes on to the end' ticks_on source 90
is 'its disk' "$(ask source verify | json .errors)" 0
done_testing
