#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Memory that is reserved, clones that are paused when memory goes at once, and what is refused then.
# live: --source --timeout 600
# full: 4.17 4.20
# shellcheck disable=SC2154  # daemon_log, daemon_pid: of xenforkd.sh
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

is_paused() { [ "$(state_of "$1")" = 'paused: memory' ]; }
runs() { [ "$(state_of "$1")" = running ]; }
is_listened_to() { [ "$(xenstore-read "/libxl/$(domid_of "$1")/xenfork-ring" 2>/dev/null)" = 1 ]; }
# refused TEXT STATUS PATTERN COMMAND [ARG…]
refused() {
    local output status
    output=$(timeout 120 "${@:4}" 2>&1)
    status=$?
    if [ "$status" = "$2" ] && grep -qi -e "$3" <<<"$output"; then ok "$1"; else fail "$1" "status $status" "$output"; fi
}

said=$(xl fork --paused source grow 2>/dev/null)
diag "$said"
is 'what is reserved' "$(grep 'MiB reserved' <<<"$said")" '1 clone: 32 MiB reserved of 128 they may write; source: 128 MiB'
check 'a clone that has nothing in reserve' xl fork --paused --reserve 0 source@fork-1 lean
check 'it is hydrated' wait_until 240 hydrated lean
check 'the other, too' wait_until 240 hydrated grow
at_least 'without xenforkd all is reserved for the source' "$(reserved_mib source)" 100
check 'one that is not hydrated, with all in reserve' xl fork --no-hydrate --paused --reserve 0 source@fork-1 lazy
for clone in lean grow lazy; do xl unpause "$clone"; done
printf '%s\n' 'log_level = "debug"' >/tmp/low.conf
starts 'xenforkd' -c /tmp/low.conf
for name in source lean grow lazy; do check "$name is listened to" wait_until 60 is_listened_to "$name"; done
lowered() { [ "$(reserved_mib source)" -le 32 ]; }
check 'then a quarter is enough for the source' wait_until 30 lowered
for name in lean grow lazy; do check "$name runs" ticks_on "$name" 60; done
before=$(awk '/^voluntary/ { print $2 }' "/proc/$daemon_pid/status")
sleep 20
after=$(awk '/^voluntary/ { print $2 }' "/proc/$daemon_pid/status")
diag "xenforkd: $(((after - before) * 3)) wake-ups a minute while nothing happens, $(daemon_rss) KiB"

# Memory goes at once.
: >"$daemon_log"
free=$(free_mib) begun=$(now_ms)
(leave 20; echo $? >/tmp/left) &
wait_until 30 is_paused lean
paused=$(now_ms)
wait_until 30 test -s /tmp/left
ended=$(now_ms)
is 'somebody takes nearly all' "$(cat /tmp/left)" 0
diag "$free MiB free; all taken $((ended - begun)) ms after it began, lean seen paused after $((paused - begun)) ms"
at_least 'Xen says so' "$(daemon_lines 'event=memory result=low')" 1
check 'the clone without a reservation is paused' is_paused lean
check 'the one with one runs' ticks_on grow
check 'so does the one that is not hydrated' ticks_on lazy
check 'the source runs' ticks_on source
check 'a check says so' eval 'xl fork-check source; [ $? = 4 ]'
host=$(snapshot_of_host)
refused 'a fork is refused' 1 'not enough free memory' xl fork source more
refused 'of an image, too' 1 'not enough free memory' xl fork source@fork-1 more
refused 'a detach is refused' 1 'memory' xl fork-detach --wait lean
cp /tmp/hog.cfg /tmp/other.cfg && sed -i 's/"hog"/"other"/; s/^memory = .*/memory = 128/' /tmp/other.cfg
refused 'xl create is refused' 3 'out of memory' xl create -q -p /tmp/other.cfg
same_host 'nothing is left of them' "$host" "$(snapshot_of_host)"
is 'the clone is as it was' "$(state_of lean) $(info lean .hydrated_percent)" 'paused: memory 100'
xl save lean /data/lean >/dev/null 2>/tmp/save
isnt 'a clone that is paused is not saved' $? 0
diag "$(tail -n 2 /tmp/save)"
check 'and stays paused' is_paused lean
same_host 'nothing is left of that' "$host" "$(snapshot_of_host)"
before=$(free_mib)
check 'one is hydrated' timeout 120 xl fork-hydrate lazy
is 'wholly' "$(info lazy .hydrated_percent)" 100
at_least 'which gives back what was reserved' "$(free_mib)" $((before + 40))
check 'it goes on' ticks_on lazy
is 'its disk' "$(ask lazy verify | json .errors)" 0
check 'so does the other, now that there is memory' wait_until 30 runs lean
check 'somebody takes that, too' leave 20 hog2
check 'it is paused again' wait_until 30 is_paused lean
check 'the source is saved' timeout 200 xl save source /data/saved
xl destroy hog
xl destroy hog2
check 'memory is back' wait_until 30 runs lean
check 'and restored' timeout 200 xl restore /data/saved
check 'it runs' wait_until 60 ticks_on source
is 'its disk' "$(ask source verify | json .errors)" 0
check 'lean goes on' ticks_on lean
stops 'xenforkd ends'
done_testing
