#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xenforkd is killed at each step of pausing a clone, and of resuming it: the next one ends what it finds.
# live: --source --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

clones=(source-1 source-2 source-3)
note() { printf '/libxl/%s/xenfork-memory\n' "$(domid_of "$1")"; }
goes_on() { runs "$1" && ! xenstore-exists "$(note "$1")"; }
all() { for clone in "${clones[@]}"; do "$@" "$clone" || return; done; }
kills() {
    kill_daemon KILL
    wait_until 10 daemon_is_gone
}
crashed() { xl list | awk 'NR > 1 && $5 ~ /c/' | grep -q .; }

check 'three clones' xl fork --paused --reserve 0 -n 3 source
for clone in "${clones[@]}"; do
    check "$clone is hydrated" wait_until 120 hydrated "$clone"
    xl unpause "$clone"
done

# What a daemon leaves that is killed between two calls, in its order: with ample memory the clone goes on.
for step in 'pausing running' 'pausing paused' 'paused paused' 'resuming paused' 'resuming running'; do
    xenstore-write "$(note source-1)" "${step% *}"
    [ "${step#* }" = running ] || xl pause source-1
    starts "killed when $step"
    check "$step: it goes on" wait_until 20 goes_on source-1
    check "$step: it ticks" ticks_on source-1
    kills
done

# Killed again and again while three are paused, and while they are resumed.
check 'memory is low' leave 40
for delay in 0 0.1 0.2 0.3 0.5; do
    starts "xenforkd, for $delay s"
    sleep "$delay"
    kills
done
starts 'xenforkd, to the end'
check 'all are paused' wait_until 30 all is_paused
kills
xl destroy hog
for delay in 0 0.1 0.5 1; do
    starts "xenforkd, for $delay s of ample memory"
    sleep "$delay"
    kills
done
starts 'xenforkd, to that end'
check 'all go on' wait_until 30 all goes_on
for clone in source "${clones[@]}"; do
    check "$clone ticks" ticks_on "$clone"
    is "the disk of $clone" "$(ask "$clone" verify | json .errors)" 0
done
check 'none has crashed' eval '! crashed'
stops 'xenforkd ends'
done_testing
