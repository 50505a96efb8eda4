#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Free memory falls from ample to nothing within a second, while clones write: one that has nothing in reserve, one that is not
# hydrated, one that is being hydrated. Each is paused, or waits, or has what it needs; no byte is wrong.
# live: --source --timeout 700
# full: 4.17 4.20
# shellcheck disable=SC2154  # daemon_log: of xenforkd.sh
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

export ASK_SECONDS=90
sum() { ask "$1" 'sh md5sum </tmp/big' | json .output; }
stopped() { xl fork-list --json | json '.[] | select(.state == "paused: memory") | .name' | grep -q .; }

ask source 'sh dd if=/dev/urandom of=/tmp/big bs=1024k count=8 2>/dev/null' >/dev/null
ask source 'pace 1000' >/dev/null
check 'guests are switched rarely' switch_rarely
wanted=$(sum source)
isnt 'there is something to read' "$wanted" ''
mib=$(can_fill source)
starts 'xenforkd'
for round in 1 2; do
    check "round $round: lean" xl fork --reserve 0 source lean
    check 'it is hydrated' wait_until 120 hydrated lean
    check 'lazy' xl fork --no-hydrate --reserve 0 "$(image)" lazy
    for clone in lean lazy; do
        wait_until 30 eval '[ "$(xenstore-read "/libxl/$(domid_of '$clone')/xenfork-ring")" = 1 ]'
    done
    check 'late' xl fork --paused --reserve 0 "$(image)" late
    free=$(free_mib)
    : >"$daemon_log"
    at_least 'memory is ample' "$free" 300
    /usr/libexec/xenfork/test-low 64 "$(domid_of lean)" "$(domid_of lazy)" "$(domid_of late)" >/tmp/low &
    low=$!
    for clone in lean lazy; do fill $clone "$mib"; done
    begin late "$mib"
    check 'somebody takes all of it' leave_least 12
    wait $low
    diag "hydrated: $(info late .hydrated_percent) %; $(cat /tmp/low)"
    at_least 'it was ample just before' "$(cut -d' ' -f1 /tmp/low)" 300
    check 'one is stopped' wait_until 30 stopped
    diag "$(free_mib) MiB free; $(xl fork-list)"
    check 'the source goes on' ticks_on source
    sleep 5
    check 'none has crashed' eval '! crashed'
    check 'memory is back' xl destroy hog
    for clone in lean lazy late; do
        check "$clone has written all" wait_filled 180 $clone
        filled_right $clone "$mib"
        wait_until 30 runs $clone
        is "$clone: what it reads is right" "$(sum $clone)" "$wanted"
        is "$clone: its disk" "$(ask $clone verify | json .errors)" 0
        check "$clone is destroyed" xl fork-destroy $clone
    done
    diag "$(grep 'event=memory' "$daemon_log" | sed 's/.*event=memory //' | tail -n 12)"
    xl fork-image-destroy "$(image)" >/dev/null 2>&1
    is 'no image is left' "$(image)" ''
done
check 'the source goes on to the end' ticks_on source
is 'its disk' "$(ask source verify | json .errors)" 0
stops 'xenforkd ends'
done_testing
